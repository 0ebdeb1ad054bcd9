/* table.c - the rows of commands.def as data, and how a request finds its row.
 *
 * The name is read as two overlapping words, its letters made lower case by setting bit 5 of every
 * byte, and mixed into one 64-bit key. The chain of comparisons over all rows in row_of_key has
 * constants on the right, which the compiler turns into a decision tree of about seven steps: there
 * is nothing to build at start and nothing to keep. Setting bit 5 also confuses some bytes that
 * are no letters ('@' and '`'), so the name of the row found is compared once more. table_test.c
 * proves that no two rows share a key.
 *
 * A container's subcommands are the rows that follow it. */
#include "base/check.h"
#include "command/commands.h"

/* ---- the rows ---- */

/* The words of commands.def; they are the flags of command.h. */
enum {
    WRITE = COMMAND_WRITE,
    READONLY = COMMAND_READONLY,
    DENYOOM = COMMAND_DENYOOM,
    ADMIN = COMMAND_ADMIN,
    NOSCRIPT = COMMAND_NOSCRIPT,
    BLOCKING = COMMAND_BLOCKING,
    LOADING = COMMAND_LOADING,
    STALE = COMMAND_STALE,
    FAST = COMMAND_FAST,
    NO_AUTH = COMMAND_NO_AUTH,
    MOVABLEKEYS = COMMAND_MOVABLEKEYS,
    ALLOW_BUSY = COMMAND_ALLOW_BUSY,
    NO_MULTI = COMMAND_NO_MULTI,
    NO_ASYNC_LOADING = COMMAND_NO_ASYNC_LOADING,
    SKIP_SLOWLOG = COMMAND_SKIP_SLOWLOG,
    NOT_QUEUED = COMMAND_NOT_QUEUED,
};

#define NO_KEYS                 \
    {                           \
        {                       \
            .search = KEYS_NONE \
        }                       \
    }
#define ONE_KEY(index, words)                                                                    \
    {                                                                                            \
        {                                                                                        \
            .search = KEYS_RANGE, .first = (index), .last = (index), .step = 1, .flags = (words) \
        }                                                                                        \
    }
#define KEYS(from, to, by, words)                                                               \
    {                                                                                           \
        {                                                                                       \
            .search = KEYS_RANGE, .first = (from), .last = (to), .step = (by), .flags = (words) \
        }                                                                                       \
    }
#define TWO_KEYS(words_one, words_two)                                                   \
    {                                                                                    \
        {.search = KEYS_RANGE, .first = 1, .last = 1, .step = 1, .flags = (words_one)},  \
        {                                                                                \
            .search = KEYS_RANGE, .first = 2, .last = 2, .step = 1, .flags = (words_two) \
        }                                                                                \
    }
#define KEYWORD_KEYS(word, from, words)                                                 \
    {                                                                                   \
        {                                                                               \
            .search = KEYS_KEYWORD, .first = (from), .last = -1, .step = 1, .limit = 2, \
            .keyword = (word), .flags = (words)                                         \
        }                                                                               \
    }
#define COUNTED_KEYS(index, by, words)                                               \
    {                                                                                \
        {                                                                            \
            .search = KEYS_COUNTED, .first = (index), .step = (by), .flags = (words) \
        }                                                                            \
    }

enum row {
#define COMMAND(id, ...)            ROW_##id,
#define CONTAINER(id, ...)          ROW_##id,
#define SUBCOMMAND(parent, id, ...) ROW_##parent##_##id,
#include "command/commands.def"
#undef COMMAND
#undef CONTAINER
#undef SUBCOMMAND
    ROWS_COUNT
};

