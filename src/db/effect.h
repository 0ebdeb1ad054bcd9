/* effect.h - one fully decided change of state.
 *
 * An effect carries no question: no clock, no random number, no "*" ID. That is what makes live
 * execution, recovery and, later, a replica run the same apply (docs/decisions/0001).
 *
 * In the log:   code (1 byte) | database (1 byte) | key (varint size, bytes) | body
 * The body is each effect's own; effect_*.c draws it above its encode function. */
#ifndef DB_EFFECT_H
#define DB_EFFECT_H

#include "base/buf.h"
#include "store/store.h"
#include "stream/idempotence.h"
#include "stream/stream_group.h"

enum effect_kind {
#define EFFECT(code, NAME, name) EFFECT_##NAME = (code),
#include "db/effects.def"
#undef EFFECT
};

struct effect_key_delete {
    char none; /* the key says it all */
};

struct effect_key_expire {
    int64_t expiry_ms; /* STORE_NO_EXPIRY: PERSIST */
};

struct effect_key_rename {
    struct slice to; /* the value and the deadline move there, over whatever was there */
};

struct effect_database_flush {
    bool all; /* every database; else the one of the effect. The key is empty. */
};

/* expiry_ms of a SET: a deadline, or one of these. */
#define EFFECT_EXPIRY_NONE STORE_NO_EXPIRY
#define EFFECT_EXPIRY_KEEP INT64_MIN /* KEEPTTL: whatever the key has now */

struct effect_string_set {
    struct slice value; /* canonical integers are stored as integers by apply */
    int64_t expiry_ms;
};

struct effect_string_set_integer {
    int64_t value; /* the result of INCR and its kind; the deadline is kept */
};

struct effect_string_append {
    struct slice value; /* the key exists and is a string */
};

struct effect_string_set_range {
    uint64_t offset; /* the key may be absent; the gap is filled with zero bytes */
    struct slice value;
};

struct effect_stream_create {
    char none; /* XGROUP CREATE MKSTREAM on an absent key */
};

struct effect_stream_append { /* creates the stream when the key is absent */
    struct stream_id id;
    const struct slice *items; /* name, value, name, value ... */
    size_t count;
};

struct effect_stream_trim {
    struct stream_id first_kept;
};

struct effect_stream_delete {
    const struct stream_id *ids;
    size_t count;
};

struct effect_stream_set_id {
    struct stream_id last_id;
    uint64_t entries_added;
    struct stream_id max_deleted_id;
};

struct effect_stream_idmp_record { /* XIDMPRECORD; in old logs XADD with IDMP: after the append */
    struct stream_idmp_record record;
};

struct effect_stream_append_once { /* XADD with IDMP: the append and its record in one */
    struct effect_stream_append append;
    struct stream_idmp_record record; /* of the same ID */
};

struct effect_stream_idmp_configure { /* XCFGSET */
    struct stream_idmp_limits limits; /* 0: as configured for all */
    bool clear;                       /* forget all producers */
};

struct effect_group_create {
    struct slice group;
    struct stream_id last_delivered;
    int64_t entries_read; /* STREAM_ENTRIES_READ_EXACT or XGROUP's ENTRIESREAD */
};

struct effect_group_set_id {
    struct slice group;
    struct stream_id last_delivered;
    int64_t entries_read;
};

struct effect_group_destroy {
    struct slice group;
};

struct effect_consumer_create {
    struct slice group;
    struct slice consumer;
    int64_t now_ms;
};

struct effect_consumer_destroy {
    struct slice group;
    struct slice consumer;
};

struct effect_group_deliver { /* one delivery of n entries is one effect (stream_delivery) */
    struct stream_delivery delivery;
};

struct effect_group_acknowledge {
    struct slice group;
    const struct stream_id *ids;
    size_t count;
};

struct effect_group_claim {
    struct stream_claim claim;
};

struct effect {
    enum effect_kind kind;
    struct store_key key;
    union {
#define EFFECT(code, NAME, name) struct effect_##name name;
#include "db/effects.def"
#undef EFFECT
    };
};

/* What apply may touch: the key space and the settings that shape its structures. */
struct effect_target {
    struct store *store;
    struct stream_block_limits stream_block;
};

/* Memory for arrays (fields, IDs) of a decoded effect; the next decode reuses it. */
struct effect_scratch {
    struct buf bytes;
};

struct effect_ops {
    enum effect_kind kind;
    const char *name;
    void (*encode)(const struct effect *e, struct buf *out);
    /* Reads what encode wrote; slices borrow from 'in', arrays from scratch. False: malformed. */
    bool (*decode)(struct effect *e, struct reader *in, struct effect_scratch *scratch);
    /* False: the effect does not fit the state (a log that contradicts itself); then nothing was
     * changed. Live execution never sees false: the command has checked. */
    bool (*apply)(const struct effect *e, const struct effect_target *target);
    void (*describe)(const struct effect *e, struct buf *out); /* readable, for irmak-check */
    /* Fills the body with values that depend on the seed, for tests of every row. */
    void (*sample)(struct effect *e, uint64_t seed, struct effect_scratch *scratch);
};

extern const struct effect_ops effect_table[];
extern const size_t effect_table_count;
const struct effect_ops *effect_ops_find(uint8_t code); /* NULL if unknown */

void effect_encode(const struct effect *e, struct buf *out);

/* Reads one effect, its key hashed for the target's store. False: malformed or unknown. */
bool effect_decode(struct effect *e, struct reader *in, const struct store *store,
                   struct effect_scratch *scratch);

/* One line for people (irmak-check). The parts are for the describe functions of effect_*.c. */
void effect_describe(const struct effect *e, struct buf *out);
void effect_describe_bytes(struct buf *out, struct slice bytes);
void effect_describe_id(struct buf *out, struct stream_id id);
void effect_describe_ids(struct buf *out, const struct stream_id *ids, size_t count);

/* The types that keys can have, in the order of their numbers: one row for each data type. */
enum { TYPE_STRING = STORE_STRING, TYPE_STREAM = 1, TYPES_COUNT = 2 };
extern const struct value_type value_types[TYPES_COUNT];

#endif
