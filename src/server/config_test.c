#include "server/config.h"

#include "server/config_file.h"
#include "server/config_rewrite.h"
#include "server/words.h"

#include <dirent.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void assert_text(struct slice text, const char *expected)
{
    if (text.size != strlen(expected) || memcmp(text.data, expected, text.size) != 0)
        fail_msg("'%.*s' is not '%s'", (int)text.size, text.data, expected);
}

static void assert_contains(const struct buf *text, const char *expected)
{
    if (text->size == 0 || memmem(text->data, text->size, expected, strlen(expected)) == NULL)
        fail_msg("'%.*s' does not contain '%s'", (int)text->size, text->data, expected);
}

/* ---- words ---- */

static void assert_words(const char *line, size_t count, const char *const *expected)
{
    struct words w = {0};
    assert_int_equal(words_split(&w, slice_of(line)), WORDS_OK);
    assert_int_equal(w.count, count);
    for (size_t i = 0; i < count; i++) assert_text(w.items[i], expected[i]);
    words_deinit(&w);
}

/* Words are separated by blanks, and quotes keep blanks, escapes and emptiness. */
static void test_words(void **state)
{
    (void)state;
    assert_words("", 0, NULL);
    assert_words(" \t\r\n ", 0, NULL);
    assert_words("bind 127.0.0.1 ::1", 3, (const char *[]){"bind", "127.0.0.1", "::1"});
    assert_words("save \"\"", 2, (const char *[]){"save", ""});
    assert_words("a \"b c\" 'd e'", 3, (const char *[]){"a", "b c", "d e"});
    assert_words("\"\\x41\\n\\t\\q\\\"\\\\\"", 1, (const char *[]){"A\n\tq\"\\"});
    assert_words("'it\\'s' '\\n'", 2, (const char *[]){"it's", "\\n"});
    assert_words("pre\"fix\"", 1, (const char *[]){"prefix"});
    assert_words("\"\\x4\"", 1, (const char *[]){"x4"});
}

/* A quote that is not closed, or that ends inside a word, is refused; so are too many words. */
static void test_words_refused(void **state)
{
    (void)state;
    struct words w = {0};
    assert_int_equal(words_split(&w, SLICE("a \"b")), WORDS_UNBALANCED);
    assert_int_equal(words_split(&w, SLICE("a 'b")), WORDS_UNBALANCED);
    assert_int_equal(words_split(&w, SLICE("\"a\"b")), WORDS_UNBALANCED);
    assert_int_equal(words_split(&w, SLICE("\"a\\\"")), WORDS_UNBALANCED);
    struct buf line = {0};
    for (size_t i = 0; i < WORDS_MAX; i++) buf_append_text(&line, "w ");
    assert_int_equal(words_split(&w, buf_slice(&line)), WORDS_OK);
    assert_int_equal(w.count, WORDS_MAX);
    buf_append_text(&line, "w");
    assert_int_equal(words_split(&w, buf_slice(&line)), WORDS_TOO_MANY);
    buf_deinit(&line);
    words_deinit(&w);
}

/* What is quoted is read back as it was, whatever its bytes. */
static void test_quoting_round_trip(void **state)
{
    (void)state;
    char every[256];
    for (size_t i = 0; i < sizeof every; i++) every[i] = (char)i;
    const struct slice samples[] = {SLICE(""),           SLICE("plain"),
                                    SLICE("with blank"), SLICE("# no comment"),
                                    SLICE("\"'\\"),      {every, sizeof every}};
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        struct buf line = {0};
        struct words w = {0};
        words_append_quoted(&line, samples[i]);
        assert_int_equal(words_split(&w, buf_slice(&line)), WORDS_OK);
        assert_int_equal(w.count, 1);
        assert_true(slice_equal(w.items[0], samples[i]));
        words_deinit(&w);
        buf_deinit(&line);
    }
}

/* ---- values ---- */

static int set_up(void **state)
{
    *state = config_create();
    return 0;
}

static int tear_down(void **state)
{
    config_destroy(*state);
    return 0;
}

