/* scenario.c - runs the lines of tests/scenario/README.md. A section ends at its first failure, for
 * what follows would fail for the same reason. */
#include "scenario.h"

#include "answer.h"
#include "base/check.h"
#include "base/limits.h"
#include "base/memory.h"
#include "base/number.h"
#include "machine.h"
#include "script.h"

#include <stdarg.h>
#include <stdio.h>

enum {
    NAME_BYTES_MAX = 32,
    LINE_BYTES_MAX = 64 * 1024,
    TITLE_BYTES_MAX = 200,
    WORDS_MAX = 512,
    SCENARIO_SEGMENT_BYTES = 64 * DISK_BLOCK_BYTES,
    HELD_TICKS = 4,
};

struct scenario {
    const char *file;
    size_t line;
    size_t report_line; /* of a failure */
    char title[TITLE_BYTES_MAX];
    bool begun;
    bool failed;
    struct sim_disk *disk;
    struct machine machine;
    bool running;
    bool held;
    enum wal_policy policy;
    bool no_log;
    int64_t now_us;
    char password[64];
    char names[MACHINE_LINKS_MAX][NAME_BYTES_MAX];
    size_t names_count;

    /* A block: requests on one connection, then what that connection must get. */
    bool in_block;
    size_t link;
    bool to_run;          /* its requests have not been run yet */
    size_t expected_line; /* the first one */
    struct pieces expected;
    struct pieces words;

    size_t passed_count;
    size_t failed_count;
};

