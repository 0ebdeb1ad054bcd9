#include "server/trace_sink.h"

#include "base/check.h"
#include "base/memory.h"
#include "env/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { HURRY_SECONDS = 1, DROPPED_BYTES = 64 };

struct trace_queue {
    struct trace_sink *sink;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct buf waiting; /* both have their memory from the start */
    struct buf writing; /* the thread's, while 'busy' */
    uint64_t dropped;   /* lines, since the last time that this was said */
    bool reopening;
    size_t reopen_at; /* in 'waiting': what is behind goes to the new file */
    bool busy;
    bool ending;
};

/* A trace that cannot be written has nobody to be told to. */
static void put(const struct trace_sink *sink, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t written = write(sink->descriptor, bytes, size);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return;
        bytes += written;
        size -= (size_t)written;
    }
}

/* Under the mutex. */
static void append(struct trace_queue *q, struct slice line)
{
    bool fits = q->waiting.size + line.size + DROPPED_BYTES <= TRACE_SINK_QUEUE_BYTES;
    if (fits && q->dropped > 0)
        buf_append_format(&q->waiting, "# %" PRIu64 " lines were dropped here\n", q->dropped);
    if (fits) q->dropped = 0;
    if (fits && q->waiting.size + line.size <= TRACE_SINK_QUEUE_BYTES)
        buf_append(&q->waiting, line);
    else q->dropped++;
    CHECK(q->waiting.size <= TRACE_SINK_QUEUE_BYTES);
    pthread_cond_broadcast(&q->changed);
}

static void enqueue(struct trace_queue *q, struct slice line)
{
    pthread_mutex_lock(&q->mutex);
    append(q, line);
    pthread_mutex_unlock(&q->mutex);
}

static size_t make_line(char line[TRACE_SINK_LINE_MAX], enum trace_level level, const char *text)
{
    static const char marks[] = {
        [TRACE_DEBUG] = '.', [TRACE_VERBOSE] = '-', [TRACE_NOTICE] = '*', [TRACE_WARNING] = '#'};
    int64_t now_us = clock_unix_us();
    time_t seconds = (time_t)(now_us / 1000000);
    struct tm local;
    localtime_r(&seconds, &local);
    char when[64];
    strftime(when, sizeof when, "%d %b %Y %H:%M:%S", &local);
    int size = snprintf(line, TRACE_SINK_LINE_MAX, "%d:M %s.%03d %c %s\n", getpid(), when,
                        (int)(now_us / 1000 % 1000), marks[level], text);
    CHECK(size > 0);
    if (size < TRACE_SINK_LINE_MAX) return (size_t)size;
    line[TRACE_SINK_LINE_MAX - 1] = '\n';
    return TRACE_SINK_LINE_MAX;
}

static void write_line(void *context, enum trace_level level, const char *text)
{
    const struct trace_sink *sink = context;
    char line[TRACE_SINK_LINE_MAX];
    if ((int)level < sink->level) return;
    size_t size = make_line(line, level, text);
    if (sink->queue != NULL) enqueue(sink->queue, (struct slice){line, size});
    else put(sink, line, size);
}

/* ---- the end of the process ---- */

static struct timespec hurry_end(void)
{
    int64_t end_us = clock_unix_us() + HURRY_SECONDS * INT64_C(1000000);
    return (struct timespec){.tv_sec = end_us / 1000000, .tv_nsec = end_us % 1000000 * 1000};
}

/* Under the mutex. */
static void await_written(struct trace_queue *q, const struct timespec *end)
{
    while (q->busy || q->waiting.size > 0)
        if (pthread_cond_timedwait(&q->changed, &q->mutex, end) != 0) break;
}

/* The thread that ends may be one that holds the mutex: then the lines are lost, after a second. */
static void keep_last_words(void *context, const char *sentence)
{
    const struct trace_sink *sink = context;
    struct trace_queue *q = sink->queue;
    char line[TRACE_SINK_LINE_MAX];
    size_t size = make_line(line, TRACE_WARNING, sentence);
    struct timespec end = hurry_end();
    if (q == NULL) {
        put(sink, line, size);
    } else if (pthread_mutex_timedlock(&q->mutex, &end) == 0) {
        await_written(q, &end); /* so that there is room */
        append(q, (struct slice){line, size});
        await_written(q, &end);
        pthread_mutex_unlock(&q->mutex);
    }
}

static int open_path(const char *path)
{
    return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
}

