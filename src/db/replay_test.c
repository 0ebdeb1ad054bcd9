/* replay_test.c - what recovery believes of a snapshot whose hashes hold, and what of a log.
 *
 * Items are written here by hand as save.h draws them. In slots: hello 866, b 3300, c 7365,
 * d 11298, a 15495. */
#include "db/replay.h"

#include "base/limits.h"
#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { ITEMS_MAX = 12, SLOT_SPLIT = 8000 };

struct item {
    uint8_t kind;
    struct slice body;
};

#define ITEM(kind, text)           \
    {                              \
        kind,                      \
        {                          \
            text, sizeof(text) - 1 \
        }                          \
    }
#define HEAD          ITEM(SAVE_HEAD, "\2\0\0\0\0\0\0\0\0")
#define DATABASE_0    ITEM(SAVE_DATABASE, "\0")
#define KEY(text)     ITEM(SAVE_STRING, text) /* flags, size of the name, name, value */
#define ALL           "\0\0\0\0\0\0\4\0"      /* the position behind everything */
#define HALF          "\0\0\0\0\x40\x1f\0\0"  /* the position of slot 8000 in database 0 */
#define SECTION(text) ITEM(SAVE_SECTION, text)
#define MOVED(text)   ITEM(SAVE_MOVED, text) /* lsn, exists, size of the name, name */
#define END(text)     ITEM(SAVE_END, text)   /* keys, sections, moved */

struct bench {
    struct store *store;
    struct effect_target target;
    struct replay replay;
    struct wal_loader loader;
};

static void open_bench(struct bench *b)
{
    b->store = store_create(value_types, TYPES_COUNT, 11);
    b->target = (struct effect_target){b->store, {0, 4}};
    replay_init(&b->replay, &b->target);
    b->loader = replay_loader(&b->replay);
}

static void close_bench(struct bench *b)
{
    replay_deinit(&b->replay);
    store_destroy(b->store);
}

static bool load(struct bench *b, const struct item *items, size_t count, lsn_t from_lsn,
                 lsn_t last_lsn)
{
    bool good = true;
    for (size_t i = 0; good && i < count; i++) {
        struct buf block = {0};
        buf_append_byte(&block, items[i].kind);
        buf_append_bytes(&block, items[i].body);
        good = b->loader.block(b->loader.context, buf_slice(&block));
        buf_deinit(&block);
    }
    return good && b->loader.end(b->loader.context, from_lsn, last_lsn);
}

static const char *get(const struct bench *b, const char *name, char text[64])
{
    struct store_key key = store_key_make(b->store, 0, slice_of(name));
    struct value value;
    int64_t expiry_ms;
    if (!store_get(b->store, &key, &value, &expiry_ms)) return NULL;
    if (value.form == FORM_BYTES)
        snprintf(text, 64, "%.*s", (int)value.bytes.size, value.bytes.data);
    else if (value.form == FORM_INTEGER) snprintf(text, 64, "%lld", (long long)value.integer);
    else if (value.form == FORM_SHARED) snprintf(text, 64, "shared");
    else snprintf(text, 64, "body");
    return text;
}

static void expect(const struct bench *b, const char *name, const char *value)
{
    char text[64];
    const char *found = get(b, name, text);
    if (value == NULL) assert_null(found);
    else assert_non_null(found);
    if (value != NULL) assert_string_equal(found, value);
}

/* ---- the snapshot ---- */

/* Each row is right but for one thing; 'count' items of it, or all until the first of kind 0. */
struct wrong {
    const char *what;
    lsn_t from_lsn; /* 0: 6 */
    lsn_t last_lsn; /* 0: 5 */
    struct item items[ITEMS_MAX];
};

/* Of databases 0 and 1; the others are where they were. */
#define PLACES(two)  ITEM(SAVE_PLACES, two "\2\3\4\5\6\7\10\11\12\13\14\15\16\17")
#define GOOD_KEY     KEY("\0\1kvalue")
#define GOOD_SECTION SECTION(ALL "\5\1")
#define GOOD_END     END("\1\1\0")

