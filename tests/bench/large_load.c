/* large_load.c - the load of tests/large/run: very many keys, one very large stream, a group with
 * very many pending entries, and moderate traffic beside.
 *
 *   large_load keys PORT COUNT          key:N, N from 0, each with 16 digits that follow from N
 *   large_load stream PORT COUNT        the stream "events": ID N-1, N from 1, three fields
 *   large_load pending PORT COUNT       the group "workers" of four consumers takes COUNT entries
 *   large_load traffic PORT SECONDS RATE KEYS PENDING
 *       RATE requests a second in a batch each millisecond: 45% GET and 40% SET of random keys
 *       (with the value that they have), 10% XADD, 4% XACK of a random pending entry, 1%
 *       XREADGROUP. Prints requests/s, and p50, p99 and maximum of a batch in microseconds.
 *   large_load check PORT KEYS SAMPLES  samples keys; prints how many were right
 *
 * All but traffic print the seconds that they took. Requests go in pipelines of 1,000. */
#include "base/random.h"
#include "load.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    PIPELINE = 1000,
    CONSUMERS = 4,
    READ_COUNT = 1000,
    BATCHES_MAX = 1 << 22,
    SECONDS_MAX = 24 * 3600,
};

static redisReply *take(redisContext *c)
{
    void *reply = NULL;
    if (redisGetReply(c, &reply) != REDIS_OK) load_stop("reading", c->errstr);
    return load_check(c, reply, "a request");
}

static void take_all(redisContext *c, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) freeReplyObject(take(c));
}

/* RESP by hand: hiredis' formatting would cost more than the server. */
static void add(redisContext *c, const char *text, int size)
{
    if (redisAppendFormattedCommand(c, text, (size_t)size) != REDIS_OK)
        load_stop("sending", c->errstr);
}

static uint64_t value_of(uint64_t key)
{
    return (key * 2654435761 + 12345) % UINT64_C(10000000000000000);
}

static void add_set(redisContext *c, uint64_t key)
{
    char text[128];
    add(c, text,
        snprintf(text, sizeof text,
                 "*3\r\n$3\r\nSET\r\n$14\r\nkey:%010" PRIu64 "\r\n$16\r\n%016" PRIu64 "\r\n", key,
                 value_of(key)));
}

static void add_get(redisContext *c, uint64_t key)
{
    char text[128];
    add(c, text,
        snprintf(text, sizeof text, "*2\r\n$3\r\nGET\r\n$14\r\nkey:%010" PRIu64 "\r\n", key));
}

static void add_entry(redisContext *c, uint64_t id)
{
    char name[32], text[256];
    int size = id == 0 ? snprintf(name, sizeof name, "*")
                       : snprintf(name, sizeof name, "%" PRIu64 "-1", id);
    add(c, text,
        snprintf(text, sizeof text,
                 "*9\r\n$4\r\nXADD\r\n$6\r\nevents\r\n$%d\r\n%s\r\n$4\r\nuser\r\n$5\r\n%05d\r\n"
                 "$4\r\nkind\r\n$3\r\nbuy\r\n$5\r\nprice\r\n$4\r\n%04d\r\n",
                 size, name, (int)(id % 100000), (int)(id % 7919)));
}

static void add_acknowledgement(redisContext *c, uint64_t id)
{
    char name[32], text[128];
    int size = snprintf(name, sizeof name, "%" PRIu64 "-1", id);
    add(c, text,
        snprintf(text, sizeof text,
                 "*4\r\n$4\r\nXACK\r\n$6\r\nevents\r\n$7\r\nworkers\r\n$%d\r\n%s\r\n", size, name));
}

/* ---- filling ---- */

static void fill(redisContext *c, uint64_t count, bool stream)
{
    for (uint64_t done = 0; done < count;) {
        uint64_t batch = count - done < PIPELINE ? count - done : PIPELINE;
        for (uint64_t i = done; i < done + batch; i++) {
            if (stream) add_entry(c, i + 1);
            else add_set(c, i);
        }
        take_all(c, batch);
        done += batch;
    }
}

