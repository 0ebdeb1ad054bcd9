/* referenced.c - entries that no group refers to, for trimming with ACKED, without looking at the
 * others again and again.
 *
 * A stream that is trimmed to a length while entries are not acknowledged is asked for others with
 * each XADD. So it remembers what was found: all live entries of a range of IDs are referenced, but
 * perhaps for some suspects. Every group had passed the range, so all of them are pending, and only
 * an acknowledgement can change that: it makes its IDs suspects. A consumer or a group that is
 * destroyed, and too many suspects, make the range empty.
 *
 * It is a cache, which recovery does not restore: it changes how long an answer takes, not the
 * answer. It is refilled by reading, so it stands apart from the stream. */
#include "base/memory.h"
#include "stream/stream_group.h"
#include "stream/stream_state.h"

enum { SUSPECTS_FIRST = 16, SUSPECTS_MAX = 1024 };

static bool is_known(const struct stream_grouped *x)
{
    return x != NULL && stream_id_compare(x->known.first, x->known.last) <= 0;
}

static void forget(struct stream_grouped *x)
{
    memory_free(x->suspects, x->suspects_capacity * sizeof *x->suspects);
    *x = (struct stream_grouped){.bytes = x->bytes, .known = {STREAM_ID_MAX, STREAM_ID_MIN}};
}

void stream_grouped_create(struct stream *s)
{
    if (s->grouped != NULL) return;
    s->grouped = memory_allocate_zeroed(sizeof *s->grouped);
    forget(s->grouped);
}

void stream_referenced_forget(struct stream *s)
{
    CHECK(s->grouped != NULL);
    forget(s->grouped);
}

void stream_grouped_destroy(struct stream *s)
{
    if (s->grouped == NULL) return;
    forget(s->grouped);
    memory_free(s->grouped, sizeof *s->grouped);
    s->grouped = NULL;
}

size_t stream_groups_memory_bytes(const struct stream *s)
{
    const struct stream_grouped *x = s->grouped;
    return x == NULL ? 0 : sizeof *x + x->bytes + x->suspects_capacity * sizeof *x->suspects;
}

/* The first suspect with an ID >= id. */
static uint32_t find_suspect(const struct stream_grouped *x, struct stream_id id)
{
    uint32_t low = 0, high = x->suspects_count;
    if (high > 0 && stream_id_compare(x->suspects[high - 1], id) < 0) return high;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (stream_id_compare(x->suspects[middle], id) < 0) low = middle + 1;
        else high = middle;
    }
    return low;
}

static void add_suspect(struct stream_grouped *x, struct stream_id id)
{
    uint32_t place = find_suspect(x, id);
    CHECK(x->suspects_count < SUSPECTS_MAX);
    if (place < x->suspects_count && stream_id_compare(x->suspects[place], id) == 0) return;
    if (x->suspects_count == x->suspects_capacity) {
        uint32_t capacity = x->suspects_capacity == 0 ? SUSPECTS_FIRST : x->suspects_capacity * 2;
        x->suspects = memory_resize(x->suspects, x->suspects_capacity * sizeof *x->suspects,
                                    capacity * sizeof *x->suspects);
        x->suspects_capacity = capacity;
    }
    memmove(x->suspects + place + 1, x->suspects + place,
            (x->suspects_count - place) * sizeof *x->suspects);
    x->suspects[place] = id;
    x->suspects_count++;
}

void stream_referenced_suspect(struct stream *s, const struct stream_id *ids, size_t count)
{
    struct stream_grouped *x = s->grouped;
    if (!is_known(x)) return;
    for (size_t i = 0; i < count; i++) {
        if (stream_id_compare(ids[i], x->known.first) < 0) continue;
        if (stream_id_compare(ids[i], x->known.last) > 0) continue;
        if (x->suspects_count == SUSPECTS_MAX) {
            forget(x);
            return;
        }
        add_suspect(x, ids[i]);
    }
}

/* What is known, if it is about the beginning of the range. */
static struct stream_grouped *known_from(const struct stream *s, struct stream_id first)
{
    struct stream_grouped *x = s->grouped;
    struct stream_id end = x->known.last;
    bool useful = is_known(x) && stream_id_compare(x->known.first, first) <= 0;
    if (useful && stream_id_increment(&end) && stream_id_compare(first, end) <= 0) return x;
    forget(x);
    if (stream_id_compare(first, STREAM_ID_MIN) == 0) first.seq = 1; /* no entry has 0-0 */
    x->known = (struct stream_range){first, first};
    CHECK(stream_id_decrement(&x->known.last));
    return x;
}

/* Suspects of the range that nobody refers to; the others are none. */
static size_t list_suspects(const struct stream *s, struct stream_grouped *x,
                            struct stream_range range, struct stream_id *ids, size_t capacity)
{
    uint32_t from = find_suspect(x, range.first), to = from;
    size_t listed = 0;
    for (; to < x->suspects_count && listed < capacity; to++) {
        struct stream_id id = x->suspects[to];
        if (stream_id_compare(id, range.last) > 0) break;
        if (stream_contains(s, id) && !stream_is_referenced(s, id, NULL)) ids[listed++] = id;
    }
    if (to == from) return 0;
    memmove(x->suspects + from, x->suspects + to, (x->suspects_count - to) * sizeof *x->suspects);
    x->suspects_count -= to - from;
    return listed;
}

bool stream_list_unreferenced(const struct stream *s, struct stream_unreferenced *list)
{
    CHECK(s->grouped != NULL);
    CHECK(list->capacity > 0);
    struct stream_grouped *x = known_from(s, list->range.first);
    struct stream_walk w;
    list->count = list_suspects(s, x, list->range, list->ids, list->capacity);
    struct stream_range rest = {x->known.last, list->range.last};
    if (list->count == list->capacity) return true;
    if (!stream_id_increment(&rest.first)) return false;
    if (stream_id_compare(rest.first, rest.last) > 0) return false;
    stream_walk_begin(&w, s, rest, false);
    while (list->count < list->capacity && list->looks > 0 && stream_walk_next(&w)) {
        list->looks--;
        x->known.last = w.id;
        if (!stream_is_referenced(s, w.id, NULL)) list->ids[list->count++] = w.id;
    }
    return list->count == list->capacity;
}

void stream_referenced_check(const struct stream *s)
{
    const struct stream_grouped *x = s->grouped;
    struct stream_walk w;
    if (!is_known(x)) return;
    CHECK(x->suspects_count <= x->suspects_capacity && x->suspects_capacity <= SUSPECTS_MAX);
    for (uint32_t i = 1; i < x->suspects_count; i++)
        CHECK(stream_id_compare(x->suspects[i - 1], x->suspects[i]) < 0);
    stream_walk_begin(&w, s, x->known, false);
    while (stream_walk_next(&w)) {
        uint32_t place = find_suspect(x, w.id);
        if (place < x->suspects_count && stream_id_compare(x->suspects[place], w.id) == 0) continue;
        CHECK(stream_is_referenced(s, w.id, NULL));
    }
}
