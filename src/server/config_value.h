/* config_value.h - one value of each type: text to value, with Redis' words for what is wrong. */
#ifndef SERVER_CONFIG_VALUE_H
#define SERVER_CONFIG_VALUE_H

#include "server/config.h"

/* Replaces the content and keeps the NUL behind it. */
void config_value_set_text(struct config_value *v, struct slice text);
void config_value_copy(struct config_value *to, const struct config_value *from);

/* Reads words into *v, which holds the present value (LIMITS change only the classes named).
 * False with the reason in 'problem': *v is as it was. 'warnings' (may be NULL) gets what was
 * accepted without effect; without it such a thing is refused. */
struct config_words {
    const struct slice *items;
    size_t count;
    struct buf *warnings;
};
bool config_value_parse(enum config_id id, const struct config_words *words, struct config_value *v,
                        struct buf *problem);

#endif
