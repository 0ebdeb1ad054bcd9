/* engine.c - one engine: its sessions, and the tick.
 *
 * A session stands in the lists that say what it waits for, in any number of them:
 *
 *      runnable   its turn: it has input to execute
 *      paused     that its client reads, or the log catches up; then it is runnable again, or makes
 *                 the next portion of a long reply
 *      gated      that an LSN is durable: replies are held back
 *      closing    that what may leave has left
 *      ready      that the owner looks at it
 *
 * A request goes through session_feed, run_session, execute, answered and replied, and through
 * engine_release when its LSN is durable. One that waits goes from execute to begin_wait, and later
 * from wake to waited, which is answered too.
 *
 * What others are to see happens between two requests: after each of them wake_touched offers the
 * keys that it changed to those who wait. */
#include "engine/engine.h"

#include "base/limits.h"
#include "base/memory.h"
#include "engine/ahead.h"
#include "engine/session.h"

/* Work of one kind in one tick: what is left over goes on in the next (engine_busy). */
enum {
    SESSION_REQUESTS_PER_TICK = 8192,
    EXPIRE_STEPS_PER_TICK = 2000,
    PORTIONS_PER_TICK = 8, /* of long replies: 2 MiB, some milliseconds */
};

struct engine {
    struct db *db;
    const struct host *host;
    struct engine_limits limits;
    struct request_limits request_limits; /* once authenticated */
    struct session_host sessions_host;
    struct waiters waiters;
    struct list sessions; /* in order of id */
    struct list runnable;
    struct list gated;
    struct list paused;
    struct list closing;
    struct list ready;
    struct ahead ahead;
    struct monitor monitor;
    struct session *running;     /* whose command runs now; NULL: none */
    struct session *listed_last; /* where sessions_host.next stopped: listing is not quadratic */
    struct log_position log;
    lsn_t released_lsn; /* the durable one of the last release: every gate is above it */
    int64_t now_us;
    int64_t now_ms;
    int64_t clock_ns; /* when the last command of this tick ended; 0: none did */
    uint64_t last_id;
    bool loading;  /* the db is empty until engine_loaded */
    bool expiring; /* more keys are due than one tick may remove */
    bool stopped;  /* nothing changes any more, or the log would never come to rest */
    struct engine_figures figures;
};

/* ---- what commands may ask about other sessions ---- */

static struct session *session_after(const struct engine *e, uint64_t id)
{
    const struct list *from = &e->sessions;
    struct session *last = e->listed_last;
    if (last != NULL && last->client.id == id + 1) return last; /* listed, and now to be killed */
    if (last != NULL && last->client.id <= id) from = &last->all;
    for (struct list *at = from->next; at != &e->sessions; at = at->next) {
        struct session *s = CONTAINER_OF(at, struct session, all);
        if (s->client.id > id) return s;
    }
    return NULL;
}

static const struct client *next_client(void *context, uint64_t after_id)
{
    struct engine *e = context;
    struct session *s = session_after(e, after_id);
    e->listed_last = s;
    if (s == NULL) return NULL;
    s->client.input_buffer_bytes = s->input.size;
    s->client.output_buffer_bytes = session_unsent_bytes(s);
    s->client.output_bytes = s->output.sent;
    return &s->client;
}

static void mark_ready(struct engine *e, struct session *s)
{
    if (list_empty(&s->ready)) list_append(&e->ready, &s->ready);
}

/* The db notes changed keys for those who wait, and for nobody else. */
static void watch(struct engine *e)
{
    enum db_watching watching = DB_WATCH_NOTHING;
    if (e->waiters.pending_count > 0) watching = DB_WATCH_PENDING;
    else if (e->waiters.count > 0) watching = DB_WATCH_KEYS;
    db_watch(e->db, watching);
}

static void end_wait(struct engine *e, struct session *s)
{
    CHECK(s->waiter != NULL);
    waiters_remove(&e->waiters, s->waiter);
    s->waiter = NULL;
    watch(e);
}