static void read_text(struct config *c, const char *text)
{
    struct buf problem = {0};
    if (!config_read_text(c, "test", slice_of(text), &problem))
        fail_msg("%.*s", (int)problem.size, problem.data);
    buf_deinit(&problem);
}

static void assert_refused(struct config *c, const char *text, const char *expected)
{
    struct buf problem = {0};
    assert_false(config_read_text(c, "test", slice_of(text), &problem));
    assert_text(buf_slice(&problem), expected);
    buf_deinit(&problem);
}

/* Each type reads what redis.conf would, in the form that CONFIG GET answers. */
static void test_values_of_each_type(void **state)
{
    struct config *c = *state;
    read_text(c, "# comment\n"
                 "\n"
                 "  PORT 7000\r\n"
                 "protected-mode NO\n"
                 "maxmemory 1gb\n"
                 "unixsocketperm 770\n"
                 "appendfsync EverySec\n"
                 "requirepass \"a b\\x00c\"\n"
                 "bind 127.0.0.1 -::1 10.0.0.1\n"
                 "client-output-buffer-limit normal 2mb 1mb 30\n"
                 "save \"\"\n"
                 "dir \"/tmp/a b\""); /* no newline at the end */
    assert_int_equal(config_number(c, CONFIG_PORT), 7000);
    assert_text(config_text(c, CONFIG_PORT), "7000");
    assert_int_equal(config_number(c, CONFIG_PROTECTED_MODE), 0);
    assert_text(config_text(c, CONFIG_PROTECTED_MODE), "no");
    assert_text(config_text(c, CONFIG_MAXMEMORY), "1073741824");
    assert_int_equal(config_number(c, CONFIG_UNIXSOCKETPERM), 0770);
    assert_text(config_text(c, CONFIG_UNIXSOCKETPERM), "770");
    assert_int_equal(config_number(c, CONFIG_APPENDFSYNC), 1);
    assert_text(config_text(c, CONFIG_APPENDFSYNC), "everysec");
    assert_int_equal(config_text(c, CONFIG_REQUIREPASS).size, 5);
    assert_text(config_text(c, CONFIG_BIND), "127.0.0.1 -::1 10.0.0.1");
    struct config_output_limit limit = config_output_limit_normal(c);
    assert_int_equal(limit.hard_bytes, 2 * MIB);
    assert_int_equal(limit.soft_bytes, 1 * MIB);
    assert_int_equal(limit.soft_seconds, 30);
    assert_text(config_text(c, CONFIG_CLIENT_OUTPUT_BUFFER_LIMIT),
                "normal 2097152 1048576 30 slave 268435456 67108864 60 pubsub 33554432 8388608 60");
    assert_string_equal(config_path(c, CONFIG_DIR), "/tmp/a b");
    assert_int_equal(c->warnings.size, 0);
}

