/* durable_load.c - the load of bench-durable that redis-benchmark cannot make.
 *
 *   durable_load gets PORT SECONDS WRITERS
 *       One connection GETs, one request at a time; WRITERS connections SET other keys, one request
 *       at a time each. Prints GETs/s, and p50, p99, p99.9 and maximum of a GET in microseconds,
 *       and SETs/s.
 *
 * One thread and poll(2) for all connections, so that connections do not fight for a core. */
#include "load.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

enum {
    CONNECTIONS_MAX = 64,
    KEYS = 1000,
    SAMPLES_MAX = 1 << 24,
    WAIT_MS = 60 * 1000,
};

static void flush_out(redisContext *c)
{
    for (int done = 0; done == 0;)
        if (redisBufferWrite(c, &done) != REDIS_OK) load_stop("sending", c->errstr);
}

/* The next reply if it is there already. */
static redisReply *take_reply(redisContext *c)
{
    void *reply = NULL;
    if (redisGetReplyFromReader(c, &reply) != REDIS_OK) load_stop("reading", c->errstr);
    return reply != NULL ? load_check(c, reply, "reply") : NULL;
}

static void receive(redisContext *c)
{
    if (redisBufferRead(c) != REDIS_OK) load_stop("reading", c->errstr);
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
        freeReplyObject(load_check(c, redisCommand(c, "SET read:%d 0123456789abcdef", i), "SET"));
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
    if (poll(r->polled, (nfds_t)r->count, WAIT_MS) <= 0) load_stop("waiting", "no reply");
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
        samples_add(&r->samples, load_now_ns() - r->sent_ns);
        r->sent_ns = load_now_ns();
        send_get(r->contexts[0], r->samples.count);
    }
}

static void gets(int port, double seconds, int writers)
{
    static struct readers r;
    r.count = writers + 1;
    samples_init(&r.samples, SAMPLES_MAX);
    for (int i = 0; i < r.count; i++) {
        r.contexts[i] = load_connect(port);
        r.polled[i] = (struct pollfd){.fd = r.contexts[i]->fd, .events = POLLIN};
    }
    load_keys(r.contexts[0]);
    uint64_t begin = load_now_ns();
    r.sent_ns = begin;
    send_get(r.contexts[0], 0);
    for (int i = 1; i < r.count; i++) send_set(r.contexts[i], 0);
    while (load_seconds_since(begin) < seconds) turn(&r);
    double took = load_seconds_since(begin);
    samples_sort(&r.samples);
    printf("%.0f %.1f %.1f %.1f %.1f %.0f\n", (double)r.samples.count / took,
           samples_us(&r.samples, 0.5), samples_us(&r.samples, 0.99), samples_us(&r.samples, 0.999),
           samples_us(&r.samples, 1), (double)r.sets / took);
    for (int i = 0; i < r.count; i++) redisFree(r.contexts[i]);
    samples_deinit(&r.samples);
}

int main(int count, char **words)
{
    if (count == 5 && strcmp(words[1], "gets") == 0)
        gets((int)load_number(words[2], 1, 65535), (double)load_number(words[3], 1, 3600),
             (int)load_number(words[4], 0, CONNECTIONS_MAX - 1));
    else load_stop("usage", "gets PORT SECONDS WRITERS");
    return 0;
}
