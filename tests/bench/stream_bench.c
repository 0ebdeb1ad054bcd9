/* stream_bench.c - what streams and groups cost, in bytes and nanoseconds.
 *
 *   stream_bench [ENTRIES]         all jobs, the larger ones with so many entries (1 M)
 *   stream_bench large [ENTRIES]   one stream of 100 M small entries: it takes 1.6 GB
 *
 * One line for each job; times are CPU time. The budgets are in design/data.md: 17 bytes an entry
 * of three fields with about 10 bytes of values in all, 320 bytes a stream of one small entry, 40
 * bytes a pending entry. */
#include "base/memory.h"
#include "base/random.h"
#include "env/clock.h"
#include "stream/stream_copy.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    ENTRIES_DEFAULT = 1000000,
    ENTRIES_LARGE = 100000000,
    STREAMS = 100000,
    PENDING = 200000,
    BATCH = 100,
    ITEMS = 6
};

static const struct stream_block_limits LIMITS = {4096, 100};
static const struct stream_range ALL = {{0, 0}, {UINT64_MAX, UINT64_MAX}};

static size_t allocated(void)
{
    struct memory_figures figures;
    memory_measure(&figures);
    return figures.allocated_bytes;
}

static void print(const char *job, double value, const char *unit)
{
    printf("%-44s %10.1f %s\n", job, value, unit);
}

static void print_time(const char *job, uint64_t start, uint64_t count)
{
    print(job, (double)(clock_thread_cpu_ns() - start) / (double)count, "ns");
}

static void print_memory(const char *job, size_t before, uint64_t count)
{
    print(job, (double)(allocated() - before) / (double)count, "bytes");
}

/* ---- entries ---- */

struct producer {
    struct random random;
    struct stream_id id;
    char text[32];
    struct slice items[ITEMS];
};

/* Three fields; 10 bytes of values: a sensor, a state and a reading. */
static void produce(struct producer *p, struct stream *s)
{
    uint64_t value = random_next(&p->random);
    p->id = (struct stream_id){p->id.ms + 1 + (value & 1), 0};
    for (int i = 0; i < 10; i++, value >>= 4) p->text[i] = (char)('0' + (value & 15) % 10);
    p->items[0] = SLICE("sensor");
    p->items[1] = (struct slice){p->text, 4};
    p->items[2] = SLICE("state");
    p->items[3] = (struct slice){p->text + 4, 1};
    p->items[4] = SLICE("reading");
    p->items[5] = (struct slice){p->text + 5, 5};
    stream_append(s, p->id, p->items, ITEMS, &LIMITS);
}

static struct stream *fill(uint64_t entries)
{
    struct producer p = {.random = {1}, .id = {1700000000000, 0}};
    struct stream *s = stream_create();
    for (uint64_t i = 0; i < entries; i++) produce(&p, s);
    return s;
}

static uint64_t walk(const struct stream *s, bool reverse, uint64_t limit)
{
    struct stream_walk w;
    struct slice item;
    uint64_t bytes = 0;
    stream_walk_begin(&w, s, ALL, reverse);
    for (uint64_t i = 0; i < limit && stream_walk_next(&w); i++)
        while (stream_walk_field(&w, &item)) bytes += item.size;
    return bytes;
}

