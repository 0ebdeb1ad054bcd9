/* What commands ask of the process, and what COMMAND says about commands. */
#include "command/fixture.h"

#define SYNTAX "-ERR syntax error\r\n"

static void test_time_and_info(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    CONVERSE(f, {"TIME", "*2\r\n$10\r\n1700000000\r\n$1\r\n7\r\n"},
             {"INFO", "$10\r\n# Server\r\n\r\n"},
             {"INFO memory all", "$19\r\n# Server\r\nmemoryall\r\n"});
    f->clients[0].resp = RESP3;
    EXPECT(f, "INFO", "=14\r\ntxt:# Server\r\n\r\n");
    fixture_close(f);
}

static void test_config(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    f->rewriting = true;
    EXPECT(f, "CONFIG REWRITE", "");
    assert_int_equal(f->outcome, OUTCOME_WAIT);
    assert_int_equal(f->wait.errand, 7);
    f->rewriting = false;
    CONVERSE(f,
             {"CONFIG GET max*", "*4\r\n$10\r\nmaxclients\r\n$3\r\n100\r\n$9\r\nmaxmemory\r\n"
                                 "$1\r\n0\r\n"},
             {"CONFIG GET none", "*0\r\n"}, {"CONFIG SET a 1 b 2", "+OK\r\n"},
             {"CONFIG SET a 1 b", SYNTAX}, {"CONFIG REWRITE", "+OK\r\n"});
    f->host_fails = true;
    CONVERSE(f, {"CONFIG SET a 1", "-ERR no a\r\n"}, {"CONFIG REWRITE", "-ERR no file\r\n"});
    assert_int_equal(f->resets, 0);
    EXPECT(f, "CONFIG RESETSTAT", "+OK\r\n");
    assert_int_equal(f->resets, 1);
    f->clients[0].resp = RESP3;
    EXPECT(f, "CONFIG GET max*",
           "%2\r\n$10\r\nmaxclients\r\n$3\r\n100\r\n$9\r\nmaxmemory\r\n$1\r\n0\r\n");
    fixture_close(f);
}

/* A refused SHUTDOWN stops nothing; one that stops is answered by the close alone. */
static void test_shutdown(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    CONVERSE(f, {"SHUTDOWN FOO", SYNTAX}, {"SHUTDOWN SAVE NOSAVE", SYNTAX},
             {"SHUTDOWN ABORT NOW", SYNTAX},
             {"SHUTDOWN ABORT", "-ERR No shutdown in progress.\r\n"},
             {"SHUTDOWN SAVE", "-ERR SHUTDOWN SAVE has nothing to save to: the server runs with "
                               "appendonly no\r\n"});
    assert_false(f->clients[0].close_after_reply);
    assert_int_equal(f->shutdowns[HOST_SHUTDOWN_NORMAL], 0);
    EXPECT(f, "SHUTDOWN NOSAVE FORCE", "");
    assert_int_equal(f->shutdowns[HOST_SHUTDOWN_NORMAL], 1);
    assert_true(f->clients[0].close_after_reply);
    EXPECT(f, "SHUTDOWN NOW", "");
    assert_int_equal(f->shutdowns[HOST_SHUTDOWN_NOW], 1);
    fixture_close(f);
}

static void test_debug(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    CONVERSE(f, {"DEBUG SLEEP 0.25", "+OK\r\n"},
             {"DEBUG SLEEP x", "-ERR value is not a valid float\r\n"},
             {"DEBUG SLEEP -1", "-ERR DEBUG SLEEP takes seconds from 0 to 3600\r\n"},
             {"DEBUG SLEEP 3601", "-ERR DEBUG SLEEP takes seconds from 0 to 3600\r\n"},
             {"DEBUG SLEEP inf", "-ERR DEBUG SLEEP takes seconds from 0 to 3600\r\n"},
             {"DEBUG SLEEP", "-ERR unknown subcommand or wrong number of arguments for 'SLEEP'. "
                             "Try DEBUG HELP.\r\n"},
             {"DEBUG RELOAD", "-ERR unknown subcommand or wrong number of arguments for 'RELOAD'. "
                              "Try DEBUG HELP.\r\n"});
    assert_int_equal(f->slept_us, 250000);
    assert_memory_equal(fixture_send(f, "DEBUG HELP"), "*5\r\n+DEBUG <subcommand>", 21);
    fixture_close(f);
}

/* ---- COMMAND ---- */

