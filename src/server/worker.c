#include "server/worker.h"

#include "base/check.h"
#include "base/memory.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct worker {
    pthread_t thread;
    sem_t wanted; /* posted for each job and for the end */
    worker_function *run;
    void *job; /* NULL while idle; written by the loop, and only while the worker waits */
    atomic_bool finished;
    int event;
};

static void *work(void *context)
{
    struct worker *w = context;
    for (;;) {
        while (sem_wait(&w->wanted) != 0) CHECK(errno == EINTR);
        /* Posted without a job that is still to be done: the end. */
        if (w->job == NULL || atomic_load(&w->finished)) return NULL;
        w->run(w->job);
        atomic_store(&w->finished, true);
        uint64_t one = 1;
        ssize_t written = write(w->event, &one, sizeof one);
        CHECK(written == sizeof one);
    }
}

struct worker *worker_create(const char *name, worker_function *run)
{
    struct worker *w = memory_allocate_zeroed(sizeof *w);
    w->run = run;
    w->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    CHECK(w->event >= 0);
    int result = sem_init(&w->wanted, 0, 0);
    CHECK(result == 0);
    result = pthread_create(&w->thread, NULL, work, w);
    CHECK(result == 0);
    pthread_setname_np(w->thread, name);
    return w;
}

void worker_destroy(struct worker *w)
{
    sem_post(&w->wanted);
    int result = pthread_join(w->thread, NULL);
    CHECK(result == 0);
    sem_destroy(&w->wanted);
    close(w->event);
    memory_free(w, sizeof *w);
}

int worker_descriptor(const struct worker *w)
{
    return w->event;
}

void worker_acknowledge(struct worker *w)
{
    uint64_t count;
    ssize_t size = read(w->event, &count, sizeof count);
    CHECK(size == sizeof count || errno == EAGAIN);
}

void worker_await(const struct worker *w, int milliseconds)
{
    CHECK(w->job != NULL);
    CHECK(milliseconds >= 0);
    (void)poll(&(struct pollfd){.fd = w->event, .events = POLLIN}, 1, milliseconds);
}

void worker_start(struct worker *w, void *job)
{
    CHECK(w->job == NULL);
    CHECK(job != NULL);
    w->job = job;
    sem_post(&w->wanted);
}

void *worker_take(struct worker *w)
{
    if (w->job == NULL || !atomic_load(&w->finished)) return NULL;
    void *job = w->job;
    atomic_store(&w->finished, false);
    w->job = NULL;
    return job;
}
