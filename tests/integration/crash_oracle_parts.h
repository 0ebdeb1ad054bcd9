/* crash_oracle_parts.h - what the files of the oracle share, and nobody else.
 *
 * Ownership: every `struct oracle_bytes` owns its copy. An operation lives in its client's queue
 * from its invocation until it is answered or settled by a judgement. Entries, pending entries
 * and finished IDs are arrays in order of IDs. */
#ifndef INTEGRATION_CRASH_ORACLE_PARTS_H
#define INTEGRATION_CRASH_ORACLE_PARTS_H

#include "crash_oracle.h"

struct oracle_bytes {
    char *data;
    size_t size;
};

enum operation_kind {
    OPERATION_WRITES,
    OPERATION_ADD,
    OPERATION_REMOVE,
    OPERATION_TRIM,
    OPERATION_READ,
    OPERATION_ACKNOWLEDGE,
    OPERATION_ACKNOWLEDGE_REMOVE, /* both, of the same IDs, at once */
    OPERATION_CLAIM,              /* the new owner is the client */
    OPERATION_RELEASE,            /* nobody is the owner */
    OPERATION_DEREFERENCE,        /* XDELEX DELREF: both, of an entry that is there */
    OPERATION_RAISE,              /* XSETID */
    OPERATION_SKIP,               /* XGROUP SETID, forwards */
};

struct operation_write {
    enum oracle_write_kind kind;
    uint32_t key;
    struct oracle_bytes value;
    int64_t delta;
};

struct operation {
    enum operation_kind kind;
    uint32_t stream;
    struct operation_write *writes; /* WRITES; others in EXEC */
    size_t write_count;
    int64_t expected;          /* WRITES: the integer that it answers, once it is certain */
    struct oracle_bytes bytes; /* ADD: the payload */
    bool id_known;             /* ADD: an answer or a reader gave the ID; it is in the entries */
    bool found;                /* ADD: this judgement has found it */
    bool is_message;           /* ADD: the client's idempotent message */
    struct oracle_id id;       /* ADD: its ID; TRIM: the first that is kept; RAISE: the last ID;
                                  SKIP: the group's position */
    struct oracle_id after;    /* ADD: the newest ID known at invocation, which it must exceed */
    struct oracle_id *ids;     /* REMOVE, ACKNOWLEDGE, both, CLAIM, RELEASE, DEREFERENCE */
    size_t id_count;
    size_t count_max; /* READ */
};

/* The idempotent message that a client sends until it is answered, and again after a crash. */
struct oracle_message {
    bool sent;
    bool stored; /* surely, as the entry 'id' */
    uint32_t stream;
    struct oracle_bytes payload;
    struct oracle_id id;
};

/* operations[0 ... certain) have surely happened although not answered, because a reader saw an
 * effect of the last of them. allowed[j]: the first j may be what survived; only while judging. */
struct oracle_client {
    struct operation *operations;
    size_t operation_count;
    size_t operation_capacity;
    size_t certain;
    bool *allowed;
    size_t last_found; /* 1 + the newest of its operations found in the stream being judged */
    struct oracle_message message;
};

struct oracle_key {
    uint32_t client;
    bool exists;
    bool shown;
    struct oracle_bytes value;
};

struct known_entry {
    struct oracle_id id;
    struct oracle_bytes payload;
};

struct known_pending {
    struct oracle_id id;
    uint32_t client; /* ORACLE_NOBODY: it was given back */
    uint64_t deliveries;
};

struct oracle_stream {
    bool has_group;
    bool shown;
    bool ever_removed; /* by XDEL or XTRIM, surely or perhaps */
    bool ever_skipped; /* by XGROUP SETID, surely or perhaps */
    struct known_entry *entries;
    size_t entry_count;
    size_t entry_capacity;
    uint64_t added;              /* XADDs that are known to have happened */
    struct oracle_id last_id;    /* the newest known */
    struct oracle_id first_kept; /* the largest certain XTRIM */
    struct oracle_id trim_max;   /* the largest invoked XTRIM */
    struct known_pending *pending;
    size_t pending_count;
    size_t pending_capacity;
    struct oracle_id *finished; /* acknowledged since the last judgement */
    size_t finished_count;
    size_t finished_capacity;
    struct oracle_id last_delivered;    /* the newest known */
    struct oracle_id settled_delivered; /* the group's position when all deliveries were known: at
                                           the last judgement, or where XGROUP SETID put it */
};

struct crash_oracle {
    struct oracle_client *clients;
    uint32_t client_count;
    struct oracle_key *keys;
    uint32_t key_count;
    struct oracle_stream *streams;
    uint32_t stream_count;
    bool judging;
    uint64_t violations_judged;
    struct oracle_figures figures;
    struct oracle_violation kept[ORACLE_VIOLATIONS_KEPT];
};

/* Stops the test: the caller broke the contract of crash_oracle.h. */
void oracle_require(bool condition, const char *what);

/* Zeroed; never NULL. */
void *oracle_allocate(size_t count, size_t item_size);
void *oracle_grow(void *array, size_t *capacity, size_t needed, size_t item_size);
struct oracle_bytes oracle_copy(struct slice slice);
void oracle_bytes_free(struct oracle_bytes *bytes);
void oracle_violate(struct crash_oracle *oracle, enum oracle_violation_kind kind,
                    const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The oldest 'count' unanswered operations of 'client' surely happened. */
void oracle_make_certain(struct crash_oracle *oracle, uint32_t client, size_t count);

/* Strikes out every candidate outside [from, to]. */
void oracle_allow_only(struct crash_oracle *oracle, uint32_t client, size_t from, size_t to);

/* crash_oracle_stream.c: the effect of a certain operation; what an answer says of its stream. */
void oracle_stream_apply(struct oracle_stream *stream, uint32_t client,
                         const struct operation *operation);
void oracle_stream_added(struct crash_oracle *oracle, struct operation *operation,
                         struct oracle_id id);
void oracle_stream_delivered(struct crash_oracle *oracle, uint32_t client, uint32_t stream,
                             const struct oracle_answer *answer);
/* What XDELEX DELREF found: 1, entry and pending entry have gone; else the entry was not there. */
void oracle_stream_dereferenced(struct oracle_stream *stream, const struct operation *operation,
                                int64_t answer);
/* What a claim has not claimed is gone from the stream, and from the pending entries. */
void oracle_stream_claimed(struct crash_oracle *oracle, const struct operation *operation,
                           const struct oracle_answer *answer);
/* The group is done with this ID: it was delivered and acknowledged, in this or an earlier life. */
bool oracle_stream_finished(const struct oracle_stream *stream, struct oracle_id id);
/* The place of the first pending entry that is not below 'id'. */
size_t oracle_pending_place(const struct oracle_stream *stream, struct oracle_id id);
bool oracle_names_id(const struct operation *operation, struct oracle_id id);
void oracle_raise(struct oracle_id *id, struct oracle_id other);
void oracle_stream_free(struct oracle_stream *stream);

#endif
