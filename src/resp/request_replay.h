/* request_replay.h - what a stream of bytes says when it arrives in pieces, written as text.
 *
 * For tests only (request_test.c and tests/fuzz/request_fuzz.c): the same bytes must say the same
 * however they are cut. Each step gets a fresh allocation of exactly the bytes that are pending,
 * so that a sanitizer sees a read beyond them and a pointer kept from an earlier step. */
#ifndef RESP_REQUEST_REPLAY_H
#define RESP_REQUEST_REPLAY_H

#include "base/check.h"
#include "base/memory.h"
#include "base/random.h"
#include "resp/request.h"

struct replay {
    struct buf log; /* "[SET][key]\n" for a request, "empty 4\n", "error ERR Protocol ...\n" */
    const struct request_limits *limits;
    struct random random; /* decides the cuts */
    size_t piece_max;     /* pieces have 1 to this many bytes */
};

static inline void replay_log_request(struct buf *log, const struct request_parser *p)
{
    for (size_t i = 0; i < p->arguments_count; i++) {
        buf_append_byte(log, '[');
        buf_append(log, p->arguments[i]);
        buf_append_byte(log, ']');
    }
    buf_append_format(log, " %zu\n", p->bytes_consumed);
}

/* Parses what is pending; *consumed is what whole requests took. False after an error. */
static inline bool replay_parse(struct replay *r, struct request_parser *p, struct slice pending,
                                size_t *consumed)
{
    *consumed = 0;
    while (true) {
        struct slice rest = {pending.data + *consumed, pending.size - *consumed};
        switch (request_parse(p, rest, r->limits)) {
        case REQUEST_READY: replay_log_request(&r->log, p); break;
        case REQUEST_EMPTY: buf_append_format(&r->log, "empty %zu\n", p->bytes_consumed); break;
        case REQUEST_INCOMPLETE: return true;
        case REQUEST_MALFORMED: buf_append_format(&r->log, "error %s\n", p->error); return false;
        }
        CHECK(p->bytes_consumed > 0);
        CHECK(p->bytes_consumed <= rest.size);
        *consumed += p->bytes_consumed;
    }
}

/* Appends to r->log what 'bytes' say. */
static inline void replay(struct replay *r, struct slice bytes)
{
    struct request_parser p;
    request_init(&p);
    char *pending = NULL;
    size_t size = 0, wanted = 0, log_size = r->log.size;
    bool open = true;
    while (open && bytes.size > 0) {
        size_t piece = 1 + (size_t)random_below(&r->random, r->piece_max);
        if (piece > bytes.size) piece = bytes.size;
        pending = memory_resize(pending, size, size + piece);
        memcpy(pending + size, bytes.data, piece);
        size += piece;
        bytes = (struct slice){bytes.data + piece, bytes.size - piece};

        size_t consumed;
        open = replay_parse(r, &p, (struct slice){pending, size}, &consumed);
        /* Progress before the wanted size would mean that the owner waited for too much. */
        CHECK(size >= wanted || r->log.size == log_size);
        log_size = r->log.size;
        size_t left = size - consumed;
        char *moved = left > 0 ? memory_allocate(left) : NULL;
        if (left > 0) memcpy(moved, pending + consumed, left);
        memory_free(pending, size);
        pending = moved;
        size = left;
        wanted = open ? request_bytes_wanted(&p, size) : 0;
        CHECK(!open || wanted > size);
    }
    memory_free(pending, size);
    request_deinit(&p);
}

#endif