static void test_command_info(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    CONVERSE(
        f,
        {"COMMAND INFO get foo",
         "*2\r\n*10\r\n$3\r\nget\r\n:2\r\n*2\r\n+readonly\r\n+fast\r\n:1\r\n:1\r\n:1\r\n"
         "*3\r\n+@read\r\n+@string\r\n+@fast\r\n*0\r\n*1\r\n*6\r\n$5\r\nflags\r\n*2\r\n+RO\r\n"
         "+access\r\n$12\r\nbegin_search\r\n*4\r\n$4\r\ntype\r\n$5\r\nindex\r\n$4\r\nspec\r\n"
         "*2\r\n$5\r\nindex\r\n:1\r\n$9\r\nfind_keys\r\n*4\r\n$4\r\ntype\r\n$5\r\nrange\r\n"
         "$4\r\nspec\r\n*6\r\n$7\r\nlastkey\r\n:0\r\n$7\r\nkeystep\r\n:1\r\n$5\r\nlimit\r\n"
         ":0\r\n*0\r\n$-1\r\n"},
        {"COMMAND INFO CLIENT|ID",
         "*1\r\n*10\r\n$9\r\nclient|id\r\n:2\r\n*3\r\n+noscript\r\n+loading\r\n+stale\r\n:0\r\n"
         ":0\r\n:0\r\n*2\r\n+@slow\r\n+@connection\r\n*0\r\n*0\r\n*0\r\n"});
    f->clients[0].resp = RESP3;
    EXPECT(f, "COMMAND INFO msetex",
           "*1\r\n*10\r\n$6\r\nmsetex\r\n:-4\r\n~3\r\n+write\r\n+denyoom\r\n+movablekeys\r\n:0\r\n"
           ":0\r\n:0\r\n~3\r\n+@write\r\n+@string\r\n+@slow\r\n~0\r\n~1\r\n%3\r\n$5\r\nflags\r\n"
           "~2\r\n+OW\r\n+update\r\n$12\r\nbegin_search\r\n%2\r\n$4\r\ntype\r\n$5\r\nindex\r\n"
           "$4\r\nspec\r\n%1\r\n$5\r\nindex\r\n:1\r\n$9\r\nfind_keys\r\n%2\r\n$4\r\ntype\r\n"
           "$6\r\nkeynum\r\n$4\r\nspec\r\n%3\r\n$9\r\nkeynumidx\r\n:0\r\n$8\r\nfirstkey\r\n:1\r\n"
           "$7\r\nkeystep\r\n:2\r\n~0\r\n");
    fixture_close(f);
}

/* The two key specifications of RENAME, as old and as new clients read them. */
static void test_command_info_of_two_keys(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    fixture_send(f, "COMMAND INFO rename");
    assert_non_null(strstr(f->reply, "\r\n:1\r\n:2\r\n:1\r\n"));
    assert_non_null(strstr(f->reply, "*3\r\n+RW\r\n+access\r\n+delete\r\n"));
    assert_non_null(strstr(f->reply, "*2\r\n+OW\r\n+update\r\n"));
    fixture_send(f, "COMMAND INFO lcs");
    assert_non_null(strstr(f->reply, "\r\n:1\r\n:2\r\n:1\r\n"));
    assert_non_null(strstr(f->reply, "$7\r\nlastkey\r\n:1\r\n"));
    fixture_send(f, "COMMAND INFO mset");
    assert_non_null(strstr(f->reply, "\r\n:1\r\n:-1\r\n:2\r\n"));
    assert_non_null(strstr(f->reply, "$7\r\nlastkey\r\n:-1\r\n"));
    fixture_close(f);
}

static void test_command_lists(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    char head[32];
    size_t count = 0;
    for (size_t i = 0; i < command_table_count; i++) count += command_table[i].parent == NULL;
    snprintf(head, sizeof head, ":%zu\r\n", count);
    EXPECT(f, "COMMAND COUNT", head);
    snprintf(head, sizeof head, "*%zu\r\n", count);
    assert_memory_equal(fixture_send(f, "COMMAND"), head, strlen(head));
    assert_memory_equal(fixture_send(f, "COMMAND INFO"), head, strlen(head));
    snprintf(head, sizeof head, "*%zu\r\n", command_table_count);
    assert_memory_equal(fixture_send(f, "COMMAND LIST"), head, strlen(head));
    CONVERSE(f, {"COMMAND LIST FILTERBY MODULE x", "*0\r\n"},
             {"COMMAND LIST FILTERBY ACLCAT nothing", "*0\r\n"},
             {"COMMAND LIST FILTERBY PATTERN ex?s*", "*1\r\n$6\r\nexists\r\n"},
             {"COMMAND LIST FILTERBY PATTERN config|re*",
              "*2\r\n$16\r\nconfig|resetstat\r\n$14\r\nconfig|rewrite\r\n"},
             {"COMMAND LIST FILTERBY FOO x", SYNTAX}, {"COMMAND LIST FOO", SYNTAX},
             {"COMMAND LIST FILTERBY PATTERN", SYNTAX});
    assert_non_null(
        strstr(fixture_send(f, "COMMAND LIST FILTERBY ACLCAT string"), "\r\ngetex\r\n"));
    assert_null(strstr(f->reply, "\r\ndel\r\n"));
    fixture_close(f);
}

