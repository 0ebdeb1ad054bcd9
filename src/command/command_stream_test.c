/* command_stream_test.c - what scenarios of streams cannot show: blocks of a size that is set,
 * names of megabytes, how many effects a request has, very many pending entries. */
#include "base/limits.h"
#include "command/fixture.h"
#include "command/stream_arguments.h"

#include <stdlib.h>

/* ACKED with ~ looks at whole blocks, and removes in them what is acknowledged; LIMIT holds. */
static void test_approximate_trimming_of_what_is_acknowledged(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    db_set_stream_block(f->db, (struct stream_block_limits){4096, 2});
    CONVERSE(f, {"XADD s 1-1 a 1", "$3\r\n1-1\r\n"}, {"XADD s 2-1 a 2", "$3\r\n2-1\r\n"},
             {"XADD s 3-1 a 3", "$3\r\n3-1\r\n"}, {"XADD s 4-1 a 4", "$3\r\n4-1\r\n"},
             {"XADD s 5-1 a 5", "$3\r\n5-1\r\n"}, {"XADD s 6-1 a 6", "$3\r\n6-1\r\n"},
             {"XADD s 7-1 a 7", "$3\r\n7-1\r\n"},
             /* Without a group nothing is referenced. */
             {"XTRIM s MAXLEN ~ 4 ACKED", ":2\r\n"}, {"XGROUP CREATE s g 0", "+OK\r\n"},
             {"XTRIM s MAXLEN ~ 0 ACKED", ":0\r\n"},
             {"XREADGROUP GROUP g c NOACK COUNT 1 STREAMS s >",
              "*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n3-1\r\n*2\r\n$1\r\na\r\n$1\r\n3\r\n"},
             {"XGROUP SETID s g 6-1", "+OK\r\n"},
             {"XCLAIM s g c 0 4-1 FORCE JUSTID", "*1\r\n$3\r\n4-1\r\n"},
             /* 3-1 goes, 4-1 is pending; 5-1 goes with its block, 7-1 was not read. */
             {"XTRIM s MAXLEN ~ 3 ACKED LIMIT 1", ":0\r\n"},
             {"XTRIM s MAXLEN ~ 3 ACKED LIMIT 2", ":1\r\n"}, {"XTRIM s MINID ~ 7 ACKED", ":2\r\n"},
             {"XTRIM s MINID ~ 7 DELREF", ":1\r\n"},
             {"XPENDING s g", "*4\r\n:0\r\n$-1\r\n$-1\r\n*-1\r\n"}, {"XLEN s", ":1\r\n"});
    fixture_close(f);
}

/* SETID takes the ends of all IDs by name, CREATE does not. */
static void test_position_of_a_group(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    CONVERSE(
        f, {"XADD s 1-1 a 1", "$3\r\n1-1\r\n"}, {"XGROUP CREATE s g 0", "+OK\r\n"},
        {"XGROUP SETID s g +", "+OK\r\n"}, {"XREADGROUP GROUP g c STREAMS s >", "*-1\r\n"},
        {"XGROUP SETID s g -", "+OK\r\n"},
        {"XREADGROUP GROUP g c STREAMS s >",
         "*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\na\r\n$1\r\n1\r\n"},
        {"XGROUP CREATE s h +", "-ERR Invalid stream ID specified as stream command argument\r\n"},
        {"XPENDING s g 0 (9 5 nobody more", "*0\r\n"});
    fixture_close(f);
}

/* ---- effects ---- */

static uint64_t effects_of(const struct fixture *f)
{
    struct db_figures figures;
    db_measure(f->db, &figures);
    return figures.effects;
}

/* However many of the oldest pending entries are gone, a claim of one takes one effect for all of
 * them and one for itself. */