static void fail(struct scenario *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void fail(struct scenario *s, const char *format, ...)
{
    va_list list;
    if (s->failed) return;
    s->failed = true;
    printf("not ok %s: %s\n# %s:%zu: ", s->file, s->title, s->file, s->report_line);
    va_start(list, format);
    vprintf(format, list);
    va_end(list);
    printf("\n");
}

/* ---- the server ---- */

static void start(struct scenario *s)
{
    struct machine_options options = {
        .disk = s->no_log ? NULL : s->disk,
        .policy = s->policy,
        .segment_bytes = SCENARIO_SEGMENT_BYTES,
        .stream_block = {4096, 100},
        .limits = {.output_bytes_max = MIB, .output_bytes_pause = 256 * KIB},
        .seed = 42,
        .now_us = s->now_us,
    };
    struct wal_recovery recovery;
    enum wal_open_status status;
    s->running = machine_start(&s->machine, &options, &recovery, &status);
    if (!s->running) fail(s, "it does not start: %s", recovery.problem);
    memcpy(s->machine.password, s->password, sizeof s->password);
    s->held = false;
}

static void run(struct scenario *s)
{
    struct machine *m = &s->machine;
    s->to_run = false;
    if (!s->running || m->log_status != DISK_OK) return;
    m->now_us = s->now_us > m->now_us ? s->now_us : m->now_us;
    if (!s->held) {
        machine_settle(m);
    } else {
        for (int i = 0; i < HELD_TICKS; i++) {
            machine_tick(m, false);
            machine_flush_begin(m);
            machine_release(m);
        }
    }
    s->now_us = m->now_us;
    machine_make_spare(m);
    if (!m->stop_asked) return;
    s->running = false;
    if (!machine_shut_down(m)) fail(s, "it does not shut down");
}

static void crash(struct scenario *s, bool power_cut)
{
    machine_die(&s->machine);
    if (power_cut) sim_disk_power_cut(s->disk);
    else sim_disk_kill(s->disk);
    start(s);
}

static void restart(struct scenario *s)
{
    if (s->running && !machine_shut_down(&s->machine)) {
        s->running = false;
        return fail(s, "it does not shut down");
    }
    sim_disk_kill(s->disk);
    start(s);
}

/* ---- clients ---- */

static size_t client(struct scenario *s, struct slice name)
{
    size_t i = 0;
    if (name.size == 0) name = SLICE("main");
    if (name.size >= NAME_BYTES_MAX) name.size = NAME_BYTES_MAX - 1;
    while (i < s->names_count && !slice_equal(slice_of(s->names[i]), name)) i++;
    if (i < s->names_count) return i;
    CHECK(i < MACHINE_LINKS_MAX);
    memcpy(s->names[i], name.data, name.size);
    s->names[i][name.size] = '\0';
    s->names_count++;
    return i;
}

static void send(struct scenario *s, size_t link, struct slice text, bool raw)
{
    struct slice list[WORDS_MAX];
    if (!s->running) return fail(s, "the server is not running");
    if (s->machine.links[link].session == NULL) machine_connect(&s->machine, link);
    pieces_clear(&s->words);
    if (!script_words(text, &s->words) || s->words.count == 0 || s->words.count > WORDS_MAX)
        return fail(s, "these words cannot be sent");
    for (size_t i = 0; i < s->words.count; i++) list[i] = pieces_at(&s->words, i);
    if (raw) buf_append(&s->machine.links[link].outgoing, list[0]);
    else machine_send_words(&s->machine, link, list, s->words.count);
    s->to_run = true;
}

static void say_lines(struct scenario *s, const char *label, struct slice lines)
{
    printf("# %s:%zu: %s\n%.*s", s->file, s->report_line, label, (int)lines.size, lines.data);
}

/* Takes the next reply of the block's connection for the expected lines from 'first' on. */
static size_t take_reply(struct scenario *s, size_t first)
{
    struct buf *incoming = &s->machine.links[s->link].incoming;
    size_t size = answer_size(buf_slice(incoming));
    if (size == 0) {
        struct slice line = pieces_at(&s->expected, first);
        fail(s, "expected %.*s ..., but no reply has come", (int)line.size, line.data);
        return 0;
    }
    struct slice reply = {incoming->data, size};
    size_t taken = script_match(&s->expected, first, reply);
    if (taken == 0) {
        struct buf text = {0};
        fail(s, "another reply than expected");
        size_t end = script_end(&s->expected, first);
        for (size_t i = first; i < end; i++) {
            struct slice line = pieces_at(&s->expected, i);
            buf_append_format(&text, "#   %.*s\n", (int)line.size, line.data);
        }
        say_lines(s, "expected", buf_slice(&text));
        text.size = 0;
        script_print(reply, "#   ", &text);
        say_lines(s, "got", buf_slice(&text));
        buf_deinit(&text);
    }
    buf_consume(incoming, size);
    return taken;
}

static void expect_closed(struct scenario *s)
{
    const struct machine_link *link = &s->machine.links[s->link];
    if (link->incoming.size > 0)
        fail(s, "there is a reply: %.*s", (int)link->incoming.size, link->incoming.data);
    else if (s->running && link->session != NULL) fail(s, "the connection is open");
}

/* The next section, directive or request of another kind begins: this block is complete. */
static void end_block(struct scenario *s)
{
    if (!s->in_block) return;
    s->in_block = false;
    if (s->failed) return;
    if (s->to_run) run(s);
    s->report_line = s->expected_line;
    const struct buf *incoming = &s->machine.links[s->link].incoming;
    for (size_t i = 0; i < s->expected.count && !s->failed;) {
        struct slice line = pieces_at(&s->expected, i);
        if (slice_equal(line, SLICE("nothing"))) {
            if (incoming->size > 0)
                fail(s, "there is a reply: %.*s", (int)incoming->size, incoming->data);
            i++;
        } else if (slice_equal(line, SLICE("closed"))) {
            expect_closed(s);
            i++;
        } else {
            i += take_reply(s, i);
        }
    }
}

/* Requests that follow each other on one connection are one block, until a reply stands there. */
static void begin_block(struct scenario *s, size_t link)
{
    if (s->in_block && s->link == link && s->expected.count == 0 && s->to_run) return;
    end_block(s);
    s->report_line = s->line;
    s->in_block = true;
    s->link = link;
    s->to_run = false;
    s->expected_line = s->line;
    pieces_clear(&s->expected);
}

/* ---- lines ---- */

static void begin_scenario(struct scenario *s, struct slice title)
{
    *s->title = '\0';
    snprintf(s->title, sizeof s->title, "%.*s", (int)title.size, title.data);
    s->begun = true;
    s->failed = false;
    s->in_block = false;
    s->to_run = false;
    s->names_count = 0;
    s->policy = WAL_SYNC_ALWAYS;
    s->no_log = false;
    s->password[0] = '\0';
    s->now_us = MACHINE_EPOCH_US;
    s->disk = sim_disk_create(7);
    start(s);
}

static void end_scenario(struct scenario *s)
{
    if (!s->begun) return;
    end_block(s);
    for (size_t i = 0; i < s->names_count && !s->failed && s->running; i++) {
        const struct buf *incoming = &s->machine.links[i].incoming;
        if (incoming->size > 0)
            fail(s, "nobody took this reply to '%s': %.*s", s->names[i], (int)incoming->size,
                 incoming->data);
    }
    if (s->running) machine_die(&s->machine);
    s->running = false;
    sim_disk_destroy(s->disk);
    s->begun = false;
    if (s->failed) {
        s->failed_count++;
    } else {
        s->passed_count++;
        printf("ok %s: %s\n", s->file, s->title);
    }
}

static void set_policy(struct scenario *s, struct slice name)
{
    s->no_log = slice_equal(name, SLICE("off"));
    if (slice_equal(name, SLICE("always"))) s->policy = WAL_SYNC_ALWAYS;
    else if (slice_equal(name, SLICE("everysec"))) s->policy = WAL_SYNC_EVERYSEC;
    else if (slice_equal(name, SLICE("no"))) s->policy = WAL_SYNC_NO;
    else if (!s->no_log) return fail(s, "no such policy");
    if (s->names_count > 0) return;
    machine_die(&s->machine); /* nothing has happened yet: it begins anew */
    sim_disk_destroy(s->disk);
    s->disk = sim_disk_create(7);
    start(s);
}

static void advance(struct scenario *s, struct slice amount)
{
    int64_t unit = 0, count = 0;
    size_t digits = 0;
    while (digits < amount.size && amount.data[digits] >= '0' && amount.data[digits] <= '9')
        digits++;
    struct slice suffix = {amount.data + digits, amount.size - digits};
    if (slice_equal(suffix, SLICE("ms"))) unit = 1000;
    if (slice_equal(suffix, SLICE("s"))) unit = 1000000;
    if (unit == 0 || !number_parse_i64((struct slice){amount.data, digits}, &count))
        return fail(s, "advance takes a number with ms or s");
    s->now_us += count * unit;
    run(s);
}

static void set_disk(struct scenario *s, struct slice how)
{
    struct sim_faults faults = {0};
    if (slice_equal(how, SLICE("full"))) {
        faults.capacity = 1;
    } else if (slice_equal(how, SLICE("fails"))) {
        faults.fail_at = 1;
        faults.fail_for_ever = true;
        faults.fail_status = DISK_FAILED;
    } else if (!slice_equal(how, SLICE("good"))) {
        return fail(s, "a disk is full, good, or it fails");
    }
    sim_disk_set_faults(s->disk, &faults);
}

static void flush_once(struct scenario *s)
{
    machine_flush_run(&s->machine);
    machine_flush_end(&s->machine);
    machine_flush_begin(&s->machine);
    machine_release(&s->machine);
}

static void directive(struct scenario *s, struct slice word, struct slice rest)
{
    if (slice_equal(word, SLICE("restart"))) return restart(s);
    if (slice_equal(word, SLICE("policy"))) return set_policy(s, rest);
    if (!s->running) return fail(s, "the server is not running");
    if (slice_equal(word, SLICE("advance"))) return advance(s, rest);
    if (slice_equal(word, SLICE("crash"))) return crash(s, true);
    if (slice_equal(word, SLICE("kill"))) return crash(s, false);
    if (slice_equal(word, SLICE("disk"))) return set_disk(s, rest);
    if (slice_equal(word, SLICE("hold"))) {
        s->held = true;
    } else if (slice_equal(word, SLICE("flush"))) {
        flush_once(s);
    } else if (slice_equal(word, SLICE("unhold"))) {
        s->held = false;
        flush_once(s);
        run(s);
    } else if (slice_equal(word, SLICE("disconnect"))) {
        machine_disconnect(&s->machine, client(s, rest));
        run(s);
    } else if (slice_equal(word, SLICE("deaf"))) {
        s->machine.links[client(s, rest)].deaf = true;
    } else if (slice_equal(word, SLICE("password"))) {
        snprintf(s->password, sizeof s->password, "%.*s", (int)rest.size, rest.data);
        memcpy(s->machine.password, s->password, sizeof s->password);
    } else if (slice_equal(word, SLICE("memory"))) {
        s->machine.out_of_memory = slice_equal(rest, SLICE("full"));
    } else {
        fail(s, "'%.*s' is no line of a scenario", (int)word.size, word.data);
    }
}

static struct slice after(struct slice line, size_t size)
{
    line = (struct slice){line.data + size, line.size - size};
    while (line.size > 0 && *line.data == ' ') line = (struct slice){line.data + 1, line.size - 1};
    return line;
}

static bool is_name(struct slice word)
{
    for (size_t i = 0; i < word.size; i++) {
        char c = word.data[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9')) return false;
    }
    return true;
}

static bool is_directive(struct slice word)
{
    static const char *const words[] = {"advance", "crash",    "kill",   "restart", "hold",
                                        "flush",   "unhold",   "policy", "disk",    "disconnect",
                                        "deaf",    "password", "memory"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (slice_equal(word, slice_of(words[i]))) return true;
    return false;
}

/* A line of a section that is not a remark, without the blanks around it. */
static void one_line(struct scenario *s, struct slice line)
{
    size_t size = 0;
    while (size < line.size && strchr(" <>", line.data[size]) == NULL) size++;
    struct slice word = {line.data, size};
    struct slice rest = after(line, size);
    bool named = is_name(word);
    if (named && size < line.size && line.data[size] == '>' && line.data[0] != ' ') {
        begin_block(s, client(s, word));
        send(s, s->link, after(line, size + 1), false);
    } else if (named && size + 1 == line.size && line.data[size] == '<') {
        end_block(s);
        begin_block(s, client(s, word));
    } else if (slice_equal(word, SLICE("raw")) && rest.size > 0 && *rest.data == '"') {
        begin_block(s, client(s, SLICE("main")));
        send(s, s->link, rest, true);
    } else if (named && rest.size > 4 && memcmp(rest.data, "raw \"", 5) == 0) {
        begin_block(s, client(s, word));
        send(s, s->link, after(rest, 4), true);
    } else if (is_directive(word)) {
        end_block(s);
        s->report_line = s->line;
        if (!s->failed) directive(s, word, rest);
    } else if (s->in_block) {
        if (s->expected.count == 0) s->expected_line = s->line;
        if (!pieces_add(&s->expected, line)) fail(s, "too many lines");
    } else {
        fail(s, "this belongs to no request: %.*s", (int)line.size, line.data);
    }
}

static void take_line(struct scenario *s, struct slice line)
{
    while (line.size > 0 && strchr(" \r\n", line.data[line.size - 1]) != NULL) line.size--;
    while (line.size > 0 && *line.data == ' ') line = after(line, 1);
    if (line.size == 0 || slice_equal(line, SLICE("#"))) return;
    if (line.size >= 2 && memcmp(line.data, "# ", 2) == 0) return;
    if (line.size >= 3 && memcmp(line.data, "== ", 3) == 0) {
        end_scenario(s);
        s->report_line = s->line;
        begin_scenario(s, after(line, 3));
        return;
    }
    if (!s->begun) {
        s->report_line = s->line;
        begin_scenario(s, SLICE("(no title)"));
        fail(s, "a section begins with == and its title");
    }
    if (!s->failed) one_line(s, line);
}

static void run_file(struct scenario *s, const char *path)
{
    char line[LINE_BYTES_MAX];
    FILE *file = fopen(path, "r");
    s->file = path;
    s->line = 0;
    if (file == NULL) {
        printf("not ok %s: it cannot be read\n", path);
        s->failed_count++;
        return;
    }
    while (fgets(line, sizeof line, file) != NULL) {
        s->line++;
        take_line(s, slice_of(line));
    }
    end_scenario(s);
    fclose(file);
}

bool scenario_run(char **files, size_t count)
{
    struct scenario *s = memory_allocate_zeroed(sizeof *s);
    for (size_t i = 0; i < count; i++) run_file(s, files[i]);
    bool good = s->failed_count == 0 && s->passed_count > 0;
    pieces_deinit(&s->expected);
    pieces_deinit(&s->words);
    memory_free(s, sizeof *s);
    return good;
}