static void test_command_docs(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    CONVERSE(
        f, {"COMMAND DOCS foo", "*0\r\n"},
        {"COMMAND DOCS get foo",
         "*2\r\n$3\r\nget\r\n*8\r\n$7\r\nsummary\r\n$28\r\nAnswers the string of a key.\r\n"
         "$5\r\nsince\r\n$5\r\n1.0.0\r\n$5\r\ngroup\r\n$6\r\nstring\r\n$9\r\narguments\r\n"
         "*1\r\n*4\r\n$4\r\nname\r\n$3\r\nkey\r\n$4\r\ntype\r\n$6\r\nstring\r\n"},
        {"COMMAND DOCS time",
         "*2\r\n$4\r\ntime\r\n*6\r\n$7\r\nsummary\r\n$64\r\nAnswers the time: Unix seconds, and "
         "microseconds of that second.\r\n$5\r\nsince\r\n$5\r\n2.6.0\r\n$5\r\ngroup\r\n$6\r\n"
         "server\r\n"});
    fixture_send(f, "COMMAND DOCS config");
    assert_non_null(strstr(f->reply, "$11\r\nsubcommands\r\n*10\r\n$10\r\nconfig|get\r\n*8\r\n"));
    assert_memory_equal(fixture_send(f, "COMMAND DOCS"), "*", 1);
    fixture_close(f);
}

static void test_command_getkeys(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    CONVERSE(
        f, {"COMMAND GETKEYS get a", "*1\r\n$1\r\na\r\n"},
        {"COMMAND GETKEYS mset a 1 b 2", "*2\r\n$1\r\na\r\n$1\r\nb\r\n"},
        {"COMMAND GETKEYS rename a b", "*2\r\n$1\r\na\r\n$1\r\nb\r\n"},
        {"COMMAND GETKEYSANDFLAGS rename a b",
         "*2\r\n*2\r\n$1\r\na\r\n*3\r\n+RW\r\n+access\r\n+delete\r\n"
         "*2\r\n$1\r\nb\r\n*2\r\n+OW\r\n+update\r\n"},
        {"COMMAND GETKEYS xread streams a b 1 2", "*2\r\n$1\r\na\r\n$1\r\nb\r\n"},
        {"COMMAND GETKEYS xread streams a b 1", "-ERR Invalid arguments specified for command\r\n"},
        {"COMMAND GETKEYS foo x", "-ERR Invalid command specified\r\n"},
        {"COMMAND GETKEYS client foo", "-ERR Invalid command specified\r\n"},
        {"COMMAND GETKEYS ping", "-ERR The command has no key arguments\r\n"},
        {"COMMAND GETKEYS get a b", "-ERR Invalid number of arguments specified for command\r\n"});
    fixture_close(f);
}

/* HELP of a container names each of its subcommands. */
static void test_help(void **state)
{
    (void)state;
    struct fixture *f = fixture_open();
    EXPECT(f, "CONFIG HELP",
           "*11\r\n+CONFIG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:\r\n"
           "+GET parameter [parameter ...]\r\n"
           "+    Answers the parameters that match a pattern, and their values.\r\n"
           "+HELP\r\n+    Lists the subcommands.\r\n"
           "+RESETSTAT\r\n+    Sets the statistics back to zero.\r\n"
           "+REWRITE\r\n+    Writes the configuration in force into its file.\r\n"
           "+SET parameter value [parameter value ...]\r\n"
           "+    Changes parameters, all of them or none.\r\n");
    fixture_close(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_time_and_info),   cmocka_unit_test(test_config),
        cmocka_unit_test(test_shutdown),        cmocka_unit_test(test_debug),
        cmocka_unit_test(test_command_info),    cmocka_unit_test(test_command_info_of_two_keys),
        cmocka_unit_test(test_command_lists),   cmocka_unit_test(test_command_docs),
        cmocka_unit_test(test_command_getkeys), cmocka_unit_test(test_help),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