static void test_claim_behind_what_is_gone(void **state)
{
    (void)state;
    enum { GONE = 1000 };
    struct fixture *f = fixture_open();
    char line[64];
    for (int i = 1; i <= GONE + 1; i++) {
        snprintf(line, sizeof line, "XADD s %d a x", i);
        fixture_send(f, line);
    }
    CONVERSE(f, {"XGROUP CREATE s g 0", "+OK\r\n"});
    fixture_send(f, "XREADGROUP GROUP g ann STREAMS s >");
    snprintf(line, sizeof line, "XTRIM s MINID %d", GONE + 1);
    EXPECT(f, line, ":1000\r\n");
    uint64_t before = effects_of(f);
    EXPECT(f, "XREADGROUP GROUP g ann COUNT 1 CLAIM 0 STREAMS s >",
           "*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*4\r\n$6\r\n1001-0\r\n*2\r\n$1\r\na\r\n$1\r\nx\r\n:0\r\n:"
           "1\r\n");
    assert_int_equal(effects_of(f), before + 2);
    EXPECT(f, "XPENDING s g",
           "*4\r\n:1\r\n$6\r\n1001-0\r\n$6\r\n1001-0\r\n*1\r\n*2\r\n$3\r\nann\r\n$1\r\n1\r\n");
    fixture_close(f);
}

enum { WORDS_MAX = 200 };

/* A line of which each word "L" becomes 'name', and each "7*" the word before it, seven times. */
static void send_with_name(struct fixture *f, const char *line, struct slice name)
{
    struct slice words[WORDS_MAX];
    size_t count = 0;
    for (size_t size; *line != '\0'; line += size + (line[size] == ' ')) {
        size = strcspn(line, " ");
        struct slice word = {line, size};
        size_t times = word.data[size - 1] == '*' && size > 1 ? strtoul(line, NULL, 10) : 1;
        if (slice_equal(word, SLICE("L"))) word = name;
        if (times > 1) word = words[count - 1];
        CHECK(count + times <= WORDS_MAX);
        while (times-- > 0) words[count++] = word;
    }
    fixture_run(f, words, count);
}

/* A name that a request says once and its effects very often does not make a frame of any size. */
static void test_names_repeated_too_often(void **state)
{
    (void)state;
    static const char refused[] = "-ERR the names of keys, groups and consumers are too long to be "
                                  "written to the log so often\r\n";
    static const struct exchange exchanges[] = {
        {"XADD L 1-1 a x", "$3\r\n1-1\r\n"},
        {"XGROUP CREATE L g 0", "+OK\r\n"},
        {"XCLAIM L g c 0 1-1 20* FORCE JUSTID", "*21\r\n"},
        {"XCLAIM L g c 0 1-1 40* FORCE JUSTID", refused},
        {"XCLAIM L g c 0 1-1 40* unknown", "-ERR Unrecognized"},
        {"XNACK L g FAIL IDS 41 1-1 40*", refused},
        {"XNACK L g FAIL IDS 21 1-1 20*", ":21\r\n"},
        {"XDELEX L IDS 41 1-1 40*", refused},
        {"XACKDEL L g IDS 41 1-1 40*", refused},
        {"XACKDEL L g DELREF IDS 15 1-1 14*", refused},
        {"XADD L DELREF MAXLEN 5 2-1 a x", "$3\r\n2-1\r\n"},
        {"XLEN L", ":2\r\n"},
        {"XADD s 1-1 a x", "$3\r\n1-1\r\n"},
        {"XGROUP CREATE s L 0", "+OK\r\n"},
        {"XREADGROUP GROUP L L STREAMS s 4* > 4*", refused},
        {"XREADGROUP GROUP L L STREAMS s 2* > 2*", "*1\r\n*2\r\n$1\r\ns\r\n*1\r\n"},
        {"XAUTOCLAIM s L L 0 0", "*3\r\n"},
    };
    struct fixture *f = fixture_open();
    size_t size = 16 * MIB;
    char *bytes = memory_allocate_zeroed(size);
    for (size_t i = 0; i < sizeof exchanges / sizeof *exchanges; i++) {
        send_with_name(f, exchanges[i].line, (struct slice){bytes, size});
        f->reply[strlen(exchanges[i].reply)] = '\0'; /* the beginning is enough */
        assert_string_equal(f->reply, exchanges[i].reply);
    }
    memory_free(bytes, size);
    fixture_close(f);
}

