/* sigkill_load.h - random clients for the SIGKILL test, and the whole state of a server for the
 * oracle.
 *
 * One thread drives all connections: whoever has no unanswered request sends a batch of random
 * commands, whoever has an answer tells the oracle. So the kill comes at any moment of the server's
 * work, and what was answered until then is known exactly.
 *
 * Connections, each a client of the oracle except the reader:
 *   writers    SET, DEL, INCRBY, APPEND, MSET, EXEC of their own keys, 1 to 64 in a batch
 *   producers  XADD * of 2 to 5 fields to both streams, alone or in one EXEC with keys of their
 *              own; XADD IDMP, which they send again; XSETID; XDEL, XDELEX and XTRIM on the second
 *   consumers  XREADGROUP > of one stream each; of both XACK, XCLAIM, XAUTOCLAIM, XNACK; XACKDEL,
 *              XDELEX DELREF and XGROUP SETID on the second
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
    LOAD_TEXT_KEYS = 8, /* of these; the others are counters */
    LOAD_KEYS = (LOAD_WRITERS + LOAD_PRODUCERS) * LOAD_KEYS_EACH,
    LOAD_DEPTH_MAX = 64,
    LOAD_BATCH_MAX = LOAD_DEPTH_MAX * 6, /* a transaction is several requests */
    LOAD_RECENT_IDS = 512,
    LOAD_VALUE_MAX = 100 * 1024,
    LOAD_BUFFER_BYTES = 6 * LOAD_VALUE_MAX,
};

enum load_request_kind {
    LOAD_WRITE,         /* answers OK */
    LOAD_WRITE_INTEGER, /* answers what the writes add up to */
    LOAD_QUEUED,        /* of a transaction, before its EXEC */
    LOAD_ADD,
    LOAD_OUTBOX, /* EXEC of an XADD and writes: an array that begins with the ID */
    LOAD_CHANGE, /* XDEL, XTRIM, XACK and others: what they answer says little */
    LOAD_DEREFERENCE,
    LOAD_CLAIM,
    LOAD_AUTOCLAIM,
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

/* IDs that a producer has added, rising. */
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
    int64_t message_ms[LOAD_PRODUCERS];    /* when its idempotent message was sent first */
    uint64_t raised_ms[LOAD_STREAMS];      /* by XSETID */
    bool has_new_commands;                 /* the server is not an old Redis */
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

/* --- What the files of the load share. -------------------------------------------------------- */

extern const char *const LOAD_STREAM_NAMES[LOAD_STREAMS];
#define LOAD_GROUP_NAME "group"

void load_key_name(uint32_t key, char name[32]);

/* The next requests of a client, of which the oracle is told. 'buffer' has LOAD_BUFFER_BYTES. */
void load_send_write(struct load *load, uint32_t writer, char *buffer);
void load_send_produce(struct load *load, uint32_t client, char *buffer);
void load_send_consume(struct load *load, uint32_t client);

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
