/* stream_remove.h - what XADD, XTRIM, XDEL, XDELEX and XACKDEL share: entries leave a stream, with
 * or without the references that its consumer groups hold to them. */
#ifndef COMMAND_STREAM_REMOVE_H
#define COMMAND_STREAM_REMOVE_H

#include "command/stream_arguments.h"

/* Asked before the first effect; stream may be NULL. False: refused. */
bool trim_effects_fit(struct command_context *c, const struct store_key *key,
                      const struct stream *stream, const struct stream_trim_options *options);

/* Trims a stream that exists, as the options say; returns how many entries went. */
uint64_t remove_by_trim(struct command_context *c, const struct store_key *key,
                        const struct stream_trim_options *options);

#endif
