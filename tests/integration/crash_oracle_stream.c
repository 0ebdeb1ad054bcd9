/* crash_oracle_stream.c - the oracle's view of streams and their groups. */
#include "crash_oracle_parts.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ID_FORMAT      "%" PRIu64 "-%" PRIu64
#define ID_VALUES(id_) (id_).ms, (id_).sequence

void oracle_stream_free(struct oracle_stream *stream)
{
    for (size_t i = 0; i < stream->entry_count; i++) oracle_bytes_free(&stream->entries[i].payload);
    free(stream->entries);
    free(stream->pending);
    free(stream->finished);
}

/* The place of the first item whose ID is not below 'id'. Every item begins with its ID. */
static size_t find_place(const void *items, size_t count, size_t item_size, struct oracle_id id)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        struct oracle_id seen;
        memcpy(&seen, (const char *)items + middle * item_size, sizeof seen);
        if (oracle_id_compare(seen, id) < 0) low = middle + 1;
        else high = middle;
    }
    return low;
}

static struct known_entry *find_entry(const struct oracle_stream *stream, struct oracle_id id)
{
    size_t place = find_place(stream->entries, stream->entry_count, sizeof *stream->entries, id);
    if (place == stream->entry_count) return NULL;
    return oracle_id_compare(stream->entries[place].id, id) == 0 ? &stream->entries[place] : NULL;
}

size_t oracle_pending_place(const struct oracle_stream *stream, struct oracle_id id)
{
    return find_place(stream->pending, stream->pending_count, sizeof *stream->pending, id);
}

static struct known_pending *find_pending(const struct oracle_stream *stream, struct oracle_id id)
{
    size_t place = oracle_pending_place(stream, id);
    if (place == stream->pending_count) return NULL;
    return oracle_id_compare(stream->pending[place].id, id) == 0 ? &stream->pending[place] : NULL;
}

bool oracle_stream_finished(const struct oracle_stream *stream, struct oracle_id id)
{
    if (oracle_id_compare(id, stream->settled_delivered) <= 0)
        return find_pending(stream, id) == NULL;
    size_t place =
        find_place(stream->finished, stream->finished_count, sizeof *stream->finished, id);
    return place < stream->finished_count && oracle_id_compare(stream->finished[place], id) == 0;
}

void oracle_raise(struct oracle_id *id, struct oracle_id other)
{
    if (oracle_id_compare(other, *id) > 0) *id = other;
}

static bool payload_equal(const struct oracle_bytes *known, struct slice payload)
{
    return slice_equal((struct slice){known->data, known->size}, payload);
}

static void remove_entry(struct oracle_stream *stream, struct known_entry *entry)
{
    oracle_bytes_free(&entry->payload);
    size_t after = (size_t)(stream->entries + stream->entry_count - (entry + 1));
    memmove(entry, entry + 1, after * sizeof *entry);
    stream->entry_count--;
}

static void trim_entries(struct oracle_stream *stream, struct oracle_id first_kept)
{
    oracle_raise(&stream->first_kept, first_kept);
    size_t gone =
        find_place(stream->entries, stream->entry_count, sizeof *stream->entries, first_kept);
    for (size_t i = 0; i < gone; i++) oracle_bytes_free(&stream->entries[i].payload);
    stream->entry_count -= gone;
    if (gone > 0)
        memmove(stream->entries, stream->entries + gone,
                stream->entry_count * sizeof *stream->entries);
}

static void finish_pending(struct oracle_stream *stream, struct oracle_id id)
{
    struct known_pending *pending = find_pending(stream, id);
    if (pending == NULL) return;
    size_t after = (size_t)(stream->pending + stream->pending_count - (pending + 1));
    memmove(pending, pending + 1, after * sizeof *pending);
    stream->pending_count--;
    stream->finished = oracle_grow(stream->finished, &stream->finished_capacity,
                                   stream->finished_count + 1, sizeof *stream->finished);
    size_t place =
        find_place(stream->finished, stream->finished_count, sizeof *stream->finished, id);
    memmove(stream->finished + place + 1, stream->finished + place,
            (stream->finished_count - place) * sizeof *stream->finished);
    stream->finished[place] = id;
    stream->finished_count++;
}

