/* sigkill_load.h - random clients for the SIGKILL test, and the whole state of a server for the
 * oracle.
 *
 * One thread drives all connections: whoever has no unanswered request sends a batch of random
 * commands, whoever has an answer tells the oracle. So the kill comes at any moment of the server's
 * work, and what was answered until then is known exactly.
 *
 * Connections, each a client of the oracle except the reader:
 *   writers    SET, DEL, INCRBY, APPEND, MSET of their own keys, 1 to 64 commands in a batch
 *   producers  XADD * of 2 to 5 fields to both streams; XDEL and XTRIM on the second
 *   consumers  XREADGROUP > of one stream each, XACK
 *   reader     GET and XREVRANGE of anything: what it has seen must survive */
#ifndef INTEGRATION_SIGKILL_LOAD_H
#define INTEGRATION_SIGKILL_LOAD_H

#include "crash_oracle.h"
#include "server_process.h"

#include <hiredis/hiredis.h>

enum {
    LOAD_WRITERS = 4,
    LOAD_PRODUCERS = 3,
    LOAD_STREAMS = 2,
    LOAD_CONSUMERS = LOAD_STREAMS,
    LOAD_CLIENTS = LOAD_WRITERS + LOAD_PRODUCERS + LOAD_CONSUMERS,
    LOAD_CONNECTIONS = LOAD_CLIENTS + 1, /* the last is the reader */
    LOAD_KEYS_EACH = 12,
    LOAD_KEYS = LOAD_WRITERS * LOAD_KEYS_EACH,
    LOAD_BATCH_MAX = 64,
    LOAD_RECENT_IDS = 512,
};

enum load_request_kind {
    LOAD_WRITE,         /* answers OK */
    LOAD_WRITE_INTEGER, /* answers what the writes add up to */
    LOAD_ADD,
    LOAD_CHANGE, /* XDEL, XTRIM, XACK: answers a number that says little */
    LOAD_GROUP_READ,
    LOAD_PEEK_VALUE,
    LOAD_PEEK_ENTRIES,
};

struct load_request {
    enum load_request_kind kind;
    uint32_t index; /* of the key or the stream */
};

struct load_connection {
    redisContext *context;
    struct load_request requests[LOAD_BATCH_MAX];
    size_t request_count;
    size_t answer_count;
};

/* IDs that a client knows and may name: those that it added, or those that it must acknowledge. */
struct load_ids {
    struct oracle_id ids[LOAD_RECENT_IDS];
    size_t count;
};

struct load {
    struct server_process *server;
    void (*cut)(struct load *load); /* how the server dies; NULL: SIGKILL */
    struct crash_oracle *oracle;
    uint64_t random;
    uint64_t sequence; /* makes every value and payload unique */
    struct load_connection connections[LOAD_CONNECTIONS];
    struct load_ids added[LOAD_PRODUCERS]; /* to the second stream */
    struct load_ids to_acknowledge[LOAD_CONSUMERS];
};

/* An oracle and an empty load for a running, empty server; makes the streams and groups. */
void load_init(struct load *load, struct server_process *server, uint64_t seed);
void load_deinit(struct load *load);

uint64_t load_random(struct load *load, uint64_t below);

/* Connects, runs until 'run_us' microseconds have passed, sends SIGKILL (or calls load->cut, after
 * which the server must not run), takes the answers that had left before it, and disconnects. */
void load_run_and_kill(struct load *load, int64_t run_us);

/* Shows the whole state of the restarted server to the oracle; true if it keeps the promise. */
bool load_judge(struct load *load);

/* --- What sigkill_load.c and sigkill_state.c share. ------------------------------------------- */

extern const char *const LOAD_STREAM_NAMES[LOAD_STREAMS];
#define LOAD_GROUP_NAME "group"

void load_key_name(uint32_t key, char name[32]);
void load_remember_id(struct load_ids *into, struct oracle_id id);

/* The unambiguous form of an entry for the oracle: size, colon, bytes, of each field and value.
 * Appends to 'payload', which has room; the new size. */
size_t load_encode_part(char *payload, size_t size, const char *bytes, size_t bytes_size);

struct load_entries {
    struct oracle_entry *items;
    size_t count;
    char *payloads;
};
struct oracle_id load_parse_id(const redisReply *reply);
struct load_entries load_parse_entries(const redisReply *reply); /* of XRANGE; freed by: */
void load_free_entries(struct load_entries *entries);

/* A connection to the running server; the test fails if there is none. */
redisContext *load_connect(const struct server_process *server);

#endif
