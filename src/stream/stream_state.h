/* stream_state.h - what a stream is made of (private to the room).
 *
 * Ordinals: every append gets the next number of 'appended', which nothing else ever changes. What
 * clients call entries-added can be set (XSETID), so it is kept beside: the ordinal that a client
 * sees is entries_added minus how many were appended afterwards. */
#ifndef STREAM_STREAM_STATE_H
#define STREAM_STREAM_STATE_H

#include "stream/block_index.h"
#include "stream/name_index.h"

/* What a stream has once it has had a group. */
struct stream_grouped {
    size_t bytes; /* allocated by groups */
    /* referenced.c: the live entries of 'known' are referenced, but perhaps for suspects. */
    struct stream_range known;  /* empty (first > last): nothing is known */
    struct stream_id *suspects; /* rising, of the range */
    uint32_t suspects_count;
    uint32_t suspects_capacity;
};

struct stream {
    struct block_index blocks;
    uint64_t length;
    uint64_t appended;
    uint64_t entries_added;
    struct stream_id last_id;
    struct stream_id max_deleted_id;
    struct name_index groups;        /* of struct stream_group */
    struct idempotence *idempotence; /* NULL: no producer ever was one, and XCFGSET said nothing */
    struct stream_grouped *grouped;  /* NULL: there never was a group */
    struct stream_image *image;      /* NULL: none, or it lacks nothing any more (image.h) */
};

/* What clients see of an ordinal: the one of the entry 'id' when it was the last that was read. */
uint64_t stream_shown_ordinal(const struct stream *s, uint64_t ordinal, struct stream_id id);

/* walk.c: where a walk stands, to be taken up later by another. It holds as long as the block has
 * its first record and was not rewritten; appends and marks of deletion do not matter. */
struct stream_bookmark {
    struct stream_id after; /* the entry that was read last */
    struct stream_id first_id;
    uint64_t ordinal;
    uint32_t rewrites;
    struct stream_walk_mark mark;
};
void stream_walk_bookmark(const struct stream_walk *w, struct stream_bookmark *bookmark);

/* group.c: the bookmark of a group that has read up to just before 'first', or NULL. */
const struct stream_bookmark *stream_groups_bookmark(const struct stream *s,
                                                     struct stream_id first);

/* Groups (group.c). */
bool stream_groups_dismantle(struct stream *s, size_t *steps);
void stream_groups_check(const struct stream *s);

/* What is known of references (referenced.c): of these IDs some may have none any more; of all. */
void stream_referenced_suspect(struct stream *s, const struct stream_id *ids, size_t count);
void stream_referenced_forget(struct stream *s);
void stream_grouped_create(struct stream *s); /* unless it is there */
void stream_grouped_destroy(struct stream *s);
void stream_referenced_check(const struct stream *s);

/* Producers (idempotence.c). */
bool stream_idmp_dismantle(struct stream *s, size_t *steps);
size_t stream_idmp_memory_bytes(const struct stream *s);
void stream_idmp_check(const struct stream *s);

#endif
