#include "load.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

enum { TIMEOUT_S = 300 };

void load_stop(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, why);
    exit(1);
}

uint64_t load_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

double load_seconds_since(uint64_t begin_ns)
{
    return (double)(load_now_ns() - begin_ns) / 1e9;
}

uint64_t load_number(const char *text, uint64_t min, uint64_t max)
{
    char *end;
    uint64_t value = strtoull(text, &end, 10);
    if (end == text || *end != '\0' || value < min || value > max)
        load_stop(text, "not a number in range");
    return value;
}

redisContext *load_connect(int port)
{
    struct timeval timeout = {.tv_sec = TIMEOUT_S};
    redisContext *c = redisConnectWithTimeout("127.0.0.1", port, timeout);
    if (c == NULL || c->err != 0) load_stop("connecting", c != NULL ? c->errstr : "no memory");
    redisSetTimeout(c, timeout);
    return c;
}

redisReply *load_check(const redisContext *c, void *reply, const char *what)
{
    redisReply *r = reply;
    if (r == NULL) load_stop(what, c->errstr);
    if (r->type == REDIS_REPLY_ERROR) load_stop(what, r->str);
    return r;
}

void samples_init(struct samples *s, size_t capacity)
{
    *s = (struct samples){.ns = malloc(capacity * sizeof *s->ns), .capacity = capacity};
    if (s->ns == NULL) load_stop("samples", "no memory");
}

void samples_deinit(struct samples *s)
{
    free(s->ns);
}

void samples_add(struct samples *s, uint64_t ns)
{
    if (s->count < s->capacity) s->ns[s->count++] = ns;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

void samples_sort(struct samples *s)
{
    if (s->count == 0) load_stop("samples", "there are none");
    qsort(s->ns, s->count, sizeof *s->ns, compare);
}

double samples_us(const struct samples *s, double part)
{
    return (double)s->ns[(size_t)((double)(s->count - 1) * part)] / 1e3;
}
