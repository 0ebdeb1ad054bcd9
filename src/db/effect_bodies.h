/* effect_bodies.h - what each kind of effect says beside its key. Private to effect.h. */
#ifndef DB_EFFECT_BODIES_H
#define DB_EFFECT_BODIES_H

#include "store/store.h"
#include "stream/idempotence.h"
#include "stream/stream_group.h"

struct effect_key_delete {
    char none; /* the key says it all */
};

struct effect_key_expire {
    int64_t expiry_ms; /* STORE_NO_EXPIRY: PERSIST */
};

struct effect_key_rename {
    struct slice to; /* the value and the deadline move there, over whatever was there */
};

struct effect_key_move {
    uint8_t database; /* the place of the database that it goes to, under the same name */
};

struct effect_key_copy {
    uint8_t database; /* the place of the database of 'to' */
    struct slice to;  /* value and deadline are copied there, over whatever was there */
};

struct effect_database_swap { /* of numbers, not of places: see store_swap. The key is empty. */
    uint8_t number;
    uint8_t other; /* not the same */
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

#endif
