/* Greeting, login, protocol, and what clients say about themselves and each other. */
#include "command/fixture.h"

#define SYNTAX    "-ERR syntax error\r\n"
#define WRONGPASS "-WRONGPASS invalid username-password pair or user is disabled.\r\n"
#define BAD_NAME  "-ERR Client names cannot contain spaces, newlines or special characters.\r\n"

static void test_small_ones(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    CONVERSE(f, {"PING", "+PONG\r\n"}, {"PING 'a b'", "$3\r\na b\r\n"},
             {"PING a b", "-ERR wrong number of arguments for 'ping' command\r\n"},
             {"ECHO ''", "$0\r\n\r\n"}, {"ECHO x", "$1\r\nx\r\n"});
    assert_false(f->clients[0].close_after_reply);
    EXPECT(f, "QUIT now", "+OK\r\n");
    assert_true(f->clients[0].close_after_reply);
    fixture_close(f);
}

static void test_hello(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    const char *resp2 = "*14\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n7.4.0\r\n"
                        "$5\r\nproto\r\n:2\r\n$2\r\nid\r\n:1\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n"
                        "$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n";
    const char *resp3 = "%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n7.4.0\r\n"
                        "$5\r\nproto\r\n:3\r\n$2\r\nid\r\n:1\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n"
                        "$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n";
    CONVERSE(f, {"HELLO", resp2}, {"HELLO 3", resp3}, {"HELLO", resp3}, {"GET none", "_\r\n"},
             {"HELLO 4", "-NOPROTO unsupported protocol version\r\n"},
             {"HELLO 1", "-NOPROTO unsupported protocol version\r\n"},
             {"HELLO x", "-ERR Protocol version is not an integer or out of range\r\n"},
             {"HELLO 2 FOO", "-ERR Syntax error in HELLO option 'FOO'\r\n"},
             {"HELLO 2 AUTH a", "-ERR Syntax error in HELLO option 'AUTH'\r\n"},
             {"HELLO 2 SETNAME", "-ERR Syntax error in HELLO option 'SETNAME'\r\n"},
             {"HELLO 2 SETNAME 'a b'", BAD_NAME}, {"HELLO 2 AUTH foo bar", WRONGPASS},
             {"GET none", "_\r\n"}, {"HELLO 2 AUTH default any SETNAME bob", resp2},
             {"CLIENT GETNAME", "$3\r\nbob\r\n"}, {"GET none", "$-1\r\n"});
    fixture_close(f);
}

/* Before login HELLO answers only to one who logs in with it; what fails changes nothing. */
static void test_login(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    struct client *client = &f->clients[0];
    const char *no_auth =
        "-NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO "
        "<proto> AUTH <user> <pass> option can be used to authenticate the client and select the "
        "RESP protocol version at the same time\r\n";
    f->password = "secret";
    client->authenticated = false;
    CONVERSE(f, {"HELLO", no_auth}, {"HELLO 3", no_auth}, {"HELLO 3 AUTH default wrong", WRONGPASS},
             {"HELLO 3 AUTH default ''", WRONGPASS}, {"HELLO 3 AUTH other secret", WRONGPASS},
             {"HELLO 3 AUTH default secret SETNAME 'a b'", BAD_NAME}, {"AUTH wrong", WRONGPASS},
             {"AUTH ''", WRONGPASS}, {"AUTH secre", WRONGPASS}, {"AUTH secret1", WRONGPASS},
             {"AUTH secretsecret", WRONGPASS}, {"AUTH Default secret", WRONGPASS},
             {"AUTH a b c", SYNTAX});
    assert_false(client->authenticated);
    assert_int_equal(client->resp, RESP2);
    EXPECT(f, "AUTH default secret", "+OK\r\n");
    assert_true(client->authenticated);
    EXPECT(f, "AUTH wrong", WRONGPASS);
    assert_true(client->authenticated);
    EXPECT(f, "RESET", "+RESET\r\n");
    assert_false(client->authenticated);
    assert_memory_equal(fixture_send(f, "HELLO 3 AUTH default secret"), "%7\r\n", 4);
    assert_true(client->authenticated);
    fixture_close(f);
}