static const struct wrong wrongs[] = {
    {"no head", 0, 0, {DATABASE_0, GOOD_KEY, GOOD_SECTION, GOOD_END}},
    {"two heads", 0, 0, {HEAD, HEAD, DATABASE_0, GOOD_KEY, GOOD_SECTION, GOOD_END}},
    {"an empty head", 0, 0, {ITEM(SAVE_HEAD, "")}},
    {"another version", 0, 0, {ITEM(SAVE_HEAD, "\1\0\0\0\0\0\0\0\0")}},
    {"a head without a seed", 0, 0, {ITEM(SAVE_HEAD, "\2\0\0")}},
    {"a head that goes on", 0, 0, {ITEM(SAVE_HEAD, "\2\0\0\0\0\0\0\0\0\0")}},
    {"an unknown kind", 0, 0, {HEAD, ITEM(11, "")}},
    {"fifteen places", 0, 0, {HEAD, ITEM(SAVE_PLACES, "\0\1\2\3\4\5\6\7\10\11\12\13\14\15\16")}},
    {"a place twice", 0, 0, {HEAD, PLACES("\0\0"), GOOD_KEY, GOOD_SECTION, GOOD_END}},
    {"place 16", 0, 0, {HEAD, PLACES("\20\1"), GOOD_KEY, GOOD_SECTION, GOOD_END}},
    {"places behind a section", 0, 0, {HEAD, GOOD_KEY, GOOD_SECTION, PLACES("\1\0"), GOOD_END}},
    {"no database number", 0, 0, {HEAD, ITEM(SAVE_DATABASE, "")}},
    {"database 16", 0, 0, {HEAD, ITEM(SAVE_DATABASE, "\20")}},
    {"no flags", 0, 0, {HEAD, KEY("")}},
    {"unknown flags", 0, 0, {HEAD, KEY("\4\1kv")}},
    {"half a deadline", 0, 0, {HEAD, KEY("\1\0\0\0\0")}},
    {"half a name", 0, 0, {HEAD, KEY("\0\5ke")}},
    {"no integer", 0, 0, {HEAD, KEY("\2\1k")}},
    {"an integer that goes on", 0, 0, {HEAD, KEY("\2\1k\2x")}},
    {"a key twice", 0, 0, {HEAD, GOOD_KEY, GOOD_KEY}},
    {"a stream that is an integer", 0, 0, {HEAD, ITEM(SAVE_STREAM, "\2\1k")}},
    {"a stream that goes on", 0, 0, {HEAD, ITEM(SAVE_STREAM, "\0\1kv")}},
    {"half a stream", 0, 0, {HEAD, ITEM(SAVE_STREAM, "")}},
    {"a piece of nothing", 0, 0, {HEAD, ITEM(SAVE_PIECE, "\0")}},
    {"a stream without pieces", 0, 0, {HEAD, ITEM(SAVE_STREAM, "\0\1k"), GOOD_KEY}},
    {"a malformed piece", 0, 0, {HEAD, ITEM(SAVE_STREAM, "\0\1k"), ITEM(SAVE_PIECE, "\x9")}},
    {"half a position", 0, 0, {HEAD, GOOD_KEY, SECTION("\0\0\0\0")}},
    {"a section as of nothing", 0, 0, {HEAD, GOOD_KEY, SECTION(ALL)}},
    {"a section without a count", 0, 0, {HEAD, GOOD_KEY, SECTION(ALL "\5")}},
    {"a section that goes on", 0, 0, {HEAD, GOOD_KEY, SECTION(ALL "\5\1\1")}},
    {"a section with a key less", 0, 0, {HEAD, GOOD_KEY, SECTION(ALL "\5\0"), GOOD_END}},
    {"a section beyond the end", 0, 0, {HEAD, GOOD_KEY, SECTION("\0\0\0\0\0\0\5\0\5\1")}},
    {"a key behind its section", 0, 0, {HEAD, KEY("\0\1aA"), SECTION(HALF "\5\1")}},
    {"a key before its section",
     0,
     0,
     {HEAD, SECTION(HALF "\5\0"), KEY("\0\1bB"), SECTION(ALL "\5\1"), END("\1\2\0")}},
    {"sections that go back",
     0,
     0,
     {HEAD, SECTION(ALL "\5\0"), SECTION(HALF "\5\0"), END("\0\2\0")}},
    {"sections that go back in time",
     0,
     4,
     {HEAD, SECTION(HALF "\5\0"), SECTION(ALL "\4\0"), END("\0\2\0")}},
    {"no section", 0, 0, {HEAD, END("\0\0\0")}},
    {"sections with a gap", 0, 0, {HEAD, SECTION(HALF "\5\0"), END("\0\1\0")}},
    {"a moved key without an LSN", 0, 0, {HEAD, MOVED("")}},
    {"a moved key that may exist", 0, 0, {HEAD, MOVED("\5")}},
    {"a moved key that exists twice", 0, 0, {HEAD, MOVED("\5\2\1b")}},
    {"half a moved key", 0, 0, {HEAD, MOVED("\5\0\2b")}},
    {"a moved key that goes on", 0, 0, {HEAD, MOVED("\5\0\1bb")}},
    {"moved keys that go back", 0, 0, {HEAD, MOVED("\5\0\1b"), MOVED("\4\0\1b")}},
    {"a moved key without a value", 0, 0, {HEAD, MOVED("\5\1\1b"), SECTION(ALL "\5\0")}},
    {"a moved key, then a database", 0, 0, {HEAD, MOVED("\5\1\1b"), DATABASE_0}},
    {"a moved key of another name", 0, 0, {HEAD, MOVED("\5\1\1b"), KEY("\0\1cC")}},
    {"no end", 0, 0, {HEAD, GOOD_KEY, GOOD_SECTION}},
    {"an end without counts", 0, 0, {HEAD, GOOD_KEY, GOOD_SECTION, END("")}},
    {"an end with a count", 0, 0, {HEAD, GOOD_KEY, GOOD_SECTION, END("\1")}},
    {"an end with two counts", 0, 0, {HEAD, GOOD_KEY, GOOD_SECTION, END("\1\1")}},
    {"an end that goes on", 0, 0, {HEAD, GOOD_KEY, GOOD_SECTION, END("\1\1\0\0")}},
    {"a key missing", 0, 0, {HEAD, GOOD_KEY, GOOD_SECTION, END("\2\1\0")}},
    {"a section missing", 0, 0, {HEAD, GOOD_KEY, GOOD_SECTION, END("\1\2\0")}},
    {"a moved key missing", 0, 0, {HEAD, GOOD_KEY, GOOD_SECTION, END("\1\1\1")}},
    {"a key of no section", 0, 0, {HEAD, SECTION(ALL "\5\0"), GOOD_KEY, GOOD_END}},
    {"something after the end", 0, 0, {HEAD, GOOD_KEY, GOOD_SECTION, GOOD_END, DATABASE_0}},
    {"an empty part", 0, 0, {HEAD, ITEM(SAVE_PART, "")}},
    {"a part of nothing", 0, 0, {HEAD, GOOD_KEY, GOOD_SECTION, GOOD_END, ITEM(SAVE_PART, "more")}},
    {"another first LSN", 7, 0, {HEAD, GOOD_KEY, GOOD_SECTION, GOOD_END}},
    {"another last LSN", 0, 6, {HEAD, GOOD_KEY, GOOD_SECTION, GOOD_END}},
};

