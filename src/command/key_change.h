/* key_change.h - what commands do to a key that is there, whatever its type. */
#ifndef COMMAND_KEY_CHANGE_H
#define COMMAND_KEY_CHANGE_H

#include "command/command.h"

static inline void delete_key(struct command_context *c, const struct store_key *key)
{
    db_change(c->db, &(struct effect){.kind = EFFECT_KEY_DELETE, .key = *key});
}

/* STORE_NO_EXPIRY: it has no deadline any more. One that has passed already deletes the key at
 * once, which is what it would come to. */
static inline void set_deadline(struct command_context *c, const struct store_key *key,
                                int64_t expiry_ms)
{
    struct effect change = {
        .kind = EFFECT_KEY_EXPIRE, .key = *key, .key_expire = {.expiry_ms = expiry_ms}};
    if (expiry_ms <= c->now_ms) delete_key(c, key);
    else db_change(c->db, &change);
}

#endif
