#include "command/client_text.h"

#include "base/check.h"

static bool is_printable(struct slice text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] < '!' || text.data[i] > '~') return false;
    return true;
}

bool client_name_valid(struct command_context *c, struct slice name)
{
    bool fits = name.size <= CLIENT_NAME_MAX, printable = is_printable(name);
    if (!fits) reply_error_format(c->reply, REPLY_ERROR_CLIENT_NAME_SIZE, CLIENT_NAME_MAX);
    else if (!printable) reply_error(c->reply, REPLY_ERROR_CLIENT_NAME);
    return fits && printable;
}

bool client_library_text_valid(struct command_context *c, const char *what, struct slice text)
{
    bool fits = text.size <= CLIENT_NAME_MAX, printable = is_printable(text);
    if (!fits) reply_error_format(c->reply, REPLY_ERROR_CLIENT_INFO_SIZE, what, CLIENT_NAME_MAX);
    else if (!printable) reply_error_format(c->reply, REPLY_ERROR_CLIENT_INFO_VALUE, what);
    return fits && printable;
}

void client_text_set(struct buf *text, struct slice value)
{
    CHECK(value.size <= CLIENT_NAME_MAX);
    buf_deinit(text);
    *text = (struct buf){0};
    if (value.size > 0) buf_append(text, value);
}

/* "N", or one letter for each thing that is special about the client. */
static void describe_flags(const struct client *client, struct buf *out)
{
    size_t before = out->size;
    if (client->transaction.open) buf_append_byte(out, 'x');
    if (client->blocked) buf_append_byte(out, 'b');
    if (client->transaction.watcher.broken) buf_append_byte(out, 'd');
    if (client->close_after_reply) buf_append_byte(out, 'c');
    if (client->unix_socket) buf_append_byte(out, 'U');
    if (client->no_evict) buf_append_byte(out, 'e');
    if (client->no_touch) buf_append_byte(out, 'T');
    if (out->size == before) buf_append_byte(out, 'N');
}

static int64_t seconds_since(int64_t then_ms, int64_t now_ms)
{
    return now_ms > then_ms ? (now_ms - then_ms) / 1000 : 0;
}

/* Fields, names and order are those of Redis; what does not exist here says so with the value that
 * it has where it is not used (sub=0). Before the first command: cmd=NULL. */
void client_describe(const struct client *client, int64_t now_ms, struct buf *out)
{
    const char *command = client->last_command == NULL ? "NULL" : client->last_command;
    const struct transaction *t = &client->transaction;
    buf_append_format(out, "id=%llu addr=%s laddr=%s fd=%d name=", (unsigned long long)client->id,
                      client->address, client->local_address, client->descriptor);
    buf_append(out, buf_slice(&client->name));
    buf_append_format(
        out, " age=%lld idle=%lld flags=", (long long)seconds_since(client->connected_ms, now_ms),
        (long long)seconds_since(client->last_request_ms, now_ms));
    describe_flags(client, out);
    buf_append_format(out, " db=%u sub=0 psub=0 ssub=0 multi=%lld watch=%zu qbuf=%zu qbuf-free=0",
                      client->database, t->open ? (long long)t->count : -1LL, t->watcher.count,
                      client->input_buffer_bytes);
    buf_append_format(out, " argv-mem=0 multi-mem=%zu rbs=0 rbp=0 obl=0 oll=0 omem=%zu tot-mem=%zu",
                      t->bytes, client->output_buffer_bytes,
                      sizeof *client + transaction_memory_bytes(t) + client->input_buffer_bytes +
                          client->output_buffer_bytes);
    buf_append_format(out, " events=r cmd=%s user=default redir=-1 resp=%d lib-name=", command,
                      (int)client->resp);
    buf_append(out, buf_slice(&client->library_name));
    buf_append_text(out, " lib-ver=");
    buf_append(out, buf_slice(&client->library_version));
    buf_append_format(out, " tot-net-in=%llu tot-net-out=%llu tot-cmds=%llu\n",
                      (unsigned long long)client->input_bytes,
                      (unsigned long long)client->output_bytes,
                      (unsigned long long)client->requests);
}
