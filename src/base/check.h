/* check.h - assertions that stay on in production, and the end of a process that cannot go on.
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

/* Says the sentence on standard error, has the last words kept, and aborts. */
__attribute__((noreturn)) void check_abort(const char *sentence); /* so cppcheck knows it, too */

/* Whoever keeps diagnostics is given the last sentence, too, and the moment to write what it still
 * holds. It is called by the thread that ends, which may hold any lock, so it waits for none for
 * long. Called before there are threads, and when there are none left. NULL: nobody. */
typedef void check_last_words(void *context, const char *sentence);
void check_keep_last_words(check_last_words *keep, void *context);

#endif