/* The group 'g' of the stream 's' with so many entries pending, 1-0, 2-0 and so on. */
static struct fixture *open_with_pending(unsigned count)
{
    struct fixture *f = fixture_open();
    char line[64];
    EXPECT(f, "XGROUP CREATE s g 0 MKSTREAM", "+OK\r\n");
    for (unsigned i = 1; i <= count; i++) {
        snprintf(line, sizeof line, "XADD s %u-0 f v", i);
        fixture_send(f, line);
        fixture_send(f, "XREADGROUP GROUP g ann COUNT 1 STREAMS s >");
    }
    return f;
}

static void expect_beginning(const char *reply, const char *beginning)
{
    assert_int_equal(strncmp(reply, beginning, strlen(beginning)), 0);
}

/* XAUTOCLAIM claims so many at most, whatever COUNT says, and its cursor stands behind them. */
static void test_claims_in_portions(void **state)
{
    (void)state;
    enum { COUNT = STREAM_CLAIMED_MAX + 5 };
    struct fixture *f = open_with_pending(COUNT);
    const char *reply = fixture_send(f, "XAUTOCLAIM s g bob 0 - COUNT 9000000 JUSTID");
    expect_beginning(reply, "*3\r\n$7\r\n16385-0\r\n*16384\r\n$3\r\n1-0\r\n");
    EXPECT(
        f, "XAUTOCLAIM s g bob 0 16385 COUNT 3 JUSTID",
        "*3\r\n$7\r\n16388-0\r\n*3\r\n$7\r\n16385-0\r\n$7\r\n16386-0\r\n$7\r\n16387-0\r\n*0\r\n");
    expect_beginning(fixture_send(f, "XREADGROUP GROUP g cleo CLAIM 0 STREAMS s >"),
                     "*1\r\n*2\r\n$1\r\ns\r\n*16384\r\n");
    fixture_close(f);
}

/* CLAIM takes away pending entries that are gone from the stream, but not all at once when they are
 * very many: the next request goes on. */
static void test_many_gone_entries(void **state)
{
    (void)state;
    enum { COUNT = STREAM_CLAIMED_MAX + 200 };
    struct fixture *f = open_with_pending(COUNT);
    EXPECT(f, "XTRIM s MAXLEN 1", ":16583\r\n");
    EXPECT(f, "XREADGROUP GROUP g bob COUNT 1 CLAIM 0 STREAMS s >", "*-1\r\n");
    EXPECT(
        f, "XPENDING s g",
        "*4\r\n:200\r\n$7\r\n16385-0\r\n$7\r\n16584-0\r\n*1\r\n*2\r\n$3\r\nann\r\n$3\r\n200\r\n");
    EXPECT(f, "XREADGROUP GROUP g bob COUNT 1 CLAIM 0 STREAMS s >",
           "*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*4\r\n$7\r\n16584-0\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n"
           ":0\r\n:1\r\n");
    EXPECT(f, "XPENDING s g",
           "*4\r\n:1\r\n$7\r\n16584-0\r\n$7\r\n16584-0\r\n*1\r\n*2\r\n$3\r\nbob\r\n$1\r\n1\r\n");
    fixture_close(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_approximate_trimming_of_what_is_acknowledged),
        cmocka_unit_test(test_position_of_a_group),
        cmocka_unit_test(test_claim_behind_what_is_gone),
        cmocka_unit_test(test_names_repeated_too_often),
        cmocka_unit_test(test_claims_in_portions),
        cmocka_unit_test(test_many_gone_entries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
