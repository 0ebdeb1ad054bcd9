/* durable_load.c - the load of bench-durable that redis-benchmark cannot make.
 *
 *   durable_load gets PORT SECONDS WRITERS
 *       One connection GETs, one request at a time; WRITERS connections SET other keys, one request
 *       at a time each. Prints GETs/s, and p50, p99, p99.9 and maximum of a GET in microseconds,
 *       and SETs/s.
 *
 * One thread and poll(2) for all connections, so that connections do not fight for a core. */
#include <errno.h>
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    CONNECTIONS_MAX = 64,
    KEYS = 1000,
    SAMPLES_MAX = 1 << 24,
    TIMEOUT_S = 60,
};

static void stop(const char *what, const char *why)
{
    fprintf(stderr, "durable_load: %s: %s\n", what, why);
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static redisContext *connect_to(int port)
{
    redisContext *c =
        redisConnectWithTimeout("127.0.0.1", port, (struct timeval){.tv_sec = TIMEOUT_S});
    if (c == NULL || c->err != 0) stop("connecting", c != NULL ? c->errstr : "no memory");
    redisEnableKeepAlive(c);
    return c;
}

static redisReply *check(redisContext *c, redisReply *reply, const char *what)
{
    if (reply == NULL) stop(what, c->errstr);
    if (reply->type == REDIS_REPLY_ERROR) stop(what, reply->str);
    return reply;
}

static void flush_out(redisContext *c)
{
    for (int done = 0; done == 0;)
        if (redisBufferWrite(c, &done) != REDIS_OK) stop("sending", c->errstr);
}

/* The next reply if it is there already. */
static redisReply *take_reply(redisContext *c)
{
    void *reply = NULL;
    if (redisGetReplyFromReader(c, &reply) != REDIS_OK) stop("reading", c->errstr);
    return reply != NULL ? check(c, reply, "reply") : NULL;
}

static void receive(redisContext *c)
{
    if (redisBufferRead(c) != REDIS_OK) stop("reading", c->errstr);
}

/* ---- gets ---- */

static int compare_samples(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

struct samples {
    uint32_t *ns;
    size_t count;
};

static double percentile_us(const struct samples *s, double part)
{
    return s->ns[(size_t)((double)(s->count - 1) * part)] / 1e3;
}

static void send_get(redisContext *c, uint64_t number)
{
    redisAppendCommand(c, "GET read:%d", (int)(number % KEYS));
    flush_out(c);
}

static void send_set(redisContext *c, uint64_t number)
{
    redisAppendCommand(c, "SET written:%d 0123456789abcdef", (int)(number % KEYS));
    flush_out(c);
}

static void load_keys(redisContext *c)
{
    for (int i = 0; i < KEYS; i++)
        freeReplyObject(check(c, redisCommand(c, "SET read:%d 0123456789abcdef", i), "SET"));
}

struct readers { /* connection 0 GETs, the others SET */
    redisContext *contexts[CONNECTIONS_MAX];
    struct pollfd polled[CONNECTIONS_MAX];
    int count;
    uint64_t sent_ns; /* the GET that is under way */
    uint64_t sets;
    struct samples samples;
};

/* One turn of all connections that have a reply. */
static void turn(struct readers *r)
{
    struct samples *samples = &r->samples;
    if (poll(r->polled, (nfds_t)r->count, TIMEOUT_S * 1000) <= 0) stop("waiting", "no reply");
    for (int i = 0; i < r->count; i++) {
        if (r->polled[i].revents == 0) continue;
        receive(r->contexts[i]);
        redisReply *reply = take_reply(r->contexts[i]);
        if (reply == NULL) continue;
        freeReplyObject(reply);
        if (i > 0) {
            send_set(r->contexts[i], ++r->sets);
            continue;
        }
        if (samples->count < SAMPLES_MAX)
            samples->ns[samples->count++] = (uint32_t)(now_ns() - r->sent_ns);
        r->sent_ns = now_ns();
        send_get(r->contexts[0], samples->count);
    }
}

static void gets(int port, double seconds, int writers)
{
    static struct readers r;
    r.count = writers + 1;
    r.samples.ns = malloc(SAMPLES_MAX * sizeof(uint32_t));
    if (r.samples.ns == NULL) stop("samples", "no memory");
    for (int i = 0; i < r.count; i++) {
        r.contexts[i] = connect_to(port);
        r.polled[i] = (struct pollfd){.fd = r.contexts[i]->fd, .events = POLLIN};
    }
    load_keys(r.contexts[0]);
    uint64_t begin = now_ns();
    r.sent_ns = begin;
    send_get(r.contexts[0], 0);
    for (int i = 1; i < r.count; i++) send_set(r.contexts[i], 0);
    while ((double)(now_ns() - begin) < seconds * 1e9) turn(&r);
    double took = (double)(now_ns() - begin) / 1e9;
    qsort(r.samples.ns, r.samples.count, sizeof(uint32_t), compare_samples);
    printf("%.0f %.1f %.1f %.1f %.1f %.0f\n", (double)r.samples.count / took,
           percentile_us(&r.samples, 0.5), percentile_us(&r.samples, 0.99),
           percentile_us(&r.samples, 0.999), percentile_us(&r.samples, 1), (double)r.sets / took);
    for (int i = 0; i < r.count; i++) redisFree(r.contexts[i]);
    free(r.samples.ns);
}

static long number(const char *text, long max)
{
    char *end;
    long value = strtol(text, &end, 10);
    if (*end != '\0' || end == text || value < 0 || value > max)
        stop(text, "not a number in range");
    return value;
}

int main(int count, char **words)
{
    if (count == 5 && strcmp(words[1], "gets") == 0)
        gets((int)number(words[2], 65535), (double)number(words[3], 3600),
             (int)number(words[4], CONNECTIONS_MAX - 1));
    else stop("usage", "gets PORT SECONDS WRITERS");
    return 0;
}
