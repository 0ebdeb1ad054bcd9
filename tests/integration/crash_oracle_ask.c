/* crash_oracle_ask.c - what a caller may send next, and the model still tells what must be. */
#include "crash_oracle_parts.h"

size_t crash_oracle_unanswered(const struct crash_oracle *oracle, uint32_t client)
{
    oracle_require(client < oracle->client_count, "no such client");
    return oracle->clients[client].operation_count;
}

/* Does an unanswered operation make something else of this pending entry? */
static bool is_concerned(const struct crash_oracle *oracle, uint32_t stream, struct oracle_id id)
{
    for (uint32_t i = 0; i < oracle->client_count; i++) {
        const struct oracle_client *client = &oracle->clients[i];
        for (size_t k = 0; k < client->operation_count; k++) {
            const struct operation *operation = &client->operations[k];
            if (operation->stream != stream || operation->kind == OPERATION_REMOVE) continue;
            if (oracle_names_id(operation, id)) return true;
        }
    }
    return false;
}

size_t crash_oracle_pending_run(const struct crash_oracle *oracle, uint32_t stream,
                                struct oracle_id from, struct oracle_id *ids, size_t count_max)
{
    oracle_require(stream < oracle->stream_count, "no such stream");
    const struct oracle_stream *s = &oracle->streams[stream];
    size_t place = oracle_pending_place(s, from), count = 0;
    for (; place < s->pending_count && count < count_max; place++) {
        bool is_free = !is_concerned(oracle, stream, s->pending[place].id);
        if (!is_free && count > 0) break;
        if (is_free) ids[count++] = s->pending[place].id;
    }
    return count;
}

bool crash_oracle_is_done(const struct crash_oracle *oracle, uint32_t stream, struct oracle_id id)
{
    oracle_require(stream < oracle->stream_count, "no such stream");
    return oracle_stream_finished(&oracle->streams[stream], id);
}

static bool is_under_way(const struct crash_oracle *oracle, uint32_t stream,
                         enum operation_kind kind)
{
    oracle_require(stream < oracle->stream_count, "no such stream");
    for (uint32_t i = 0; i < oracle->client_count; i++) {
        const struct oracle_client *client = &oracle->clients[i];
        for (size_t k = 0; k < client->operation_count; k++)
            if (client->operations[k].kind == kind && client->operations[k].stream == stream)
                return true;
    }
    return false;
}

bool crash_oracle_may_read(const struct crash_oracle *oracle, uint32_t stream)
{
    return !is_under_way(oracle, stream, OPERATION_SKIP);
}

bool crash_oracle_may_skip(const struct crash_oracle *oracle, uint32_t stream)
{
    return crash_oracle_may_read(oracle, stream) && !is_under_way(oracle, stream, OPERATION_READ);
}

struct oracle_id crash_oracle_position(const struct crash_oracle *oracle, uint32_t stream)
{
    oracle_require(stream < oracle->stream_count, "no such stream");
    return oracle->streams[stream].last_delivered;
}

bool crash_oracle_message_under_way(const struct crash_oracle *oracle, uint32_t client)
{
    oracle_require(client < oracle->client_count, "no such client");
    const struct oracle_client *sender = &oracle->clients[client];
    for (size_t i = 0; i < sender->operation_count; i++)
        if (sender->operations[i].is_message) return true;
    return false;
}

bool crash_oracle_message(const struct crash_oracle *oracle, uint32_t client, uint32_t *stream,
                          struct slice *payload)
{
    oracle_require(client < oracle->client_count, "no such client");
    const struct oracle_client *sender = &oracle->clients[client];
    if (crash_oracle_message_under_way(oracle, client)) return false;
    *stream = sender->message.stream;
    *payload = (struct slice){sender->message.payload.data, sender->message.payload.size};
    return sender->message.sent;
}
