/* store.h - the map from key to value: sixteen databases, each an array of 16384 slot tables.
 *
 * It knows keys, slots, expiry deadlines and how much there is. It never looks inside a value
 * body, and never hears of the log, commands or clients. It has no clock: whether a deadline has
 * passed is the caller's question (db/), with its time.
 *
 * A key has ONE allocation, its entry: type, flags, optional expiry, key and, for small strings,
 * the value (design/data.md). Integers are stored as integers. Larger values are allocations of
 * their own: shared bytes (base/shared.h) or a body that only its type understands.
 *
 * Values are handed in and out as struct value: for FORM_BYTES the store copies in and lends out;
 * for FORM_SHARED and FORM_BODY put Takes one reference / the body, and get lends it. */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/random.h"
#include "base/shared.h"
#include "base/slice.h"

#include <stdint.h>

enum {
    STORE_TYPES_MAX = 16,
    STORE_STRING = 0,              /* the type whose forms are bytes, integer and shared */
    STORE_INLINE_BYTES_MAX = 1024, /* string values above this are FORM_SHARED */
};
#define STORE_NO_EXPIRY INT64_MAX

enum value_form {
    FORM_BYTES,   /* a string kept inside the entry, up to STORE_INLINE_BYTES_MAX */
    FORM_INTEGER, /* a string that is the canonical decimal text of an int64 */
    FORM_SHARED,  /* a longer string */
    FORM_BODY,    /* every other type */
};

struct value {
    uint8_t type; /* index in the types given to store_create; STORE_STRING for strings */
    enum value_form form;
    union {
        struct slice bytes;
        int64_t integer;
        struct shared *shared;
        void *body;
    };
};

/* What a data type offers to live under a key. One constant per type. */
struct value_type {
    const char *name; /* the answer of TYPE */
    /* Frees about *steps parts of the body and lowers *steps by what was done, 0 at least. True:
     * the body is gone; else it is called again. NULL for strings. */
    bool (*dismantle)(void *body, size_t *steps);
};

/* A key, hashed once, good for this store until it is destroyed. */
struct store_key {
    struct slice name; /* borrowed */
    uint64_t hash;     /* XXH3-64 with the store's seed */
    uint16_t slot;
    uint8_t database;
};

struct store;

/* A database has the number that clients know and the place where its keys are. At first they are
 * the same; SWAPDB gives the places of two numbers to each other and moves no key. All of this
 * header means places. */
unsigned store_place(const struct store *s, unsigned number);
unsigned store_number(const struct store *s, unsigned place);
void store_swap(struct store *s, unsigned number, unsigned other);

/* types: array of types_count rows, borrowed for ever; types[STORE_STRING] is the string type.
 * seed: from entropy, so that clients cannot choose keys that collide. */
struct store *store_create(const struct value_type *types, size_t types_count, uint64_t seed);
void store_destroy(struct store *s);

struct store_key store_key_make(const struct store *s, unsigned database, struct slice name);

/* Looks the key up, whatever its deadline. False: absent, outputs untouched. expiry_ms may be
 * NULL. The value is lent until the store is next changed. Looking up the key that was looked up
 * or changed last costs no second probe. */
bool store_get(const struct store *s, const struct store_key *key, struct value *value,
               int64_t *expiry_ms);

/* For a batch of keys that will be looked up soon: first the slot's table of each, then, when those
 * have arrived, the place in it, and then the entry. Only hints. */
void store_prefetch_table(const struct store *s, const struct store_key *key);
void store_prefetch(const struct store *s, const struct store_key *key);
void store_prefetch_entry(const struct store *s, const struct store_key *key);

/* Sets key to value with a deadline (Unix milliseconds, STORE_NO_EXPIRY: none). A previous value
 * is destroyed. */
void store_put(struct store *s, const struct store_key *key, const struct value *value,
               int64_t expiry_ms);

/* Replaces the value of a present key and keeps its deadline (Takes as store_put). */
void store_replace(struct store *s, const struct store_key *key, const struct value *value);

/* The shared bytes of a present FORM_SHARED key, moved out for a change: the store holds an empty
 * value until store_replace gives it the new one. Lets APPEND grow in place. */
struct shared *store_take_shared(struct store *s, const struct store_key *key);

void store_set_expiry(struct store *s, const struct store_key *key, int64_t expiry_ms);

/* Destroys a body that is no key's any more; a large part of it may be left to store_sweep. */
void store_destroy_body(struct store *s, uint8_t type, void *body);

/* Removes the key and destroys its value, of which a large part may be left to store_sweep. False:
 * it was absent. */
bool store_remove(struct store *s, const struct store_key *key);

/* Moves the value and the deadline of 'from' (present) to 'to', destroying a value there. */
void store_rename(struct store *s, const struct store_key *from, const struct store_key *to);

/* Destroys every key of a database in one go; memory goes back in bounded steps by store_sweep. */
void store_flush(struct store *s, unsigned database);

/* Frees up to 'steps' of what flushes and removals of large values left behind; false when nothing
 * is left. Called by the tick until then. */
bool store_sweep(struct store *s, size_t steps);

uint64_t store_count(const struct store *s, unsigned database);
uint64_t store_expiring_count(const struct store *s, unsigned database);

/* The name of a random key; false when the database is empty. Every key has a fair chance. */
bool store_random(const struct store *s, unsigned database, struct random *random,
                  struct slice *name);

/* Visits keys from 'cursor' until at least 'count' were visited (fewer where the tables are nearly
 * empty) and a safe place to stop is reached. A key present from the first call to the last is
 * visited exactly once, also while tables grow or shrink in between. One call visits at most a
 * small multiple of count, however many keys share one slot. A cursor that no scan returned is
 * harmless: it may skip keys, and beyond the last slot it ends the scan. */
typedef void store_visit(void *context, struct slice name, const struct value *value,
                         int64_t expiry_ms);
struct store_scan {
    unsigned database;
    uint64_t cursor; /* in: where to begin, 0 at first; out: where to go on, 0 at the end */
    size_t count;    /* > 0 */
};
void store_scan_keys(const struct store *s, struct store_scan *scan, store_visit *visit,
                     void *context);

/* A key whose deadline is <= now_ms, found without scanning the others; false: none is due now, or
 * 'steps' steps of looking were used up (then *exhausted is true: call again next tick). The
 * caller removes it before the next call. The key is lent until the next change. */
struct store_due {
    int64_t now_ms;
    size_t steps;   /* in: what may be spent; out: what is left */
    bool exhausted; /* out */
};
bool store_next_due(struct store *s, struct store_due *due, struct store_key *key);

/* A time before which nothing is due, for the event loop's timeout; INT64_MAX: nothing expires.
 * It may be early (when the wheel must sort far deadlines, or for a key that has gone), never
 * late. The times that store_next_due is told should not go back, and calling it once before the
 * first key is stored tells the wheel where to begin. */
int64_t store_due_ms(const struct store *s);

#endif
