/* commands.h - the function of every command, declared from the rows of commands.def, so that a
 * row without a function does not link. Each runs as command.h says: it writes exactly one reply,
 * or asks to wait, and changes nothing but through db_change and its own client. */
#ifndef COMMAND_COMMANDS_H
#define COMMAND_COMMANDS_H

#include "command/command.h"

#define COMMAND(name, function, ...) command_function function;
#define CONTAINER(name, ...)
#define SUBCOMMAND(parent, id, name, function, ...) command_function function;
#include "command/commands.def"
#undef COMMAND
#undef CONTAINER
#undef SUBCOMMAND

#endif
