/* effect_functions.h - the five functions of every row of effects.def, declared once so that each
 * effect_*.c is checked against them. Private to db/. */
#ifndef DB_EFFECT_FUNCTIONS_H
#define DB_EFFECT_FUNCTIONS_H

#include "db/effect.h"

#define EFFECT(code, NAME, name)                                                             \
    void name##_encode(const struct effect *e, struct buf *out);                             \
    bool name##_decode(struct effect *e, struct reader *in, struct effect_scratch *scratch); \
    bool name##_apply(const struct effect *e, const struct effect_target *target);           \
    void name##_describe(const struct effect *e, struct buf *out);                           \
    void name##_sample(struct effect *e, uint64_t seed, struct effect_scratch *scratch);
#include "db/effects.def"
#undef EFFECT

/* What every encoded effect begins with. False: malformed; the code may be unknown. */
bool effect_read_key(struct reader *in, const struct store *store, uint8_t *code,
                     struct store_key *key);

/* Arrays of IDs as deltas: zigzag of the ms difference, then of the sequence. */
void effect_encode_ids(struct buf *out, const struct stream_id *ids, size_t count);
bool effect_decode_ids(struct reader *in, const struct stream_id **ids, size_t *count,
                       struct effect_scratch *scratch);

/* One ID, as two varints. */
void effect_encode_id(struct buf *out, struct stream_id id);
bool effect_decode_id(struct reader *in, struct stream_id *id);

/* The stream under the key of an effect; NULL when there is none (or another type). */
struct stream *effect_find_stream(const struct effect *e, const struct effect_target *target);

/* The stream of the effect if it has the group of that name, which goes to *group; else NULL. */
struct stream *effect_find_group(const struct effect *e, const struct effect_target *target,
                                 struct slice name, const struct stream_group **group);

/* What every effect that appends an entry does; effect_stream.c. */
void effect_encode_append(struct buf *out, const struct effect_stream_append *append);
bool effect_decode_append(struct reader *in, struct effect_stream_append *append,
                          struct effect_scratch *scratch);
void effect_describe_append(struct buf *out, const struct effect_stream_append *append);
void effect_sample_append(struct effect_stream_append *append, uint64_t seed,
                          struct effect_scratch *scratch);
/* The stream that has got the entry; NULL, and nothing changed: it does not fit. */
struct stream *effect_apply_append(const struct effect *e, const struct effect_target *target,
                                   const struct effect_stream_append *append);

/* "group=..." and, when consumer is not NULL, " consumer=...". */
void effect_describe_group(struct buf *out, struct slice group, const struct slice *consumer);

/* For sample functions: some IDs in scratch; returns how many. */
size_t effect_sample_ids(const struct stream_id **ids, uint64_t seed,
                         struct effect_scratch *scratch);

#endif
