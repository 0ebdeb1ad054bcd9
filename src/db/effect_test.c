/* effect_test.c - every row of effects.def: what is encoded comes back, what is cut is refused, and
 * an effect that does not fit the state changes nothing. */
#include "db/effect.h"

#include "base/limits.h"
#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { SEEDS = 24 };

struct bench {
    struct store *store;
    struct effect_target target;
    struct effect_scratch scratch;
    struct effect_scratch decoded;
};

static struct bench open_bench(void)
{
    struct bench b = {.store = store_create(value_types, TYPES_COUNT, 11)};
    b.target = (struct effect_target){b.store, {0, 4}};
    return b;
}

static void close_bench(struct bench *b)
{
    store_destroy(b->store);
    buf_deinit(&b->scratch.bytes);
    buf_deinit(&b->decoded.bytes);
}

static struct effect sample(struct bench *b, const struct effect_ops *ops, uint64_t seed)
{
    struct effect e = {.kind = ops->kind};
    e.key = store_key_make(b->store, (unsigned)(seed % DATABASES_COUNT), SLICE("the key"));
    ops->sample(&e, seed, &b->scratch);
    return e;
}

/* Decoded and encoded again, every sample of every row gives the same bytes, and takes all. */
static void test_round_trip(void **state)
{
    (void)state;
    struct bench b = open_bench();
    assert_true(effect_table_count > 10);
    for (size_t row = 0; row < effect_table_count; row++) {
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            struct buf once = {0}, twice = {0};
            struct effect e = sample(&b, &effect_table[row], seed), after;
            effect_encode(&e, &once);
            buf_append_text(&once, "next");
            struct reader in = {buf_slice(&once)};
            assert_true(effect_decode(&after, &in, b.store, &b.decoded));
            assert_true(slice_equal(in.rest, SLICE("next")));
            assert_int_equal(after.kind, e.kind);
            assert_int_equal(after.key.database, e.key.database);
            assert_true(slice_equal(after.key.name, e.key.name));
            assert_int_equal(after.key.hash,
                             store_key_make(b.store, e.key.database, e.key.name).hash);
            effect_encode(&after, &twice);
            assert_int_equal(twice.size, once.size - 4);
            assert_memory_equal(once.data, twice.data, twice.size);
            buf_deinit(&once);
            buf_deinit(&twice);
        }
    }
    close_bench(&b);
}

/* Every prefix of an encoded effect is refused. */
static void test_truncation(void **state)
{
    (void)state;
    struct bench b = open_bench();
    for (size_t row = 0; row < effect_table_count; row++) {
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            struct buf whole = {0};
            struct effect e = sample(&b, &effect_table[row], seed), after;
            effect_encode(&e, &whole);
            for (size_t cut = 0; cut < whole.size; cut++) {
                /* Memory of exactly this size: a read past its end is seen by ASan. */
                char *copy = memory_allocate(cut + 1);
                memcpy(copy, whole.data, cut);
                struct reader in = {{copy, cut}};
                assert_false(effect_decode(&after, &in, b.store, &b.decoded));
                memory_free(copy, cut + 1);
            }
            buf_deinit(&whole);
        }
    }
    close_bench(&b);
}

/* The fields that a sample has, so that "the same bytes" cannot mean "nothing was written". */
static void test_samples_differ(void **state)
{
    (void)state;
    struct bench b = open_bench();
    for (size_t row = 0; row < effect_table_count; row++) {
        const struct effect_ops *ops = &effect_table[row];
        struct buf bytes[2] = {{0}, {0}}, text = {0};
        bool has_body = ops->kind != EFFECT_KEY_DELETE && ops->kind != EFFECT_STREAM_CREATE;
        for (uint64_t i = 0; i < 2; i++) {
            struct effect e = sample(&b, ops, 16 * (i + 1) + i);
            e.key.database = 0;
            effect_encode(&e, &bytes[i]);
            effect_describe(&e, &text);
        }
        assert_int_equal(slice_equal(buf_slice(&bytes[0]), buf_slice(&bytes[1])), !has_body);
        assert_true(text.size > strlen(ops->name) * 2);
        buf_deinit(&bytes[0]);
        buf_deinit(&bytes[1]);
        buf_deinit(&text);
    }
    close_bench(&b);
}

