/* conversation.h - a text that is held as a conversation with the simulator.
 *
 * Each line is a request of words between blanks, of one of three connections (its first byte); a
 * line that begins with '+' lets time pass, the longer the more. What is too large to be tried
 * often is left out: see is_modest. */
#ifndef FUZZ_CONVERSATION_H
#define FUZZ_CONVERSATION_H

#include "../sim/machine.h"
#include "base/check.h"
#include "base/limits.h"

#include <string.h>

enum {
    CONVERSATION_LINKS = 3,
    CONVERSATION_LINES_MAX = 64,
    LINE_BYTES_MAX = 400,
    WORDS_MAX = 60,
    OFFSET_DIGITS_MAX = 4,
    SETTLE_LINES = 4,
    SEGMENT_BLOCKS = 4, /* three batches, so that segments follow each other */
};

/* It is killed, but never without power. */
static inline struct sim_disk *conversation_disk(void)
{
    struct sim_disk *disk = sim_disk_create(3);
    sim_disk_trust(disk);
    return disk;
}

static inline struct machine_options conversation_options(struct sim_disk *disk, int64_t now_us)
{
    return (struct machine_options){
        .disk = disk,
        .policy = WAL_SYNC_ALWAYS,
        .segment_bytes = SEGMENT_BLOCKS * DISK_BLOCK_BYTES,
        .stream_block = {128, 4},
        .limits = {.output_bytes_max = 64 * MIB, .output_bytes_pause = MIB},
        .seed = 5,
        .now_us = now_us,
    };
}

static inline bool mentions(struct slice line, struct slice word)
{
    for (size_t i = 0; i + word.size <= line.size; i++)
        if (slice_equal_ignoring_case((struct slice){line.data + i, word.size}, word)) return true;
    return false;
}

/* Few words, and no SETRANGE that asks for a value of megabytes. */
static inline bool is_modest(struct slice line)
{
    size_t digits = 0, digits_max = 0, blanks = 0;
    for (size_t i = 0; i < line.size; i++) {
        char c = line.data[i];
        digits = c >= '0' && c <= '9' ? digits + 1 : 0;
        if (digits > digits_max) digits_max = digits;
        blanks += c == ' ';
        if (blanks >= WORDS_MAX || c == '\0') return false;
    }
    if (digits_max > OFFSET_DIGITS_MAX && mentions(line, SLICE("setrange"))) return false;
    return line.size <= LINE_BYTES_MAX;
}

static inline void conversation_say(struct machine *m, struct slice line)
{
    if (line.size == 0 || !is_modest(line)) return;
    size_t link = (uint8_t)line.data[0] % CONVERSATION_LINKS;
    if (line.data[0] == '+') m->now_us += 1000 * (int64_t)line.size * (int64_t)line.size;
    if (m->links[link].session == NULL) machine_connect(m, link);
    if (line.size > 1 && line.data[0] != '+')
        machine_send(m, link, "%.*s", (int)line.size - 1, line.data + 1);
}

/* Until its end, or until somebody asked the server to stop. */
static inline void conversation_hold(struct machine *m, struct slice text)
{
    for (size_t lines = 0; text.size > 0 && lines < CONVERSATION_LINES_MAX && !m->stop_asked;
         lines++) {
        const char *end = memchr(text.data, '\n', text.size);
        size_t size = end == NULL ? text.size : (size_t)(end - text.data);
        conversation_say(m, (struct slice){text.data, size});
        size_t gone = end == NULL ? size : size + 1;
        text = (struct slice){text.data + gone, text.size - gone};
        if (lines % SETTLE_LINES == SETTLE_LINES - 1) CHECK(machine_settle(m));
        machine_make_spare(m);
    }
    CHECK(machine_settle(m));
}

#endif
