/* crash_oracle_judge.c - a recovered stream and its group against what is known of them.
 *
 * Each thing that is there or is missing either contradicts what is certain, or says of one unknown
 * operation at place i in its client's queue that it happened (candidates above i only) or that
 * it did not (candidates up to i only), or has two possible reasons and says nothing. */
#include "crash_oracle_parts.h"

#include <inttypes.h>
#include <stdlib.h>

#define ID_FORMAT      "%" PRIu64 "-%" PRIu64
#define ID_VALUES(id_) (id_).ms, (id_).sequence

/* One judgement of one stream. */
struct judgement {
    struct crash_oracle *oracle;
    uint32_t index;
    struct oracle_stream *stream;
    const struct oracle_recovered_stream *recovered;
    uint64_t adds_found;    /* unknown XADDs whose entry is there */
    uint64_t adds_hidden;   /* unknown XADDs that may have happened and been trimmed since */
    uint64_t pending_found; /* pending entries that only an unknown XREADGROUP explains */
    struct oracle_id last_id;
    struct oracle_id last_delivered;
};

static void happened(struct judgement *j, uint32_t client, size_t index)
{
    oracle_allow_only(j->oracle, client, index + 1, SIZE_MAX);
}

static void did_not_happen(struct judgement *j, uint32_t client, size_t index)
{
    oracle_allow_only(j->oracle, client, 0, index);
}

static bool would_remove(const struct operation *operation, struct oracle_id id)
{
    if (operation->kind == OPERATION_REMOVE || operation->kind == OPERATION_ACKNOWLEDGE_REMOVE ||
        operation->kind == OPERATION_DEREFERENCE)
        return oracle_names_id(operation, id);
    return operation->kind == OPERATION_TRIM && oracle_id_compare(id, operation->id) < 0;
}

static bool would_acknowledge(const struct operation *operation, struct oracle_id id)
{
    return (operation->kind == OPERATION_ACKNOWLEDGE ||
            operation->kind == OPERATION_ACKNOWLEDGE_REMOVE) &&
           oracle_names_id(operation, id);
}

typedef bool operation_predicate(const struct operation *operation, struct oracle_id id);

/* The thing with this ID is there ('present') or gone. Judges the unknown operations that take such
 * things away; false if it is gone and none can have done it. */
static bool judge_presence(struct judgement *j, operation_predicate *takes, struct oracle_id id,
                           bool present)
{
    size_t takers = 0, index = 0;
    uint32_t client = 0;
    for (uint32_t i = 0; i < j->oracle->client_count; i++) {
        const struct oracle_client *sender = &j->oracle->clients[i];
        for (size_t k = sender->certain; k < sender->operation_count; k++) {
            const struct operation *operation = &sender->operations[k];
            if (operation->stream != j->index || !takes(operation, id)) continue;
            if (present) did_not_happen(j, i, k);
            takers++;
            client = i;
            index = k;
        }
    }
    if (!present && takers == 1) happened(j, client, index);
    return present || takers > 0;
}

/* --- Entries. -------------------------------------------------------------------------------- */

static void judge_unexpected_entry(struct judgement *j, const struct oracle_entry *entry)
{
    struct oracle_client *clients = j->oracle->clients;
    for (uint32_t i = 0; i < j->oracle->client_count; i++) {
        for (size_t k = 0; k < clients[i].operation_count; k++) {
            struct operation *operation = &clients[i].operations[k];
            if (operation->kind != OPERATION_ADD || operation->stream != j->index) continue;
            if (operation->id_known || operation->found) continue;
            if (!slice_equal((struct slice){operation->bytes.data, operation->bytes.size},
                             entry->payload))
                continue;
            operation->found = true;
            if (operation->is_message) {
                clients[i].message.stored = true;
                clients[i].message.id = entry->id;
            }
            j->adds_found++;
            if (k >= clients[i].certain) happened(j, i, k);
            if (k < clients[i].last_found || oracle_id_compare(entry->id, operation->after) <= 0)
                oracle_violate(j->oracle, ORACLE_ORDER_BROKEN,
                               "stream %u: " ID_FORMAT " stands before an entry that is older",
                               j->index, ID_VALUES(entry->id));
            clients[i].last_found = k + 1;
            return;
        }
    }
    oracle_violate(j->oracle, ORACLE_ENTRY_UNKNOWN,
                   "stream %u: " ID_FORMAT " (%zu bytes) was never sent, or was removed", j->index,
                   ID_VALUES(entry->id), entry->payload.size);
}

