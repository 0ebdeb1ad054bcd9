/* idempotence_test.c - what is remembered of idempotent producers, against a naive list; what is
 * forgotten, and that silent producers are. */
#include "stream/idempotence.h"

#include "base/check.h"
#include "base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const struct stream_idmp_limits LIMITS = {100, 100};

static void record(struct stream *s, struct slice producer, struct slice iid, uint64_t ms,
                   struct stream_idmp_limits limits)
{
    stream_idmp_record(s, &(struct stream_idmp_record){producer, iid, {ms, 0}, limits});
    stream_check(s);
}

static void expect_figures(const struct stream *s, uint64_t producers, uint64_t iids,
                           uint64_t added)
{
    struct stream_idmp_figures figures;
    stream_idmp_measure(s, &figures);
    assert_int_equal(figures.producers, producers);
    assert_int_equal(figures.iids, iids);
    assert_int_equal(figures.added, added);
}

/* A message is found by its producer and its iid, and not by one of them. */
static void test_producers_do_not_share_iids(void **state)
{
    (void)state;
    struct stream *s = stream_create();
    struct stream_id id;
    assert_false(stream_idmp_find(s, SLICE("p"), SLICE("i"), -1, &id));
    record(s, SLICE("p"), SLICE("i"), 5, LIMITS);
    record(s, SLICE("q"), SLICE("j"), 6, LIMITS);
    assert_true(stream_idmp_find(s, SLICE("p"), SLICE("i"), -1, &id));
    assert_int_equal(id.ms, 5);
    assert_false(stream_idmp_find(s, SLICE("q"), SLICE("i"), -1, &id));
    assert_false(stream_idmp_find(s, SLICE("p"), SLICE("ii"), -1, &id));
    expect_figures(s, 2, 2, 2);
    stream_destroy(s);
}

/* An iid counts while its entry is younger than the duration: to the millisecond. */
static void test_age_is_that_of_the_entry(void **state)
{
    (void)state;
    struct stream *s = stream_create();
    struct stream_id id;
    record(s, SLICE("p"), SLICE("i"), 1000000, LIMITS);
    assert_true(stream_idmp_find(s, SLICE("p"), SLICE("i"), 1000000 + 99999 - 100000, &id));
    assert_false(stream_idmp_find(s, SLICE("p"), SLICE("i"), 1000000 + 100000 - 100000, &id));
    record(s, SLICE("p"), SLICE("j"), 1000000 + 99999, LIMITS);
    expect_figures(s, 1, 2, 2);
    record(s, SLICE("p"), SLICE("k"), 1000000 + 100000, LIMITS);
    expect_figures(s, 1, 2, 3);
    assert_false(stream_idmp_find(s, SLICE("p"), SLICE("i"), -1, &id));
    stream_destroy(s);
}

/* Above count_max the oldest go, of this producer only. */
static void test_the_oldest_is_evicted(void **state)
{
    (void)state;
    struct stream *s = stream_create();
    struct stream_idmp_limits three = {100, 3};
    struct stream_id id;
    char iid[8];
    record(s, SLICE("other"), SLICE("0"), 1, three);
    for (uint64_t i = 0; i < 10; i++) {
        size_t size = (size_t)snprintf(iid, sizeof iid, "%llu", (unsigned long long)i);
        record(s, SLICE("p"), (struct slice){iid, size}, 10 + i, three);
    }
    expect_figures(s, 2, 4, 11);
    assert_false(stream_idmp_find(s, SLICE("p"), SLICE("6"), -1, &id));
    assert_true(stream_idmp_find(s, SLICE("p"), SLICE("7"), -1, &id));
    assert_true(stream_idmp_find(s, SLICE("other"), SLICE("0"), -1, &id));
    stream_destroy(s);
}

/* Producers that went silent are forgotten while others go on. */
static void test_silent_producers_are_forgotten(void **state)
{
    (void)state;
    enum { SILENT = 50, IIDS = 20 };
    struct stream *s = stream_create();
    struct stream_id id;
    char name[16];
    for (uint64_t i = 0; i < SILENT * IIDS; i++) {
        size_t size =
            (size_t)snprintf(name, sizeof name, "p%llu", (unsigned long long)(i % SILENT));
        uint64_t iid = i;
        record(s, (struct slice){name, size}, (struct slice){(const char *)&iid, sizeof iid}, 1 + i,
               LIMITS);
    }
    expect_figures(s, SILENT, SILENT * IIDS, SILENT * IIDS);
    for (uint64_t i = 0; i < 4 * SILENT; i++) {
        uint64_t iid = i % 10;
        record(s, SLICE("busy"), (struct slice){(const char *)&iid, sizeof iid}, 1000000 + i,
               LIMITS);
    }
    expect_figures(s, 1, 10, SILENT * IIDS + 4 * SILENT);
    assert_true(stream_idmp_find(s, SLICE("busy"), (struct slice){(const char *)&(uint64_t){9}, 8},
                                 -1, &id));
    stream_destroy(s);
}