static void begin_closing(struct engine *e, struct session *s)
{
    if (s->waiter != NULL) end_wait(e, s);
    transaction_discard(&s->client.transaction, e->db);
    session_move(s, SESSION_CLOSING);
    s->fed = (struct slice){0};
    session_drop_rest(s); /* the client sees its reply break off */
    list_remove(&s->runnable);
    list_remove(&s->paused);
    if (list_empty(&s->closing)) list_append(&e->closing, &s->closing);
    mark_ready(e, s);
}

void session_abort(struct session *s)
{
    s->aborted = true;
    begin_closing(s->engine, s);
}

static bool kill_client(void *context, uint64_t id)
{
    struct engine *e = context;
    struct session *s = session_after(e, id - 1);
    if (id == 0 || s == NULL || s->client.id != id) return false;
    if (s == e->running) s->client.close_after_reply = true;
    else session_abort(s);
    return true;
}

static bool unblock_client(void *context, uint64_t id, bool with_error); /* with the waits */

/* ---- life ---- */

struct engine *engine_create(const struct engine_options *options)
{
    struct engine *e = memory_allocate_zeroed(sizeof *e);
    e->db = options->db;
    e->host = options->host;
    e->loading = options->loading;
    CHECK(IMPLIES(e->loading, db_appended_lsn(e->db) == 0));
    engine_set_limits(e, &options->limits);
    e->sessions_host = (struct session_host){e, next_client, kill_client, unblock_client};
    waiters_init(&e->waiters, options->host->random(options->host->context));
    list_init(&e->sessions);
    list_init(&e->runnable);
    list_init(&e->gated);
    list_init(&e->paused);
    list_init(&e->closing);
    list_init(&e->ready);
    monitor_init(&e->monitor);
    return e;
}

void engine_destroy(struct engine *e)
{
    while (!list_empty(&e->sessions))
        engine_close_session(e, CONTAINER_OF(e->sessions.next, struct session, all));
    waiters_deinit(&e->waiters);
    monitor_deinit(&e->monitor);
    memory_free(e, sizeof *e);
}

void engine_set_limits(struct engine *e, const struct engine_limits *limits)
{
    CHECK(limits->request_bytes_max <= request_limits_full.request_bytes_max);
    CHECK(limits->bulk_bytes_max <= request_limits_full.bulk_bytes_max);
    e->limits = *limits;
    if (limits->portion_bytes == 0) e->limits.portion_bytes = REPLY_PORTION_BYTES;
    e->request_limits = request_limits_full;
    if (limits->request_bytes_max > 0)
        e->request_limits.request_bytes_max = limits->request_bytes_max;
    if (limits->bulk_bytes_max > 0) e->request_limits.bulk_bytes_max = limits->bulk_bytes_max;
}

/* Whoever watches a key of the db that goes will find it changed. */
static void break_watches(struct engine *e)
{
    for (struct list *at = e->sessions.next; at != &e->sessions; at = at->next) {
        struct session *s = CONTAINER_OF(at, struct session, all);
        struct watcher *watcher = &s->client.transaction.watcher;
        if (watcher->count == 0) continue;
        db_unwatch(e->db, watcher);
        watcher->broken = true;
    }
}

void engine_loaded(struct engine *e, struct db *db)
{
    CHECK(e->loading);
    CHECK(db != e->db);
    /* No command that waits for data is served while loading: for errands at most. */
    CHECK(e->waiters.keys.count == 0);
    CHECK(list_empty(&e->waiters.synced));
    break_watches(e);
    e->db = db;
    e->loading = false;
}

struct session *engine_open_session(struct engine *e, const struct session_options *options,
                                    int64_t now_ms)
{
    struct session *s = session_create(e, options, ++e->last_id, now_ms);
    s->client.authenticated = e->host->password(e->host->context).size == 0;
    list_append(&e->sessions, &s->all);
    e->figures.sessions++;
    e->figures.sessions_opened++;
    return s;
}

void engine_close_session(struct engine *e, struct session *s)
{
    CHECK(e->figures.sessions > 0);
    if (s->waiter != NULL) end_wait(e, s);
    transaction_discard(&s->client.transaction, e->db);
    if (e->listed_last == s) e->listed_last = NULL;
    e->figures.sessions--;
    e->figures.input_bytes += s->client.input_bytes;
    session_destroy(s);
}

