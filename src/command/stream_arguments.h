/* stream_arguments.h - what the stream commands share: reading IDs, ranges and trim options,
 * finding streams and groups, and answering with entries.
 *
 * As in arguments.h, whatever returns false has already written the error reply. */
#ifndef COMMAND_STREAM_ARGUMENTS_H
#define COMMAND_STREAM_ARGUMENTS_H

#include "command/arguments.h"

/* Pending entries that one XAUTOCLAIM, or XREADGROUP CLAIM of one key, gives to another consumer:
 * whoever wants more asks again. */
enum { STREAM_CLAIMED_MAX = 1 << 14 };

/* Some IDs: the first ones on the stack, more on the heap. */
enum { STREAM_IDS_INLINE = 64 };
struct stream_ids {
    struct stream_id *items;
    size_t count;
    size_t capacity;
    struct stream_id few[STREAM_IDS_INLINE];
};
void stream_ids_init(struct stream_ids *ids);
void stream_ids_deinit(struct stream_ids *ids);
void stream_ids_add(struct stream_ids *ids, struct stream_id id);
size_t stream_ids_runs(const struct stream_ids *ids); /* of rising ones, that they fall into */

/* Whether the effects of the request, which repeat 'bytes' of names so many times, fit in a frame.
 * Asked before anything is changed. Each effect takes EFFECT_BYTES beside its names. */
enum { EFFECT_BYTES = 64 };
bool argument_effects_fit(struct command_context *c, uint64_t times, uint64_t bytes);

/* An ID as most commands take it: "-" and "+" are refused, a missing sequence is missing_seq. */
bool argument_stream_id(struct command_context *c, size_t index, uint64_t missing_seq,
                        struct stream_id *id);
/* All IDs from argument 'first' to the last. */
bool argument_stream_ids(struct command_context *c, size_t first, struct stream_ids *ids);

/* The ends of a range: "-", "+", an ID, or "(" and an ID that is not included. */
bool argument_range_first(struct command_context *c, size_t index, struct stream_id *first);
bool argument_range_last(struct command_context *c, size_t index, struct stream_id *last);

/* KEEPREF, DELREF, ACKED: what becomes of the references that consumer groups hold to entries that
 * are to be removed. ACKED removes only entries that no group refers to. */
enum stream_references { REFERENCES_KEEP, REFERENCES_DELETE, REFERENCES_ACKED };

/* [KEEPREF|DELREF|ACKED] IDS count id [id ...] of XDELEX and XACKDEL, from argument 'first'. */
bool argument_removal_options(struct command_context *c, size_t first,
                              enum stream_references *references, struct stream_ids *ids);

/* [MAXLEN|MINID [=|~] threshold [LIMIT count]] [KEEPREF|DELREF|ACKED] of XADD and XTRIM. */
struct stream_trim_options {
    bool given;
    enum stream_references references;
    struct stream_trim trim;
};
/* What follows the trim options is XADD's: NOMKSTREAM, IDMP and the ID. */
struct stream_add_options {
    struct stream_trim_options trim;
    bool no_create;
    size_t producer; /* argument of IDMP's or IDMPAUTO's producer ID; 0: neither was given */
    size_t iid;      /* argument of IDMP's idempotent ID; 0: IDMPAUTO makes it from the fields */
    enum { ADD_ID_AUTO, ADD_ID_AUTO_SEQ, ADD_ID_GIVEN } id_form; /* "*", "ms-*", an ID */
    struct stream_id id;
    size_t id_index; /* argument of the ID; arguments_count when there is none */
};
/* adding: XADD, else XTRIM. Reads from argument 2. */
bool argument_add_options(struct command_context *c, bool adding,
                          struct stream_add_options *options);

/* The stream of a key; *stream is NULL when the key is absent. False: WRONGTYPE. */
bool argument_stream(struct command_context *c, const struct store_key *key,
                     const struct stream **stream);

/* The group named by argument 'index' of a stream (NULL: absent), or NULL. */
const struct stream_group *argument_group(const struct command_context *c, size_t index,
                                          const struct stream *stream);

/* The group of XGROUP and XINFO: argument 3, of the key that is argument 2. NULL: refused. */
const struct stream_group *require_group(struct command_context *c, const struct stream *stream);

/* "NOGROUP No such key 'k' or consumer group 'g'" + suffix. */
enum outcome refuse_no_group(struct command_context *c, struct slice key, struct slice group);

/* Creates the consumer when it is not there, and notes that it was seen. */
void ensure_consumer(struct command_context *c, const struct store_key *key, struct slice group,
                     struct slice consumer);

/* The consumer that has the entry; empty when nobody has (XNACK). */
struct slice pending_owner_name(const struct stream_pending *pending);

void answer_stream_id(struct reply *r, struct stream_id id);
/* [id, [name, value ...]] of the entry that the walk stands on; without the count of elements, for
 * answers that have more of them: id and fields. */
void answer_stream_entry(struct reply *r, struct stream_walk *walk);
void answer_stream_id_and_fields(struct reply *r, struct stream_walk *walk);
/* The entry with this ID, which is there. */
void answer_stream_entry_of(struct reply *r, const struct stream *stream, struct stream_id id);

#endif
