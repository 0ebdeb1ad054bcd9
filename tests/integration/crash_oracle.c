#include "crash_oracle.h"

#include "crash_oracle_parts.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void oracle_require(bool condition, const char *what)
{
    if (condition) return;
    fprintf(stderr, "crash oracle: %s\n", what);
    abort();
}

void *oracle_grow(void *array, size_t *capacity, size_t needed, size_t item_size)
{
    if (needed <= *capacity) return array;
    size_t grown = *capacity * 2 > needed ? *capacity * 2 : needed + 7;
    void *moved = realloc(array, grown * item_size);
    oracle_require(moved != NULL, "out of memory");
    *capacity = grown;
    return moved;
}

void *oracle_allocate(size_t count, size_t item_size)
{
    void *memory = calloc(count > 0 ? count : 1, item_size);
    oracle_require(memory != NULL, "out of memory");
    return memory;
}

struct oracle_bytes oracle_copy(struct slice slice)
{
    struct oracle_bytes bytes = {oracle_allocate(slice.size, 1), slice.size};
    /* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): oracle_allocate never gives NULL */
    if (slice.size > 0) memcpy(bytes.data, slice.data, slice.size);
    return bytes;
}

void oracle_bytes_free(struct oracle_bytes *bytes)
{
    free(bytes->data);
    *bytes = (struct oracle_bytes){NULL, 0};
}

void oracle_violate(struct crash_oracle *oracle, enum oracle_violation_kind kind,
                    const char *format, ...)
{
    if (oracle->figures.violations < ORACLE_VIOLATIONS_KEPT) {
        struct oracle_violation *kept = &oracle->kept[oracle->figures.violations];
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(kept->text, sizeof kept->text, format, arguments);
        va_end(arguments);
        kept->kind = kind;
    }
    oracle->figures.violations++;
}

struct crash_oracle *crash_oracle_create(uint32_t client_count)
{
    struct crash_oracle *oracle = oracle_allocate(1, sizeof *oracle);
    oracle->clients = oracle_allocate(client_count, sizeof *oracle->clients);
    oracle->client_count = client_count;
    return oracle;
}

static void operation_free(struct operation *operation)
{
    for (size_t i = 0; i < operation->write_count; i++)
        oracle_bytes_free(&operation->writes[i].value);
    free(operation->writes);
    free(operation->ids);
    oracle_bytes_free(&operation->bytes);
}

void crash_oracle_destroy(struct crash_oracle *oracle)
{
    for (uint32_t i = 0; i < oracle->client_count; i++) {
        struct oracle_client *client = &oracle->clients[i];
        for (size_t j = 0; j < client->operation_count; j++) operation_free(&client->operations[j]);
        free(client->operations);
        free(client->allowed);
        oracle_bytes_free(&client->message.payload);
    }
    for (uint32_t i = 0; i < oracle->key_count; i++) oracle_bytes_free(&oracle->keys[i].value);
    for (uint32_t i = 0; i < oracle->stream_count; i++) oracle_stream_free(&oracle->streams[i]);
    free(oracle->clients);
    free(oracle->keys);
    free(oracle->streams);
    free(oracle);
}

uint32_t crash_oracle_add_key(struct crash_oracle *oracle, uint32_t client)
{
    oracle_require(client < oracle->client_count, "no such client");
    size_t capacity = oracle->key_count;
    oracle->keys = oracle_grow(oracle->keys, &capacity, capacity + 1, sizeof *oracle->keys);
    oracle->keys[oracle->key_count] = (struct oracle_key){.client = client};
    return oracle->key_count++;
}

uint32_t crash_oracle_add_stream(struct crash_oracle *oracle, bool has_group)
{
    size_t capacity = oracle->stream_count;
    oracle->streams =
        oracle_grow(oracle->streams, &capacity, capacity + 1, sizeof *oracle->streams);
    oracle->streams[oracle->stream_count] = (struct oracle_stream){.has_group = has_group};
    return oracle->stream_count++;
}

