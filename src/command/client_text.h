/* client_text.h - names that clients give themselves, and the line that describes a client. */
#ifndef COMMAND_CLIENT_TEXT_H
#define COMMAND_CLIENT_TEXT_H

#include "command/command.h"

/* May this be the name of the connection? Printable ASCII without blanks, within CLIENT_NAME_MAX;
 * empty takes the name away. False: refused. */
bool client_name_valid(struct command_context *c, struct slice name);

/* The same for CLIENT SETINFO; what: "lib-name", "lib-ver". */
bool client_library_text_valid(struct command_context *c, const char *what, struct slice text);

/* Keeps a copy of the text; an empty one frees the old one's memory. */
void client_text_set(struct buf *text, struct slice value);

/* The line of CLIENT LIST and CLIENT INFO, with its line end. */
void client_describe(const struct client *client, int64_t now_ms, struct buf *out);

#endif
