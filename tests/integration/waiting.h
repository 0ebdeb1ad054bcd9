/* waiting.h - for tests that wait until something holds: they look, rest, and look again, and fail
 * when a limit is reached that no healthy machine reaches. How long it took is never asserted. */
#ifndef INTEGRATION_WAITING_H
#define INTEGRATION_WAITING_H

#include <stdint.h>

enum { WAITS_MAX = 5000 }; /* rests: about 10 s */

int64_t now_ms(void);     /* of the monotonic clock */
void pause_briefly(void); /* 2 ms */

#endif
