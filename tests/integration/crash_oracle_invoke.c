/* crash_oracle_invoke.c - what clients send: each operation waits in its client's queue. */
#include "crash_oracle_parts.h"

#include <string.h>

static struct operation *operation_begin(struct crash_oracle *oracle, uint32_t client,
                                         enum operation_kind kind)
{
    oracle_require(client < oracle->client_count, "no such client");
    oracle_require(!oracle->judging, "a client sends while a recovery is judged");
    struct oracle_client *sender = &oracle->clients[client];
    sender->operations = oracle_grow(sender->operations, &sender->operation_capacity,
                                     sender->operation_count + 1, sizeof *sender->operations);
    struct operation *operation = &sender->operations[sender->operation_count++];
    *operation = (struct operation){.kind = kind};
    return operation;
}

void crash_oracle_invoke_writes(struct crash_oracle *oracle, uint32_t client,
                                const struct oracle_write *writes, size_t count)
{
    operation_begin(oracle, client, OPERATION_WRITES);
    crash_oracle_join_writes(oracle, client, writes, count);
}

void crash_oracle_join_writes(struct crash_oracle *oracle, uint32_t client,
                              const struct oracle_write *writes, size_t count)
{
    oracle_require(client < oracle->client_count, "no such client");
    const struct oracle_client *sender = &oracle->clients[client];
    oracle_require(sender->operation_count > 0, "there is no operation to join");
    struct operation *operation = &sender->operations[sender->operation_count - 1];
    oracle_require(count > 0, "a command writes at least one key");
    oracle_require(operation->writes == NULL, "an operation has its writes already");
    operation->writes = oracle_allocate(count, sizeof *operation->writes);
    operation->write_count = count;
    for (size_t i = 0; i < count; i++) {
        oracle_require(writes[i].key < oracle->key_count, "no such key");
        oracle_require(oracle->keys[writes[i].key].client == client, "a key of another client");
        operation->writes[i] = (struct operation_write){
            writes[i].kind, writes[i].key, oracle_copy(writes[i].value), writes[i].delta};
    }
}

void crash_oracle_invoke_add(struct crash_oracle *oracle, uint32_t client, uint32_t stream,
                             struct slice payload)
{
    oracle_require(stream < oracle->stream_count, "no such stream");
    struct operation *operation = operation_begin(oracle, client, OPERATION_ADD);
    operation->stream = stream;
    operation->bytes = oracle_copy(payload);
    operation->after = oracle->streams[stream].last_id;
}

static void invoke_with_ids(struct crash_oracle *oracle, uint32_t client, enum operation_kind kind,
                            const struct oracle_stream_ids *which)
{
    oracle_require(which->stream < oracle->stream_count, "no such stream");
    oracle_require(which->count > 0, "a command names at least one ID");
    struct operation *operation = operation_begin(oracle, client, kind);
    operation->stream = which->stream;
    operation->ids = oracle_allocate(which->count, sizeof *operation->ids);
    operation->id_count = which->count;
    memcpy(operation->ids, which->ids, which->count * sizeof *which->ids);
}

/* What becomes of a pending entry is exact only while one operation at a time concerns it. */
static void invoke_with_pending(struct crash_oracle *oracle, uint32_t client,
                                enum operation_kind kind, const struct oracle_stream_ids *which)
{
    oracle_require(which->stream < oracle->stream_count, "no such stream");
    for (size_t i = 0; i < which->count; i++) {
        struct oracle_id free;
        bool found = crash_oracle_pending_run(oracle, which->stream, which->ids[i], &free, 1) == 1;
        oracle_require(found && oracle_id_compare(free, which->ids[i]) == 0,
                       "an entry that is not pending, or that another operation concerns");
    }
    invoke_with_ids(oracle, client, kind, which);
}

void crash_oracle_invoke_remove(struct crash_oracle *oracle, uint32_t client,
                                const struct oracle_stream_ids *which)
{
    invoke_with_ids(oracle, client, OPERATION_REMOVE, which);
    oracle->streams[which->stream].ever_removed = true;
}

void crash_oracle_invoke_acknowledge(struct crash_oracle *oracle, uint32_t client,
                                     const struct oracle_stream_ids *which)
{
    invoke_with_pending(oracle, client, OPERATION_ACKNOWLEDGE, which);
}

void crash_oracle_invoke_acknowledge_remove(struct crash_oracle *oracle, uint32_t client,
                                            const struct oracle_stream_ids *which)
{
    invoke_with_pending(oracle, client, OPERATION_ACKNOWLEDGE_REMOVE, which);
    oracle->streams[which->stream].ever_removed = true;
}

