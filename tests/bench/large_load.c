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
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    PIPELINE = 1000,
    CONSUMERS = 4,
    READ_COUNT = 1000,
    BATCHES_MAX = 1 << 22,
    TIMEOUT_S = 300,
};

static void stop(const char *what, const char *why)
{
    fprintf(stderr, "large_load: %s: %s\n", what, why);
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static uint64_t number(const char *text)
{
    char *end;
    uint64_t value = strtoull(text, &end, 10);
    if (end == text || *end != '\0') stop(text, "not a number");
    return value;
}

/* splitmix64 */
static uint64_t next_random(uint64_t *state)
{
    uint64_t x = *state += 0x9e3779b97f4a7c15;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return x ^ x >> 31;
}

static redisContext *connect_to(int port)
{
    redisContext *c =
        redisConnectWithTimeout("127.0.0.1", port, (struct timeval){.tv_sec = TIMEOUT_S});
    if (c == NULL || c->err != 0) stop("connecting", c != NULL ? c->errstr : "no memory");
    redisSetTimeout(c, (struct timeval){.tv_sec = TIMEOUT_S});
    return c;
}

static redisReply *take(redisContext *c)
{
    void *reply = NULL;
    if (redisGetReply(c, &reply) != REDIS_OK) stop("reading", c->errstr);
    redisReply *r = reply;
    if (r->type == REDIS_REPLY_ERROR) stop("a request", r->str);
    return r;
}

static void take_all(redisContext *c, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) freeReplyObject(take(c));
}

/* RESP by hand: hiredis' formatting would cost more than the server. */
static void add(redisContext *c, const char *text, int size)
{
    if (redisAppendFormattedCommand(c, text, (size_t)size) != REDIS_OK) stop("sending", c->errstr);
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
    redisReply *r = redisCommand(c, "XGROUP CREATE events workers 0");
    if (r == NULL || r->type == REDIS_REPLY_ERROR) stop("XGROUP", r != NULL ? r->str : c->errstr);
    freeReplyObject(r);
    for (uint64_t done = 0; done < count; done += READ_COUNT) {
        redisAppendCommand(c, "XREADGROUP GROUP workers consumer%d COUNT %d STREAMS events >",
                           (int)(done / READ_COUNT % CONSUMERS), READ_COUNT);
        take_all(c, 1);
    }
}

static uint64_t check(redisContext *c, uint64_t keys, uint64_t samples)
{
    uint64_t right = 0, seed = 7;
    for (uint64_t i = 0; i < samples; i++) {
        uint64_t key = next_random(&seed) % keys;
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

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void traffic(redisContext *c, char **arguments)
{
    uint64_t seconds = number(arguments[0]), rate = number(arguments[1]);
    uint64_t keys = number(arguments[2]), pending = number(arguments[3]);
    uint64_t *took = malloc(BATCHES_MAX * sizeof *took), batches = 0, requests = 0, seed = 1;
    if (took == NULL || keys == 0 || pending == 0) stop("traffic", "no memory, or nothing to ask");
    uint64_t begin = now_ns(), end = begin + seconds * 1000000000;
    for (uint64_t now = begin; now < end && batches < BATCHES_MAX; batches++) {
        uint64_t due = (now - begin) / 1000 * rate / 1000000; /* requests by now */
        uint64_t count = due > requests ? due - requests : 1;
        if (count > PIPELINE) count = PIPELINE;
        for (uint64_t i = 0; i < count; i++) add_any(c, next_random(&seed), keys, pending);
        take_all(c, count);
        requests += count;
        uint64_t after = now_ns();
        took[batches] = after - now;
        if (after - now < 1000000) {
            struct timespec rest = {.tv_nsec = (long)(1000000 - (after - now))};
            nanosleep(&rest, NULL);
        }
        now = now_ns();
    }
    qsort(took, batches, sizeof *took, compare);
    printf("%.0f %.0f %.0f %.0f\n", (double)requests * 1e9 / (double)(now_ns() - begin),
           (double)took[batches / 2] / 1e3, (double)took[batches * 99 / 100] / 1e3,
           (double)took[batches - 1] / 1e3);
    free(took);
}

int main(int argc, char **argv)
{
    if (argc < 4) stop("usage", "large_load keys|stream|pending|traffic|check PORT ...");
    redisContext *c = connect_to((int)number(argv[2]));
    uint64_t begin = now_ns(), count = number(argv[3]);
    const char *what = argv[1];
    if (strcmp(what, "traffic") == 0 && argc == 7) {
        traffic(c, argv + 3);
    } else if (strcmp(what, "check") == 0 && argc == 5) {
        printf("%" PRIu64 "\n", check(c, count, number(argv[4])));
    } else {
        if (strcmp(what, "keys") == 0) fill(c, count, false);
        else if (strcmp(what, "stream") == 0) fill(c, count, true);
        else if (strcmp(what, "pending") == 0) fill_pending(c, count);
        else stop(what, "no such load");
        printf("%.2f\n", (double)(now_ns() - begin) / 1e9);
    }
    redisFree(c);
    return 0;
}
