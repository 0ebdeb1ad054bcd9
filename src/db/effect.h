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
#include "db/effect_bodies.h"
#include "db/event.h"

enum effect_kind {
#define EFFECT(code, NAME, name) EFFECT_##NAME = (code),
#include "db/effects.def"
#undef EFFECT
};

struct effect {
    enum effect_kind kind;
    enum event event; /* said instead of what the kind says; not in the log (see event.h) */
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

/* The key that the effect sets beside its own: RENAME, MOVE, COPY. False: there is none. */
bool effect_second_key(const struct effect *e, const struct store *s, struct store_key *to);

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
