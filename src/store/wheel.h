/* wheel.h - records filed by the time at which somebody should look at them.
 *
 * A hierarchical timing wheel (Varghese and Lauck 1987): five levels of 1024 buckets, the level of
 * a record being the highest ten-bit digit in which its time differs from the wheel's, its bucket
 * that digit. So level 0 is exact to the millisecond, and a record of a higher level comes out at
 * the beginning of its bucket and is filed again, lower, by whoever wants it at its exact time.
 *
 *      level 4        level 3       level 2      level 1     level 0
 *      35 years each  12 days       17 minutes   1 second    1 ms
 *
 * Records are 64 bits that mean nothing here. They cannot be found and taken back: one that has
 * lost its meaning is recognised when it comes out. They lie in chunks that double up to 4 KiB, so
 * a record costs little more than its eight bytes and no operation copies more than a few.
 *
 * The wheel has no clock: its time is what its user last said, and never goes back.
 *
 * Invariant: in a level > 0 only buckets after the wheel's own digit hold records, except the one
 * that wheel_pop is emptying, at whose beginning the wheel stands until it is empty; in level 0
 * the bucket of its own digit may hold some too. */
#ifndef STORE_WHEEL_H
#define STORE_WHEEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    WHEEL_LEVELS = 5,
    WHEEL_DIGIT_BITS = 10,
    WHEEL_BUCKETS = 1 << WHEEL_DIGIT_BITS,
};
#define WHEEL_TIME_MAX (((int64_t)1 << (WHEEL_LEVELS * WHEEL_DIGIT_BITS)) - 1) /* year 37658 */

struct wheel;

struct wheel *wheel_create(int64_t now_ms);
void wheel_destroy(struct wheel *w);

/* Files a record. A time before the wheel's is the wheel's, one after WHEEL_TIME_MAX is that. */
void wheel_file(struct wheel *w, int64_t time_ms, uint64_t record);

/* Takes out a record whose bucket has begun at now_ms; false: there is none. Moves the wheel's
 * time to that beginning, and to now_ms when there is none. */
bool wheel_pop(struct wheel *w, int64_t now_ms, uint64_t *record);

/* The record that wheel_pop will return 'ahead' calls after the last one, if it is near. */
bool wheel_peek(const struct wheel *w, size_t ahead, uint64_t *record);

/* Throws away up to one chunk of records. For a wheel whose records have all lost their meaning. */
void wheel_discard(struct wheel *w);

/* When wheel_pop will next return something; INT64_MAX: the wheel is empty. */
int64_t wheel_next_ms(const struct wheel *w);

int64_t wheel_time_ms(const struct wheel *w);
uint64_t wheel_count(const struct wheel *w);

#endif