static void bench_entries(uint64_t entries)
{
    size_t before = allocated();
    uint64_t start = clock_thread_cpu_ns();
    struct stream *s = fill(entries);
    print_time("append, 3 fields", start, entries);
    print_memory("an entry of 3 fields, 10 bytes of values", before, entries);
    print("  of which stream_memory_bytes says", (double)stream_memory_bytes(s) / (double)entries,
          "bytes");

    start = clock_thread_cpu_ns();
    uint64_t bytes = walk(s, false, entries);
    print_time("walk forward with fields, an entry", start, entries);
    start = clock_thread_cpu_ns();
    bytes += walk(s, true, entries);
    print_time("walk backward with fields, an entry", start, entries);
    start = clock_thread_cpu_ns();
    for (int i = 0; i < 1000; i++) bytes += walk(s, true, 1);
    print_time("last entry", start, 1000);
    if (bytes == 0) printf("nothing was read\n");

    struct random r = {7};
    start = clock_thread_cpu_ns();
    uint64_t found = 0;
    for (int i = 0; i < 10000; i++) {
        struct stream_id id = {1700000000000 + random_below(&r, entries * 3 / 2), 0};
        found += stream_contains(s, id);
    }
    print_time("find a random ID", start, 10000);

    start = clock_thread_cpu_ns();
    struct stream *v = stream_freeze(s);
    print_time("freeze, a stream", start, 1);
    stream_destroy(v);

    start = clock_thread_cpu_ns();
    for (int i = 0; i < 10000; i++) {
        struct stream_id id = {1700000000000 + random_below(&r, entries * 3 / 2), 0};
        found -= stream_delete(s, id);
    }
    print_time("delete a random ID", start, 10000);
    start = clock_thread_cpu_ns();
    for (int i = 0; i < 10000; i++) {
        struct stream_id id = {1700000000000 + random_below(&r, entries * 3 / 2), 0};
        found += stream_count_after(s, id);
    }
    print_time("lag after deletions, at a random ID", start, 10000);

    start = clock_thread_cpu_ns();
    uint64_t length = stream_length(s);
    stream_trim_before(s, (struct stream_id){0, 0});
    print_time("trim everything, an entry", start, length);
    if (found == 1) printf("a strange number\n");
    stream_destroy(s);
}

static void bench_capped(uint64_t entries)
{
    struct producer p = {.random = {1}, .id = {1700000000000, 0}};
    struct stream *s = fill(1000);
    p.id = stream_last_id(s);
    struct stream_trim trim = {.by = STREAM_TRIM_LENGTH, .length_max = 1000};
    struct stream_id first;
    uint64_t count;
    uint64_t start = clock_thread_cpu_ns();
    for (uint64_t i = 0; i < entries; i++) {
        produce(&p, s);
        if (stream_trim_plan(s, &trim, &first, &count)) stream_trim_before(s, first);
    }
    print_time("append and exact trim to 1000", start, entries);
    stream_destroy(s);
}

static void bench_small_streams(void)
{
    static struct stream *streams[STREAMS];
    size_t before = allocated();
    struct slice items[2] = {SLICE("field"), SLICE("value")};
    for (int i = 0; i < STREAMS; i++) {
        streams[i] = stream_create();
        stream_append(streams[i], (struct stream_id){1700000000000, 0}, items, 2, &LIMITS);
    }
    print_memory("a stream of one small entry", before, STREAMS);
    for (int i = 0; i < STREAMS; i++) stream_destroy(streams[i]);
}

/* ---- groups ---- */

static void create_group(struct stream *s, const char *name, int consumers)
{
    stream_group_create(s, slice_of(name), STREAM_ID_MIN, STREAM_ENTRIES_READ_EXACT);
    for (int i = 0; i < consumers; i++) {
        char consumer[24];
        int size = snprintf(consumer, sizeof consumer, "consumer-%d", i);
        stream_consumer_create(s, slice_of(name), (struct slice){consumer, (size_t)size}, 1);
    }
}

/* Delivers the next entries, at most 'count', to a consumer; returns their IDs. */
static size_t deliver(struct stream *s, const char *group, int consumer, size_t count,
                      struct stream_id *ids)
{
    char name[24];
    int size = snprintf(name, sizeof name, "consumer-%d", consumer);
    const struct stream_group *g = stream_group_find(s, slice_of(group));
    struct stream_range range = {stream_group_last_delivered(g), STREAM_ID_MAX};
    stream_id_increment(&range.first);
    struct stream_walk w;
    size_t n = 0;
    stream_walk_begin(&w, s, range, false);
    while (n < count && stream_walk_next(&w)) ids[n++] = w.id;
    if (n == 0) return 0;
    struct stream_delivery d = {.group = slice_of(group),
                                .consumer = {name, (size_t)size},
                                .last_id = ids[n - 1],
                                .count = n,
                                .now_ms = 1700000000000};
    stream_group_deliver(s, &d);
    return n;
}