/* --- What becomes of a key. ------------------------------------------------------------------ */

static int64_t parse_number(const struct oracle_bytes *value)
{
    char text[32] = {0};
    size_t size = value->size < sizeof text - 1 ? value->size : sizeof text - 1;
    if (value->data != NULL) memcpy(text, value->data, size);
    return strtoll(text, NULL, 10);
}

static void replace_value(struct oracle_key *key, struct slice value)
{
    struct oracle_bytes copied = oracle_copy(value);
    oracle_bytes_free(&key->value);
    key->value = copied;
    key->exists = true;
}

/* Changes 'key' as the write does; the integer that such a command answers. */
static int64_t apply_write(struct oracle_key *key, const struct operation_write *write)
{
    char text[32];
    bool existed = key->exists;
    switch (write->kind) {
    case ORACLE_SET:
        replace_value(key, (struct slice){write->value.data, write->value.size});
        return 0;
    case ORACLE_DELETE:
        oracle_bytes_free(&key->value);
        key->exists = false;
        return existed;
    case ORACLE_INCREMENT: {
        int64_t number = (existed ? parse_number(&key->value) : 0) + write->delta;
        int size = snprintf(text, sizeof text, "%" PRId64, number);
        replace_value(key, (struct slice){text, (size_t)size});
        return number;
    }
    case ORACLE_APPEND: {
        size_t old_size = existed ? key->value.size : 0;
        struct oracle_bytes joined = {oracle_allocate(old_size + write->value.size, 1),
                                      old_size + write->value.size};
        if (old_size > 0) memcpy(joined.data, key->value.data, old_size);
        memcpy(joined.data + old_size, write->value.data, write->value.size);
        oracle_bytes_free(&key->value);
        key->value = joined;
        key->exists = true;
        return (int64_t)joined.size;
    }
    }
    oracle_require(false, "unknown kind of write");
    return 0;
}

static bool has_value(const struct oracle_key *key, bool exists, struct slice value)
{
    if (key->exists != exists) return false;
    return !exists || slice_equal((struct slice){key->value.data, key->value.size}, value);
}

/* Applies the operation's writes to 'key' (index 'index'), if it has any; true if it has. */
static bool apply_to_key(struct oracle_key *key, uint32_t index, const struct operation *operation)
{
    bool changed = false;
    for (size_t i = 0; i < operation->write_count; i++) {
        if (operation->writes[i].key != index) continue;
        apply_write(key, &operation->writes[i]);
        changed = true;
    }
    return changed;
}

static struct oracle_key copy_key(const struct oracle_key *key)
{
    struct oracle_key copied = *key;
    copied.value = oracle_copy((struct slice){key->value.data, key->value.size});
    return copied;
}

/* --- What comes back. ------------------------------------------------------------------------ */

void oracle_make_certain(struct crash_oracle *oracle, uint32_t client, size_t count)
{
    struct oracle_client *sender = &oracle->clients[client];
    oracle_require(count <= sender->operation_count, "more is certain than was sent");
    while (sender->certain < count) {
        struct operation *operation = &sender->operations[sender->certain++];
        for (size_t i = 0; i < operation->write_count; i++) {
            const struct operation_write *write = &operation->writes[i];
            operation->expected += apply_write(&oracle->keys[write->key], write);
        }
        if (operation->kind != OPERATION_WRITES)
            oracle_stream_apply(&oracle->streams[operation->stream], client, operation);
    }
}

static void forget_oldest(struct oracle_client *client)
{
    operation_free(&client->operations[0]);
    client->operation_count--;
    memmove(client->operations, client->operations + 1,
            client->operation_count * sizeof *client->operations);
    if (client->certain > 0) client->certain--;
}