static uint64_t count_keys(const struct bench *b)
{
    uint64_t keys = 0;
    for (unsigned database = 0; database < DATABASES_COUNT; database++)
        keys += store_count(b->store, database);
    return keys;
}

/* Well hashed nonsense is refused, whatever it is, and leaves nothing behind; what it is a
 * variation of is taken by the same replay afterwards. */
static void test_contradictions(void **state)
{
    (void)state;
    static const struct item good[] = {HEAD, DATABASE_0, GOOD_KEY, GOOD_SECTION, GOOD_END};
    for (size_t i = 0; i < sizeof wrongs / sizeof wrongs[0]; i++) {
        const struct wrong *w = &wrongs[i];
        struct bench b;
        size_t count = 0;
        open_bench(&b);
        while (count < ITEMS_MAX && w->items[count].kind != 0) count++;
        lsn_t from_lsn = w->from_lsn != 0 ? w->from_lsn : 6;
        lsn_t last_lsn = w->last_lsn != 0 ? w->last_lsn : 5;
        if (load(&b, w->items, count, from_lsn, last_lsn)) fail_msg("loaded: %s", w->what);
        b.loader.forget(b.loader.context);
        assert_int_equal(count_keys(&b), 0);
        assert_true(load(&b, good, sizeof good / sizeof good[0], 6, 5));
        expect(&b, "k", "value");
        close_bench(&b);
    }
}

