#include "wal/generations.h"

#include "base/check.h"
#include "base/memory.h"
#include "wal/segment.h"

#include <assert.h>

static_assert(sizeof(struct segment_name) <= sizeof(struct snapshot_name), "a name fits");

void generations_deinit(struct generations *g)
{
    memory_free(g->segments, g->segments_capacity * sizeof *g->segments);
    memory_free(g->doomed, g->doomed_capacity * sizeof *g->doomed);
    *g = (struct generations){0};
}

void generations_add_segment(struct generations *g, uint64_t number, lsn_t first_lsn,
                             uint64_t bytes)
{
    CHECK(IMPLIES(g->segments_count > 0, number > g->segments[g->segments_count - 1].number));
    if (g->segments_count == g->segments_capacity) {
        size_t capacity = g->segments_capacity == 0 ? 16 : g->segments_capacity * 2;
        g->segments = memory_resize(g->segments, g->segments_capacity * sizeof *g->segments,
                                    capacity * sizeof *g->segments);
        g->segments_capacity = capacity;
    }
    g->segments[g->segments_count++] = (struct generation_segment){number, first_lsn, bytes};
}

void generations_drop_newest(struct generations *g)
{
    CHECK(g->segments_count > 0);
    g->segments_count--;
}

/* The newest segment that holds the frame, or would: its successors begin behind it. */
static uint64_t segment_of(const struct generations *g, lsn_t lsn)
{
    CHECK(g->segments_count > 0);
    size_t i = g->segments_count - 1;
    while (i > 0 && g->segments[i].first_lsn > lsn) i--;
    return g->segments[i].number;
}

void generations_plan(const struct generations *g, const struct wal_snapshot *s, struct manifest *m)
{
    CHECK(s->last_lsn <= m->synced_lsn);
    m->snapshots_count = 1;
    m->snapshots[0] = *s;
    if (g->snapshots_count == 0) return;
    CHECK(g->snapshots[0].number < s->number);
    m->snapshots[1] = g->snapshots[0];
    m->snapshots_count = 2;
    lsn_t from_lsn =
        g->snapshots[0].from_lsn < s->from_lsn ? g->snapshots[0].from_lsn : s->from_lsn;
    m->oldest = segment_of(g, from_lsn);
}

static void doom(struct generations *g, const char *text, uint64_t segment_bytes)
{
    if (g->doomed_count == g->doomed_capacity) {
        size_t capacity = g->doomed_capacity == 0 ? 8 : g->doomed_capacity * 2;
        g->doomed = memory_resize(g->doomed, g->doomed_capacity * sizeof *g->doomed,
                                  capacity * sizeof *g->doomed);
        g->doomed_capacity = capacity;
    }
    struct leftover *leftover = &g->doomed[g->doomed_count++];
    size_t size = strlen(text) + 1;
    CHECK(size <= sizeof leftover->name.text);
    memcpy(leftover->name.text, text, size);
    leftover->segment_bytes = segment_bytes;
}

static bool names(const struct manifest *m, uint64_t number)
{
    for (uint32_t i = 0; i < m->snapshots_count; i++)
        if (m->snapshots[i].number == number) return true;
    return false;
}

void generations_switched(struct generations *g, const struct manifest *before,
                          const struct manifest *after)
{
    CHECK(after->snapshots_count > 0);
    for (uint32_t i = 0; i < before->snapshots_count; i++)
        if (!names(after, before->snapshots[i].number))
            doom(g, snapshot_name(before->snapshots[i].number, true).text, 0);
    size_t gone = 0;
    for (; gone < g->segments_count && g->segments[gone].number < after->oldest; gone++) {
        const struct generation_segment *s = &g->segments[gone];
        doom(g, segment_name(SEGMENT_LOG, s->number).text, s->bytes);
    }
    CHECK(gone < g->segments_count);
    g->segments_count -= gone;
    memmove(g->segments, g->segments + gone, g->segments_count * sizeof *g->segments);
    g->snapshots_count = after->snapshots_count;
    memcpy(g->snapshots, after->snapshots, sizeof g->snapshots);
}

void generations_doom_snapshot(struct generations *g, uint64_t number)
{
    for (size_t i = 0; i < g->snapshots_count; i++) CHECK(g->snapshots[i].number != number);
    doom(g, snapshot_name(number, true).text, 0);
}

void generations_doom_spare(struct generations *g, uint64_t number)
{
    CHECK(number > 0);
    doom(g, segment_name(SEGMENT_SPARE, number).text, 0);
}

uint64_t generations_log_bytes(const struct generations *g)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < g->segments_count; i++) bytes += g->segments[i].bytes;
    return bytes;
}

uint64_t generations_snapshot_bytes(const struct generations *g)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < g->snapshots_count; i++) bytes += g->snapshots[i].bytes;
    return bytes;
}

bool generations_take_doomed(struct generations *g, struct leftover *leftover)
{
    if (g->doomed_count == 0) return false;
    *leftover = g->doomed[--g->doomed_count];
    return true;
}