bool session_wants_input(const struct session *s)
{
    if (s->state == SESSION_CLOSING || !list_empty(&s->paused) || s->backlog) return false;
    return s->state == SESSION_READY || s->input.size == 0;
}

bool session_executed(const struct session *s)
{
    return s->fed.size == 0 && (s->input.size == 0 || s->incomplete) && s->rest == NULL;
}

/* ---- execution ---- */

static struct reply make_reply(struct engine *e, struct session *s)
{
    s->output.unsent_max = e->limits.output_bytes_max;
    return (struct reply){
        .version = s->client.resp, .out = &s->output, .errors = &e->monitor.errors};
}

static struct command_context make_context(struct engine *e, struct session *s, struct reply *reply,
                                           struct wait *wait)
{
    return (struct command_context){.client = &s->client,
                                    .db = e->db,
                                    .reply = reply,
                                    .host = e->host,
                                    .sessions = &e->sessions_host,
                                    .monitor = &e->monitor,
                                    .wait = wait,
                                    .now_us = e->now_us,
                                    .now_ms = e->now_ms,
                                    .loading = e->loading};
}

static void pause_session(struct engine *e, struct session *s)
{
    if (s->state != SESSION_CLOSING && list_empty(&s->paused)) list_append(&e->paused, &s->paused);
}

/* Is the log so far behind that a session whose reply waits for its end should do no more? Others
 * go on: who reads what is durable does not make it longer. */
static bool is_ahead_of_log(const struct engine *e, lsn_t lsn)
{
    return lsn > 0 && lsn == db_appended_lsn(e->db) &&
           db_pending_bytes(e->db) > LOG_PENDING_BYTES_MAX;
}

static void close_if_over_limit(struct engine *e, struct session *s)
{
    size_t unsent = session_unsent_bytes(s);
    size_t allowed = s->client.authenticated ? e->limits.output_bytes_max : OUTPUT_LOGIN_BYTES_MAX;
    /* What is spoilt lacks bytes, also when CONFIG SET in EXEC has raised the limit since. */
    bool over = unsent > allowed || s->output.spoilt;
    if (over && s->state != SESSION_CLOSING) {
        e->figures.output_limit_closes++;
        session_abort(s);
    } else if (unsent > e->limits.output_bytes_pause) {
        pause_session(e, s);
    }
}

/* The reply of a command is complete: when may it leave, and what becomes of the session? */
static void replied(struct engine *e, struct session *s, lsn_t lsn)
{
    session_gate(s, lsn, &e->log);
    if (s->gates_count > 0 && list_empty(&s->gated)) list_append(&e->gated, &s->gated);
    if (chain_sendable(&s->output)) mark_ready(e, s);
    close_if_over_limit(e, s); /* first: what is spoilt is never sent, not even as the last reply */
    if (s->state != SESSION_CLOSING && s->client.close_after_reply) begin_closing(e, s);
    if (is_ahead_of_log(e, lsn)) pause_session(e, s);
}

/* CLIENT REPLY: drops a reply that its client does not want. A request that waits keeps its
 * skip_reply until it is answered. */
static void apply_reply_mode(struct session *s, uint64_t position)
{
    struct client *client = &s->client;
    bool skip = client->skip_reply;
    client->skip_reply = false;
    if (client->reply_mode == CLIENT_REPLY_ON && !skip) return;
    chain_truncate(&s->output, position);
    if (client->reply_mode != CLIENT_REPLY_SKIP) return;
    client->reply_mode = CLIENT_REPLY_ON;
    client->skip_reply = true;
}

static struct reply_portions make_portions(const struct engine *e, const struct session *s)
{
    return (struct reply_portions){.begin = s->output.appended, .bytes = e->limits.portion_bytes};
}