bool trace_sink_open(struct trace_sink *sink, const char *path, struct buf *problem)
{
    *sink = (struct trace_sink){.descriptor = STDOUT_FILENO, .level = TRACE_NOTICE, .path = path};
    sink->trace = (struct trace){write_line, sink};
    if (path[0] != '\0') sink->descriptor = open_path(path);
    if (sink->descriptor >= 0) {
        check_keep_last_words(keep_last_words, sink);
        return true;
    }
    buf_append_format(problem, "logfile %s: %s", path, strerror(errno));
    sink->descriptor = STDOUT_FILENO;
    return false;
}

static void reopen(struct trace_sink *sink)
{
    int fresh = open_path(sink->path);
    if (fresh < 0) {
        trace_write(&sink->trace, TRACE_WARNING, "logfile %s: %s", sink->path, strerror(errno));
        return;
    }
    /* The number stays the same, so other threads go on writing without noticing. */
    if (dup3(fresh, sink->descriptor, O_CLOEXEC) < 0)
        trace_write(&sink->trace, TRACE_WARNING, "logfile %s: %s", sink->path, strerror(errno));
    close(fresh);
}

/* What to do next: false at the end, when everything is written. */
static bool take_work(struct trace_queue *q, bool *reopening, size_t *reopen_at)
{
    pthread_mutex_lock(&q->mutex);
    q->busy = false;
    pthread_cond_broadcast(&q->changed);
    while (q->waiting.size == 0 && !q->reopening && !q->ending)
        pthread_cond_wait(&q->changed, &q->mutex);
    struct buf empty = q->writing;
    q->writing = q->waiting;
    q->waiting = empty;
    q->waiting.size = 0;
    *reopening = q->reopening;
    *reopen_at = q->reopening ? q->reopen_at : q->writing.size;
    q->reopening = false;
    q->busy = q->writing.size > 0 || *reopening;
    bool going = q->busy;
    pthread_mutex_unlock(&q->mutex);
    return going;
}

static void *write_lines(void *context)
{
    struct trace_queue *q = context;
    bool reopening;
    size_t before;
    while (take_work(q, &reopening, &before)) {
        CHECK(before <= q->writing.size);
        put(q->sink, q->writing.data, before);
        if (reopening) reopen(q->sink);
        put(q->sink, q->writing.data + before, q->writing.size - before);
    }
    return NULL;
}

void trace_sink_start(struct trace_sink *sink)
{
    CHECK(sink->queue == NULL);
    struct trace_queue *q = memory_allocate_zeroed(sizeof *q);
    q->sink = sink;
    buf_reserve(&q->waiting, TRACE_SINK_QUEUE_BYTES);
    buf_reserve(&q->writing, TRACE_SINK_QUEUE_BYTES);
    int result = pthread_mutex_init(&q->mutex, NULL);
    CHECK(result == 0);
    result = pthread_cond_init(&q->changed, NULL);
    CHECK(result == 0);
    sink->queue = q;
    result = pthread_create(&q->thread, NULL, write_lines, q);
    CHECK(result == 0);
    pthread_setname_np(q->thread, "irmak-trace");
}

static void end_queue(struct trace_queue *q)
{
    pthread_mutex_lock(&q->mutex);
    q->ending = true;
    pthread_cond_broadcast(&q->changed);
    pthread_mutex_unlock(&q->mutex);
    int result = pthread_join(q->thread, NULL);
    CHECK(result == 0);
    pthread_cond_destroy(&q->changed);
    pthread_mutex_destroy(&q->mutex);
    buf_deinit(&q->waiting);
    buf_deinit(&q->writing);
    memory_free(q, sizeof *q);
}

void trace_sink_close(struct trace_sink *sink)
{
    check_keep_last_words(NULL, NULL);
    if (sink->queue != NULL) end_queue(sink->queue);
    sink->queue = NULL;
    if (sink->descriptor != STDOUT_FILENO) close(sink->descriptor);
    sink->descriptor = STDOUT_FILENO;
}

void trace_sink_hurry(struct trace_sink *sink)
{
    struct trace_queue *q = sink->queue;
    struct timespec end = hurry_end();
    if (q == NULL) return;
    pthread_mutex_lock(&q->mutex);
    await_written(q, &end);
    pthread_mutex_unlock(&q->mutex);
}

void trace_sink_reopen(struct trace_sink *sink)
{
    struct trace_queue *q = sink->queue;
    if (sink->path[0] == '\0') return;
    if (q == NULL) {
        reopen(sink);
        return;
    }
    pthread_mutex_lock(&q->mutex);
    q->reopening = true;
    q->reopen_at = q->waiting.size;
    pthread_cond_broadcast(&q->changed);
    pthread_mutex_unlock(&q->mutex);
}
