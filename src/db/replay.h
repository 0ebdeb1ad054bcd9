/* replay.h - a recovery: the snapshot's items, then the log's frames, into a store. The way back of
 * save.h; db_open uses it, and irmak-check.
 *
 * Nothing of a snapshot is believed: items are decoded under the sizes that they have, every key
 * must lie in its section, and counts must agree in the end. What was loaded before something was
 * found to be wrong is dropped again.
 *
 * Of the log, what the snapshot has already is skipped, key by key (coverage.h):
 *   - an effect of one key, when the snapshot holds the key as of its LSN or later;
 *   - of a rename the half that is there: the key that it takes away, the key that it sets. When it
 *     has the former and not the latter, the value is a MOVED one, kept aside until its LSN comes.
 *     That value is the one at the end of the frame, so the rest of the frame is skipped for it;
 *   - of a flush the keys that the snapshot holds as of its LSN or later. */
#ifndef DB_REPLAY_H
#define DB_REPLAY_H

#include "db/coverage.h"
#include "db/effect.h"
#include "stream/stream_image.h"

/* A value that moved while the snapshot was made: what the key held as of the LSN. */
struct moved_value {
    lsn_t lsn;
    uint8_t database;
    bool exists;
    bool applied; /* the store has it now; until its frame ends it covers the key */
    struct buf name;
    struct buf bytes;   /* of FORM_BYTES */
    struct value value; /* owned until it was applied */
    int64_t expiry_ms;
};

struct replay {
    struct effect_target target; /* borrowed by the owner of the replay */
    struct effect_scratch scratch;
    uint64_t effects;
    uint64_t effects_skipped;
    lsn_t covered_lsn; /* behind it the snapshot holds nothing; 0: there is no snapshot */
    struct coverage coverage;
    struct moved_value *moved; /* in the order of their LSNs */
    size_t moved_count;
    size_t moved_capacity;

    /* While a snapshot is loaded: */
    bool begun; /* HEAD came */
    bool ended; /* END came */
    uint8_t database;
    struct buf parts; /* of an item that comes in parts */
    uint64_t keys;
    uint64_t section_keys;
    uint64_t position_min; /* of the keys of the section, without their hashes */
    uint64_t position_max;
    bool moved_pending;     /* the next key is the value of the last moved one */
    struct buf stream_name; /* whose pieces come */
    int64_t stream_expiry_ms;
    struct stream_loader *stream;
};

void replay_init(struct replay *r, const struct effect_target *target);
void replay_deinit(struct replay *r);

/* For wal_options.loader; borrows the replay. */
struct wal_loader replay_loader(struct replay *r);

/* For wal_open: the frame's effects. False: one cannot be read or does not fit. */
bool replay_frame(void *replay, lsn_t lsn, struct slice frame);

/* The frames that come next: what the first effect of each will need is fetched, all at once. */
void replay_ahead(void *context, const struct slice *frames, size_t count);

#endif