static void apply_to_id(struct oracle_stream *stream, uint32_t client,
                        const struct operation *operation, struct oracle_id id)
{
    struct known_entry *entry = find_entry(stream, id);
    struct known_pending *pending = find_pending(stream, id);
    bool removes = operation->kind == OPERATION_REMOVE;
    bool acknowledges = operation->kind == OPERATION_ACKNOWLEDGE;
    if (operation->kind == OPERATION_ACKNOWLEDGE_REMOVE) removes = acknowledges = true;
    if (operation->kind == OPERATION_DEREFERENCE) removes = true;
    if (removes && entry != NULL) remove_entry(stream, entry);
    if (acknowledges) finish_pending(stream, id);
    if (operation->kind == OPERATION_CLAIM && pending != NULL) {
        pending->client = client;
        pending->deliveries++;
    }
    if (operation->kind == OPERATION_RELEASE && pending != NULL) pending->client = ORACLE_NOBODY;
}

void oracle_stream_apply(struct oracle_stream *stream, uint32_t client,
                         const struct operation *operation)
{
    if (operation->kind == OPERATION_TRIM) trim_entries(stream, operation->id);
    if (operation->kind == OPERATION_RAISE) oracle_raise(&stream->last_id, operation->id);
    if (operation->kind == OPERATION_SKIP) {
        oracle_raise(&stream->last_delivered, operation->id);
        oracle_raise(&stream->settled_delivered, operation->id);
    }
    for (size_t i = 0; i < operation->id_count; i++)
        apply_to_id(stream, client, operation, operation->ids[i]);
}

bool oracle_names_id(const struct operation *operation, struct oracle_id id)
{
    for (size_t i = 0; i < operation->id_count; i++)
        if (oracle_id_compare(operation->ids[i], id) == 0) return true;
    return false;
}

void oracle_stream_dereferenced(struct oracle_stream *stream, const struct operation *operation,
                                int64_t answer)
{
    for (size_t i = 0; answer == 1 && i < operation->id_count; i++)
        finish_pending(stream, operation->ids[i]);
}

void oracle_stream_claimed(struct crash_oracle *oracle, const struct operation *operation,
                           const struct oracle_answer *answer)
{
    struct oracle_stream *stream = &oracle->streams[operation->stream];
    for (size_t i = 0; i < answer->entry_count; i++) {
        crash_oracle_saw_entry(oracle, operation->stream, &answer->entries[i]);
        if (!oracle_names_id(operation, answer->entries[i].id))
            oracle_violate(oracle, ORACLE_ANSWER_WRONG,
                           "stream %u: " ID_FORMAT " was claimed, but not meant", operation->stream,
                           ID_VALUES(answer->entries[i].id));
    }
    for (size_t i = 0; i < operation->id_count; i++) {
        bool claimed = false;
        for (size_t k = 0; k < answer->entry_count; k++)
            claimed |= oracle_id_compare(answer->entries[k].id, operation->ids[i]) == 0;
        if (!claimed) finish_pending(stream, operation->ids[i]);
    }
}

/* The operation's entry is known to exist under 'id', unless a certain XTRIM has removed it. */
static void learn_entry(struct oracle_stream *stream, struct operation *operation,
                        struct oracle_id id)
{
    operation->id_known = true;
    operation->id = id;
    stream->added++;
    oracle_raise(&stream->last_id, id);
    if (oracle_id_compare(id, stream->first_kept) < 0) return;
    stream->entries = oracle_grow(stream->entries, &stream->entry_capacity, stream->entry_count + 1,
                                  sizeof *stream->entries);
    size_t place = find_place(stream->entries, stream->entry_count, sizeof *stream->entries, id);
    memmove(stream->entries + place + 1, stream->entries + place,
            (stream->entry_count - place) * sizeof *stream->entries);
    stream->entries[place] = (struct known_entry){
        id, oracle_copy((struct slice){operation->bytes.data, operation->bytes.size})};
    stream->entry_count++;
}