static void judge_missing_entry(struct judgement *j, const struct known_entry *known)
{
    if (judge_presence(j, would_remove, known->id, false)) return;
    oracle_violate(j->oracle, ORACLE_ENTRY_LOST, "stream %u: " ID_FORMAT " (%zu bytes) is lost",
                   j->index, ID_VALUES(known->id), known->payload.size);
}

static void judge_entries(struct judgement *j)
{
    const struct oracle_recovered_stream *recovered = j->recovered;
    size_t place = 0;
    for (size_t i = 0; i < recovered->entry_count; i++) {
        const struct oracle_entry *entry = &recovered->entries[i];
        if (i > 0 && oracle_id_compare(recovered->entries[i - 1].id, entry->id) >= 0)
            oracle_violate(j->oracle, ORACLE_STREAM_INEXACT,
                           "stream %u: " ID_FORMAT " follows an ID that is not below it", j->index,
                           ID_VALUES(entry->id));
        const struct known_entry *known = j->stream->entries;
        while (place < j->stream->entry_count && oracle_id_compare(known[place].id, entry->id) < 0)
            judge_missing_entry(j, &known[place++]);
        bool is_known =
            place < j->stream->entry_count && oracle_id_compare(known[place].id, entry->id) == 0;
        if (!is_known) judge_unexpected_entry(j, entry);
        if (is_known &&
            !slice_equal((struct slice){known[place].payload.data, known[place].payload.size},
                         entry->payload))
            oracle_violate(j->oracle, ORACLE_ENTRY_CHANGED,
                           "stream %u: " ID_FORMAT " has other bytes", j->index,
                           ID_VALUES(entry->id));
        if (is_known) judge_presence(j, would_remove, entry->id, true);
        place += is_known;
        j->last_id = entry->id;
    }
    while (place < j->stream->entry_count) judge_missing_entry(j, &j->stream->entries[place++]);
}

/* Unknown XADDs whose entry is not there: they did not happen, unless a trim may have hidden
 * them. */
static void judge_missing_adds(struct judgement *j)
{
    for (uint32_t i = 0; i < j->oracle->client_count; i++) {
        struct oracle_client *client = &j->oracle->clients[i];
        for (size_t k = 0; k < client->operation_count; k++) {
            const struct operation *operation = &client->operations[k];
            if (operation->kind != OPERATION_ADD || operation->stream != j->index) continue;
            if (operation->id_known || operation->found) continue;
            bool hidden = oracle_id_compare(j->stream->trim_max, operation->after) > 0;
            if (hidden && operation->is_message) client->message.sent = false;
            if (hidden) j->adds_hidden++;
            else if (k >= client->certain) did_not_happen(j, i, k);
            else
                oracle_violate(j->oracle, ORACLE_ENTRY_LOST,
                               "stream %u: an entry of client %u is lost, a later effect was seen",
                               j->index, i);
        }
    }
}

/* An unknown XSETID names an ID above all that were known when it was sent. */
static void judge_raises(struct judgement *j)
{
    struct oracle_id last_id = j->recovered->last_id;
    for (uint32_t i = 0; i < j->oracle->client_count; i++) {
        const struct oracle_client *client = &j->oracle->clients[i];
        for (size_t k = client->certain; k < client->operation_count; k++) {
            const struct operation *operation = &client->operations[k];
            if (operation->kind != OPERATION_RAISE || operation->stream != j->index) continue;
            int order = oracle_id_compare(last_id, operation->id);
            if (order < 0) did_not_happen(j, i, k);
            if (order == 0) happened(j, i, k);
            if (order >= 0 && oracle_id_compare(operation->id, j->last_id) > 0)
                j->last_id = operation->id;
        }
    }
}

static void judge_counts(struct judgement *j)
{
    const struct oracle_recovered_stream *recovered = j->recovered;
    uint64_t added = j->stream->added + j->adds_found;
    if (recovered->length != recovered->entry_count)
        oracle_violate(j->oracle, ORACLE_STREAM_INEXACT,
                       "stream %u: length %" PRIu64 ", %zu entries", j->index, recovered->length,
                       recovered->entry_count);
    if (recovered->entries_added < added || recovered->entries_added > added + j->adds_hidden)
        oracle_violate(j->oracle, ORACLE_STREAM_INEXACT,
                       "stream %u: entries-added %" PRIu64 ", must be %" PRIu64 " to %" PRIu64,
                       j->index, recovered->entries_added, added, added + j->adds_hidden);
    if (oracle_id_compare(j->stream->last_id, j->last_id) > 0) j->last_id = j->stream->last_id;
    judge_raises(j);
    int order = oracle_id_compare(recovered->last_id, j->last_id);
    if (order < 0 || (order > 0 && j->adds_hidden == 0))
        oracle_violate(j->oracle, ORACLE_STREAM_INEXACT,
                       "stream %u: last ID " ID_FORMAT ", must be " ID_FORMAT, j->index,
                       ID_VALUES(recovered->last_id), ID_VALUES(j->last_id));
}