static void test_login_without_password(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    CONVERSE(f,
             {"AUTH x", "-ERR AUTH <password> called without any password configured for the "
                        "default user. Are you sure your configuration is correct?\r\n"},
             {"AUTH default x", "+OK\r\n"}, {"AUTH other x", WRONGPASS});
    fixture_close(f);
}

/* RESET brings back everything that the connection could have changed but its library's name. */
static void test_reset(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    struct client *client = &f->clients[0];
    fixture_send(f, "HELLO 3 SETNAME bob");
    fixture_send(f, "CLIENT SETINFO LIB-NAME lib");
    fixture_send(f, "CLIENT NO-EVICT ON");
    fixture_send(f, "CLIENT NO-TOUCH ON");
    fixture_send(f, "SELECT 5");
    fixture_send(f, "CLIENT REPLY OFF");
    assert_int_equal(client->reply_mode, CLIENT_REPLY_OFF);
    EXPECT(f, "RESET", "+RESET\r\n");
    assert_int_equal(client->resp, RESP2);
    assert_int_equal(client->database, 0);
    assert_int_equal(client->reply_mode, CLIENT_REPLY_ON);
    assert_false(client->no_evict);
    assert_false(client->no_touch);
    assert_true(client->authenticated);
    EXPECT(f, "CLIENT GETNAME", "$-1\r\n");
    assert_true(slice_equal(buf_slice(&client->library_name), SLICE("lib")));
    fixture_close(f);
}

static void test_names(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    CONVERSE(f, {"CLIENT ID", ":1\r\n"}, {"CLIENT GETNAME", "$-1\r\n"},
             {"CLIENT SETNAME bob", "+OK\r\n"}, {"CLIENT SETNAME 'a b'", BAD_NAME},
             {"CLIENT SETNAME \"a\\n\"", BAD_NAME}, {"CLIENT SETNAME \"\\x80\"", BAD_NAME},
             {"CLIENT SETNAME \"\\x7f\"", BAD_NAME}, {"CLIENT GETNAME", "$3\r\nbob\r\n"},
             {"CLIENT SETNAME ''", "+OK\r\n"}, {"CLIENT GETNAME", "$-1\r\n"},
             {"CLIENT SETINFO lib-name lib", "+OK\r\n"}, {"CLIENT SETINFO LIB-VER 1.2", "+OK\r\n"},
             {"CLIENT SETINFO LIB-VER '1 2'",
              "-ERR lib-ver cannot contain spaces, newlines or special characters.\r\n"},
             {"CLIENT SETINFO foo x", "-ERR Unrecognized option 'foo'\r\n"});
    char name[CLIENT_NAME_MAX + 1];
    memset(name, 'n', sizeof name);
    struct slice arguments[] = {SLICE("CLIENT"), SLICE("SETNAME"), {name, CLIENT_NAME_MAX + 1}};
    fixture_run(f, arguments, 3);
    assert_string_equal(f->reply, "-ERR Client names cannot be longer than 1024 bytes.\r\n");
    arguments[2].size = CLIENT_NAME_MAX;
    fixture_run(f, arguments, 3);
    assert_string_equal(f->reply, "+OK\r\n");
    fixture_close(f);
}

#define LINE_1                                                                                     \
    "id=1 addr=127.0.0.1:1000 laddr=127.0.0.1:6379 fd=0 name=bob age=0 idle=0 flags=N db=0 sub=0 " \
    "psub=0 ssub=0 multi=-1 watch=0 qbuf=0 qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl=0 "  \
    "oll=0 omem=0 tot-mem=%zu events=r cmd=client|%s user=default redir=-1 resp=2 lib-name=lib "   \
    "lib-ver= tot-net-in=0 tot-net-out=0 tot-cmds=0\n"
