/* What happens to a request before and around its command. */
#include "command/fixture.h"

static uint64_t calls_of(const struct fixture *f, const char *name)
{
    return f->monitor.statistics[command_find_name(slice_of(name))->index].calls;
}

/* An unknown command is named, and so are its arguments, until 128 bytes of them are told; nothing
 * that the client sent can end the line. */
static void test_unknown_command(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    EXPECT(f, "foo", "-ERR unknown command 'foo', with args beginning with: \r\n");
    EXPECT(f, "FOO a 'b c'",
           "-ERR unknown command 'FOO', with args beginning with: 'a' 'b c' \r\n");
    EXPECT(f, "\"a\\r\\nb\" \"c\\nd\"",
           "-ERR unknown command 'a  b', with args beginning with: 'c d' \r\n");
    fixture_close(f);
}

/* Names and arguments are cut at 128 bytes. */
static void test_unknown_command_is_cut(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    char text[200];
    memset(text, 'x', sizeof text);
    const struct slice arguments[] = {{text, 200}, {text, 120}, {text, 200}, {text, 5}};
    char expected[512];
    snprintf(expected, sizeof expected,
             "-ERR unknown command '%.128s', with args beginning with: '%.120s' '%.5s' \r\n", text,
             text, text);
    fixture_run(f, arguments, 4);
    assert_string_equal(f->reply, expected);
    fixture_close(f);
}

static void test_unknown_subcommand(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    EXPECT(f, "client foo", "-ERR unknown subcommand 'foo'. Try CLIENT HELP.\r\n");
    EXPECT(f, "COMMAND Foo bar", "-ERR unknown subcommand 'Foo'. Try COMMAND HELP.\r\n");
    EXPECT(f, "client", "-ERR wrong number of arguments for 'client' command\r\n");
    fixture_close(f);
}

static void test_arity(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    EXPECT(f, "GET", "-ERR wrong number of arguments for 'get' command\r\n");
    EXPECT(f, "GET a b", "-ERR wrong number of arguments for 'get' command\r\n");
    EXPECT(f, "client kill", "-ERR wrong number of arguments for 'client|kill' command\r\n");
    assert_int_equal(f->monitor.statistics[command_find_name(SLICE("get"))->index].rejected, 2);
    assert_int_equal(calls_of(f, "get"), 0);
    fixture_close(f);
}

/* Before login only what is needed to log in runs, and an unknown command is still unknown. */
static void test_before_login(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    f->password = "secret";
    f->clients[0].authenticated = false;
    EXPECT(f, "GET a", "-NOAUTH Authentication required.\r\n");
    EXPECT(f, "PING", "-NOAUTH Authentication required.\r\n");
    EXPECT(f, "FLUSHALL", "-NOAUTH Authentication required.\r\n");
    EXPECT(f, "GET", "-ERR wrong number of arguments for 'get' command\r\n");
    EXPECT(f, "nothing", "-ERR unknown command 'nothing', with args beginning with: \r\n");
    EXPECT(f, "QUIT", "+OK\r\n");
    EXPECT(f, "RESET", "+RESET\r\n");
    EXPECT(f, "GET a", "-NOAUTH Authentication required.\r\n");
    EXPECT(f, "AUTH secret", "+OK\r\n");
    EXPECT(f, "GET a", "$-1\r\n");
    EXPECT(f, "RESET", "+RESET\r\n");
    f->password = ""; /* taken away: nobody has to log in any more */
    EXPECT(f, "GET a", "$-1\r\n");
    assert_true(f->clients[0].authenticated);
    fixture_close(f);
}

/* Above maxmemory what can grow is refused, what frees and what reads is not. */
static void test_out_of_memory(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    EXPECT(f, "SET a 1", "+OK\r\n");
    f->out_of_memory = true;
    EXPECT(f, "SET a 2", "-OOM command not allowed when used memory > 'maxmemory'.\r\n");
    EXPECT(f, "INCR a", "-OOM command not allowed when used memory > 'maxmemory'.\r\n");
    EXPECT(f, "GET a", "$1\r\n1\r\n");
    EXPECT(f, "DEL a", ":1\r\n");
    f->out_of_memory = false;
    EXPECT(f, "SET a 2", "+OK\r\n");
    fixture_close(f);
}

/* While the data is being loaded, what needs none is served; login comes before, memory after. */
static void test_loading(void **state)
{
    (void)state;
    static const char loading[] = "-LOADING Redis is loading the dataset in memory\r\n";
    struct fixture *f = fixture_open();
    f->loading = true;
    EXPECT(f, "GET a", loading);
    EXPECT(f, "PING", loading);
    EXPECT(f, "XINFO STREAM a", loading);
    EXPECT(f, "SAVE", loading);
    f->out_of_memory = true;
    EXPECT(f, "SET a 1", loading);
    EXPECT(f, "GET", "-ERR wrong number of arguments for 'get' command\r\n");
    EXPECT(f, "nothing", "-ERR unknown command 'nothing', with args beginning with: \r\n");
    EXPECT(f, "CLIENT SETNAME x", "+OK\r\n");
    EXPECT(f, "SELECT 3", "+OK\r\n");
    EXPECT(f, "ECHO a", "$1\r\na\r\n");
    EXPECT(f, "SHUTDOWN SAVE", ""); /* there is nothing to save, as in Redis */
    assert_int_equal(f->monitor.statistics[command_find_name(SLICE("get"))->index].rejected, 2);
    assert_int_equal(calls_of(f, "get"), 0);
    f->password = "secret";
    f->clients[0].authenticated = false;
    EXPECT(f, "GET a", "-NOAUTH Authentication required.\r\n");
    EXPECT(f, "AUTH secret", "+OK\r\n");
    EXPECT(f, "GET a", loading);
    f->loading = false;
    EXPECT(f, "GET a", "$-1\r\n");
    fixture_close(f);
}