/* --- The group. ------------------------------------------------------------------------------ */

/* Unknown group reads of 'client' may have delivered so many; the oldest of them in '*index'. */
static uint64_t unknown_reads(const struct judgement *j, uint32_t client, size_t *index)
{
    uint64_t count = 0;
    const struct oracle_client *reader = &j->oracle->clients[client];
    for (size_t k = reader->operation_count; k-- > 0;) {
        const struct operation *operation = &reader->operations[k];
        if (operation->kind != OPERATION_READ || operation->stream != j->index) continue;
        count += operation->count_max;
        *index = k;
    }
    return count;
}

static void judge_unexpected_pending(struct judgement *j, const struct oracle_pending *pending)
{
    size_t index = 0;
    bool finished = oracle_stream_finished(j->stream, pending->id);
    bool ours = pending->client < j->oracle->client_count;
    if (!finished && ours && unknown_reads(j, pending->client, &index) > 0) {
        if (index >= j->oracle->clients[pending->client].certain)
            happened(j, pending->client, index);
        j->pending_found++;
        if (oracle_id_compare(pending->id, j->last_delivered) > 0) j->last_delivered = pending->id;
        if (pending->deliveries > 1)
            oracle_violate(j->oracle, ORACLE_PENDING_WRONG,
                           "stream %u: " ID_FORMAT " was delivered once, counted %" PRIu64 " times",
                           j->index, ID_VALUES(pending->id), pending->deliveries);
        return;
    }
    oracle_violate(j->oracle, ORACLE_PENDING_WRONG,
                   "stream %u: " ID_FORMAT " is pending but was %s", j->index,
                   ID_VALUES(pending->id), finished ? "acknowledged" : "never delivered");
}

/* The one unanswered operation that moves this pending entry, or may take it away with its entry;
 * NULL if there is none. */
static const struct operation *find_move(const struct judgement *j, struct oracle_id id,
                                         uint32_t *client, size_t *index)
{
    for (*client = 0; *client < j->oracle->client_count; ++*client) {
        const struct oracle_client *sender = &j->oracle->clients[*client];
        for (*index = 0; *index < sender->operation_count; ++*index) {
            const struct operation *operation = &sender->operations[*index];
            if (operation->kind != OPERATION_CLAIM && operation->kind != OPERATION_RELEASE &&
                operation->kind != OPERATION_DEREFERENCE)
                continue;
            if (operation->stream == j->index && oracle_names_id(operation, id)) return operation;
        }
    }
    return NULL;
}

/* Was the entry there before the unknown operations, of which only one would remove it? */
static bool has_one_remover(const struct judgement *j, struct oracle_id id)
{
    size_t removers = 0;
    bool is_known = false;
    for (size_t i = 0; i < j->stream->entry_count; i++)
        is_known |= oracle_id_compare(j->stream->entries[i].id, id) == 0;
    for (uint32_t i = 0; i < j->oracle->client_count; i++) {
        const struct oracle_client *sender = &j->oracle->clients[i];
        for (size_t k = sender->certain; k < sender->operation_count; k++)
            removers += sender->operations[k].stream == j->index &&
                        would_remove(&sender->operations[k], id);
    }
    return is_known && removers == 1;
}

static bool looks_like(const struct oracle_pending *pending, const struct known_pending *known)
{
    return pending->client == known->client &&
           (pending->deliveries == 0 || pending->deliveries == known->deliveries);
}