/* Numbers hold at their limits and are refused one step beyond, with Redis' words. */
static void test_limits_of_values(void **state)
{
    struct config *c = *state;
    read_text(c, "port 0\nport 65535\n");
    assert_refused(c, "port 65536", "test:1: port: argument must be between 0 and 65535 inclusive");
    assert_refused(c, "port -1", "test:1: port: argument must be between 0 and 65535 inclusive");
    assert_refused(c, "port 7k", "test:1: port: argument couldn't be parsed into an integer");
    assert_refused(c, "port", "test:1: port: wrong number of arguments");
    assert_refused(c, "port 1 2", "test:1: port: wrong number of arguments");
    assert_refused(c, "maxmemory -1", "test:1: maxmemory: argument must be a memory value");
    assert_refused(c, "maxmemory 1tb", "test:1: maxmemory: argument must be a memory value");
    assert_refused(c, "unixsocketperm 999",
                   "test:1: unixsocketperm: argument couldn't be parsed as an octal number");
    assert_refused(c, "unixsocketperm 1000",
                   "test:1: unixsocketperm: argument must be between 0 and 777 inclusive");
    assert_refused(c, "appendfsync maybe",
                   "test:1: appendfsync: argument(s) must be one of the following: always, "
                   "everysec, no");
    assert_refused(c, "protected-mode maybe",
                   "test:1: protected-mode: argument must be 'yes' or 'no'");
    assert_refused(c, "databases 8",
                   "test:1: databases: argument must be between 16 and 16 inclusive");
    assert_refused(c, "daemonize yes",
                   "test:1: daemonize: Irmak stays in the foreground: let "
                   "systemd start it (conf/irmak.service)");
    assert_refused(c, "client-output-buffer-limit normal 1 2",
                   "test:1: client-output-buffer-limit: Wrong number of arguments in buffer limit "
                   "configuration.");
    assert_refused(c, "client-output-buffer-limit nobody 1 2 3",
                   "test:1: client-output-buffer-limit: Invalid client class specified in buffer "
                   "limit configuration.");
    assert_refused(c, "dir \"\"", "test:1: dir: argument must not be empty");
    assert_refused(c, "logfile \"a\\x00b\"",
                   "test:1: logfile: argument must not contain a NUL byte");
    static const char blank[] = "test:1: bind: an address may be neither empty nor have blanks";
    assert_refused(c, "bind 127.0.0.1 \"\"", blank);
    assert_refused(c, "bind 127.0.0.1 \"::1 ::2\"", blank);
    assert_int_equal(config_number(c, CONFIG_PORT), 65535); /* as before all of them */
}

/* An unknown directive stops with file, line and name; one that only Redis has is a warning. */
static void test_unknown_and_known_directives(void **state)
{
    struct config *c = *state;
    assert_refused(c, "port 1\n\nprot 7000\n", "test:3: prot: unknown directive");
    assert_refused(c, "requirepass \"x", "test:1: requirepass \"x: unbalanced quotes");
    read_text(c, "\nhash-max-listpack-entries 512\nSAVE 3600 1\ntls-port 7\n");
    assert_contains(&c->warnings, "test:2: hash-max-listpack-entries is a directive of Redis");
    assert_contains(&c->warnings, "test:4: tls-port is a directive of Redis that Irmak does not "
                                  "have; it is ignored: TLS is not there yet");
    assert_text(config_text(c, CONFIG_SAVE), "3600 1");
}

/* Each line of save adds a point; an empty one forgets them, and the odd one out is refused. */
static void test_save_points(void **state)
{
    struct config *c = *state;
    read_text(c, "save 3600 1\nsave 300 100 60 10000\n");
    assert_text(config_text(c, CONFIG_SAVE), "3600 1 300 100 60 10000");
    read_text(c, "save \"\"\nsave 5 7\n");
    assert_text(config_text(c, CONFIG_SAVE), "5 7");
    assert_refused(c, "save 3600", "test:1: save: Invalid save parameters");
    assert_refused(c, "save 0 1", "test:1: save: Invalid save parameters");
    assert_refused(c, "save 1 -1", "test:1: save: Invalid save parameters");
}

/* A list in quotes is one word, as in "redis-server --save '60 1'"; its members count all the same.
 * What is no list is the word as it is. */
static void test_lists_in_quotes(void **state)
{
    struct config *c = *state;
    read_text(c, "save \"3600 1\"\nsave '300 100 60 10000'\nbind \"127.0.0.1 -::1\"\n"
                 "client-output-buffer-limit \"normal 1mb 2kb 3\"\nrequirepass \"a b\"\n");
    assert_text(config_text(c, CONFIG_SAVE), "3600 1 300 100 60 10000");
    assert_text(config_text(c, CONFIG_BIND), "127.0.0.1 -::1");
    assert_text(config_text(c, CONFIG_REQUIREPASS), "a b");
    assert_int_equal(config_output_limit_normal(c).soft_bytes, 2 * KIB);
    assert_refused(c, "save \"3600\"", "test:1: save: Invalid save parameters");
    assert_refused(c, "save \"'3600 1\"", "test:1: save: Unbalanced quotes in configuration line");
}