/* Calls, failures and time are counted by row; time is read once per request when the request
 * before it left the clock behind. */
static void test_statistics(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    uint16_t index = command_find_name(SLICE("incr"))->index;
    EXPECT(f, "INCR n", ":1\r\n");
    assert_int_equal(f->clock_reads, 2);
    EXPECT(f, "INCR n", ":2\r\n");
    assert_int_equal(f->clock_reads, 3);
    EXPECT(f, "SET n x", "+OK\r\n");
    EXPECT(f, "INCR n", "-ERR value is not an integer or out of range\r\n");
    assert_int_equal(f->clock_reads, 5);
    assert_int_equal(f->monitor.statistics[index].calls, 3);
    assert_int_equal(f->monitor.statistics[index].failed, 1);
    assert_int_equal(f->monitor.statistics[index].rejected, 0);
    assert_int_equal(f->monitor.statistics[index].nanoseconds, 3000);
    assert_string_equal(f->clients[0].last_command, "incr");
    EXPECT(f, "CLIENT ID", ":1\r\n");
    assert_string_equal(f->clients[0].last_command, "client|id");
    EXPECT(f, "foo", "-ERR unknown command 'foo', with args beginning with: \r\n");
    assert_string_equal(f->clients[0].last_command, "client|id");
    fixture_close(f);
}

/* Every command that may be called without arguments, or with one to three odd ones, in both
 * protocols, answers with exactly one reply: the strict reader below finds nothing missing and
 * nothing left over. */
static size_t reply_size(const char *reply, size_t size);

static size_t elements_size(const char *reply, size_t size, size_t at, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) at += reply_size(reply + at, size - at);
    return at;
}

static size_t reply_size(const char *reply, size_t size)
{
    int64_t count = 0;
    const char *end = memchr(reply, '\n', size);
    assert_non_null(end);
    size_t head = (size_t)(end - reply) + 1;
    assert_true(head >= 3);
    assert_int_equal(end[-1], '\r');
    assert_null(memchr(reply, '\r', head - 2));
    struct slice digits = {reply + 1, head - 3};
    switch (reply[0]) {
    case '+':
    case '-':
    case '_':
    case '#':
    case ',': return head;
    case ':': assert_true(number_parse_i64(digits, &count)); return head;
    case '$':
    case '=':
        assert_true(number_parse_i64(digits, &count));
        if (count == -1) return head;
        assert_memory_equal(reply + head + count, "\r\n", 2);
        return head + (size_t)count + 2;
    case '*':
    case '~':
    case '%':
        assert_true(number_parse_i64(digits, &count));
        if (count == -1) return head;
        return elements_size(reply, size, head, (uint64_t)count * (reply[0] == '%' ? 2 : 1));
    default: fail_msg("a reply that begins with '%c'", reply[0]); return 0;
    }
}

static void test_one_reply(void **state)
{
    (void)state;
    static const char *const words[] = {"0", "-1", "key", "x", "9223372036854775807", "*", ""};
    struct fixture *f = fixture_open();
    for (size_t i = 0; i < command_table_count; i++) {
        const struct command *row = &command_table[i];
        if (row->run == NULL || (row->flags & COMMAND_BLOCKING) != 0) continue;
        for (size_t round = 0; round < 200; round++) {
            struct slice arguments[8];
            size_t count = 0;
            if (row->parent != NULL) arguments[count++] = slice_of(row->parent);
            arguments[count++] = slice_of(row->name);
            for (size_t j = 0; j < round % 5; j++)
                arguments[count++] = slice_of(words[(round / 5 + j * (round % 7)) % 7]);
            f->clients[0].resp = round % 2 == 0 ? RESP2 : RESP3;
            f->clients[0].close_after_reply = false;
            size_t size = fixture_run(f, arguments, count);
            if (strcmp(row->name, "shutdown") == 0 && size == 0) continue;
            assert_int_equal(reply_size(f->reply, size), size);
        }
    }
    fixture_close(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unknown_command),
        cmocka_unit_test(test_unknown_command_is_cut),
        cmocka_unit_test(test_unknown_subcommand),
        cmocka_unit_test(test_arity),
        cmocka_unit_test(test_before_login),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_loading),
        cmocka_unit_test(test_statistics),
        cmocka_unit_test(test_one_reply),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