/* The command has replied, with a first portion perhaps. */
static void answered(struct engine *e, struct session *s, const struct reply_portions *portions,
                     lsn_t lsn)
{
    apply_reply_mode(s, portions->begin);
    bool wanted = s->output.appended > portions->begin;
    replied(e, s, lsn);
    if (portions->rest == NULL) return;
    CHECK(s->rest == NULL);
    s->rest = portions->rest;
    if (wanted && s->state != SESSION_CLOSING) pause_session(e, s);
    else session_drop_rest(s);
}

/* Makes the next portion of a reply. Whatever it depends on, the first one waits for it, and they
 * leave in order. */
static void answer_on(struct engine *e, struct session *s)
{
    struct reply reply = {.version = s->client.resp, .out = &s->output};
    CHECK(s->state == SESSION_READY);
    CHECK(s->rest != NULL);
    uint64_t end = s->output.appended + e->limits.portion_bytes;
    if (!s->rest->next(s->rest, &reply, end)) session_drop_rest(s);
    CHECK(!reply.failed);
    replied(e, s, 0);
}

/* A session with something to execute waits for its turn. */
static void make_runnable(struct engine *e, struct session *s)
{
    if (s->state != SESSION_READY || !list_empty(&s->paused)) return;
    if (s->input.size == 0 || s->incomplete || !list_empty(&s->runnable)) return;
    list_append(&e->runnable, &s->runnable);
}

/* A session that waited goes on; input behind it had stopped the owner from reading. */
static void go_on(struct engine *e, struct session *s)
{
    if (s->input.size > 0) mark_ready(e, s);
    make_runnable(e, s);
}

/* The reply of a command that waited stands there, or its first portion. */
static void waited(struct engine *e, struct session *s, const struct reply_portions *portions,
                   lsn_t lsn)
{
    end_wait(e, s);
    session_move(s, SESSION_READY);
    answered(e, s, portions, lsn);
    go_on(e, s);
}

static void wake(void *context, struct waiter *waiter)
{
    struct engine *e = context;
    struct session *s = waiter->owner;
    struct reply reply = make_reply(e, s);
    struct command_context c = make_context(e, s, &reply, &waiter->wait);
    struct reply_portions portions = make_portions(e, s);
    lsn_t lsn;
    CHECK(s->state == SESSION_WAITING);
    CHECK(s->waiter == waiter);
    c.portions = &portions;
    c.arguments = waiter->arguments;
    c.arguments_count = waiter->arguments_count;
    e->clock_ns = 0; /* the next command of the tick does not pay for this one */
    if (command_resume(&c, &waiter->wait, &lsn) == OUTCOME_WAIT) {
        CHECK(waiter->wait.wake_ms == 0 || waiter->wait.wake_ms > e->now_ms);
        waiters_settle(&e->waiters, waiter);
        return;
    }
    waited(e, s, &portions, lsn);
}

/* Before the next command can undo what a waiter is waiting for. */
static void wake_touched(struct engine *e)
{
    struct db_touched touched;
    while (e->waiters.count > 0 && db_take_touched(e->db, &touched))
        waiters_wake(&e->waiters, &touched, wake, e);
}

/* The session gets the error, or (NULL) the reply of a deadline that passed. Either says that
 * nothing happened: there is no change to wait for. */
static void give_up_wait(struct engine *e, struct session *s, const enum reply_error *error)
{
    struct reply reply = make_reply(e, s);
    struct reply_portions portions = make_portions(e, s);
    struct command_context c = make_context(e, s, &reply, &s->waiter->wait);
    CHECK(s->state == SESSION_WAITING);
    c.arguments = s->waiter->arguments;
    c.arguments_count = s->waiter->arguments_count;
    if (error == NULL) s->waiter->wait.expired(&c, &s->waiter->wait);
    else reply_error(&reply, *error);
    waited(e, s, &portions, 0);
}

static bool unblock_client(void *context, uint64_t id, bool with_error)
{
    static const enum reply_error error = REPLY_ERROR_UNBLOCKED;
    struct engine *e = context;
    struct session *s = id == 0 ? NULL : session_after(e, id - 1);
    if (s == NULL || s->client.id != id || s->state != SESSION_WAITING) return false;
    CHECK(s != e->running);
    give_up_wait(e, s, with_error ? &error : NULL);
    return true;
}

