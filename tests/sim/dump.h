/* dump.h - the whole key space as text: every fact that a crash must not change.
 *
 * Two databases with the same dump are the same for every client, up to what is not promised: the
 * time when a consumer was last seen (no effect carries it) and the layout of a stream's blocks. */
#ifndef SIM_DUMP_H
#define SIM_DUMP_H

#include "db/db.h"

/* Of every key of every database that exists at db_now_ms, whatever the order in which the store
 * keeps them. Opens a batch of its own. */
uint64_t dump_hash(struct db *db);

/* Of one key; 0: it does not exist. */
uint64_t dump_key_hash(struct db *db, unsigned database, struct slice name);

/* Lines for people, one for each fact; in the order of the store. */
void dump_text(struct db *db, struct buf *out);

#endif
