/* worker.h - a thread that runs one job at a time and says through a descriptor when it is done.
 *
 * It is how the event loop gets slow disk work out of its way: a job belongs to the worker from
 * worker_start until worker_take gives it back. A worker never sees a key. */
#ifndef SERVER_WORKER_H
#define SERVER_WORKER_H

#include <stdbool.h>

struct worker;

typedef void worker_function(void *job);

struct worker *worker_create(const char *name, worker_function *run);

/* Waits until a job that was started is done; whoever gave it ends it. */
void worker_destroy(struct worker *w);

/* Readable after each job; for epoll. */
int worker_descriptor(const struct worker *w);
void worker_acknowledge(struct worker *w); /* makes it unreadable again */

/* Waits at most 'milliseconds' for a job that was started; it is still to be taken. */
void worker_await(const struct worker *w, int milliseconds);

void worker_start(struct worker *w, void *job); /* the worker must have been idle */

/* The finished job, after which the worker is idle; NULL: idle, or still running. */
void *worker_take(struct worker *w);

#endif