static void begin_wait(struct engine *e, struct session *s, const struct wait *wait,
                       const struct command_context *c)
{
    CHECK(s->waiter == NULL);
    s->waiter = waiters_add(&e->waiters, s, wait, c);
    session_move(s, SESSION_WAITING);
    watch(e);
}

static void execute(struct engine *e, struct session *s, const struct slice *arguments,
                    size_t arguments_count)
{
    struct reply reply = make_reply(e, s);
    struct wait wait = {0};
    struct command_context c = make_context(e, s, &reply, &wait);
    struct reply_portions portions = make_portions(e, s);
    lsn_t lsn;
    c.portions = &portions;
    c.arguments = arguments;
    c.arguments_count = arguments_count;
    s->client.requests++;
    s->client.last_request_ms = e->now_ms;
    e->figures.requests++;
    c.clock_ns = e->clock_ns;
    e->running = s;
    enum outcome outcome = command_execute(&c, &lsn);
    e->running = NULL;
    e->clock_ns = c.clock_ns;
    if (outcome == OUTCOME_WAIT) {
        CHECK(portions.rest == NULL);
        begin_wait(e, s, &wait, &c);
    } else {
        answered(e, s, &portions, lsn);
    }
    if (e->waiters.count > 0) wake_touched(e);
}

static void refuse(struct engine *e, struct session *s)
{
    struct reply reply = make_reply(e, s);
    reply_error_message(&reply, slice_of(s->parser.error));
    s->client.close_after_reply = true;
    replied(e, s, 0);
}

static bool may_execute(const struct session *s)
{
    return s->state == SESSION_READY && list_empty(&s->paused);
}

/* Executes requests of a pipeline that were parsed ahead; returns how many bytes those took that
 * ran. One that logs out makes the limits smaller that the others were parsed with. */
static size_t run_ahead(struct engine *e, struct session *s, struct slice input)
{
    size_t consumed = 0;
    e->ahead.count = 0;
    if (!s->client.authenticated || !request_is_reset(&s->parser)) return 0;
    ahead_parse(&e->ahead, &s->parser, input, &e->request_limits);
    ahead_prefetch(&e->ahead, e->db, s->client.database);
    for (size_t i = 0; i < e->ahead.count; i++) {
        const struct ahead_request *r = &e->ahead.requests[i];
        consumed += r->bytes;
        execute(e, s, r->arguments, r->arguments_count);
        if (!may_execute(s) || !s->client.authenticated) break;
    }
    return consumed;
}

/* Executes requests from the front of 'input'; returns how many bytes they took. */
static size_t run_requests(struct engine *e, struct session *s, struct slice input)
{
    size_t consumed = 0;
    for (size_t i = 0; i < SESSION_REQUESTS_PER_TICK && may_execute(s); i += 1 + e->ahead.count) {
        consumed += run_ahead(e, s, (struct slice){input.data + consumed, input.size - consumed});
        struct slice rest = {input.data + consumed, input.size - consumed};
        if (!may_execute(s) || rest.size == 0) break;
        /* HTTP, TLS, SSH: a browser was made to speak to us, or the port is wrong. */
        if (rest.data[0] != '*' && request_is_foreign(rest)) {
            session_abort(s);
            return input.size;
        }
        enum request_status status = request_parse(
            &s->parser, rest, s->client.authenticated ? &e->request_limits : &request_limits_login);
        s->incomplete = status == REQUEST_INCOMPLETE;
        if (status == REQUEST_INCOMPLETE) break;
        if (status == REQUEST_MALFORMED) {
            refuse(e, s);
            return input.size;
        }
        /* Before the command runs: what it borrows stays where it is until the tick ends. */
        consumed += s->parser.bytes_consumed;
        if (status == REQUEST_READY) execute(e, s, s->parser.arguments, s->parser.arguments_count);
    }
    return consumed;
}

