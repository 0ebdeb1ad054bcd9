/* stream_full.h - what XINFO STREAM FULL says of entries, groups, consumers and pending entries.
 *
 * With COUNT 0 that is all there is. What does not fit into the first portion (portions.h) is
 * answered later, from a copy of the stream. docs/decisions/0027. */
#ifndef COMMAND_STREAM_FULL_H
#define COMMAND_STREAM_FULL_H

#include "command/stream_arguments.h"

/* Fields "entries" and "groups"; of each kind as many as 'limit' says (0: all). */
void answer_stream_full(struct command_context *c, const struct stream *stream, uint64_t limit,
                        uint64_t cut);

/* A field of any XINFO. */
void answer_stream_field(struct reply *r, const char *name, uint64_t value);
void answer_stream_field_id(struct reply *r, const char *name, struct stream_id id);

#endif