#define LINE_2                                                                                     \
    "id=2 addr=127.0.0.1:1001 laddr=127.0.0.1:6379 fd=0 name= age=10 idle=3 flags=bUeT db=4 "      \
    "sub=0 psub=0 ssub=0 multi=-1 watch=0 qbuf=11 qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 " \
    "obl=0 oll=0 omem=7 tot-mem=%zu events=r cmd=NULL user=default redir=-1 resp=3 lib-name= "     \
    "lib-ver= tot-net-in=1 tot-net-out=2 tot-cmds=3\n"

/* Every field of the line, for a client with nothing and one with everything. */
static void test_list(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    struct client *second = &f->clients[1];
    char one[600], two[600], expected[1300];
    fixture_send(f, "CLIENT SETNAME bob");
    fixture_send(f, "CLIENT SETINFO LIB-NAME lib");
    second->blocked = second->unix_socket = second->no_evict = second->no_touch = true;
    second->last_request_ms = FIXTURE_NOW_MS - 3999;
    second->database = 4;
    second->resp = RESP3;
    second->input_buffer_bytes = 11;
    second->output_buffer_bytes = 7;
    second->input_bytes = 1;
    second->output_bytes = 2;
    second->requests = 3;
    size_t one_size = (size_t)snprintf(one, sizeof one, LINE_1, sizeof(struct client), "list");
    size_t two_size = (size_t)snprintf(two, sizeof two, LINE_2, sizeof(struct client) + 18);
    snprintf(expected, sizeof expected, "$%zu\r\n%s%s\r\n", one_size + two_size, one, two);
    EXPECT(f, "CLIENT LIST ID 1 99 2", expected);
    snprintf(expected, sizeof expected, "$%zu\r\n%s\r\n", two_size, two);
    EXPECT(f, "CLIENT LIST ID 2", expected);
    snprintf(one, sizeof one, LINE_1, sizeof(struct client), "info");
    snprintf(expected, sizeof expected, "$%zu\r\n%s\r\n", one_size, one);
    EXPECT(f, "CLIENT INFO", expected);
    assert_non_null(strstr(fixture_send(f, "CLIENT LIST"), "\nid=3 "));
    assert_non_null(strstr(fixture_send(f, "CLIENT LIST TYPE normal"), "\nid=3 "));
    CONVERSE(f, {"CLIENT LIST TYPE pubsub", "$0\r\n\r\n"}, {"CLIENT LIST ID 99", "$0\r\n\r\n"},
             {"CLIENT LIST ID x", "-ERR Invalid client ID\r\n"},
             {"CLIENT LIST ID 0 -1", "$0\r\n\r\n"},
             {"CLIENT LIST TYPE foo", "-ERR Unknown client type 'foo'\r\n"},
             {"CLIENT LIST foo", SYNTAX}, {"CLIENT LIST ID", SYNTAX});
    f->clients[0].resp = RESP3;
    assert_memory_equal(fixture_send(f, "CLIENT INFO"), "=", 1);
    assert_non_null(strstr(f->reply, "\r\ntxt:id=1 "));
    fixture_close(f);
}

static unsigned killed(struct fixture *f)
{
    unsigned bits = 0;
    for (size_t i = 0; i < FIXTURE_CLIENTS; i++) {
        if (f->killed[i]) bits |= 1u << i;
        f->killed[i] = false;
    }
    return bits;
}

struct kill_case {
    const char *line;
    const char *reply;
    unsigned killed; /* bit n: the client with id n + 1 */
};

/* The old form takes the caller too, the new one spares it unless told otherwise; all filters must
 * hold; a refused request kills nobody. */