void crash_oracle_answered(struct crash_oracle *oracle, uint32_t client,
                           const struct oracle_answer *answer)
{
    oracle_require(client < oracle->client_count, "no such client");
    struct oracle_client *sender = &oracle->clients[client];
    oracle_require(sender->operation_count > 0, "an answer without a question");
    if (answer->is_error) {
        if (sender->certain > 0)
            oracle_violate(oracle, ORACLE_ANSWER_WRONG,
                           "client %u: an operation is refused, but a reader saw its effect",
                           client);
        oracle->figures.refused++;
        forget_oldest(sender);
        return;
    }
    oracle_make_certain(oracle, client, sender->certain > 0 ? sender->certain : 1);
    struct operation *operation = &sender->operations[0];
    if (operation->kind == OPERATION_WRITES && answer->has_integer &&
        answer->integer != operation->expected)
        oracle_violate(oracle, ORACLE_ANSWER_WRONG,
                       "client %u, key %u: answered %" PRId64
                       ", acknowledged history gives %" PRId64,
                       client, operation->writes[0].key, answer->integer, operation->expected);
    if (operation->kind == OPERATION_ADD) oracle_stream_added(oracle, operation, answer->id);
    if (operation->is_message && operation->id_known) {
        sender->message.stored = true;
        sender->message.id = operation->id;
    }
    if (operation->kind == OPERATION_CLAIM) oracle_stream_claimed(oracle, operation, answer);
    if (operation->kind == OPERATION_DEREFERENCE)
        oracle_stream_dereferenced(&oracle->streams[operation->stream], operation, answer->integer);
    if (operation->kind == OPERATION_READ) {
        size_t count_max = operation->count_max;
        uint32_t stream = operation->stream;
        if (answer->entry_count > count_max)
            oracle_violate(oracle, ORACLE_ANSWER_WRONG, "client %u: %zu entries, COUNT is %zu",
                           client, answer->entry_count, count_max);
        oracle_stream_delivered(oracle, client, stream, answer);
    }
    oracle->figures.acknowledged++;
    forget_oldest(sender);
}

void crash_oracle_was_refused(struct crash_oracle *oracle, uint32_t client, size_t index)
{
    oracle_require(client < oracle->client_count, "no such client");
    struct oracle_client *sender = &oracle->clients[client];
    oracle_require(index < sender->operation_count, "a refusal without a question");
    if (index < sender->certain) {
        oracle_violate(oracle, ORACLE_ANSWER_WRONG,
                       "client %u: an operation was refused, but a reader saw its effect", client);
        return;
    }
    operation_free(&sender->operations[index]);
    sender->operation_count--;
    memmove(sender->operations + index, sender->operations + index + 1,
            (sender->operation_count - index) * sizeof *sender->operations);
    oracle->figures.refused++;
}

/* The value may also be older than what is certain (the answer took its time), and then it proves
 * nothing; so of all candidates the smallest is taken. */
void crash_oracle_saw_value(struct crash_oracle *oracle, uint32_t key, bool exists,
                            struct slice value)
{
    oracle_require(key < oracle->key_count, "no such key");
    struct oracle_key *known = &oracle->keys[key];
    if (has_value(known, exists, value)) return;
    struct oracle_client *writer = &oracle->clients[known->client];
    struct oracle_key state = copy_key(known);
    for (size_t i = writer->certain; i < writer->operation_count; i++) {
        if (!apply_to_key(&state, key, &writer->operations[i])) continue;
        if (!has_value(&state, exists, value)) continue;
        oracle_make_certain(oracle, known->client, i + 1);
        break;
    }
    oracle_bytes_free(&state.value);
}

/* --- The judgement. -------------------------------------------------------------------------- */

void oracle_allow_only(struct crash_oracle *oracle, uint32_t client, size_t from, size_t to)
{
    struct oracle_client *sender = &oracle->clients[client];
    for (size_t i = 0; i <= sender->operation_count; i++)
        if (i < from || i > to) sender->allowed[i] = false;
}