static void bench_pending(int consumers, size_t batch)
{
    struct stream *s = fill(PENDING);
    create_group(s, "group", consumers);
    char job[80];
    struct stream_id ids[BATCH];
    size_t before = allocated();
    uint64_t start = clock_thread_cpu_ns();
    for (uint64_t i = 0; i < PENDING / batch; i++)
        deliver(s, "group", (int)(i % (uint64_t)consumers), batch, ids);
    snprintf(job, sizeof job, "read and deliver %zu, %d consumers, an entry", batch, consumers);
    print_time(job, start, PENDING);
    snprintf(job, sizeof job, "a pending entry, %d consumers", consumers);
    print_memory(job, before, PENDING);

    struct random r = {3};
    size_t acknowledged = 0;
    for (int i = 0; i < PENDING; i++) {
        struct stream_id id = {1700000000000 + random_below(&r, PENDING * 3 / 2), 0};
        acknowledged += stream_group_acknowledge(s, SLICE("group"), &id, 1);
    }
    snprintf(job, sizeof job, "  after %zu random acknowledgements", acknowledged);
    print_memory(job, before, PENDING - acknowledged);
    stream_destroy(s);
}

/* Reading the clock costs more than an acknowledgement: one look at it for 64 batches. */
static void bench_deliver_and_acknowledge(uint64_t entries, size_t batch)
{
    enum { BATCHES = 64 };
    static struct stream_id ids[BATCHES][BATCH];
    struct stream *s = fill(entries);
    create_group(s, "group", 1);
    uint64_t deliver_ns = 0;
    uint64_t acknowledge_ns = 0;
    for (uint64_t delivered = 0; delivered < entries;) {
        size_t counts[BATCHES];
        uint64_t start = clock_thread_cpu_ns();
        for (int i = 0; i < BATCHES; i++) {
            counts[i] = deliver(s, "group", 0, batch, ids[i]);
            delivered += counts[i];
        }
        deliver_ns += clock_thread_cpu_ns() - start;
        start = clock_thread_cpu_ns();
        for (int i = 0; i < BATCHES; i++)
            stream_group_acknowledge(s, SLICE("group"), ids[i], counts[i]);
        acknowledge_ns += clock_thread_cpu_ns() - start;
    }
    char job[80];
    snprintf(job, sizeof job, "read and deliver %zu, an entry", batch);
    print(job, (double)deliver_ns / (double)entries, "ns");
    snprintf(job, sizeof job, "acknowledge %zu, an entry", batch);
    print(job, (double)acknowledge_ns / (double)entries, "ns");
    stream_destroy(s);
}

static void bench_claims(void)
{
    struct stream *s = fill(PENDING);
    create_group(s, "group", 10);
    struct stream_id ids[BATCH];
    for (int i = 0; i < PENDING / BATCH; i++) deliver(s, "group", i % 10, BATCH, ids);
    const struct stream_group *g = stream_group_find(s, SLICE("group"));
    struct stream_pending oldest[BATCH];
    struct stream_claim claim = {.group = SLICE("group"),
                                 .consumer = SLICE("consumer-3"),
                                 .active_ms = -1,
                                 .deliveries = STREAM_DELIVERIES_INCREMENT,
                                 .ids = ids};
    uint64_t start = clock_thread_cpu_ns();
    for (int i = 0; i < 1000; i++) {
        claim.delivery_ms = 1700000001000 + i;
        claim.count = stream_pending_list_oldest(g, INT64_MAX, oldest, BATCH);
        for (size_t j = 0; j < claim.count; j++) ids[j] = oldest[j].id;
        stream_group_claim(s, &claim);
    }
    print_time("claim the 100 oldest of 200k, an entry", start, 1000 * BATCH);
    stream_destroy(s);
}

/* ---- one large stream ---- */

/* Frees the stream as the store does; the longest step. */
static void bench_dismantle(const char *job, struct stream *s)
{
    enum { STEPS = 2000 }; /* EXPIRE_STEPS_PER_TICK of the engine */
    uint64_t start = clock_thread_cpu_ns(), longest = 0, turns = 0;
    for (bool gone = false; !gone; turns++) {
        size_t steps = STEPS;
        uint64_t before = clock_thread_cpu_ns();
        gone = stream_dismantle(s, &steps);
        if (clock_thread_cpu_ns() - before > longest) longest = clock_thread_cpu_ns() - before;
    }
    print(job, (double)(clock_thread_cpu_ns() - start) / 1e6, "ms");
    print("  in steps of 2000 parts, the longest", (double)longest / 1e6, "ms");
    print("  steps", (double)turns, "");
}