/* An item that is cut by the end of its block. */
static void test_cut_item(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b);
    assert_false(b.loader.block(b.loader.context, SLICE("\1\x9")));
    b.loader.forget(b.loader.context);
    close_bench(&b);
}

/* Parts of an item are one item; a value of more than a mebibyte needs many of them. */
static void test_parts(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b);
    size_t size = 600 * 1024;
    char *filler = memory_allocate(size);
    memset(filler, 'x', size);
    struct item items[] = {
        HEAD,
        ITEM(SAVE_PART, "\0\5la"),
        {SAVE_PART, {filler, size}},
        {SAVE_PART, {filler, size}},
        KEY("end"),
        SECTION(ALL "\5\1"),
        GOOD_END,
    };
    items[1].body = SLICE("\0\5large");
    assert_true(load(&b, items, sizeof items / sizeof items[0], 6, 5));
    struct store_key key = store_key_make(b.store, 0, SLICE("large"));
    struct value value;
    int64_t expiry_ms;
    assert_true(store_get(b.store, &key, &value, &expiry_ms));
    assert_int_equal(value.form, FORM_SHARED);
    assert_int_equal(shared_slice(value.shared).size, 2 * size + 3);
    memory_free(filler, size);
    close_bench(&b);
}

/* ---- the log behind it ---- */

static bool replay(struct bench *b, lsn_t lsn, const struct effect *effects, size_t count)
{
    struct buf frame = {0};
    for (size_t i = 0; i < count; i++) effect_encode(&effects[i], &frame);
    bool good = replay_frame(&b->replay, lsn, buf_slice(&frame));
    buf_deinit(&frame);
    return good;
}

static struct effect rename_key(const struct bench *b, const char *from, const char *to)
{
    return (struct effect){.kind = EFFECT_KEY_RENAME,
                           .key = store_key_make(b->store, 0, slice_of(from)),
                           .key_rename = {slice_of(to)}};
}

static struct effect set_key(const struct bench *b, unsigned database, const char *name,
                             const char *value)
{
    return (struct effect){.kind = EFFECT_STRING_SET,
                           .key = store_key_make(b->store, database, slice_of(name)),
                           .string_set = {slice_of(value), STORE_NO_EXPIRY}};
}

static void load_halves(struct bench *b, const struct item *middle, size_t middle_count,
                        const char end[3])
{
    /* b and c as of LSN 5, a and d as of LSN 10 */
    struct item items[ITEMS_MAX * 2] = {HEAD, DATABASE_0, KEY("\0\1bB"), KEY("\0\1cC"),
                                        SECTION(HALF "\5\2")};
    size_t count = 5;
    for (size_t i = 0; i < middle_count; i++) items[count++] = middle[i];
    items[count++] = (struct item)KEY("\0\1dD");
    items[count++] = (struct item)SECTION(ALL "\12\1");
    items[count++] = (struct item){SAVE_END, {end, 3}};
    open_bench(b);
    uint16_t slot = store_key_make(b->store, 0, SLICE("c")).slot;
    assert_true(slot < SLOT_SPLIT);
    assert_true(store_key_make(b->store, 0, SLICE("a")).slot >= SLOT_SPLIT);
    assert_true(load(b, items, count, 6, 10));
}

/* Effects are applied to the keys that the snapshot does not hold as of their LSN. */
static void test_covered(void **state)
{
    (void)state;
    struct bench b;
    load_halves(&b, NULL, 0, "\3\2\0");
    struct effect effects[] = {set_key(&b, 0, "b", "newer"), set_key(&b, 0, "d", "older")};
    assert_true(replay(&b, 7, effects, 2));
    expect(&b, "b", "newer");
    expect(&b, "d", "D");
    assert_true(replay(&b, 11, effects, 2));
    expect(&b, "d", "older");
    close_bench(&b);
}

/* Of a rename the half that the snapshot does not have; a moved value is what the other half was
 * then, of each form, and absent where nothing was. */
