/* Fuzz target: a conversation. Each line is a request of words between blanks, of one of three
 * connections (its first byte); the simulator executes them all, and time passes at a '+'. Whatever
 * was said, the log gives back the state that it left: recovered twice, with a snapshot in the log
 * when somebody asked for one, the key space is the same to the last pending entry.
 *
 * The clients' answers must be well formed: one whole reply after the other. */
#include "../sim/answer.h"
#include "../sim/dump.h"
#include "../sim/machine.h"
#include "base/check.h"
#include "base/limits.h"

#include <string.h>

enum {
    LINKS = 3,
    LINES_MAX = 64,
    LINE_BYTES_MAX = 400,
    WORDS_MAX = 60,
    DIGITS_MAX = 6,
    TEST_SEGMENT = 16
};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static struct machine_options options_over(struct sim_disk *disk, int64_t now_us)
{
    return (struct machine_options){
        .disk = disk,
        .policy = WAL_SYNC_ALWAYS,
        .segment_bytes = TEST_SEGMENT * DISK_BLOCK_BYTES,
        .stream_block = {128, 4},
        .limits = {.output_bytes_max = 64 * MIB, .output_bytes_pause = MIB},
        .seed = 5,
        .now_us = now_us,
    };
}

/* Numbers of many digits may ask for gigabytes (SETRANGE), or for a lot of time. */
static bool is_modest(struct slice line)
{
    size_t digits = 0, blanks = 0;
    for (size_t i = 0; i < line.size; i++) {
        char c = line.data[i];
        digits = c >= '0' && c <= '9' ? digits + 1 : 0;
        blanks += c == ' ';
        if (digits > DIGITS_MAX || blanks >= WORDS_MAX || c == '\0') return false;
    }
    return line.size <= LINE_BYTES_MAX;
}

static void expect_whole_replies(const struct machine *m, size_t link)
{
    struct slice rest = buf_slice(&m->links[link].incoming);
    while (rest.size > 0) {
        size_t size = answer_size(rest);
        CHECK(size > 0);
        rest = (struct slice){rest.data + size, rest.size - size};
    }
}

static void say(struct machine *m, struct slice line)
{
    if (line.size == 0 || !is_modest(line)) return;
    size_t link = (uint8_t)line.data[0] % LINKS;
    if (line.data[0] == '+') m->now_us += 1000 * (int64_t)line.size * (int64_t)line.size;
    if (m->links[link].session == NULL) machine_connect(m, link);
    if (line.size > 1 && line.data[0] != '+')
        machine_send(m, link, "%.*s", (int)line.size - 1, line.data + 1);
}

static void converse(struct machine *m, struct slice text)
{
    for (size_t lines = 0; text.size > 0 && lines < LINES_MAX && !m->stop_asked; lines++) {
        const char *end = memchr(text.data, '\n', text.size);
        size_t size = end == NULL ? text.size : (size_t)(end - text.data);
        say(m, (struct slice){text.data, size});
        size_t gone = end == NULL ? size : size + 1;
        text = (struct slice){text.data + gone, text.size - gone};
        if (lines % 4 == 3) CHECK(machine_settle(m));
        machine_make_spare(m);
    }
    CHECK(machine_settle(m));
    for (size_t link = 0; link < LINKS; link++) expect_whole_replies(m, link);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct sim_disk *disk = sim_disk_create(3);
    struct machine m;
    struct wal_recovery recovery;
    enum wal_open_status status;
    struct machine_options options = options_over(disk, MACHINE_EPOCH_US);
    CHECK(machine_start(&m, &options, &recovery, &status));
    converse(&m, (struct slice){(const char *)bytes, size});
    uint64_t hash = dump_hash(m.db);
    options = options_over(disk, m.now_us);
    machine_die(&m);
    for (int start = 0; start < 2; start++) {
        sim_disk_kill(disk);
        CHECK(machine_start(&m, &options, &recovery, &status));
        CHECK(dump_hash(m.db) == hash);
        machine_die(&m);
    }
    sim_disk_destroy(disk);
    return 0;
}