static void run_session(struct engine *e, struct session *s)
{
    struct slice fed = s->fed;
    s->fed = (struct slice){0};
    if (s->input.size > 0) {
        buf_append(&s->input, fed);
        buf_consume(&s->input, run_requests(e, s, buf_slice(&s->input)));
    } else {
        size_t consumed = run_requests(e, s, fed);
        buf_append(&s->input, (struct slice){fed.data + consumed, fed.size - consumed});
    }
    bool backlog = s->state == SESSION_READY && list_empty(&s->paused) && !session_executed(s);
    if (backlog != s->backlog) mark_ready(e, s);
    s->backlog = backlog;
    if (s->input.size > 0 && s->state != SESSION_CLOSING) return;
    buf_deinit(&s->input);
    request_reset(&s->parser);
}

static void run_sessions(struct engine *e)
{
    struct list turn; /* a session that becomes runnable again waits for the next tick */
    list_init(&turn);
    while (!list_empty(&e->runnable)) {
        struct list *node = e->runnable.next;
        list_remove(node);
        list_append(&turn, node);
    }
    while (!list_empty(&turn)) {
        struct session *s = CONTAINER_OF(turn.next, struct session, runnable);
        list_remove(&s->runnable);
        run_session(e, s);
        make_runnable(e, s);
    }
}

/* ---- input ---- */

void session_feed(struct session *s, struct slice bytes)
{
    CHECK(s->fed.size == 0);
    s->client.input_bytes += bytes.size;
    if (s->state == SESSION_CLOSING || bytes.size == 0) return;
    s->incomplete = false;
    if (s->state == SESSION_READY && list_empty(&s->paused)) {
        s->fed = bytes;
        if (list_empty(&s->runnable)) list_append(&s->engine->runnable, &s->runnable);
    } else {
        buf_append(&s->input, bytes);
    }
}

void session_input_received(struct session *s, size_t size)
{
    buf_advance(&s->input, size);
    s->client.input_bytes += size;
    s->incomplete = false;
    make_runnable(s->engine, s);
}

/* ---- the tick ---- */

/* Has the client of a paused session read enough for it to go on, and the log caught up? While the
 * disk is full the log does not, but then no command can make it longer. To go on with a reply, a
 * portion has to be left at most. */
static bool may_go_on(const struct engine *e, const struct session *s)
{
    if (s->rest != NULL) return session_unsent_bytes(s) <= e->limits.portion_bytes;
    if (session_unsent_bytes(s) > e->limits.output_bytes_pause / 2) return false;
    return db_pending_bytes(e->db) <= LOG_PENDING_BYTES_MAX / 2 || !db_writable(e->db);
}

/* Those whose turn it was to make a portion stand behind the others for the next tick. */
static void unpause_sessions(struct engine *e)
{
    struct list *next, served;
    size_t portions = PORTIONS_PER_TICK;
    list_init(&served);
    for (struct list *at = e->paused.next; at != &e->paused; at = next) {
        struct session *s = CONTAINER_OF(at, struct session, paused);
        next = at->next;
        if (!may_go_on(e, s)) continue;
        if (s->rest != NULL) {
            if (portions == 0) continue;
            portions--;
            answer_on(e, s);
            if (s->state == SESSION_CLOSING) continue;
            list_remove(&s->paused);
            list_append(&served, &s->paused);
            continue;
        }
        list_remove(&s->paused);
        mark_ready(e, s);
        make_runnable(e, s);
    }
    while (!list_empty(&served)) {
        struct list *node = served.next;
        list_remove(node);
        list_append(&e->paused, node);
    }
}

/* Each step ends a wait, or moves the timer of one into the future. */
static void expire_waiters(struct engine *e)
{
    struct waiter *waiter;
    while ((waiter = waiters_due(&e->waiters, e->now_ms)) != NULL) {
        if (waiter_is_timed(waiter, e->now_ms)) wake(e, waiter);
        else give_up_wait(e, waiter->owner, NULL);
    }
}

