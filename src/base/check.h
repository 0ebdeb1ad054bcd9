/* check.h - assertions that stay on in production.
 *
 * CHECK is for our own bugs only: a failed check means that this process no longer knows what it
 * is doing, so it stops before it can damage the log or tell a client something wrong. Input from
 * a client or from a file is never CHECKed; what is wrong with it is a return value. */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

#include <stdbool.h>

_Noreturn void check_failed(const char *expression, const char *file, int line);

#define CHECK(x) (__builtin_expect(!!(x), 1) ? (void)0 : check_failed(#x, __FILE__, __LINE__))

/* IMPLIES(a, b): whenever a holds, b must hold too. */
#define IMPLIES(a, b) (!(a) || (b))

#endif