static void judge_known_pending(struct judgement *j, const struct known_pending *known,
                                const struct oracle_pending *pending)
{
    uint32_t client;
    size_t index;
    struct known_pending moved = *known;
    const struct operation *move = find_move(j, known->id, &client, &index);
    bool unknown = move != NULL && index >= j->oracle->clients[client].certain;
    if (unknown && move->kind == OPERATION_CLAIM) {
        moved.client = client;
        moved.deliveries++;
    }
    if (unknown && move->kind == OPERATION_RELEASE) moved.client = ORACLE_NOBODY;
    /* If another one has removed the entry before, it has left the pending entry alone. */
    if (unknown && move->kind == OPERATION_DEREFERENCE && has_one_remover(j, known->id))
        did_not_happen(j, client, index);
    bool is_old = looks_like(pending, known), is_new = looks_like(pending, &moved);
    if (unknown && is_new && !is_old) happened(j, client, index);
    if (unknown && is_old && !is_new) did_not_happen(j, client, index);
    if (!is_old && !is_new)
        oracle_violate(j->oracle, ORACLE_PENDING_WRONG,
                       "stream %u: " ID_FORMAT " belongs to client %u, not to %u, delivered "
                       "%" PRIu64 " times, not %" PRIu64,
                       j->index, ID_VALUES(known->id), pending->client, known->client,
                       pending->deliveries, known->deliveries);
    judge_presence(j, would_acknowledge, known->id, true);
}

static bool is_there(const struct judgement *j, struct oracle_id id)
{
    for (size_t i = 0; i < j->recovered->entry_count; i++)
        if (oracle_id_compare(j->recovered->entries[i].id, id) == 0) return true;
    return false;
}

static void judge_missing_pending(struct judgement *j, const struct known_pending *known)
{
    uint32_t client;
    size_t index;
    if (judge_presence(j, would_acknowledge, known->id, false)) return;
    /* A claim takes away what is gone from the stream, too. */
    const struct operation *move = find_move(j, known->id, &client, &index);
    if (move != NULL && move->kind != OPERATION_RELEASE && !is_there(j, known->id)) {
        happened(j, client, index);
        return;
    }
    oracle_violate(j->oracle, ORACLE_PENDING_LOST,
                   "stream %u: " ID_FORMAT " of client %u is pending no longer", j->index,
                   ID_VALUES(known->id), known->client);
}

static void judge_pending(struct judgement *j)
{
    const struct oracle_recovered_stream *recovered = j->recovered;
    const struct known_pending *known = j->stream->pending;
    size_t place = 0;
    for (size_t i = 0; i < recovered->pending_count; i++) {
        const struct oracle_pending *pending = &recovered->pending[i];
        while (place < j->stream->pending_count &&
               oracle_id_compare(known[place].id, pending->id) < 0)
            judge_missing_pending(j, &known[place++]);
        bool is_known = place < j->stream->pending_count &&
                        oracle_id_compare(known[place].id, pending->id) == 0;
        if (is_known) judge_known_pending(j, &known[place++], pending);
        else judge_unexpected_pending(j, pending);
    }
    while (place < j->stream->pending_count) judge_missing_pending(j, &j->stream->pending[place++]);

    uint64_t possible = 0;
    size_t index;
    for (uint32_t i = 0; i < j->oracle->client_count; i++) possible += unknown_reads(j, i, &index);
    if (j->pending_found > possible)
        oracle_violate(j->oracle, ORACLE_PENDING_WRONG,
                       "stream %u: %" PRIu64 " unknown deliveries, at most %" PRIu64
                       " were asked for",
                       j->index, j->pending_found, possible);
}

/* An unknown XGROUP SETID was the only operation that could move the group. */
static void judge_skip(struct judgement *j)
{
    for (uint32_t i = 0; i < j->oracle->client_count; i++) {
        const struct oracle_client *client = &j->oracle->clients[i];
        for (size_t k = client->certain; k < client->operation_count; k++) {
            const struct operation *operation = &client->operations[k];
            if (operation->kind != OPERATION_SKIP || operation->stream != j->index) continue;
            if (oracle_id_compare(j->recovered->last_delivered_id, operation->id) != 0) {
                did_not_happen(j, i, k);
                continue;
            }
            happened(j, i, k);
            j->last_delivered = operation->id;
            oracle_raise(&j->stream->settled_delivered, operation->id);
        }
    }
}

/* Every entry up to the group's position was delivered to somebody, or skipped by XGROUP SETID. */
static void judge_skipped(struct judgement *j)
{
    const struct oracle_recovered_stream *recovered = j->recovered;
    size_t place = 0, known_place = 0;
    for (size_t i = 0; i < recovered->entry_count; i++) {
        struct oracle_id id = recovered->entries[i].id;
        if (oracle_id_compare(id, recovered->last_delivered_id) > 0) break;
        while (place < recovered->pending_count &&
               oracle_id_compare(recovered->pending[place].id, id) < 0)
            place++;
        while (known_place < j->stream->pending_count &&
               oracle_id_compare(j->stream->pending[known_place].id, id) < 0)
            known_place++;
        if (place < recovered->pending_count &&
            oracle_id_compare(recovered->pending[place].id, id) == 0)
            continue;
        if (known_place < j->stream->pending_count &&
            oracle_id_compare(j->stream->pending[known_place].id, id) == 0)
            continue;
        if (oracle_stream_finished(j->stream, id)) continue;
        oracle_violate(j->oracle, ORACLE_GROUP_INEXACT,
                       "stream %u: the group passed " ID_FORMAT " without delivering it", j->index,
                       ID_VALUES(id));
    }
}