const struct command command_table[] = {
#define COMMAND(id, run, ...) {#id, #id, NULL, run, __VA_ARGS__, ROW_##id},
#define CONTAINER(id, ...)    {#id, #id, NULL, NULL, __VA_ARGS__, ROW_##id},
#define SUBCOMMAND(parent, id, name, run, ...) \
    {name, #parent "|" name, #parent, run, __VA_ARGS__, ROW_##parent##_##id},
#include "command/commands.def"
#undef COMMAND
#undef CONTAINER
#undef SUBCOMMAND
};

const size_t command_table_count = ROWS_COUNT;

/* ---- finding the row of a name ---- */

static inline __attribute__((always_inline)) uint64_t name_key(const char *name, size_t size)
{
    const uint64_t bit_5 = 0x2020202020202020u, odd = 0x9E3779B97F4A7C15u;
    uint64_t head = 0, tail = 0;
    if (size >= 8) {
        memcpy(&head, name, 8);
        memcpy(&tail, name + size - 8, 8);
    } else if (size >= 4) {
        memcpy(&head, name, 4);
        memcpy(&tail, name + size - 4, 4);
    } else if (size > 0) {
        head = (uint8_t)name[0] | (uint64_t)(uint8_t)name[size / 2] << 8;
        tail = (uint8_t)name[size - 1];
    }
    return ((head | bit_5) ^ ((tail | bit_5) * odd)) + size;
}

#define KEY_OF(literal) name_key(literal, sizeof(literal) - 1)

static enum row row_of_key(uint64_t key)
{
    return
#define COMMAND(id, ...)   key == KEY_OF(#id) ? ROW_##id:
#define CONTAINER(id, ...) key == KEY_OF(#id) ? ROW_##id:
#define SUBCOMMAND(...)
#include "command/commands.def"
#undef COMMAND
#undef CONTAINER
#undef SUBCOMMAND
        ROWS_COUNT;
}

/* The row is a plain command's or a container's, never a subcommand's. */
static const struct command *find_command(struct slice name)
{
    enum row row = row_of_key(name_key(name.data, name.size));
    if (row == ROWS_COUNT) return NULL;
    const struct command *command = &command_table[row];
    return slice_equal_ignoring_case(name, slice_of(command->name)) ? command : NULL;
}

static bool is_subcommand_of(const struct command *row, const struct command *container)
{
    return row < command_table + command_table_count && row->parent != NULL &&
           strcmp(row->parent, container->name) == 0;
}

bool command_has_subcommands(const struct command *command)
{
    return command->parent == NULL && is_subcommand_of(command + 1, command);
}

const struct command *command_next_subcommand(const struct command *container,
                                              const struct command *before)
{
    const struct command *next = (before == NULL ? container : before) + 1;
    return is_subcommand_of(next, container) ? next : NULL;
}

static const struct command *find_subcommand(const struct command *container, struct slice name)
{
    const struct command *row = NULL;
    while ((row = command_next_subcommand(container, row)) != NULL)
        if (slice_equal_ignoring_case(name, slice_of(row->name))) return row;
    return NULL;
}

const struct command *command_find(const struct slice *arguments, size_t count, bool *unknown_sub)
{
    CHECK(count > 0);
    *unknown_sub = false;
    const struct command *command = find_command(arguments[0]);
    if (command == NULL || count == 1 || !command_has_subcommands(command)) return command;

    const struct command *subcommand = find_subcommand(command, arguments[1]);
    *unknown_sub = subcommand == NULL;
    return subcommand != NULL ? subcommand : command;
}

const struct command *command_find_name(struct slice full_name)
{
    const char *bar = full_name.size == 0 ? NULL : memchr(full_name.data, '|', full_name.size);
    if (bar == NULL) return find_command(full_name);

    size_t size = (size_t)(bar - full_name.data);
    const struct command *container = find_command((struct slice){full_name.data, size});
    if (container == NULL) return NULL;
    return find_subcommand(container, (struct slice){bar + 1, full_name.size - size - 1});
}

bool command_arity_holds(const struct command *command, size_t arguments_count)
{
    if (command->arity >= 0) return arguments_count == (size_t)command->arity;
    return arguments_count >= (size_t)-command->arity;
}

void command_capitals(const char *name, char capitals[COMMAND_NAME_MAX])
{
    size_t size = strlen(name);
    CHECK(size < COMMAND_NAME_MAX);
    for (size_t i = 0; i <= size; i++) {
        bool letter = name[i] >= 'a' && name[i] <= 'z';
        capitals[i] = letter ? (char)(name[i] - 'a' + 'A') : name[i];
    }
}

/* ---- the keys of a request ---- */

/* Where keys stand in one request: first, first + step ... up to last. */
struct key_range {
    size_t first;
    size_t last;
    size_t step;
};

/* STREAMS key ... id ...: the keys are the first half of what follows the word. A word searched
 * from the start is the first such one; names in front of it (a group called STREAMS) are skipped
 * because the search begins behind them. */
static bool range_after_keyword(const struct command_keys *keys, const struct slice *arguments,
                                size_t count, struct key_range *range)
{
    CHECK(keys->first > 0);
    CHECK(keys->limit == 2);
    for (size_t i = (size_t)keys->first; i < count; i++) {
        if (!slice_equal_ignoring_case(arguments[i], slice_of(keys->keyword))) continue;
        size_t left = count - i - 1;
        if (left == 0 || left % 2 != 0) return false;
        *range = (struct key_range){.first = i + 1, .last = i + left / 2, .step = 1};
        return true;
    }
    return false;
}

static bool range_of_count(const struct command_keys *keys, const struct slice *arguments,
                           size_t count, struct key_range *range)
{
    int64_t keys_count;
    size_t index = (size_t)keys->first, step = (size_t)keys->step;
    if (index >= count || !number_parse_i64(arguments[index], &keys_count)) return false;
    size_t room = count - index - 1;
    if (keys_count < 1 || (uint64_t)keys_count > room / step) return false;
    size_t last = index + 1 + ((size_t)keys_count - 1) * step;
    *range = (struct key_range){.first = index + 1, .last = last, .step = step};
    return true;
}

static bool key_range(const struct command_keys *keys, const struct slice *arguments, size_t count,
                      struct key_range *range)
{
    switch (keys->search) {
    case KEYS_NONE: return false;
    case KEYS_KEYWORD: return range_after_keyword(keys, arguments, count, range);
    case KEYS_COUNTED: return range_of_count(keys, arguments, count, range);
    case KEYS_RANGE: break;
    }
    int64_t last = keys->last < 0 ? (int64_t)count + keys->last : keys->last;
    if (last < keys->first || last >= (int64_t)count) return false;
    *range = (struct key_range){(size_t)keys->first, (size_t)last, (size_t)keys->step};
    return true;
}

size_t command_key_indexes(const struct command *command, const struct slice *arguments,
                           size_t count, size_t *indexes, size_t capacity)
{
    size_t found = 0;
    for (size_t spec = 0; spec < COMMAND_KEYS_MAX; spec++) {
        struct key_range range;
        if (!key_range(&command->keys[spec], arguments, count, &range)) continue;
        for (size_t i = range.first; i <= range.last; i += range.step, found++)
            if (found < capacity) indexes[found] = i;
    }
    return found;
}

const char *command_key_flags(const struct command *command, size_t key)
{
    CHECK(command->keys[0].search != KEYS_NONE);
    bool has_own = key < COMMAND_KEYS_MAX && command->keys[key].search != KEYS_NONE;
    return command->keys[has_own ? key : 0].flags;
}