void crash_oracle_invoke_claim(struct crash_oracle *oracle, uint32_t client,
                               const struct oracle_stream_ids *which)
{
    invoke_with_pending(oracle, client, OPERATION_CLAIM, which);
}

void crash_oracle_invoke_release(struct crash_oracle *oracle, uint32_t client,
                                 const struct oracle_stream_ids *which)
{
    invoke_with_pending(oracle, client, OPERATION_RELEASE, which);
}

void crash_oracle_invoke_dereference(struct crash_oracle *oracle, uint32_t client, uint32_t stream,
                                     struct oracle_id id)
{
    invoke_with_pending(oracle, client, OPERATION_DEREFERENCE,
                        &(struct oracle_stream_ids){stream, &id, 1});
    oracle->streams[stream].ever_removed = true;
}

void crash_oracle_invoke_raise(struct crash_oracle *oracle, uint32_t client, uint32_t stream,
                               struct oracle_id last_id)
{
    oracle_require(stream < oracle->stream_count, "no such stream");
    struct operation *operation = operation_begin(oracle, client, OPERATION_RAISE);
    operation->stream = stream;
    operation->id = last_id;
}

void crash_oracle_invoke_skip(struct crash_oracle *oracle, uint32_t client, uint32_t stream,
                              struct oracle_id position)
{
    oracle_require(stream < oracle->stream_count, "no such stream");
    struct oracle_stream *skipped = &oracle->streams[stream];
    oracle_require(skipped->has_group, "the stream has no group");
    oracle_require(crash_oracle_may_skip(oracle, stream), "the group moves already");
    oracle_require(oracle_id_compare(position, skipped->last_delivered) > 0, "a step backwards");
    struct operation *operation = operation_begin(oracle, client, OPERATION_SKIP);
    operation->stream = stream;
    operation->id = position;
    skipped->ever_skipped = true;
}

void crash_oracle_invoke_message(struct crash_oracle *oracle, uint32_t client, uint32_t stream,
                                 struct slice payload)
{
    oracle_require(client < oracle->client_count, "no such client");
    oracle_require(!crash_oracle_message_under_way(oracle, client),
                   "the client's message is under way");
    crash_oracle_invoke_add(oracle, client, stream, payload);
    struct oracle_client *sender = &oracle->clients[client];
    sender->operations[sender->operation_count - 1].is_message = true;
    oracle_bytes_free(&sender->message.payload);
    sender->message =
        (struct oracle_message){.sent = true, .stream = stream, .payload = oracle_copy(payload)};
}

void crash_oracle_invoke_message_again(struct crash_oracle *oracle, uint32_t client)
{
    oracle_require(client < oracle->client_count, "no such client");
    oracle_require(!crash_oracle_message_under_way(oracle, client),
                   "the client's message is under way");
    struct oracle_client *sender = &oracle->clients[client];
    const struct oracle_message *message = &sender->message;
    oracle_require(message->sent, "there is no message");
    crash_oracle_invoke_add(oracle, client, message->stream,
                            (struct slice){message->payload.data, message->payload.size});
    struct operation *operation = &sender->operations[sender->operation_count - 1];
    operation->is_message = true;
    operation->id_known = message->stored;
    operation->id = message->id;
}

void crash_oracle_invoke_trim(struct crash_oracle *oracle, uint32_t client, uint32_t stream,
                              struct oracle_id first_kept)
{
    oracle_require(stream < oracle->stream_count, "no such stream");
    struct operation *operation = operation_begin(oracle, client, OPERATION_TRIM);
    operation->stream = stream;
    operation->id = first_kept;
    struct oracle_stream *trimmed = &oracle->streams[stream];
    trimmed->ever_removed = true;
    if (oracle_id_compare(first_kept, trimmed->trim_max) > 0) trimmed->trim_max = first_kept;
}

void crash_oracle_invoke_read(struct crash_oracle *oracle, uint32_t client, uint32_t stream,
                              size_t count)
{
    oracle_require(stream < oracle->stream_count, "no such stream");
    oracle_require(oracle->streams[stream].has_group, "the stream has no group");
    oracle_require(crash_oracle_may_read(oracle, stream), "the group's position is being set");
    struct operation *operation = operation_begin(oracle, client, OPERATION_READ);
    operation->stream = stream;
    operation->count_max = count;
}
