/* execute.h - what EXEC needs of execute.c. Private to command/. */
#ifndef COMMAND_EXECUTE_H
#define COMMAND_EXECUTE_H

#include "command/command.h"

/* Runs a request whose row was found and admitted (c->command), as a part of the batch that is
 * open. It does not wait: what would wait answers as if its deadline had passed. c->reply->failed
 * says whether it answered with an error. */
void command_run_part(struct command_context *c);

#endif