static void test_unknown_code(void **state)
{
    (void)state;
    struct bench b = open_bench();
    struct effect e;
    for (unsigned code = 0; code < 256; code++) {
        char bytes[] = {(char)code, 0, 1, 'k', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
        struct reader in = {{bytes, 4}};
        if (effect_ops_find((uint8_t)code) != NULL) continue;
        assert_false(effect_decode(&e, &in, b.store, &b.decoded));
    }
    char bytes[] = {EFFECT_KEY_DELETE, DATABASES_COUNT, 1, 'k'};
    struct reader in = {{bytes, 4}};
    assert_false(effect_decode(&e, &in, b.store, &b.decoded));
    close_bench(&b);
}

/* What must not change when an effect is refused: enough of it to see any half-made change. */
struct facts {
    bool exists;
    uint64_t count;
    uint64_t other_count;
    int64_t expiry_ms;
    unsigned type;
    uint64_t numbers[8];
    struct stream_id last_id;
};

static struct facts look(struct bench *b, const struct store_key *key)
{
    struct facts f;
    memset(&f, 0, sizeof f); /* it is compared with its padding */
    f.count = store_count(b->store, key->database);
    struct value value;
    for (unsigned i = 0; i < DATABASES_COUNT; i++) f.other_count += store_count(b->store, i);
    f.exists = store_get(b->store, key, &value, &f.expiry_ms);
    if (!f.exists) return f;
    f.type = value.type;
    if (value.type == TYPE_STRING) {
        f.numbers[0] = value.form == FORM_INTEGER ? (uint64_t)value.integer : value.bytes.size;
        return f;
    }
    const struct stream *s = value.body;
    const struct stream_group *g = NULL;
    stream_check(s);
    f.last_id = stream_last_id(s);
    f.numbers[0] = stream_length(s);
    f.numbers[1] = stream_entries_added(s);
    f.numbers[2] = stream_groups_count(s);
    while ((g = stream_group_next(s, g)) != NULL) {
        f.numbers[3] += stream_group_pending_count(g);
        f.numbers[4] += stream_consumers_count(g);
        f.numbers[5] += stream_group_last_delivered(g).ms * 31 + stream_group_last_delivered(g).seq;
        f.numbers[6] += stream_group_entries_read(g);
    }
    f.numbers[7] = stream_max_deleted_id(s).ms;
    return f;
}

enum situation { NOTHING, A_STRING, A_STREAM, A_STREAM_WITH_GROUP, SITUATIONS };

static void apply(struct bench *b, struct effect e)
{
    assert_true(effect_ops_find((uint8_t)e.kind)->apply(&e, &b->target));
}

static void arrange(struct bench *b, const struct store_key *key, enum situation situation)
{
    static const struct slice items[] = {{"f", 1}, {"v", 1}};
    if (situation == NOTHING) return;
    if (situation == A_STRING) {
        apply(b, (struct effect){
                     .kind = EFFECT_STRING_SET, .key = *key, .string_set = {SLICE("text"), 12345}});
        return;
    }
    for (uint64_t i = 1; i < 4; i++)
        apply(b, (struct effect){.kind = EFFECT_STREAM_APPEND,
                                 .key = *key,
                                 .stream_append = {{i, 0}, items, 2}});
    if (situation != A_STREAM_WITH_GROUP) return;
    apply(b, (struct effect){.kind = EFFECT_GROUP_CREATE,
                             .key = *key,
                             .group_create = {SLICE("workers"), {0, 0}, -1}});
    apply(b, (struct effect){.kind = EFFECT_CONSUMER_CREATE,
                             .key = *key,
                             .consumer_create = {SLICE("workers"), SLICE("alice"), 5}});
}

/* Any sample in any situation: it is applied, or refused without a trace. Both happen. */
static void test_refused_changes_nothing(void **state)
{
    (void)state;
    unsigned applied = 0, refused = 0;
    for (size_t row = 0; row < effect_table_count; row++) {
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            for (int situation = NOTHING; situation < SITUATIONS; situation++) {
                struct bench b = open_bench();
                struct effect e = sample(&b, &effect_table[row], seed);
                struct store_key key = store_key_make(b.store, e.key.database, SLICE("the key"));
                arrange(&b, &key, (enum situation)situation);
                struct facts before = look(&b, &key);
                bool done = effect_table[row].apply(&e, &b.target);
                struct facts after = look(&b, &key);
                if (done) applied++;
                else refused++;
                if (!done) assert_memory_equal(&before, &after, sizeof before);
                close_bench(&b);
            }
        }
    }
    assert_true(applied > 500);
    assert_true(refused > 500);
}