/* No directive is both ours and known as not ours. */
static void test_tables_do_not_overlap(void **state)
{
    (void)state;
    for (enum config_id id = 0; id < CONFIG_COUNT; id++) {
        assert_null(config_known_reason(slice_of(config_table[id].name)));
        assert_int_equal(config_find(slice_of(config_table[id].name)), id);
    }
    assert_non_null(config_known_reason(SLICE("SLAVEOF")));
}

static bool read_arguments(struct config *c, const char *const *words, size_t count,
                           struct buf *problem)
{
    char *arguments[16];
    assert_true(count <= 16);
    for (size_t i = 0; i < count; i++) arguments[i] = strdup(words[i]);
    bool success = config_read_arguments(c, arguments, count, problem);
    for (size_t i = 0; i < count; i++) free(arguments[i]);
    return success;
}

/* The command line reads like lines of a file. */
static void test_arguments(void **state)
{
    struct config *c = *state;
    struct buf problem = {0};
    const char *const good[] = {"--port", "7001", "--bind",        "a",  "b",
                                "--save", "",     "--requirepass", "x y"};
    assert_true(read_arguments(c, good, sizeof good / sizeof good[0], &problem));
    assert_int_equal(config_number(c, CONFIG_PORT), 7001);
    assert_text(config_text(c, CONFIG_BIND), "a b");
    assert_text(config_text(c, CONFIG_REQUIREPASS), "x y");
    const char *const stray[] = {"port", "7001"};
    assert_false(read_arguments(c, stray, 2, &problem));
    assert_text(buf_slice(&problem), "port: expected --directive value ...");
    problem.size = 0;
    const char *const unknown[] = {"--port", "7002", "--prot", "1"};
    assert_false(read_arguments(c, unknown, 4, &problem));
    assert_text(buf_slice(&problem), "command line:2: prot: unknown directive");
    buf_deinit(&problem);
}

/* ---- files ---- */

struct place {
    char directory[64];
    char path[512];
};

static void make_place(struct place *p)
{
    strcpy(p->directory, "/tmp/irmak-config-XXXXXX");
    assert_non_null(mkdtemp(p->directory));
}

static const char *at(struct place *p, const char *name)
{
    snprintf(p->path, sizeof p->path, "%s/%s", p->directory, name);
    return p->path;
}