static void test_renames(void **state)
{
    (void)state;
    static const struct item moved[] = {
        MOVED("\7\1\5hello"), KEY("\0\5hellomoved"), MOVED("\7\1\1b"),  KEY("\0\1ball"),
        MOVED("\10\1\1b"),    KEY("\2\1b\124"),      MOVED("\11\0\1b"),
    };
    struct bench b;
    load_halves(&b, moved, sizeof moved / sizeof moved[0], "\3\2\4");
    struct effect later = set_key(&b, 0, "b", "of the same frame");
    struct effect effects[] = {rename_key(&b, "a", "b"), later};
    assert_true(replay(&b, 7, effects, 2)); /* covered by the moved value: it is skipped */
    expect(&b, "b", "all");
    effects[0] = rename_key(&b, "d", "hello");
    assert_true(replay(&b, 7, effects, 1));
    expect(&b, "hello", "moved");
    expect(&b, "d", "D");
    effects[0] = rename_key(&b, "a", "b");
    assert_true(replay(&b, 8, effects, 1));
    expect(&b, "b", "42");
    assert_true(replay(&b, 9, effects, 1));
    expect(&b, "b", NULL);
    effects[0] = rename_key(&b, "c", "a"); /* a is there as it was at LSN 10 */
    assert_true(replay(&b, 9, effects, 1));
    expect(&b, "c", NULL);
    expect(&b, "a", NULL);
    effects[0] = rename_key(&b, "a", "d"); /* both covered */
    assert_true(replay(&b, 9, effects, 1));
    expect(&b, "d", "D");
    effects[0] = rename_key(&b, "hello", "c"); /* neither */
    assert_true(replay(&b, 10, effects, 1));
    expect(&b, "c", "moved");
    effects[0] = rename_key(&b, "a", "b"); /* nothing says what it was */
    assert_false(replay(&b, 10, effects, 1));
    close_bench(&b);
}

/* Moved values that no frame asks for are freed, of each form. */
static void test_moved_for_nobody(void **state)
{
    (void)state;
    char *large = memory_allocate(5 + STORE_INLINE_BYTES_MAX);
    memset(large, 'x', 5 + STORE_INLINE_BYTES_MAX);
    memcpy(large, "\0\1b", 3);
    const struct item moved[] = {
        MOVED("\7\1\1b"),
        {SAVE_STRING, {large, 5 + STORE_INLINE_BYTES_MAX}},
        MOVED("\10\1\1b"),
        ITEM(SAVE_STREAM, "\0\1b"),
        ITEM(SAVE_PIECE, "\1\0\0\0\0\0\0\0\0\0\0"),
        ITEM(SAVE_PIECE, "\0"),
    };
    struct bench b;
    load_halves(&b, moved, sizeof moved / sizeof moved[0], "\3\2\2");
    close_bench(&b);
    load_halves(&b, moved, sizeof moved / sizeof moved[0], "\3\2\2");
    struct effect rename = rename_key(&b, "a", "b");
    assert_true(replay(&b, 7, &rename, 1));
    expect(&b, "b", "shared");
    assert_true(replay(&b, 8, &rename, 1));
    expect(&b, "b", "body");
    close_bench(&b);
    memory_free(large, 5 + STORE_INLINE_BYTES_MAX);
}

/* A flush takes what the snapshot holds as of an earlier LSN, of its database or of all. */
static void test_flush(void **state)
{
    (void)state;
    struct bench b;
    load_halves(&b, NULL, 0, "\3\2\0");
    struct effect effects[] = {
        set_key(&b, 1, "b", "of database 1"),
        {.kind = EFFECT_DATABASE_FLUSH, .key = store_key_make(b.store, 0, SLICE(""))}};
    assert_true(replay(&b, 11, effects, 1));
    assert_int_equal(store_count(b.store, 1), 1);
    assert_true(replay(&b, 7, effects + 1, 1));
    expect(&b, "b", NULL);
    expect(&b, "c", NULL);
    expect(&b, "d", "D");
    assert_int_equal(store_count(b.store, 1), 1);
    effects[1].database_flush.all = true;
    assert_true(replay(&b, 9, effects + 1, 1));
    expect(&b, "d", "D");
    assert_true(replay(&b, 11, effects + 1, 1));
    assert_int_equal(store_count(b.store, 0), 0);
    close_bench(&b);
}

