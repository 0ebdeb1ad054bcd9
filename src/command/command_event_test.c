/* command_event_test.c - the keyspace events of every command that writes (event_rows.def). */
#include "command/fixture.h"
#include "db/event.h"

#include <stdlib.h>
#include <string.h>

struct row {
    const char *command;
    const char *before;
    const char *request;
    const char *events;
};

static const struct row rows[] = {
#define ROW(...)   {__VA_ARGS__},
#define NEWER(...) {__VA_ARGS__},
#include "command/event_rows.def"
#undef ROW
#undef NEWER
};
enum { ROWS_COUNT = sizeof rows / sizeof *rows };

enum { EVERY_CLASS = 31, SAID_BYTES_MAX = 4096 };

/* What was said, as a row says it. */
struct said {
    char text[SAID_BYTES_MAX];
    size_t size;
    size_t count;
    bool named[EVENTS_END];
};

static char letter_of(enum event_class class)
{
    switch (class) {
    case EVENT_CLASS_GENERIC: return 'g';
    case EVENT_CLASS_STRING: return '$';
    case EVENT_CLASS_STREAM: return 't';
    case EVENT_CLASS_EXPIRED: return 'x';
    case EVENT_CLASS_NEW: return 'n';
    }
    fail();
    return 0;
}

static void take(void *context, const struct key_event *e)
{
    struct said *said = context;
    int size = snprintf(said->text + said->size, sizeof said->text - said->size, "%s%c:%u:%s:%.*s",
                        said->size > 0 ? " " : "", letter_of(event_class(e->event)), e->database,
                        event_name(e->event), (int)e->key.size, e->key.data);
    said->size += (size_t)size;
    assert_true(said->size < sizeof said->text);
    said->count++;
    said->named[e->event] = true;
    assert_int_equal(e->lsn, 0); /* there is no log */
}

static void listen_for(struct fixture *f, struct said *said, unsigned classes)
{
    db_listen(f->db, &(struct event_sink){said, classes, take});
}

static void prepare(struct fixture *f, const char *before)
{
    char line[512];
    while (*before != '\0') {
        size_t size = strcspn(before, ";");
        assert_true(size < sizeof line);
        memcpy(line, before, size);
        line[size] = '\0';
        if (line[0] == '+') f->now_ms += strtol(line + 1, NULL, 10);
        else assert_int_not_equal(fixture_send(f, line)[0], '-');
        before += size + strspn(before + size, "; ");
    }
}

static void check_row(const struct row *row, struct said *said)
{
    struct fixture *f = fixture_open();
    prepare(f, row->before);
    listen_for(f, said, EVERY_CLASS);
    said->size = 0;
    said->text[0] = '\0';
    fixture_send(f, row->request);
    if (strcmp(said->text, row->events) != 0)
        fail_msg("%s; %s: said '%s', not '%s'", row->before, row->request, said->text, row->events);
    fixture_close(f);
}

/* What every row says is what is said, and every event that there is is said by some row. */
static void test_rows(void **state)
{
    (void)state;
    struct said said = {0};
    for (size_t i = 0; i < ROWS_COUNT; i++) check_row(&rows[i], &said);
    for (enum event event = EVENT_NONE + 1; event < EVENTS_END; event++)
        if (!said.named[event]) fail_msg("no row says %s", event_name(event));
}

/* No command that writes can be forgotten. */
static void test_every_command_has_a_row(void **state)
{
    (void)state;
    for (size_t i = 0; i < command_table_count; i++) {
        const struct command *command = &command_table[i];
        bool found = (command->flags & COMMAND_WRITE) == 0;
        for (size_t j = 0; j < ROWS_COUNT && !found; j++)
            found = strcmp(rows[j].command, command->full_name) == 0;
        if (!found) fail_msg("%s writes, but has no row in event_rows.def", command->full_name);
    }
    for (size_t i = 0; i < ROWS_COUNT; i++)
        assert_non_null(command_find_name(slice_of(rows[i].command)));
}

/* Only the classes that are asked for are said, and nothing to nobody. */
static void test_classes(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    struct said said = {0};
    listen_for(f, &said, EVENT_CLASS_STRING);
    EXPECT(f, "SET a 1 EX 10", "+OK\r\n");
    assert_string_equal(said.text, "$:0:set:a");
    listen_for(f, &said, EVENT_CLASS_NEW | EVENT_CLASS_GENERIC);
    EXPECT(f, "SET b 1 EX 10", "+OK\r\n");
    assert_string_equal(said.text, "$:0:set:a n:0:new:b g:0:expire:b");
    db_listen(f->db, NULL);
    EXPECT(f, "DEL a", ":1\r\n");
    assert_int_equal(said.count, 3);
    fixture_close(f);
}

/* What EXEC does is said in order, and only when all of it is done. */
static void test_transaction(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    struct said said = {0};
    listen_for(f, &said, EVERY_CLASS);
    CONVERSE(f, {"MULTI", "+OK\r\n"}, {"SET a 1", "+QUEUED\r\n"}, {"INCR a", "+QUEUED\r\n"},
             {"LPUSH", "-ERR unknown command 'LPUSH', with args beginning with: \r\n"},
             {"DISCARD", "+OK\r\n"}, {"MULTI", "+OK\r\n"}, {"SET a 1", "+QUEUED\r\n"},
             {"INCR a", "+QUEUED\r\n"}, {"XLEN a", "+QUEUED\r\n"}, {"DEL a", "+QUEUED\r\n"});
    assert_int_equal(said.count, 0);
    fixture_send(f, "EXEC");
    assert_string_equal(said.text, "n:0:new:a $:0:set:a $:0:incrby:a g:0:del:a");
    fixture_close(f);
}

/* Keys that nobody touches are said to have expired when their turn comes. */
static void test_expiry(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    struct said said = {0};
    prepare(f, "SET a 1 PX 10; SET b 1 PX 2000; SET c 1");
    listen_for(f, &said, EVERY_CLASS);
    for (int i = 0; i < 3; i++) {
        f->now_ms += 1000;
        db_set_now(f->db, f->now_ms);
        while (db_expire(f->db, 100)) {
        }
        assert_string_equal(said.text, i == 0 ? "x:0:expired:a" : "x:0:expired:a x:0:expired:b");
    }
    fixture_close(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),    cmocka_unit_test(test_every_command_has_a_row),
        cmocka_unit_test(test_classes), cmocka_unit_test(test_transaction),
        cmocka_unit_test(test_expiry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