static void write_file(struct place *p, const char *name, const char *text)
{
    FILE *file = fopen(at(p, name), "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static size_t remove_place(struct place *p)
{
    size_t count = 0;
    DIR *directory = opendir(p->directory);
    struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) {
        if (entry->d_name[0] == '.') continue;
        unlink(at(p, entry->d_name));
        count++;
    }
    closedir(directory);
    assert_int_equal(rmdir(p->directory), 0);
    return count;
}

/* Included files are read in place, a glob in order; what comes later wins. */
static void test_include(void **state)
{
    struct config *c = *state;
    struct place p;
    struct buf problem = {0};
    char text[512];
    make_place(&p);
    write_file(&p, "1.inc", "port 1\ntimeout 1\n");
    write_file(&p, "2.inc", "port 2\n");
    snprintf(text, sizeof text, "timeout 9\ninclude %s/*.inc\ninclude %s/none*.x\nmaxclients 77\n",
             p.directory, p.directory);
    write_file(&p, "main.conf", text);
    assert_true(config_read_file(c, at(&p, "main.conf"), &problem));
    assert_int_equal(config_number(c, CONFIG_PORT), 2);
    assert_int_equal(config_number(c, CONFIG_TIMEOUT), 1);
    assert_int_equal(config_number(c, CONFIG_MAXCLIENTS), 77);
    char absolute[PATH_MAX];
    assert_non_null(realpath(p.path, absolute));
    assert_string_equal(c->path.data, absolute);
    buf_deinit(&problem);
    remove_place(&p);
}

/* Mistakes are found in the file where they are; a loop of includes ends with an error. */
static void test_include_mistakes(void **state)
{
    struct config *c = *state;
    struct place p;
    struct buf problem = {0};
    char text[512], expected[512];
    make_place(&p);
    write_file(&p, "inner.conf", "port 1\nnonsense 1\n");
    snprintf(text, sizeof text, "\ninclude %s/inner.conf\n", p.directory);
    write_file(&p, "main.conf", text);
    assert_false(config_read_file(c, at(&p, "main.conf"), &problem));
    snprintf(expected, sizeof expected, "%s/inner.conf:2: nonsense: unknown directive",
             p.directory);
    assert_text(buf_slice(&problem), expected);

    problem.size = 0;
    snprintf(text, sizeof text, "include %s/loop.conf\n", p.directory);
    write_file(&p, "loop.conf", text);
    assert_false(config_read_file(c, at(&p, "loop.conf"), &problem));
    assert_contains(&problem, "files that include files go too deep");

    problem.size = 0;
    snprintf(text, sizeof text, "include %s/missing.conf\n", p.directory);
    write_file(&p, "main.conf", text);
    assert_false(config_read_file(c, at(&p, "main.conf"), &problem));
    assert_contains(&problem, "main.conf:1: ");
    assert_contains(&problem, "missing.conf: there is no such file to include");

    problem.size = 0;
    assert_false(config_read_file(c, at(&p, "absent.conf"), &problem));
    assert_contains(&problem, "absent.conf: No such file or directory");
    assert_int_equal(c->path.size, 0);
    buf_deinit(&problem);
    remove_place(&p);
}

/* ---- CONFIG GET and SET ---- */

struct seen {
    char names[1024];
};

static void see(void *context, const char *name, struct slice value)
{
    struct seen *seen = context;
    char one[256];
    snprintf(one, sizeof one, "%s=%.*s;", name, (int)value.size, value.data);
    strcat(seen->names, one);
}

/* Each directive that any of the patterns matches, once, in the order of the table. */
static void test_get(void **state)
{
    struct config *c = *state;
    struct seen seen = {""};
    const struct slice patterns[] = {SLICE("maxm*"), SLICE("SAVE"), SLICE("maxmemory")};
    config_get(c, patterns, 3, see, &seen);
    assert_string_equal(seen.names, "save=;maxmemory=0;maxmemory-policy=noeviction;");
    const struct slice absent[] = {SLICE("hash-max-listpack-entries")};
    seen.names[0] = '\0';
    config_get(c, absent, 1, see, &seen);
    assert_string_equal(seen.names, "");
}

static bool refuse_above_100(void *context, enum config_id id, int64_t number, struct buf *problem)
{
    (void)context;
    if (id != CONFIG_MAXCLIENTS || number <= 100) return true;
    buf_append_text(problem, "too many for a test");
    return false;
}

/* All pairs or none, and the words of redis-server for what is wrong. */
static void test_set(void **state)
{
    struct config *c = *state;
    bool changed[CONFIG_COUNT];
    struct buf error = {0};
    const struct slice good[] = {
        SLICE("Timeout"),      SLICE("5"),    SLICE("client-output-buffer-limit"),
        SLICE("normal 0 0 0"), SLICE("save"), SLICE("")};
    struct config_request request = {good, 6, refuse_above_100, NULL};
    assert_true(config_set(c, &request, changed, &error));
    assert_int_equal(config_number(c, CONFIG_TIMEOUT), 5);
    assert_int_equal(config_output_limit_normal(c).hard_bytes, 0);
    assert_true(changed[CONFIG_TIMEOUT]);
    assert_true(changed[CONFIG_SAVE]);
    assert_false(changed[CONFIG_PORT]);

#define SET_FAILED "ERR CONFIG SET failed (possibly related to argument "
    static const struct {
        struct slice name;
        struct slice value;
        const char *error;
    } wrong[] = {
        {SLICE("foo"), SLICE("1"),
         "ERR Unknown option or number of arguments for CONFIG SET - 'foo'"},
        {SLICE("port"), SLICE("1"), SET_FAILED "'port') - can't set immutable config"},
        {SLICE("dir"), SLICE("/"), SET_FAILED "'dir') - can't set protected config"},
        {SLICE("timeout"), SLICE("7"), SET_FAILED "'timeout') - duplicate parameter"},
        {SLICE("maxclients"), SLICE("x"),
         SET_FAILED "'maxclients') - argument couldn't be parsed into an integer"},
        {SLICE("maxclients"), SLICE("101"), SET_FAILED "'maxclients') - too many for a test"},
        {SLICE("save"), SLICE("1"), SET_FAILED "'save') - Invalid save parameters"},
        {SLICE("save"), SLICE("0 1"), SET_FAILED "'save') - Invalid save parameters"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        const struct slice pairs[] = {SLICE("timeout"), SLICE("6"), wrong[i].name, wrong[i].value};
        struct config_request bad = {pairs, 4, refuse_above_100, NULL};
        error.size = 0;
        assert_false(config_set(c, &bad, changed, &error));
        assert_text(buf_slice(&error), wrong[i].error);
        assert_int_equal(config_number(c, CONFIG_TIMEOUT), 5);
        assert_false(changed[CONFIG_TIMEOUT]);
    }
    buf_deinit(&error);
}

/* ---- CONFIG REWRITE ---- */

static void assert_rewritten(struct config *c, const char *old, const char *expected)
{
    struct buf text = {0};
    config_rewrite_text(c, slice_of(old), &text);
    assert_text(buf_slice(&text), expected);
    buf_deinit(&text);
}

/* Comments, order and lines that are still true stay; what changed is replaced in its place, what
 * has no line is appended, once. */
static void test_rewrite_text(void **state)
{
    struct config *c = *state;
    const char *old = "# My server\n"
                      "port 7000\n"
                      "\n"
                      "maxmemory 1gb   \n"
                      "include /etc/other.conf\n"
                      "hash-max-listpack-entries 512\n"
                      "timeout 3\n"
                      "timeout 4";
    read_text(c, "port 7000\nmaxmemory 1gb\ntimeout 4\n");
    assert_rewritten(c, old,
                     "# My server\nport 7000\n\nmaxmemory 1gb   \ninclude /etc/other.conf\n"
                     "hash-max-listpack-entries 512\ntimeout 3\ntimeout 4\n");
    read_text(c, "timeout 9\nrequirepass \"a b\"\nmaxmemory 5\nbind 127.0.0.1\n");
    const char *rewritten = "# My server\nport 7000\n\nmaxmemory 5\ninclude /etc/other.conf\n"
                            "hash-max-listpack-entries 512\ntimeout 9\n"
                            "# Generated by CONFIG REWRITE\nbind 127.0.0.1\nrequirepass \"a b\"\n";
    assert_rewritten(c, old, rewritten);
    assert_rewritten(c, rewritten, rewritten);
}

/* A rewritten configuration reads back as the same values, whatever they are. */
static void test_rewrite_round_trip(void **state)
{
    struct config *c = *state;
    read_text(c, "requirepass \"\\xff \\\" '#\"\nbind * \"-\\x09\\\"'\" -::*\nunixsocket \"/tmp/a "
                 "b\"\nport 0\n"
                 "client-output-buffer-limit normal 1 2 3 replica 4 5 6\nloglevel nothing\n"
                 "unixsocketperm 0\nlogfile \"\"\nappendonly no\nmaxmemory 3gb\n"
                 "save 3600 1\nsave 300 100\nlatency-tracking-info-percentiles 50 99.9\n");
    struct buf text = {0}, problem = {0};
    config_rewrite_text(c, SLICE(""), &text);
    struct config *again = config_create();
    assert_true(config_read_text(again, "again", buf_slice(&text), &problem));
    for (enum config_id id = 0; id < CONFIG_COUNT; id++) {
        assert_true(slice_equal(config_text(again, id), config_text(c, id)));
        assert_int_equal(config_number(again, id), config_number(c, id));
    }
    config_destroy(again);
    buf_deinit(&text);
    buf_deinit(&problem);
}

/* The file is replaced whole, with its mode, and nothing else is left in the directory, not even
 * what a process with our number left that was killed in the middle. */
static void test_rewrite_file(void **state)
{
    struct config *c = *state;
    struct place p;
    struct buf error = {0}, contents = {0};
    char unfinished[64];
    make_place(&p);
    write_file(&p, "irmak.conf", "# keep me\ntimeout 1\n");
    snprintf(unfinished, sizeof unfinished, "irmak.conf.%d.new", getpid());
    write_file(&p, unfinished, "timeo");
    assert_int_equal(chmod(at(&p, "irmak.conf"), 0640), 0);
    assert_true(config_read_file(c, p.path, &error));
    read_text(c, "timeout 2\n");
    error.size = 0;
    struct config *copy = config_copy(c);
    read_text(c, "timeout 3\n");
    assert_true(config_rewrite(copy, &error));
    for (enum config_id id = 0; id < CONFIG_COUNT; id++) {
        bool differs = !slice_equal(config_text(copy, id), config_text(c, id));
        assert_int_equal(differs, id == CONFIG_TIMEOUT);
    }
    config_destroy(copy);
    int failure;
    assert_true(config_file_contents(at(&p, "irmak.conf"), &contents, &failure));
    assert_text(buf_slice(&contents), "# keep me\ntimeout 2\n");
    struct stat status;
    assert_int_equal(stat(p.path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0640);
    assert_int_equal(remove_place(&p), 1);

    error.size = 0;
    assert_false(config_rewrite(c, &error));
    assert_text(buf_slice(&error), "ERR Rewriting config file: No such file or directory");
    buf_deinit(&error);
    buf_deinit(&contents);
}

/* ---- conf/ ---- */

/* conf/irmak.conf explains every directive and says its default: read, it changes nothing. Run
 * from the top of the repository, as make does. */
static void test_documented_defaults(void **state)
{
    struct config *c = *state;
    struct buf problem = {0}, contents = {0};
    struct config *defaults = config_create();
    if (!config_read_file(c, "conf/irmak.conf", &problem))
        fail_msg("%.*s", (int)problem.size, problem.data);
    assert_int_equal(c->warnings.size, 0);
    int failure;
    assert_true(config_file_contents("conf/irmak.conf", &contents, &failure));
    for (enum config_id id = 0; id < CONFIG_COUNT; id++) {
        char line[128];
        int size = snprintf(line, sizeof line, "\n%s ", config_table[id].name);
        if (memmem(contents.data, contents.size, line, (size_t)size) == NULL)
            fail_msg("conf/irmak.conf does not have %s", config_table[id].name);
        struct slice value = config_text(c, id);
        if (!slice_equal(value, config_text(defaults, id)))
            fail_msg("conf/irmak.conf: %s is '%.*s', but the default is '%s'",
                     config_table[id].name, (int)value.size, value.data, config_table[id].initial);
    }
    config_destroy(defaults);
    buf_deinit(&contents);
    buf_deinit(&problem);
}

/* The example for production is correct and warns of nothing. */
static void test_production_example(void **state)
{
    struct config *c = *state;
    struct buf problem = {0};
    if (!config_read_file(c, "conf/irmak-production.conf", &problem))
        fail_msg("%.*s", (int)problem.size, problem.data);
    assert_int_equal(c->warnings.size, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_words_refused),
        cmocka_unit_test(test_quoting_round_trip),
        cmocka_unit_test(test_tables_do_not_overlap),
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
        TEST(test_values_of_each_type),
        TEST(test_limits_of_values),
        TEST(test_unknown_and_known_directives),
        TEST(test_save_points),
        TEST(test_lists_in_quotes),
        TEST(test_arguments),
        TEST(test_include),
        TEST(test_include_mistakes),
        TEST(test_get),
        TEST(test_set),
        TEST(test_rewrite_text),
        TEST(test_rewrite_round_trip),
        TEST(test_rewrite_file),
        TEST(test_documented_defaults),
        TEST(test_production_example),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