void crash_oracle_judge_begin(struct crash_oracle *oracle)
{
    oracle_require(!oracle->judging, "a judgement is under way");
    oracle->judging = true;
    for (uint32_t i = 0; i < oracle->client_count; i++) {
        struct oracle_client *client = &oracle->clients[i];
        free(client->allowed);
        client->allowed = oracle_allocate(client->operation_count + 1, sizeof *client->allowed);
        for (size_t j = client->certain; j <= client->operation_count; j++)
            client->allowed[j] = true;
        oracle->figures.unknown += client->operation_count;
    }
    for (uint32_t i = 0; i < oracle->key_count; i++) oracle->keys[i].shown = false;
    for (uint32_t i = 0; i < oracle->stream_count; i++) oracle->streams[i].shown = false;
}

void crash_oracle_judge_value(struct crash_oracle *oracle, uint32_t key, bool exists,
                              struct slice value)
{
    oracle_require(oracle->judging, "a value is shown outside of a judgement");
    oracle_require(key < oracle->key_count, "no such key");
    struct oracle_key *known = &oracle->keys[key];
    oracle_require(!known->shown, "a key is shown twice");
    struct oracle_client *writer = &oracle->clients[known->client];
    struct oracle_key state = copy_key(known);
    bool matches = has_value(&state, exists, value);
    bool explained = matches;
    if (!matches) writer->allowed[writer->certain] = false;
    for (size_t i = writer->certain; i < writer->operation_count; i++) {
        if (apply_to_key(&state, key, &writer->operations[i]))
            matches = has_value(&state, exists, value);
        if (!matches) writer->allowed[i + 1] = false;
        explained |= matches;
    }
    if (!explained)
        oracle_violate(oracle, ORACLE_VALUE_WRONG,
                       "key %u of client %u %s (%zu bytes); acknowledged: %s (%zu bytes), and none "
                       "of %zu unknown operations explains it",
                       key, known->client, exists ? "exists" : "is missing", value.size,
                       known->exists ? "exists" : "is missing", known->value.size,
                       writer->operation_count - writer->certain);
    oracle_bytes_free(&state.value);
    if (exists) replace_value(known, value);
    if (!exists) oracle_bytes_free(&known->value);
    known->exists = exists;
    known->shown = true;
}

static void settle_client(struct crash_oracle *oracle, uint32_t index, bool explained_so_far)
{
    struct oracle_client *client = &oracle->clients[index];
    size_t applied = 0;
    while (applied <= client->operation_count && !client->allowed[applied]) applied++;
    if (applied > client->operation_count && explained_so_far)
        oracle_violate(
            oracle, ORACLE_ORDER_BROKEN,
            "client %u: no prefix of its %zu unknown operations explains all that is there", index,
            client->operation_count - client->certain);
    if (applied <= client->operation_count) oracle->figures.unknown_applied += applied;
    for (size_t i = 0; i < client->operation_count; i++) operation_free(&client->operations[i]);
    client->operation_count = 0;
    client->certain = 0;
}

bool crash_oracle_judge_end(struct crash_oracle *oracle)
{
    oracle_require(oracle->judging, "no judgement is under way");
    for (uint32_t i = 0; i < oracle->key_count; i++)
        oracle_require(oracle->keys[i].shown, "a key was not shown");
    for (uint32_t i = 0; i < oracle->stream_count; i++)
        oracle_require(oracle->streams[i].shown, "a stream was not shown");
    bool explained_so_far = oracle->figures.violations == oracle->violations_judged;
    for (uint32_t i = 0; i < oracle->client_count; i++) settle_client(oracle, i, explained_so_far);
    oracle->judging = false;
    bool good = oracle->figures.violations == oracle->violations_judged;
    oracle->violations_judged = oracle->figures.violations;
    return good;
}

const struct oracle_violation *crash_oracle_violation(const struct crash_oracle *oracle,
                                                      size_t index)
{
    if (index >= oracle->figures.violations || index >= ORACLE_VIOLATIONS_KEPT) return NULL;
    return &oracle->kept[index];
}

void crash_oracle_measure(const struct crash_oracle *oracle, struct oracle_figures *figures)
{
    *figures = oracle->figures;
}