void oracle_stream_added(struct crash_oracle *oracle, struct operation *operation,
                         struct oracle_id id)
{
    struct oracle_stream *stream = &oracle->streams[operation->stream];
    if (operation->id_known) {
        if (oracle_id_compare(operation->id, id) != 0)
            oracle_violate(oracle, ORACLE_ANSWER_WRONG,
                           "stream %u: XADD answered " ID_FORMAT ", a reader saw it as " ID_FORMAT,
                           operation->stream, ID_VALUES(id), ID_VALUES(operation->id));
        return;
    }
    if (oracle_id_compare(id, operation->after) <= 0 || find_entry(stream, id) != NULL) {
        oracle_violate(oracle, ORACLE_ANSWER_WRONG,
                       "stream %u: XADD answered " ID_FORMAT ", but " ID_FORMAT
                       " was known before it was sent",
                       operation->stream, ID_VALUES(id), ID_VALUES(operation->after));
        return;
    }
    learn_entry(stream, operation, id);
}

struct sought_add {
    uint32_t client;
    size_t index; /* of the operation in the client's queue */
};

/* The unanswered XADD of this payload that has no ID yet; false if there is none. */
static bool find_add(const struct crash_oracle *oracle, uint32_t stream, struct slice payload,
                     struct sought_add *sought)
{
    for (uint32_t i = 0; i < oracle->client_count; i++) {
        const struct oracle_client *client = &oracle->clients[i];
        for (size_t j = 0; j < client->operation_count; j++) {
            const struct operation *operation = &client->operations[j];
            if (operation->kind != OPERATION_ADD || operation->stream != stream) continue;
            if (operation->id_known || operation->found) continue;
            if (!payload_equal(&operation->bytes, payload)) continue;
            *sought = (struct sought_add){i, j};
            return true;
        }
    }
    return false;
}

void crash_oracle_saw_entry(struct crash_oracle *oracle, uint32_t stream,
                            const struct oracle_entry *entry)
{
    oracle_require(stream < oracle->stream_count, "no such stream");
    struct oracle_stream *seen = &oracle->streams[stream];
    struct known_entry *known = find_entry(seen, entry->id);
    if (known != NULL) {
        if (!payload_equal(&known->payload, entry->payload))
            oracle_violate(oracle, ORACLE_ENTRY_CHANGED,
                           "stream %u: a reader saw " ID_FORMAT " with other bytes", stream,
                           ID_VALUES(entry->id));
        return;
    }
    struct sought_add add;
    /* If there is none, the entry has been removed since: the answer took its time. */
    if (!find_add(oracle, stream, entry->payload, &add)) return;
    oracle_make_certain(oracle, add.client, add.index + 1);
    struct oracle_client *client = &oracle->clients[add.client];
    learn_entry(seen, &client->operations[add.index], entry->id);
    if (client->operations[add.index].is_message) {
        client->message.stored = true;
        client->message.id = entry->id;
    }
}

static void deliver_one(struct crash_oracle *oracle, uint32_t client, uint32_t stream,
                        const struct oracle_entry *entry)
{
    struct oracle_stream *read = &oracle->streams[stream];
    crash_oracle_saw_entry(oracle, stream, entry);
    if (oracle_stream_finished(read, entry->id) || find_pending(read, entry->id) != NULL) {
        oracle_violate(oracle, ORACLE_DELIVERED_AGAIN,
                       "stream %u: " ID_FORMAT " was delivered again, to client %u", stream,
                       ID_VALUES(entry->id), client);
        return;
    }
    oracle_raise(&read->last_delivered, entry->id);
    read->pending = oracle_grow(read->pending, &read->pending_capacity, read->pending_count + 1,
                                sizeof *read->pending);
    size_t place = oracle_pending_place(read, entry->id);
    memmove(read->pending + place + 1, read->pending + place,
            (read->pending_count - place) * sizeof *read->pending);
    read->pending[place] = (struct known_pending){entry->id, client, 1};
    read->pending_count++;
}

void oracle_stream_delivered(struct crash_oracle *oracle, uint32_t client, uint32_t stream,
                             const struct oracle_answer *answer)
{
    for (size_t i = 0; i < answer->entry_count; i++) {
        if (i > 0 && oracle_id_compare(answer->entries[i - 1].id, answer->entries[i].id) >= 0)
            oracle_violate(oracle, ORACLE_ANSWER_WRONG,
                           "stream %u: " ID_FORMAT " was delivered after " ID_FORMAT, stream,
                           ID_VALUES(answer->entries[i].id), ID_VALUES(answer->entries[i - 1].id));
        deliver_one(oracle, client, stream, &answer->entries[i]);
    }
}