/* Of a copy: nothing where the snapshot has it, the source where it does not, else the moved value.
 * Of a move the half that is not there, in another database. */
static void test_copies(void **state)
{
    (void)state;
    static const struct item moved[] = {MOVED("\7\1\5hello"), KEY("\0\5hellomoved")};
    struct bench b;
    load_halves(&b, moved, 2, "\3\2\1");
    struct effect copy = {.kind = EFFECT_KEY_COPY,
                          .key = store_key_make(b.store, 0, SLICE("b")),
                          .key_copy = {0, SLICE("c")}};
    assert_true(replay(&b, 7, &copy, 1));
    expect(&b, "c", "B");
    copy.key_copy.to = SLICE("d");
    assert_true(replay(&b, 7, &copy, 1));
    expect(&b, "d", "D");
    expect(&b, "b", "B");
    copy.key = store_key_make(b.store, 0, SLICE("d"));
    copy.key_copy.to = SLICE("hello");
    assert_true(replay(&b, 7, &copy, 1));
    expect(&b, "hello", "moved");
    copy.key_copy.to = SLICE("b");
    assert_false(replay(&b, 8, &copy, 1)); /* its value is nowhere */
    struct effect move = {
        .kind = EFFECT_KEY_MOVE, .key = store_key_make(b.store, 0, SLICE("b")), .key_move = {1}};
    assert_true(replay(&b, 9, &move, 1));
    expect(&b, "b", NULL);
    assert_int_equal(store_count(b.store, 1), 0);
    move.key = store_key_make(b.store, 0, SLICE("d"));
    assert_true(replay(&b, 11, &move, 1));
    expect(&b, "d", NULL);
    assert_int_equal(store_count(b.store, 1), 1);
    close_bench(&b);
}

/* A snapshot has places as of its first section: every SWAPDB behind it is replayed, whatever the
 * snapshot holds of any key. Without the item they are where they were at first. */
static void test_places(void **state)
{
    (void)state;
    static const struct item items[] = {HEAD,     PLACES("\1\0"), DATABASE_0,
                                        GOOD_KEY, GOOD_SECTION,   GOOD_END};
    struct bench b;
    load_halves(&b, NULL, 0, "\3\2\0");
    struct effect swap = {.kind = EFFECT_DATABASE_SWAP,
                          .key = store_key_make(b.store, 0, (struct slice){0}),
                          .database_swap = {0, 3}};
    assert_true(replay(&b, 5, &swap, 1));
    assert_int_equal(store_place(b.store, 0), 0);
    assert_true(replay(&b, 6, &swap, 1));
    assert_int_equal(store_place(b.store, 0), 3);
    swap.database_swap.number = 1;
    assert_true(replay(&b, 11, &swap, 1));
    assert_int_equal(store_place(b.store, 1), 0);
    assert_int_equal(store_number(b.store, 1), 3);
    close_bench(&b);

    open_bench(&b);
    assert_true(load(&b, items, sizeof items / sizeof items[0], 6, 5));
    assert_int_equal(store_place(b.store, 0), 1);
    assert_int_equal(store_place(b.store, 1), 0);
    b.loader.forget(b.loader.context);
    for (unsigned number = 0; number < DATABASES_COUNT; number++)
        assert_int_equal(store_place(b.store, number), number);
    close_bench(&b);
}

/* A frame that cannot be read, or does not fit, is refused. */
static void test_bad_frames(void **state)
{
    (void)state;
    struct bench b;
    open_bench(&b);
    struct effect rename = rename_key(&b, "absent", "b");
    assert_false(replay_frame(&b.replay, 1, SLICE("\xff")));
    assert_false(replay(&b, 1, &rename, 1));
    close_bench(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_contradictions), cmocka_unit_test(test_cut_item),
        cmocka_unit_test(test_parts),          cmocka_unit_test(test_covered),
        cmocka_unit_test(test_renames),        cmocka_unit_test(test_moved_for_nobody),
        cmocka_unit_test(test_flush),          cmocka_unit_test(test_bad_frames),
        cmocka_unit_test(test_copies),         cmocka_unit_test(test_places),
    };
    return cmocka_run_group_tests_name("db replay", tests, NULL, NULL);
}
