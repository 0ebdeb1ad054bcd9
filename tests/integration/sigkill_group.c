/* sigkill_group.c - what consumers send: each reads one stream, and both work on what is pending in
 * either. Which pending entries a request may name, the oracle knows. */
#include "sigkill_command.h"

#include <inttypes.h>

enum {
    READ_COUNT_MAX = 50,
    NAMED_MAX = 16, /* IDs in one request */
    SKIP_ONE_IN = 6,
};

static uint32_t number_of(uint32_t client)
{
    return client - LOAD_WRITERS - LOAD_PRODUCERS;
}

static void send_acknowledge(struct load *load, uint32_t client,
                             const struct oracle_stream_ids *which)
{
    const char *name = LOAD_STREAM_NAMES[which->stream];
    struct command command = {0};
    /* From the first stream nothing is ever removed. */
    if (which->stream > 0 && load->has_new_commands && load_random(load, 3) == 0) {
        crash_oracle_invoke_acknowledge_remove(load->oracle, client, which);
        command_words(&command, "XACKDEL %s %s IDS %zu", name, LOAD_GROUP_NAME, which->count);
    } else {
        crash_oracle_invoke_acknowledge(load->oracle, client, which);
        command_words(&command, "XACK %s %s", name, LOAD_GROUP_NAME);
    }
    command_ids(&command, which->ids, which->count);
    command_send(&load->connections[client], &command,
                 (struct load_request){LOAD_CHANGE, which->stream});
}

static void send_claim(struct load *load, uint32_t client, const struct oracle_stream_ids *which)
{
    struct command command = {0};
    crash_oracle_invoke_claim(load->oracle, client, which);
    command_words(&command, "XCLAIM %s %s consumer%u 0", LOAD_STREAM_NAMES[which->stream],
                  LOAD_GROUP_NAME, client);
    command_ids(&command, which->ids, which->count);
    command_send(&load->connections[client], &command,
                 (struct load_request){LOAD_CLAIM, which->stream});
}

/* 'which' is a run: one after the other, if nobody reads. */
static void send_autoclaim(struct load *load, uint32_t client,
                           const struct oracle_stream_ids *which)
{
    struct command command = {0};
    bool is_sure = crash_oracle_may_skip(load->oracle, which->stream);
    struct oracle_stream_ids run = {which->stream, which->ids, is_sure ? which->count : 1};
    crash_oracle_invoke_claim(load->oracle, client, &run);
    command_words(&command, "XAUTOCLAIM %s %s consumer%u 0", LOAD_STREAM_NAMES[run.stream],
                  LOAD_GROUP_NAME, client);
    command_ids(&command, run.ids, 1);
    command_words(&command, "COUNT %zu", run.count);
    command_send(&load->connections[client], &command,
                 (struct load_request){LOAD_AUTOCLAIM, run.stream});
}

static void send_release(struct load *load, uint32_t client, const struct oracle_stream_ids *which)
{
    struct command command = {0};
    crash_oracle_invoke_release(load->oracle, client, which);
    command_words(&command, "XNACK %s %s FAIL IDS %zu", LOAD_STREAM_NAMES[which->stream],
                  LOAD_GROUP_NAME, which->count);
    command_ids(&command, which->ids, which->count);
    command_send(&load->connections[client], &command,
                 (struct load_request){LOAD_CHANGE, which->stream});
}

static void send_dereference(struct load *load, uint32_t client,
                             const struct oracle_stream_ids *which)
{
    struct command command = {0};
    crash_oracle_invoke_dereference(load->oracle, client, which->stream, which->ids[0]);
    command_words(&command, "XDELEX %s DELREF IDS 1", LOAD_STREAM_NAMES[which->stream]);
    command_ids(&command, which->ids, 1);
    command_send(&load->connections[client], &command,
                 (struct load_request){LOAD_DEREFERENCE, which->stream});
}

static void send_move(struct load *load, uint32_t client, const struct oracle_stream_ids *which)
{
    switch (load_random(load, 12)) {
    case 0: send_claim(load, client, which); break;
    case 1: send_autoclaim(load, client, which); break;
    case 2:
        if (load->has_new_commands) send_release(load, client, which);
        break;
    case 3:
        if (load->has_new_commands && which->stream > 0) send_dereference(load, client, which);
        break;
    default: send_acknowledge(load, client, which); break;
    }
}

/* Some of what is pending in one stream, from the oldest on. */
static void send_moves(struct load *load, uint32_t client, uint32_t stream)
{
    const struct load_connection *connection = &load->connections[client];
    struct oracle_id ids[NAMED_MAX], from = {0, 0};
    while (connection->request_count < LOAD_DEPTH_MAX / 2) {
        size_t wanted = 1 + load_random(load, NAMED_MAX);
        size_t count = crash_oracle_pending_run(load->oracle, stream, from, ids, wanted);
        if (count == 0) break;
        bool is_long = count == NAMED_MAX; /* the more is pending, the more is done */
        from = ids[count - 1];
        if (load_random(load, 4) > 0)
            send_move(load, client, &(struct oracle_stream_ids){stream, ids, count});
        if (!is_long && load_random(load, 3) == 0) break;
    }
}

/* XGROUP SETID to an entry that a producer has added; false if there is none to go to. */
static bool send_skip(struct load *load, uint32_t client)
{
    struct command command = {0};
    const struct load_ids *added = &load->added[load_random(load, LOAD_PRODUCERS)];
    if (added->count == 0 || !crash_oracle_may_skip(load->oracle, 1)) return false;
    struct oracle_id position = added->ids[added->count - 1];
    if (oracle_id_compare(position, crash_oracle_position(load->oracle, 1)) <= 0) return false;
    crash_oracle_invoke_skip(load->oracle, client, 1, position);
    command_words(&command, "XGROUP SETID %s %s", LOAD_STREAM_NAMES[1], LOAD_GROUP_NAME);
    command_ids(&command, &position, 1);
    command_send(&load->connections[client], &command, (struct load_request){LOAD_CHANGE, 1});
    return true;
}

static void send_read(struct load *load, uint32_t client, uint32_t stream)
{
    size_t count = 1 + load_random(load, READ_COUNT_MAX);
    struct command command = {0};
    command_words(&command, "XREADGROUP GROUP %s consumer%u COUNT %zu STREAMS %s >",
                  LOAD_GROUP_NAME, client, count, LOAD_STREAM_NAMES[stream]);
    crash_oracle_invoke_read(load->oracle, client, stream, count);
    command_send(&load->connections[client], &command,
                 (struct load_request){LOAD_GROUP_READ, stream});
}

void load_send_consume(struct load *load, uint32_t client)
{
    uint32_t own = number_of(client);
    bool helps = load_random(load, 4) == 0;
    send_moves(load, client, helps ? (own + 1) % LOAD_STREAMS : own);
    if (own == 1 && load_random(load, SKIP_ONE_IN) == 0 && send_skip(load, client)) return;
    send_read(load, client, own);
}
