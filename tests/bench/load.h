/* load.h - what the load generators share: how they end, read their arguments and the clock, talk
 * to a server, and tell percentiles. Each *_load.c is a program of its own, linked with load.c and
 * with nothing of the server; so is floor_server.c, a peer that does nothing. */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <hiredis/hiredis.h>
#include <stdint.h>
#include <stdlib.h>

/* Says on stderr which program stops, at what, and why; the figures of a load are whole or none. */
_Noreturn void load_stop(const char *what, const char *why);

uint64_t load_now_ns(void); /* of the monotonic clock */
double load_seconds_since(uint64_t begin_ns);

uint64_t load_number(const char *text, uint64_t min, uint64_t max); /* an argument */

redisContext *load_connect(int port); /* on the loopback; blocking; redisFree */

/* The reply, which is neither missing nor an error. */
redisReply *load_check(const redisContext *c, void *reply, const char *what);

/* Durations, up to 'capacity' of them. */
struct samples {
    uint64_t *ns;
    size_t count;
    size_t capacity;
};
void samples_init(struct samples *s, size_t capacity);
void samples_deinit(struct samples *s);
void samples_add(struct samples *s, uint64_t ns); /* forgotten if there is no room */
void samples_sort(struct samples *s);

/* In microseconds; 'part' 0.5 is the median and 1 the maximum. Sorted, and there are some. */
double samples_us(const struct samples *s, double part);

#endif
