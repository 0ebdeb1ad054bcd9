#include "command/fixture.h"

#define FIND(unknown, ...)                            \
    command_find((const struct slice[]){__VA_ARGS__}, \
                 sizeof((const struct slice[]){__VA_ARGS__}) / sizeof(struct slice), unknown)

/* Every row is found by its full name in any case, is found alone, and knows its own index: no two
 * names share a key, and no row hides another. */
static void test_every_row_is_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < command_table_count; i++) {
        const struct command *row = &command_table[i];
        char upper[64];
        size_t size = strlen(row->full_name);
        assert_true(size < sizeof upper);
        for (size_t j = 0; j < size; j++)
            upper[j] = row->full_name[j] >= 'a' && row->full_name[j] <= 'z'
                           ? (char)(row->full_name[j] - 'a' + 'A')
                           : row->full_name[j];
        assert_ptr_equal(command_find_name(slice_of(row->full_name)), row);
        assert_ptr_equal(command_find_name((struct slice){upper, size}), row);
        assert_int_equal(row->index, i);
    }
}

/* What differs from a name in one byte, also where lower case is made by a bit, is not found. */
static void test_near_names_are_not_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < command_table_count; i++) {
        const struct command *row = &command_table[i];
        if (row->parent != NULL) continue;
        size_t size = strlen(row->name);
        char near[64];
        memcpy(near, row->name, size);
        for (size_t j = 0; j < size; j++) {
            for (int byte = 0; byte < 256; byte++) {
                near[j] = (char)byte;
                const struct command *found = command_find_name((struct slice){near, size});
                bool is_named =
                    found != NULL &&
                    slice_equal_ignoring_case(slice_of(found->name), (struct slice){near, size});
                assert_true(found == NULL || is_named);
            }
            near[j] = row->name[j];
        }
    }
    assert_null(command_find_name(SLICE("")));
    assert_null(command_find_name(SLICE("|")));
    assert_null(command_find_name(SLICE("client|")));
    assert_null(command_find_name(SLICE("|list")));
    assert_null(command_find_name(SLICE("get|list")));
    assert_null(command_find_name(SLICE("a name that is far longer than that of any command")));
}

/* A container gives its subcommand; without one or with an unknown one, itself. */
static void test_subcommands(void **state)
{
    (void)state;
    bool unknown;
    assert_string_equal(FIND(&unknown, SLICE("CLIENT"), SLICE("LIST"))->full_name, "client|list");
    assert_false(unknown);
    assert_string_equal(FIND(&unknown, SLICE("CLIENT"), SLICE("LISTS"))->full_name, "client");
    assert_true(unknown);
    assert_string_equal(FIND(&unknown, SLICE("CLIENT"))->full_name, "client");
    assert_false(unknown);
    assert_string_equal(FIND(&unknown, SLICE("COMMAND"))->full_name, "command");
    assert_non_null(FIND(&unknown, SLICE("COMMAND"))->run);
    assert_string_equal(FIND(&unknown, SLICE("GET"), SLICE("LIST"))->full_name, "get");
    assert_false(unknown);
    assert_null(FIND(&unknown, SLICE("LISTS"), SLICE("x")));
    assert_false(unknown);
}

/* The facts of a row do not contradict each other. */
static void test_rows_are_sound(void **state)
{
    (void)state;
    for (size_t i = 0; i < command_table_count; i++) {
        const struct command *row = &command_table[i];
        assert_true(row->arity != 0);
        assert_true(row->run != NULL || command_has_subcommands(row));
        assert_true((row->flags & COMMAND_WRITE) == 0 || (row->flags & COMMAND_READONLY) == 0);
        assert_true((row->flags & COMMAND_DENYOOM) == 0 || (row->flags & COMMAND_WRITE) != 0);
        bool is_fast = strstr(row->categories, "@fast") != NULL;
        bool is_slow = strstr(row->categories, "@slow") != NULL;
        assert_true(is_fast != is_slow);
        assert_true(is_fast == ((row->flags & COMMAND_FAST) != 0));
        assert_true((strstr(row->categories, "@write") != NULL) ==
                    ((row->flags & COMMAND_WRITE) != 0));
        for (size_t j = 0; j < COMMAND_KEYS_MAX; j++)
            assert_true(row->keys[j].search == KEYS_NONE || row->keys[j].flags != NULL);
        assert_true(strlen(row->summary) > 5);
        assert_true(strncmp(row->summary, " ", 1) != 0);
    }
}