static void bench_large_group(struct stream *s, uint64_t entries)
{
    struct stream_id ids[BATCH];
    create_group(s, "group", 2);
    size_t before = allocated();
    uint64_t start = clock_thread_cpu_ns();
    for (uint64_t i = 0; i < entries / BATCH; i++) deliver(s, "group", (int)(i % 2), BATCH, ids);
    print_time("read and deliver 100, of a tenth, an entry", start, entries);
    print_memory("a pending entry", before, entries);
}

/* As XTRIM does; returns what is to be freed. */
static struct stream *bench_trim(struct stream *s, uint64_t trimmed)
{
    struct stream_trim trim = {.by = STREAM_TRIM_LENGTH, .length_max = stream_length(s) - trimmed};
    struct stream_id first;
    uint64_t count = 0, start = clock_thread_cpu_ns();
    stream_trim_plan(s, &trim, &first, &count);
    struct stream *cut = stream_cut_before(s, first);
    stream_trim_before(s, first);
    print("trim a fifth, exactly", (double)(clock_thread_cpu_ns() - start) / 1e6, "ms");
    return cut;
}

static void bench_large(uint64_t entries)
{
    enum { PARTS = 10 };
    struct producer p = {.random = {1}, .id = {1700000000000, 0}};
    struct stream *s = stream_create();
    size_t before = allocated();
    memory_return_beside(); /* as the server */
    for (int part = 0; part < PARTS; part++) {
        uint64_t start = clock_thread_cpu_ns();
        for (uint64_t i = 0; i < entries / PARTS; i++) produce(&p, s);
        if (part == 0) print_time("append, the first tenth, an entry", start, entries / PARTS);
        if (part == PARTS - 1)
            print_time("append, the last tenth, an entry", start, entries / PARTS);
    }
    print_memory("an entry of 3 fields, 10 bytes of values", before, entries);

    struct random r = {7};
    uint64_t found = 0, start = clock_thread_cpu_ns();
    for (int i = 0; i < 10000; i++) {
        struct stream_id id = {1700000000000 + random_below(&r, entries * 3 / 2), 0};
        found += stream_contains(s, id) + stream_count_after(s, id);
    }
    print_time("find and count after a random ID", start, 10000);
    start = clock_thread_cpu_ns();
    stream_destroy(stream_freeze(s));
    print("freeze and release", (double)(clock_thread_cpu_ns() - start) / 1e6, "ms");
    bench_large_group(s, entries / 10);

    start = clock_thread_cpu_ns();
    struct stream *copy = stream_copy(s);
    print("copy, with a tenth pending", (double)(clock_thread_cpu_ns() - start) / 1e6, "ms");
    bench_dismantle("free the copy", copy);
    start = clock_thread_cpu_ns();
    struct stream *group = stream_cut_group(s, SLICE("group"));
    print("destroy the group", (double)(clock_thread_cpu_ns() - start) / 1e6, "ms");
    bench_dismantle("free the group", group);
    bench_dismantle("free a fifth, trimmed", bench_trim(s, entries / 5));
    bench_dismantle("free the rest", s);
    if (found == 0) printf("nothing was found\n");
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "large") == 0) {
        bench_large(argc > 2 ? strtoull(argv[2], NULL, 10) : ENTRIES_LARGE);
        return 0;
    }
    uint64_t entries = argc > 1 ? strtoull(argv[1], NULL, 10) : ENTRIES_DEFAULT;
    bench_entries(entries);
    bench_capped(entries);
    bench_small_streams();
    bench_pending(1, BATCH);
    bench_pending(10, BATCH);
    bench_pending(1000, 1);
    bench_deliver_and_acknowledge(entries, 100);
    bench_deliver_and_acknowledge(entries, 1);
    bench_claims();
    return 0;
}
