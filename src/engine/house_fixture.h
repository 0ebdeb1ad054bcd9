/* house_fixture.h - for the tests of this room: an engine over a db without a disk, a made-up host,
 * and sessions that are numbered. Included by tests only; one house for each test. */
#ifndef ENGINE_HOUSE_FIXTURE_H
#define ENGINE_HOUSE_FIXTURE_H

#include "base/limits.h"
#include "engine/engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { HOUSE_SESSIONS = 4, HOUSE_SESSIONS_MAX = 64 };
#define HOUSE_NOW_MS INT64_C(1700000000000)

struct house {
    struct db *db;
    struct engine *engine;
    struct host host;
    struct session *sessions[HOUSE_SESSIONS_MAX];
    int64_t now_ms;
    const char *password;
    struct buf reply;
};

/* Far above what is sent by a test that is not about limits. */
static const struct engine_limits HOUSE_LIMITS = {.output_bytes_max = MIB,
                                                  .output_bytes_pause = MIB};

/* With sessions 0 to sessions_count - 1. Blocks of streams are small, so that there are several. */
struct house *house_open(const struct engine_limits *limits, int sessions_count);
struct house *house_open_plain(void); /* HOUSE_LIMITS, HOUSE_SESSIONS */
void house_close(struct house *h);

void house_connect(struct house *h, int i); /* session i, which may have been connected before */
void house_tick(struct house *h);

/* Session i receives the bytes, and there is one tick. The parser unquotes in place, so it gets a
 * copy of its own. */
void house_send_bytes(struct house *h, int i, const char *bytes, size_t size);
void house_send(struct house *h, int i, const char *text);

/* What may leave now, at most 'size' bytes of it, behind 'bytes'; how much it was. */
size_t house_take(struct house *h, int i, size_t size, struct buf *bytes);

/* All that may leave now, as a string that lasts until the next one. */
const char *house_received(struct house *h, int i);

#define EXPECT(h, i, text) assert_string_equal(house_received(h, i), text)

/* The reply of XREAD with one entry that has a field "a". */
#define ENTRY(key, id, value)                                                                     \
    "*1\r\n*2\r\n$1\r\n" key "\r\n*1\r\n*2\r\n$3\r\n" id "\r\n*2\r\n$1\r\na\r\n$1\r\n" value "\r" \
    "\n"

#endif
