/* store_bench.c - what a key costs in the store, in bytes and nanoseconds: store_bench [KEYS].
 *
 * Keys and values of 16 bytes, visited in random order. Prints one line for each job;
 * design/data.md for the budgets (64 bytes for each key, 80 with an expiry). */
#include "base/memory.h"
#include "env/clock.h"
#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>

enum { NAME_BYTES = 16, KEYS_DEFAULT = 1000000, BATCH = 16 };

static const struct value_type types[] = {{"string", NULL}};

static size_t allocated(void)
{
    struct memory_figures figures;
    memory_measure(&figures);
    return figures.allocated_bytes;
}

/* Visits all keys in an order that looks random: multiplication by an odd number, modulo 2^k. Each
 * job has its own number, or it would find the entries in the order of their allocation. */
struct walk {
    uint64_t keys;
    uint64_t mask;
    uint64_t step;
    uint64_t at;
};

static uint64_t walk_next(struct walk *w)
{
    uint64_t number;
    do number = (w->at++ * w->step) & w->mask;
    while (number >= w->keys);
    return number;
}

static struct store_key key_make(const struct store *s, uint64_t number, char name[NAME_BYTES + 1])
{
    static const char digits[] = "0123456789";
    memcpy(name, "key:", 4);
    for (int i = NAME_BYTES - 1; i >= 4; i--, number /= 10) name[i] = digits[number % 10];
    return store_key_make(s, 0, (struct slice){name, NAME_BYTES});
}

enum job { KEY, GET, GET_BATCH, PUT, PUT_EXPIRY };

static uint64_t run(struct store *s, struct walk *w, enum job job)
{
    char names[BATCH][NAME_BYTES + 1];
    struct store_key keys[BATCH];
    w->step = w->step * 0x9E3779B97F4A7C15u + 2;
    uint64_t sum = 0, begin = clock_monotonic_ns();
    for (uint64_t done = 0; done < w->keys; done += BATCH) {
        for (int i = 0; i < BATCH; i++) {
            keys[i] = key_make(s, walk_next(w), names[i]);
            if (job == GET_BATCH) store_prefetch(s, &keys[i]);
        }
        for (int i = 0; i < BATCH && job == GET_BATCH; i++) store_prefetch_entry(s, &keys[i]);
        for (int i = 0; i < BATCH; i++) {
            struct value v = {.type = STORE_STRING, .bytes = {names[i], NAME_BYTES}};
            if (job == KEY) sum += keys[i].hash;
            if (job == GET || job == GET_BATCH) sum += store_get(s, &keys[i], &v, NULL);
            if (job == PUT) store_put(s, &keys[i], &v, STORE_NO_EXPIRY);
            if (job == PUT_EXPIRY)
                store_put(s, &keys[i], &v, 1760000000000 + (int64_t)(keys[i].hash % 3600000));
        }
    }
    uint64_t spent = clock_monotonic_ns() - begin;
    return sum == 1 ? 0 : spent / w->keys;
}

static void report(const char *name, uint64_t ns)
{
    printf("%-34s %5llu ns/key\n", name, (unsigned long long)ns);
}

static void expire(struct store *s, uint64_t keys)
{
    struct store_key key;
    uint64_t begin = clock_monotonic_ns(), removed = 0;
    struct store_due due = {.now_ms = 1760000000000 + 3600000, .steps = SIZE_MAX};
    for (; store_next_due(s, &due, &key); removed++) store_remove(s, &key);
    report("expire and remove", (clock_monotonic_ns() - begin) / keys);
    if (removed != keys) printf("removed %llu\n", (unsigned long long)removed);
}

int main(int count, char **arguments)
{
    uint64_t keys = count > 1 ? strtoull(arguments[1], NULL, 10) / BATCH * BATCH : KEYS_DEFAULT;
    struct walk w = {.keys = keys, .mask = 1, .step = 1};
    while (w.mask < keys) w.mask = w.mask * 2 + 1;
    for (int with_expiry = 0; with_expiry <= 1; with_expiry++) {
        size_t before = allocated();
        struct store *s = store_create(types, 1, 42);
        struct store_due due = {.now_ms = 1760000000000, .steps = 1};
        struct store_key none;
        store_next_due(s, &due, &none);
        enum job put = with_expiry ? PUT_EXPIRY : PUT;
        printf("--- %llu keys%s\n", (unsigned long long)keys, with_expiry ? " with an expiry" : "");
        report("make a key (hash and slot)", run(s, &w, KEY));
        report("put, new", run(s, &w, put));
        printf("%-34s %5.1f bytes/key\n", "memory", (double)(allocated() - before) / (double)keys);
        report("put, again", run(s, &w, put));
        report("get", run(s, &w, GET));
        report("get, batches of 16 with prefetch", run(s, &w, GET_BATCH));
        if (with_expiry) expire(s, keys);
        store_destroy(s);
    }
    return 0;
}