/* Which effects need what: the ones that a log which contradicts itself would hold. */
static void test_what_is_refused(void **state)
{
    (void)state;
    static const struct {
        enum effect_kind kind;
        bool fits[SITUATIONS]; /* with the sample of seed 1 */
    } rows[] = {
        {EFFECT_KEY_DELETE, {false, true, true, true}},
        {EFFECT_KEY_EXPIRE, {false, true, true, true}},
        {EFFECT_KEY_RENAME, {false, true, true, true}},
        {EFFECT_DATABASE_FLUSH, {true, true, true, true}},
        {EFFECT_KEY_MOVE, {false, true, true, true}},
        {EFFECT_KEY_COPY, {false, true, true, true}},
        {EFFECT_DATABASE_SWAP, {true, true, true, true}},
        {EFFECT_STRING_SET, {true, true, true, true}},
        {EFFECT_STRING_SET_INTEGER, {true, true, false, false}},
        {EFFECT_STRING_APPEND, {false, true, false, false}},
        {EFFECT_STRING_SET_RANGE, {true, true, false, false}},
        {EFFECT_STREAM_CREATE, {true, false, false, false}},
        {EFFECT_STREAM_TRIM, {false, false, true, true}},
        {EFFECT_STREAM_DELETE, {false, false, true, true}},
        {EFFECT_STREAM_SET_ID, {false, false, true, true}},
        {EFFECT_GROUP_CREATE, {false, false, true, false}},
        {EFFECT_GROUP_SET_ID, {false, false, false, false}},
        {EFFECT_GROUP_DESTROY, {false, false, false, false}},
        {EFFECT_CONSUMER_CREATE, {false, false, false, true}},
        {EFFECT_CONSUMER_DESTROY, {false, false, false, true}},
        {EFFECT_GROUP_ACKNOWLEDGE, {false, false, false, true}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (int situation = NOTHING; situation < SITUATIONS; situation++) {
            struct bench b = open_bench();
            const struct effect_ops *ops = effect_ops_find((uint8_t)rows[i].kind);
            struct effect e = sample(&b, ops, 1);
            struct store_key key = store_key_make(b.store, e.key.database, SLICE("the key"));
            arrange(&b, &key, (enum situation)situation);
            assert_int_equal(ops->apply(&e, &b.target), rows[i].fits[situation]);
            close_bench(&b);
        }
    }
}

/* An append at or below the last ID, and a delivery of another number of entries, contradict. */
static void test_contradictions(void **state)
{
    (void)state;
    static const struct slice items[] = {{"f", 1}, {"v", 1}};
    struct bench b = open_bench();
    struct store_key key = store_key_make(b.store, 0, SLICE("the key"));
    arrange(&b, &key, A_STREAM_WITH_GROUP);
    struct effect append = {
        .kind = EFFECT_STREAM_APPEND, .key = key, .stream_append = {{3, 0}, items, 2}};
    struct effect deliver = {.kind = EFFECT_GROUP_DELIVER,
                             .key = key,
                             .group_deliver = {{.group = SLICE("workers"),
                                                .consumer = SLICE("alice"),
                                                .last_id = {2, 0},
                                                .count = 3,
                                                .now_ms = 9}}};
    struct facts before = look(&b, &key);
    assert_false(effect_ops_find(EFFECT_STREAM_APPEND)->apply(&append, &b.target));
    assert_false(effect_ops_find(EFFECT_GROUP_DELIVER)->apply(&deliver, &b.target));
    deliver.group_deliver.delivery.count = 1;
    assert_false(effect_ops_find(EFFECT_GROUP_DELIVER)->apply(&deliver, &b.target));
    deliver.group_deliver.delivery.count = 0;
    assert_false(effect_ops_find(EFFECT_GROUP_DELIVER)->apply(&deliver, &b.target));
    struct facts after = look(&b, &key);
    assert_memory_equal(&before, &after, sizeof before);
    deliver.group_deliver.delivery.count = 2;
    apply(&b, deliver);
    assert_int_equal(look(&b, &key).numbers[3], 2);
    close_bench(&b);
}

/* What old logs say in two effects, an append and its record, is what STREAM_APPEND_ONCE says. */
static void test_append_once_is_append_and_record(void **state)
{
    (void)state;
    struct bench b = open_bench();
    struct slice items[2] = {SLICE("f"), SLICE("v")};
    struct effect_stream_append append = {{7, 1}, items, 2};
    struct stream_idmp_record record = {SLICE("p"), SLICE("iid"), {7, 1}, {10, 5}};
    struct effect one = {.kind = EFFECT_STREAM_APPEND_ONCE,
                         .key = store_key_make(b.store, 0, SLICE("one")),
                         .stream_append_once = {append, record}};
    struct effect two = {.kind = EFFECT_STREAM_APPEND,
                         .key = store_key_make(b.store, 0, SLICE("two")),
                         .stream_append = append};
    struct effect then = {
        .kind = EFFECT_STREAM_IDMP_RECORD, .key = two.key, .stream_idmp_record = {record}};
    struct effect *effects[3] = {&one, &two, &then};
    for (int i = 0; i < 3; i++)
        assert_true(effect_ops_find((uint8_t)effects[i]->kind)->apply(effects[i], &b.target));
    for (int i = 0; i < 2; i++) {
        struct value value;
        struct stream_id id = {0, 0};
        assert_true(store_get(b.store, &effects[i]->key, &value, NULL));
        assert_int_equal(stream_length(value.body), 1);
        assert_true(stream_contains(value.body, append.id));
        assert_true(stream_idmp_find(value.body, record.producer, record.iid, -1, &id));
        assert_int_equal(stream_id_compare(id, append.id), 0);
        stream_check(value.body);
    }
    /* Its ID is not above the last one: nothing is remembered either. */
    one.stream_append_once.record.iid = SLICE("later");
    assert_false(effect_ops_find((uint8_t)one.kind)->apply(&one, &b.target));
    struct value value;
    struct stream_id id;
    assert_true(store_get(b.store, &one.key, &value, NULL));
    assert_false(stream_idmp_find(value.body, record.producer, SLICE("later"), -1, &id));
    close_bench(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_truncation),
        cmocka_unit_test(test_samples_differ),
        cmocka_unit_test(test_unknown_code),
        cmocka_unit_test(test_refused_changes_nothing),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_contradictions),
        cmocka_unit_test(test_append_once_is_append_and_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
