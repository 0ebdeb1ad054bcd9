/* sigkill_command.h - one request of the load: its arguments, and what its answer will be. */
#ifndef INTEGRATION_SIGKILL_COMMAND_H
#define INTEGRATION_SIGKILL_COMMAND_H

#include "sigkill_load.h"

enum { COMMAND_ARGUMENTS_MAX = 64 };

/* Short texts live in 'text'; bytes are borrowed until it is sent. */
struct command {
    const char *values[COMMAND_ARGUMENTS_MAX];
    size_t sizes[COMMAND_ARGUMENTS_MAX];
    int count;
    char text[COMMAND_ARGUMENTS_MAX * 48];
    size_t text_size;
};

void command_bytes(struct command *command, const char *bytes, size_t size);
void command_text(struct command *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Words, separated by single blanks. */
void command_words(struct command *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void command_ids(struct command *command, const struct oracle_id *ids, size_t count);

/* Into the connection's buffer. */
void command_send(struct load_connection *connection, struct command *command,
                  struct load_request request);

#endif