/* XCFGSET: what is set is kept, clearing forgets the producers and not the figures. */
static void test_settings(void **state)
{
    (void)state;
    struct stream *s = stream_create();
    struct stream_idmp_figures figures;
    size_t bytes = stream_memory_bytes(s);
    assert_int_equal(stream_idmp_limits(s).duration_s, 0);
    record(s, SLICE("p"), SLICE("i"), 5, LIMITS);
    assert_true(stream_memory_bytes(s) > bytes);
    stream_idmp_count_duplicate(s);
    stream_idmp_configure(s, (struct stream_idmp_limits){7, 0}, false);
    assert_int_equal(stream_idmp_limits(s).duration_s, 7);
    assert_int_equal(stream_idmp_limits(s).count_max, 0);
    expect_figures(s, 1, 1, 1);
    stream_idmp_configure(s, (struct stream_idmp_limits){8, 9}, true);
    expect_figures(s, 0, 0, 1);
    stream_idmp_measure(s, &figures);
    assert_int_equal(figures.duplicates, 1);
    stream_idmp_restore(s, 30, 4);
    stream_idmp_measure(s, &figures);
    assert_int_equal(figures.added, 30);
    assert_int_equal(figures.duplicates, 4);
    stream_check(s);
    stream_destroy(s);
}

/* ---- against a naive list ---- */

enum { MODEL_PRODUCERS = 3, MODEL_IIDS = 60, MODEL_MAX = 64 };

struct model {
    uint64_t iids[MODEL_MAX]; /* oldest first */
    uint64_t ms[MODEL_MAX];
    size_t count;
};

static void model_drop_oldest(struct model *m)
{
    m->count--;
    memmove(m->iids, m->iids + 1, m->count * sizeof m->iids[0]);
    memmove(m->ms, m->ms + 1, m->count * sizeof m->ms[0]);
}

static size_t model_find(const struct model *m, uint64_t iid)
{
    size_t i = 0;
    while (i < m->count && m->iids[i] != iid) i++;
    return i;
}

static void model_record(struct model *m, uint64_t iid, uint64_t ms,
                         struct stream_idmp_limits limits)
{
    while (m->count > 0 && m->ms[0] + (uint64_t)limits.duration_s * 1000 <= ms)
        model_drop_oldest(m);
    size_t i = model_find(m, iid);
    if (i == m->count) m->iids[m->count++] = iid;
    m->ms[i] = ms;
    while (m->count > limits.count_max) model_drop_oldest(m);
}

static const char *const PRODUCERS[MODEL_PRODUCERS] = {"a", "producer", "zz"};

/* Of 5 to 60 bytes: some stand in their ring, some on the heap. */
static struct slice iid_text(uint64_t iid, char text[64])
{
    int width = (int)(iid % 5) * 14 + 1;
    return (struct slice){text,
                          (size_t)snprintf(text, 64, "iid-%0*llu", width, (unsigned long long)iid)};
}

/* The walk shows exactly what the model has, but for silent producers that were swept. */
static void expect_model(const struct stream *s, const struct model *models, size_t busy)
{
    char text[64];
    struct stream_id id;
    for (uint64_t iid = 0; iid < MODEL_IIDS; iid++) {
        const struct model *m = &models[busy];
        size_t i = model_find(m, iid);
        bool found = stream_idmp_find(s, slice_of(PRODUCERS[busy]), iid_text(iid, text), -1, &id);
        assert_int_equal(found, i < m->count);
        if (found) assert_int_equal(id.ms, m->ms[i]);
    }
    struct stream_idmp_walk w = {0};
    size_t at = 0;
    while (stream_idmp_walk_next(s, &w)) {
        if (!slice_equal(w.producer, slice_of(PRODUCERS[busy]))) continue;
        assert_true(at < models[busy].count);
        assert_true(slice_equal(w.iid, iid_text(models[busy].iids[at], text)));
        assert_int_equal(w.id.ms, models[busy].ms[at]);
        at++;
    }
    assert_int_equal(at, models[busy].count);
}

static void test_remembers_as_the_model(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct random r = {seed};
        struct model models[MODEL_PRODUCERS] = {0};
        struct stream *s = stream_create();
        uint64_t ms = 1;
        for (int i = 0; i < 1000; i++) {
            struct stream_idmp_limits limits = {1 + (uint32_t)random_below(&r, 3),
                                                1 + (uint32_t)random_below(&r, 60)};
            size_t busy = random_below(&r, MODEL_PRODUCERS);
            uint64_t iid = random_below(&r, MODEL_IIDS);
            char text[64];
            ms += random_below(&r, 60);
            record(s, slice_of(PRODUCERS[busy]), iid_text(iid, text), ms, limits);
            model_record(&models[busy], iid, ms, limits);
            /* What a sweep forgets, the next record of that producer would forget as well; with
             * another duration it might not, so the model forgets for all. */
            for (size_t p = 0; p < MODEL_PRODUCERS; p++) {
                struct stream_idmp_walk w = {0};
                size_t left = 0;
                while (stream_idmp_walk_next(s, &w))
                    left += slice_equal(w.producer, slice_of(PRODUCERS[p]));
                while (models[p].count > left) {
                    assert_true(p != busy);
                    assert_true(models[p].ms[0] + (uint64_t)limits.duration_s * 1000 <= ms);
                    model_drop_oldest(&models[p]);
                }
            }
            expect_model(s, models, busy);
        }
        stream_destroy(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_producers_do_not_share_iids),
        cmocka_unit_test(test_age_is_that_of_the_entry),
        cmocka_unit_test(test_the_oldest_is_evicted),
        cmocka_unit_test(test_silent_producers_are_forgotten),
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_remembers_as_the_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
