#include "engine/session.h"

#include "base/limits.h"
#include "base/memory.h"

#include <stdio.h>

enum { GATES_MIN = 4, INPUT_SPACE_MIN = 16 * 1024, INPUT_SPACE_MAX = 1024 * 1024 };

struct session *session_create(struct engine *e, const struct session_options *options, uint64_t id,
                               int64_t now_ms)
{
    struct session *s = memory_allocate_zeroed(sizeof *s);
    struct client *client = &s->client;
    client->id = id;
    snprintf(client->address, sizeof client->address, "%s", options->address);
    snprintf(client->local_address, sizeof client->local_address, "%s", options->local_address);
    client->descriptor = options->descriptor;
    client->unix_socket = options->unix_socket;
    client->connected_ms = now_ms;
    client->last_request_ms = now_ms;
    client->resp = RESP2;
    s->engine = e;
    s->owner = options->owner;
    s->state = SESSION_READY;
    request_init(&s->parser);
    list_init(&s->all);
    list_init(&s->runnable);
    list_init(&s->gated);
    list_init(&s->paused);
    list_init(&s->closing);
    list_init(&s->ready);
    return s;
}

void session_destroy(struct session *s)
{
    CHECK(s->waiter == NULL);
    session_drop_rest(s);
    list_remove(&s->all);
    list_remove(&s->runnable);
    list_remove(&s->gated);
    list_remove(&s->paused);
    list_remove(&s->closing);
    list_remove(&s->ready);
    buf_deinit(&s->client.name);
    buf_deinit(&s->client.library_name);
    buf_deinit(&s->client.library_version);
    request_deinit(&s->parser);
    buf_deinit(&s->input);
    chain_deinit(&s->output);
    memory_free(s->gates, s->gates_capacity * sizeof *s->gates);
    memory_free(s, sizeof *s);
}

void session_move(struct session *s, enum session_state to)
{
    static const bool allowed[SESSION_STATES][SESSION_STATES] = {
        [SESSION_READY] = {[SESSION_WAITING] = true, [SESSION_CLOSING] = true},
        [SESSION_WAITING] = {[SESSION_READY] = true, [SESSION_CLOSING] = true},
        [SESSION_CLOSING] = {[SESSION_CLOSING] = true}, /* killed twice is killed */
    };
    CHECK(allowed[s->state][to]);
    CHECK((to == SESSION_WAITING) == (s->waiter != NULL));
    s->state = to;
    s->client.blocked = to == SESSION_WAITING;
}

static void add_gate(struct session *s, struct gate gate)
{
    if (s->gates_first + s->gates_count == s->gates_capacity && s->gates_first > 0) {
        memmove(s->gates, s->gates + s->gates_first, s->gates_count * sizeof *s->gates);
        s->gates_first = 0;
    }
    if (s->gates_count == s->gates_capacity) {
        size_t capacity = s->gates_capacity == 0 ? GATES_MIN : s->gates_capacity * 2;
        s->gates = memory_resize(s->gates, s->gates_capacity * sizeof *s->gates,
                                 capacity * sizeof *s->gates);
        s->gates_capacity = capacity;
    }
    s->gates[s->gates_first + s->gates_count++] = gate;
}

void session_gate(struct session *s, lsn_t lsn, const struct log_position *log)
{
    uint64_t position = s->output.appended;
    if (s->gates_count == 0) {
        if (lsn <= log->durable_lsn) chain_release(&s->output, position);
        else add_gate(s, (struct gate){position, lsn});
        return;
    }
    /* Replies leave in order, so this one waits for the last gate anyway. A higher LSN moves that
     * gate when both were appended in this tick, because one group commit carries them; so there
     * are no more gates than group commits under way. */
    struct gate *last = &s->gates[s->gates_first + s->gates_count - 1];
    CHECK(last->position <= position);
    if (lsn > last->lsn && last->lsn <= log->tick_lsn) {
        add_gate(s, (struct gate){position, lsn});
        return;
    }
    last->position = position;
    if (lsn > last->lsn) last->lsn = lsn;
}

bool session_release(struct session *s, lsn_t durable_lsn)
{
    bool released = false;
    while (s->gates_count > 0 && s->gates[s->gates_first].lsn <= durable_lsn) {
        chain_release(&s->output, s->gates[s->gates_first].position);
        s->gates_first++;
        s->gates_count--;
        released = true;
    }
    if (s->gates_count == 0) s->gates_first = 0;
    return released;
}

void session_drop_rest(struct session *s)
{
    if (s->rest != NULL) s->rest->destroy(s->rest);
    s->rest = NULL;
}

size_t session_memory_bytes(const struct session *s)
{
    return sizeof *s + s->input.capacity + s->output.memory_bytes +
           s->parser.arguments_capacity * sizeof *s->parser.arguments +
           s->gates_capacity * sizeof *s->gates + (s->rest == NULL ? 0 : s->rest->memory_bytes) +
           transaction_memory_bytes(&s->client.transaction);
}

char *session_input_space(struct session *s, size_t *size)
{
    if (s->input.size == 0 || s->state == SESSION_CLOSING) return NULL;
    size_t wanted = request_bytes_wanted(&s->parser, s->input.size);
    CHECK(wanted > s->input.size);
    *size = wanted - s->input.size;
    if (*size < INPUT_SPACE_MIN) *size = INPUT_SPACE_MIN;
    char *space = buf_reserve(&s->input, *size);
    if (*size > INPUT_SPACE_MAX) *size = INPUT_SPACE_MAX;
    return space;
}

struct chain *session_output(struct session *s)
{
    return &s->output;
}

bool session_finished(const struct session *s)
{
    if (s->state != SESSION_CLOSING) return false;
    return s->aborted || s->output.sent == s->output.appended;
}

const struct client *session_client(const struct session *s)
{
    return &s->client;
}

void *session_owner(const struct session *s)
{
    return s->owner;
}