static void test_arity(void **state)
{
    (void)state;
    const struct command exact = {.arity = 2}, least = {.arity = -2};
    assert_false(command_arity_holds(&exact, 1));
    assert_true(command_arity_holds(&exact, 2));
    assert_false(command_arity_holds(&exact, 3));
    assert_false(command_arity_holds(&least, 1));
    assert_true(command_arity_holds(&least, 2));
    assert_true(command_arity_holds(&least, 1000));
}

struct keys_case {
    struct command_keys keys[COMMAND_KEYS_MAX];
    const char *words; /* of the request, by blanks */
    const char *found; /* indexes, by blanks */
};

/* Keys are found where the specification says; a request that is too short or contradicts itself
 * has none. */
static void test_key_indexes(void **state)
{
    (void)state;
    const struct command_keys one = {KEYS_RANGE, 1, 1, 1, 0, NULL, "RO"};
    const struct command_keys two = {KEYS_RANGE, 2, 2, 1, 0, NULL, "OW"};
    const struct command_keys all = {KEYS_RANGE, 1, -1, 1, 0, NULL, "RO"};
    const struct command_keys pairs = {KEYS_RANGE, 1, -1, 2, 0, NULL, "OW"};
    const struct command_keys word = {KEYS_KEYWORD, 1, -1, 1, 2, "STREAMS", "RO"};
    const struct command_keys late = {KEYS_KEYWORD, 4, -1, 1, 2, "STREAMS", "RO"};
    const struct command_keys counted = {KEYS_COUNTED, 1, 0, 2, 0, NULL, "OW"};
    const struct keys_case cases[] = {
        {{one}, "get a", "1 "},
        {{one}, "get", ""},
        {{one, two}, "rename a b", "1 2 "},
        {{all}, "del a b c", "1 2 3 "},
        {{pairs}, "mset a 1 b 2", "1 3 "},
        {{pairs}, "mset a 1 b", "1 3 "},
        {{word}, "xread streams a b 1 2", "2 3 "},
        {{word}, "xread count 1 STREAMS a 1", "4 "},
        {{word}, "xread streams a b 1", ""},
        {{word}, "xread streams", ""},
        {{word}, "xread a b", ""},
        {{late}, "xreadgroup group g streams streams a 1", "5 "},
        {{late}, "xreadgroup group streams streams a 1", ""},
        {{counted}, "msetex 2 a 1 b 2 nx", "2 4 "},
        {{counted}, "msetex 0 a 1", ""},
        {{counted}, "msetex -1 a 1", ""},
        {{counted}, "msetex 2 a 1 b", ""},
        {{counted}, "msetex 9223372036854775807 a 1", ""},
        {{counted}, "msetex x a 1", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct slice words[16];
        size_t count = 0, indexes[16];
        for (const char *p = cases[i].words; *p != '\0';) {
            size_t size = strcspn(p, " ");
            words[count++] = (struct slice){p, size};
            p += size + (p[size] == ' ');
        }
        struct command row = {.keys = {cases[i].keys[0], cases[i].keys[1]}};
        size_t found = command_key_indexes(&row, words, count, indexes, 16);
        assert_int_equal(command_key_indexes(&row, words, count, NULL, 0), found);
        char text[128] = "";
        for (size_t j = 0; j < found; j++)
            snprintf(text + strlen(text), sizeof text - strlen(text), "%zu ", indexes[j]);
        assert_string_equal(text, cases[i].found);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_row_is_found),
        cmocka_unit_test(test_near_names_are_not_found),
        cmocka_unit_test(test_subcommands),
        cmocka_unit_test(test_rows_are_sound),
        cmocka_unit_test(test_arity),
        cmocka_unit_test(test_key_indexes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