static void fill_pending(redisContext *c, uint64_t count)
{
    freeReplyObject(load_check(c, redisCommand(c, "XGROUP CREATE events workers 0"), "XGROUP"));
    for (uint64_t done = 0; done < count; done += READ_COUNT) {
        redisAppendCommand(c, "XREADGROUP GROUP workers consumer%d COUNT %d STREAMS events >",
                           (int)(done / READ_COUNT % CONSUMERS), READ_COUNT);
        take_all(c, 1);
    }
}

static uint64_t check(redisContext *c, uint64_t keys, uint64_t samples)
{
    struct random random = {7};
    uint64_t right = 0;
    for (uint64_t i = 0; i < samples; i++) {
        uint64_t key = random_next(&random) % keys;
        char expected[32];
        snprintf(expected, sizeof expected, "%016" PRIu64, value_of(key));
        add_get(c, key);
        redisReply *r = take(c);
        right += r->type == REDIS_REPLY_STRING && strcmp(r->str, expected) == 0;
        freeReplyObject(r);
    }
    return right;
}

/* ---- traffic ---- */

static void add_any(redisContext *c, uint64_t random, uint64_t keys, uint64_t pending)
{
    uint64_t kind = random % 100, which = random / 128;
    if (kind < 45) add_get(c, which % keys);
    else if (kind < 85) add_set(c, which % keys);
    else if (kind < 95) add_entry(c, 0);
    else if (kind < 99) add_acknowledgement(c, 1 + which % pending);
    else redisAppendCommand(c, "XREADGROUP GROUP workers consumer1 COUNT 5 STREAMS events >");
}

static void traffic(redisContext *c, char **arguments)
{
    uint64_t seconds = load_number(arguments[0], 1, SECONDS_MAX);
    uint64_t rate = load_number(arguments[1], 1, UINT64_MAX);
    uint64_t keys = load_number(arguments[2], 1, UINT64_MAX);
    uint64_t pending = load_number(arguments[3], 1, UINT64_MAX);
    struct random random = {1};
    struct samples took;
    samples_init(&took, BATCHES_MAX);
    uint64_t begin = load_now_ns(), end = begin + seconds * 1000000000, requests = 0;
    for (uint64_t now = begin; now < end && took.count < BATCHES_MAX; now = load_now_ns()) {
        uint64_t due = (now - begin) / 1000 * rate / 1000000; /* requests by now */
        uint64_t count = due > requests ? due - requests : 1;
        if (count > PIPELINE) count = PIPELINE;
        for (uint64_t i = 0; i < count; i++) add_any(c, random_next(&random), keys, pending);
        take_all(c, count);
        requests += count;
        uint64_t batch_ns = load_now_ns() - now;
        samples_add(&took, batch_ns);
        if (batch_ns < 1000000)
            nanosleep(&(struct timespec){.tv_nsec = (long)(1000000 - batch_ns)}, NULL);
    }
    double rate_reached = (double)requests / load_seconds_since(begin);
    samples_sort(&took);
    printf("%.0f %.0f %.0f %.0f\n", rate_reached, samples_us(&took, 0.5), samples_us(&took, 0.99),
           samples_us(&took, 1));
    samples_deinit(&took);
}

int main(int argc, char **argv)
{
    if (argc < 4) load_stop("usage", "large_load keys|stream|pending|traffic|check PORT ...");
    redisContext *c = load_connect((int)load_number(argv[2], 1, 65535));
    uint64_t begin = load_now_ns(), count = load_number(argv[3], 0, UINT64_MAX);
    const char *what = argv[1];
    if (strcmp(what, "traffic") == 0 && argc == 7) {
        traffic(c, argv + 3);
    } else if (strcmp(what, "check") == 0 && argc == 5) {
        printf("%" PRIu64 "\n", check(c, count, load_number(argv[4], 0, UINT64_MAX)));
    } else {
        if (strcmp(what, "keys") == 0) fill(c, count, false);
        else if (strcmp(what, "stream") == 0) fill(c, count, true);
        else if (strcmp(what, "pending") == 0) fill_pending(c, count);
        else load_stop(what, "no such load");
        printf("%.2f\n", load_seconds_since(begin));
    }
    redisFree(c);
    return 0;
}
