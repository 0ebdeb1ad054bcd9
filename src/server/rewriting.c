/* CONFIG REWRITE, beside the loop: the file is on a disk that may stall, and a stall holds up only
 * those who asked.
 *
 *   event loop                      irmak-config                       event loop
 *   rewriting_begin ... move --a copy of the values--> config_rewrite --its error--> move: waiters
 *
 * One rewrite is under way at a time. Those who ask meanwhile share the next one, which takes the
 * values of the moment when it begins, so that it has everything that was set before any of them
 * asked. */
#include "server/config_rewrite.h"
#include "server/server_state.h"

void rewriting_run(void *job)
{
    struct rewriting *r = job;
    (void)config_rewrite(r->copy, &r->error);
}

uint64_t rewriting_begin(struct server *s, struct buf *error)
{
    struct rewriting *r = &s->rewriting;
    if (s->config->path.size == 0) {
        buf_append_text(error, "ERR The server is running without a config file");
        return 0;
    }
    r->asked = r->done + (r->copy == NULL ? 1 : 2);
    return r->asked;
}

/* Its waiters are tried when it ends, before the next one begins, so the error is theirs. */
bool rewriting_is_done(const struct server *s, uint64_t number, struct buf *error)
{
    const struct rewriting *r = &s->rewriting;
    CHECK(number > 0 && number <= r->asked);
    if (r->done < number) return false;
    CHECK(r->done == number);
    buf_append(error, buf_slice(&r->error));
    return true;
}

static void end(struct server *s)
{
    struct rewriting *r = &s->rewriting;
    if (r->error.size == 0)
        trace_write(&s->sink.trace, TRACE_NOTICE, "CONFIG REWRITE: %s", r->copy->path.data);
    else
        trace_write(&s->sink.trace, TRACE_WARNING, "CONFIG REWRITE: %.*s", (int)r->error.size,
                    r->error.data);
    config_destroy(r->copy);
    r->copy = NULL;
    r->done++;
    engine_wake_errands(s->engine);
}

void rewriting_move(struct server *s)
{
    struct rewriting *r = &s->rewriting;
    CHECK(r->done <= r->asked);
    if (r->copy != NULL && worker_take(s->config_worker) != NULL) end(s);
    if (r->copy != NULL || r->done == r->asked) return;
    r->error.size = 0;
    r->copy = config_copy(s->config);
    worker_start(s->config_worker, r);
}

void rewriting_deinit(struct rewriting *r)
{
    if (r->copy != NULL) config_destroy(r->copy);
    buf_deinit(&r->error);
}
