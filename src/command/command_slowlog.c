/* command_slowlog.c - SLOWLOG: what the slow log holds, told and forgotten. */
#include "base/check.h"
#include "command/arguments.h"
#include "command/commands.h"

enum { SLOWLOG_COUNT_DEFAULT = 10 };

static void answer_entry(struct reply *r, const struct slow_entry *e)
{
    reply_array(r, 6);
    reply_integer(r, (int64_t)e->id);
    reply_integer(r, e->time_s);
    reply_integer(r, e->duration_us);
    reply_array(r, e->arguments_count);
    for (size_t i = 0; i < e->arguments_count; i++) reply_bulk(r, e->arguments[i]);
    reply_bulk(r, e->address);
    reply_bulk(r, e->name);
}

enum outcome command_slowlog_get(struct command_context *c)
{
    struct slow_log *log = &c->monitor->slow_log;
    int64_t count = SLOWLOG_COUNT_DEFAULT;
    if (c->arguments_count > 3) return refuse_subcommand(c);
    if (c->arguments_count == 3 && (!number_parse_i64(c->arguments[2], &count) || count < -1))
        return refuse(c, REPLY_ERROR_SLOWLOG_COUNT);
    size_t left = count < 0 || (uint64_t)count > log->count ? log->count : (size_t)count;
    reply_array(c->reply, left);
    for (struct list *at = log->entries.next; left > 0; at = at->next, left--) {
        CHECK(at != &log->entries);
        answer_entry(c->reply, CONTAINER_OF(at, struct slow_entry, link));
    }
    return OUTCOME_REPLIED;
}

enum outcome command_slowlog_len(struct command_context *c)
{
    reply_integer(c->reply, (int64_t)c->monitor->slow_log.count);
    return OUTCOME_REPLIED;
}

enum outcome command_slowlog_reset(struct command_context *c)
{
    slow_log_reset(&c->monitor->slow_log);
    reply_ok(c->reply);
    return OUTCOME_REPLIED;
}