static void judge_position(struct judgement *j)
{
    const struct oracle_recovered_stream *recovered = j->recovered;
    if (oracle_id_compare(recovered->last_delivered_id, j->last_delivered) != 0)
        oracle_violate(j->oracle, ORACLE_GROUP_INEXACT,
                       "stream %u: last-delivered-id " ID_FORMAT ", must be " ID_FORMAT, j->index,
                       ID_VALUES(recovered->last_delivered_id), ID_VALUES(j->last_delivered));
    size_t waiting = recovered->entry_count;
    for (size_t i = 0; i < recovered->entry_count; i++)
        waiting -= oracle_id_compare(recovered->entries[i].id, recovered->last_delivered_id) <= 0;
    if (recovered->lag >= 0 && (uint64_t)recovered->lag != waiting)
        oracle_violate(j->oracle, ORACLE_GROUP_INEXACT,
                       "stream %u: lag %" PRId64 ", but %zu entries wait", j->index, recovered->lag,
                       waiting);
    size_t passed = recovered->entry_count - waiting;
    bool counted = !j->stream->ever_removed && !j->stream->ever_skipped;
    if (recovered->entries_read >= 0 && counted && (uint64_t)recovered->entries_read != passed)
        oracle_violate(j->oracle, ORACLE_GROUP_INEXACT,
                       "stream %u: entries-read %" PRId64 ", but %zu were passed", j->index,
                       recovered->entries_read, passed);
}

/* --- What was shown is what the next operations build on. ------------------------------------ */

static void settle(struct judgement *j)
{
    const struct oracle_recovered_stream *recovered = j->recovered;
    struct oracle_stream *stream = j->stream;
    for (size_t i = 0; i < stream->entry_count; i++) oracle_bytes_free(&stream->entries[i].payload);
    stream->entries = oracle_grow(stream->entries, &stream->entry_capacity, recovered->entry_count,
                                  sizeof *stream->entries);
    stream->entry_count = recovered->entry_count;
    for (size_t i = 0; i < recovered->entry_count; i++)
        stream->entries[i] = (struct known_entry){recovered->entries[i].id,
                                                  oracle_copy(recovered->entries[i].payload)};
    stream->pending = oracle_grow(stream->pending, &stream->pending_capacity,
                                  recovered->pending_count, sizeof *stream->pending);
    stream->pending_count = recovered->pending_count;
    for (size_t i = 0; i < recovered->pending_count; i++)
        stream->pending[i] =
            (struct known_pending){recovered->pending[i].id, recovered->pending[i].client,
                                   recovered->pending[i].deliveries};
    stream->added = recovered->entries_added;
    stream->last_id = recovered->last_id;
    stream->last_delivered = recovered->last_delivered_id;
    stream->settled_delivered = recovered->last_delivered_id;
    stream->finished_count = 0;
    stream->trim_max = stream->first_kept;
}

void crash_oracle_judge_stream(struct crash_oracle *oracle, uint32_t stream,
                               const struct oracle_recovered_stream *recovered)
{
    oracle_require(oracle->judging, "a stream is shown outside of a judgement");
    oracle_require(stream < oracle->stream_count, "no such stream");
    oracle_require(!oracle->streams[stream].shown, "a stream is shown twice");
    struct judgement j = {
        .oracle = oracle,
        .index = stream,
        .stream = &oracle->streams[stream],
        .recovered = recovered,
        .last_delivered = oracle->streams[stream].last_delivered,
    };
    for (uint32_t i = 0; i < oracle->client_count; i++) oracle->clients[i].last_found = 0;
    if (!recovered->exists) oracle_violate(oracle, ORACLE_ENTRY_LOST, "stream %u is lost", stream);
    if (j.stream->has_group && !recovered->group_exists)
        oracle_violate(oracle, ORACLE_GROUP_INEXACT, "stream %u: its group is lost", stream);
    judge_entries(&j);
    judge_missing_adds(&j);
    judge_counts(&j);
    if (j.stream->has_group) {
        judge_skip(&j);
        judge_pending(&j);
        judge_skipped(&j);
        judge_position(&j);
    }
    settle(&j);
    j.stream->shown = true;
}
