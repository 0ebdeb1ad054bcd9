/* touch.h - what each kind of effect means for those who wait for its key, and for those who watch
 * it. Private to db/. */
#ifndef DB_TOUCH_H
#define DB_TOUCH_H

#include "db/effect.h"

/* Whom a change may wake: nobody, those who wait for pending entries, all who wait for the key, or
 * for any key of the database. */
enum touch { TOUCH_NONE, TOUCH_PENDING, TOUCH_KEY, TOUCH_ALL };

/* Whose wait can the effect end? What happens inside a consumer group ends no wait for new entries,
 * and waking a reader of a busy group for it would cost more than the delivery. */
enum touch effect_wakes(enum effect_kind kind);

/* Does the effect change its key for those who watch it? What happens inside a consumer group does
 * not, nor what concerns no entry: as in Redis. */
bool effect_breaks_watches(enum effect_kind kind);

#endif
