/* transaction.h - what MULTI, EXEC and WATCH need of the db beside db.h: a batch of several
 * commands, and keys that are watched. docs/decisions/0022. */
#ifndef DB_TRANSACTION_H
#define DB_TRANSACTION_H

#include "db/db.h"
#include "db/watched.h"

/* Inside a batch: the next command of several begins. 'reads': as db_begin_reading. */
void db_begin_part(struct db *db, bool reads);
bool db_part_changed(const struct db *db); /* ... it has had effects */

/* May a further command write into the open batch? False: the batch's frame has become so long that
 * one more command might not fit. Nothing but a transaction comes so far. */
bool db_batch_has_room(const struct db *db);

/* Between or inside batches. False: it watches all that it may (WATCHED_BYTES_MAX). */
bool db_watch_key(struct db *db, struct watcher *watcher, const struct store_key *key);
void db_unwatch(struct db *db, struct watcher *watcher);

/* Inside a batch: has a watched key changed? If so, the batch depends on that change. */
bool db_watch_broken(struct db *db, const struct watcher *watcher);

#endif
