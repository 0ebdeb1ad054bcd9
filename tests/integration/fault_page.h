/* fault_page.h - gives a server the library that makes its disk fail or wait (fault.h).
 *
 * Failures of the environment end the test with cmocka's fail(). */
#ifndef INTEGRATION_FAULT_PAGE_H
#define INTEGRATION_FAULT_PAGE_H

#include "fault.h"
#include "server_process.h"

/* Before the server's start; the file of the page stands beside its directory. */
struct fault_page *fault_page_open(struct server_process *server);
void fault_page_close(const struct server_process *server, struct fault_page *page);

#endif
