#include "sigkill_command.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

void command_bytes(struct command *command, const char *bytes, size_t size)
{
    assert_true(command->count < COMMAND_ARGUMENTS_MAX);
    command->values[command->count] = bytes;
    command->sizes[command->count++] = size;
}

static char *take_text(struct command *command, const char *format, va_list arguments)
{
    char *place = command->text + command->text_size;
    int size = vsnprintf(place, sizeof command->text - command->text_size, format, arguments);
    assert_true(size >= 0 && command->text_size + (size_t)size < sizeof command->text);
    command->text_size += (size_t)size + 1;
    return place;
}

void command_text(struct command *command, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const char *text = take_text(command, format, arguments);
    va_end(arguments);
    command_bytes(command, text, strlen(text));
}

void command_words(struct command *command, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const char *word = take_text(command, format, arguments);
    va_end(arguments);
    for (const char *end = strchr(word, ' '); end != NULL; end = strchr(word, ' ')) {
        command_bytes(command, word, (size_t)(end - word));
        word = end + 1;
    }
    command_bytes(command, word, strlen(word));
}

void command_ids(struct command *command, const struct oracle_id *ids, size_t count)
{
    for (size_t i = 0; i < count; i++)
        command_text(command, "%" PRIu64 "-%" PRIu64, ids[i].ms, ids[i].sequence);
}

void command_send(struct load_connection *connection, struct command *command,
                  struct load_request request)
{
    assert_true(connection->request_count < LOAD_BATCH_MAX);
    connection->requests[connection->request_count++] = request;
    redisAppendCommandArgv(connection->context, command->count, command->values, command->sizes);
}