void engine_tick(struct engine *e, int64_t now_us)
{
    if (now_us > e->now_us) e->now_us = now_us;
    e->now_ms = e->now_us / 1000;
    db_set_now(e->db, e->now_ms);
    e->log = (struct log_position){db_durable_lsn(e->db), db_appended_lsn(e->db)};
    e->clock_ns = 0;
    unpause_sessions(e);
    run_sessions(e);
    e->expiring = !e->stopped && db_expire(e->db, EXPIRE_STEPS_PER_TICK);
    db_snapshot_step(e->db);
    if (e->waiters.count > 0) wake_touched(e);
    expire_waiters(e);
    if (e->waiters.count > 0) wake_touched(e); /* what a timer let one waiter claim */
    for (struct list *at = e->closing.next; at != &e->closing; at = at->next)
        mark_ready(e, CONTAINER_OF(at, struct session, closing));
}

bool engine_busy(const struct engine *e)
{
    if (e->expiring || !list_empty(&e->runnable)) return true;
    for (struct list *at = e->paused.next; at != &e->paused; at = at->next)
        if (may_go_on(e, CONTAINER_OF(at, struct session, paused))) return true;
    return false;
}

int64_t engine_due_ms(const struct engine *e)
{
    int64_t due = waiters_due_ms(&e->waiters);
    int64_t expiry = e->stopped ? INT64_MAX : db_expire_due_ms(e->db);
    int64_t flush = db_flush_due_ms(e->db);
    int64_t snapshot = db_snapshot_due_ms(e->db);
    if (expiry < due) due = expiry;
    if (snapshot < due) due = snapshot;
    return flush < due ? flush : due;
}

struct wal_flush *engine_flush_begin(struct engine *e)
{
    return db_flush_begin(e->db);
}

enum disk_status engine_flush_end(struct engine *e, struct wal_flush *flush)
{
    return db_flush_end(e->db, flush);
}

void engine_wake_errands(struct engine *e)
{
    waiters_wake_errands(&e->waiters, wake, e);
}

void engine_release(struct engine *e)
{
    struct list *next;
    lsn_t durable_lsn = db_durable_lsn(e->db);
    CHECK(durable_lsn >= e->log.durable_lsn);
    e->log.durable_lsn = durable_lsn;
    waiters_wake_synced(&e->waiters, db_synced_lsn(e->db), wake, e);
    if (durable_lsn == e->released_lsn) return;
    e->released_lsn = durable_lsn;
    for (struct list *at = e->gated.next; at != &e->gated; at = next) {
        struct session *s = CONTAINER_OF(at, struct session, gated);
        next = at->next;
        if (session_release(s, durable_lsn)) mark_ready(e, s);
        if (s->gates_count == 0) list_remove(&s->gated);
    }
}

struct session *engine_take_ready(struct engine *e)
{
    if (list_empty(&e->ready)) return NULL;
    struct session *s = CONTAINER_OF(e->ready.next, struct session, ready);
    list_remove(&s->ready);
    return s;
}

void engine_stop(struct engine *e)
{
    e->stopped = true;
    e->expiring = false;
    for (struct list *at = e->sessions.next; at != &e->sessions; at = at->next) {
        struct session *s = CONTAINER_OF(at, struct session, all);
        if (s->state != SESSION_CLOSING) begin_closing(e, s);
    }
    CHECK(e->waiters.count == 0);
}

struct monitor *engine_monitor(struct engine *e)
{
    return &e->monitor;
}

void engine_measure(const struct engine *e, struct engine_figures *figures)
{
    *figures = e->figures;
    figures->waiting = e->waiters.count;
    figures->statistics = e->monitor.statistics;
    figures->errors = &e->monitor.errors;
    for (struct list *at = e->sessions.next; at != &e->sessions; at = at->next) {
        const struct session *s = CONTAINER_OF(at, struct session, all);
        figures->input_bytes += s->client.input_bytes;
        figures->client_memory_bytes += session_memory_bytes(s);
    }
}

uint64_t engine_requests(const struct engine *e)
{
    return e->figures.requests;
}

void engine_reset_statistics(struct engine *e)
{
    monitor_reset_statistics(&e->monitor);
    e->figures.requests = 0;
    e->figures.output_limit_closes = 0;
}