static void test_kill(void **state)
{
    (void)state;
    static const struct kill_case cases[] = {
        {"CLIENT KILL 127.0.0.1:1001", "+OK\r\n", 2},
        {"CLIENT KILL 127.0.0.1:1000", "+OK\r\n", 1},
        {"CLIENT KILL 127.0.0.1:1", "-ERR No such client\r\n", 0},
        {"CLIENT KILL ID 2", ":1\r\n", 2},
        {"CLIENT KILL ID 1", ":0\r\n", 0},
        {"CLIENT KILL ID 1 SKIPME no", ":1\r\n", 1},
        {"CLIENT KILL ID 99", ":0\r\n", 0},
        {"CLIENT KILL ADDR 127.0.0.1:1002", ":1\r\n", 4},
        {"CLIENT KILL LADDR 127.0.0.1:6379", ":2\r\n", 6},
        {"CLIENT KILL LADDR 127.0.0.1:1", ":0\r\n", 0},
        {"CLIENT KILL ADDR 127.0.0.1:1002 ID 2", ":0\r\n", 0},
        {"CLIENT KILL TYPE normal", ":2\r\n", 6},
        {"CLIENT KILL TYPE replica", ":0\r\n", 0},
        {"CLIENT KILL USER default SKIPME no", ":3\r\n", 7},
        {"CLIENT KILL MAXAGE 10", ":2\r\n", 6},
        {"CLIENT KILL MAXAGE 11", ":1\r\n", 4},
        {"CLIENT KILL SKIPME yes", ":2\r\n", 6},
        {"CLIENT KILL ID 2 SKIPME", SYNTAX, 0},
        {"CLIENT KILL ID x SKIPME", "-ERR client-id should be greater than 0\r\n", 0},
        {"CLIENT KILL ID 0", "-ERR client-id should be greater than 0\r\n", 0},
        {"CLIENT KILL ID x", "-ERR client-id should be greater than 0\r\n", 0},
        {"CLIENT KILL MAXAGE 0", "-ERR maxage should be greater than 0\r\n", 0},
        {"CLIENT KILL USER nobody", "-ERR No such user 'nobody'\r\n", 0},
        {"CLIENT KILL TYPE foo", "-ERR Unknown client type 'foo'\r\n", 0},
        {"CLIENT KILL FOO x", SYNTAX, 0},
        {"CLIENT KILL ID 2 FOO x", SYNTAX, 0},
        {"CLIENT KILL ID 2 SKIPME maybe", SYNTAX, 0},
    };
    struct fixture *f = fixture_open();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        EXPECT(f, cases[i].line, cases[i].reply);
        assert_int_equal(killed(f), cases[i].killed);
    }
    fixture_close(f);
}

static void test_switches(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    struct client *client = &f->clients[0];
    EXPECT(f, "CLIENT NO-EVICT on", "+OK\r\n");
    assert_true(client->no_evict);
    EXPECT(f, "CLIENT NO-EVICT maybe", SYNTAX);
    assert_true(client->no_evict);
    EXPECT(f, "CLIENT NO-EVICT OFF", "+OK\r\n");
    assert_false(client->no_evict);
    EXPECT(f, "CLIENT NO-TOUCH ON", "+OK\r\n");
    assert_true(client->no_touch);
    EXPECT(f, "CLIENT REPLY maybe", SYNTAX);
    assert_int_equal(client->reply_mode, CLIENT_REPLY_ON);
    fixture_send(f, "CLIENT REPLY SKIP");
    assert_int_equal(client->reply_mode, CLIENT_REPLY_SKIP);
    fixture_send(f, "CLIENT REPLY OFF");
    assert_int_equal(client->reply_mode, CLIENT_REPLY_OFF);
    fixture_send(f, "CLIENT REPLY SKIP");
    assert_int_equal(client->reply_mode, CLIENT_REPLY_OFF);
    EXPECT(f, "CLIENT REPLY ON", "+OK\r\n");
    assert_int_equal(client->reply_mode, CLIENT_REPLY_ON);
    fixture_close(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small_ones), cmocka_unit_test(test_hello),
        cmocka_unit_test(test_login),      cmocka_unit_test(test_login_without_password),
        cmocka_unit_test(test_reset),      cmocka_unit_test(test_names),
        cmocka_unit_test(test_list),       cmocka_unit_test(test_kill),
        cmocka_unit_test(test_switches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
