/* stream_idempotence.h - a message of an idempotent producer, for XADD with IDMP and IDMPAUTO. */
#ifndef COMMAND_STREAM_IDEMPOTENCE_H
#define COMMAND_STREAM_IDEMPOTENCE_H

#include "command/stream_arguments.h"
#include "stream/idempotence.h"

enum { IDEMPOTENT_IID_BYTES = 16 }; /* of one that IDMPAUTO makes */

struct idempotent_message {
    bool given; /* false: XADD without these options */
    struct slice producer;
    struct slice iid;
    char made[IDEMPOTENT_IID_BYTES];
};

/* 'items' are the fields and values of the entry. */
void idempotent_message_read(struct idempotent_message *m, const struct command_context *c,
                             const struct stream_add_options *options, const struct slice *items,
                             size_t count);

/* Was the message stored already, as the entry *id? Then that is counted. */
bool idempotent_message_stored(const struct idempotent_message *m, struct command_context *c,
                               const struct store_key *key, const struct stream *stream,
                               struct stream_id *id);

/* What is to be remembered when the message, which is given, becomes the entry 'id' of the stream
 * (NULL: absent). Borrows from the message. */
struct stream_idmp_record idempotent_message_record(const struct idempotent_message *m,
                                                    const struct command_context *c,
                                                    const struct stream *stream,
                                                    struct stream_id id);

/* What holds for the stream: its own settings, or the configuration's. */
struct stream_idmp_limits idempotence_limits(const struct command_context *c,
                                             const struct stream *stream);

#endif
