/* examine.h - what a start of the server would find in a directory, without starting one.
 *
 * The log is read by the server's own code: wal/recovery.h up to the point where a start begins to
 * change files, and every effect by the decoder of db/. Nothing is changed here except by
 * examine_cut, and that only writes zeros where the recovery found a torn tail.
 *
 * It must never parse a byte of the format itself: a second opinion that differs from the server's
 * would be worth less than none. */
#ifndef CHECK_EXAMINE_H
#define CHECK_EXAMINE_H

#include "check/output.h"
#include "db/replay.h"
#include "wal/recovery.h"

enum verdict {
    VERDICT_CLEAN,      /* a start would read everything and cut nothing */
    VERDICT_TORN,       /* a start would cut a torn tail: nothing acknowledged is in it */
    VERDICT_CORRUPT,    /* a start would refuse */
    VERDICT_UNREADABLE, /* the disk failed, there is no log, or it is of a newer version */
};

/* The exit status of each verdict is its number. */
const char *verdict_name(enum verdict verdict);

struct dump {
    lsn_t from;
    lsn_t to;           /* inclusive; 0 with from 0: nothing is shown */
    struct output *out; /* NULL: nothing is shown */
};

/* A snapshot that the manifest names, read to its end whether a start would need it or not. */
struct snapshot_finding {
    struct wal_snapshot said; /* by the manifest */
    uint64_t file_size;       /* 0: there is no such file */
    enum snapshot_verdict verdict;
    char problem[256]; /* unless SNAPSHOT_OK */
};

struct examination {
    enum verdict verdict;
    char problem[512]; /* for CORRUPT and UNREADABLE: a sentence */
    struct wal_recovery report;
    struct recovery recovery; /* valid as far as it came; manifest always when it was read */
    uint64_t effects;
    uint64_t effects_of[64];                                   /* by row of effect_table */
    uint64_t keys;                                             /* with 'applying': in the end */
    struct snapshot_finding snapshots[MANIFEST_SNAPSHOTS_MAX]; /* newest first */
    size_t snapshots_count;

    /* Private to examine.c: */
    struct wal_options options;
    struct dump dump;
    struct store *store;
    struct replay replay;
    struct wal_loader loader;
    struct effect_scratch scratch;
    struct buf line;
    bool applying;
};

struct examine_options {
    struct disk *disk;
    struct dump dump;
    bool applying; /* also rebuild the data in memory, as a start does */
};

/* examine_deinit is due afterwards. */
void examine(struct examination *x, const struct examine_options *options);
void examine_deinit(struct examination *x);

/* Whether the manifest was readable. */
bool examine_has_manifest(const struct examination *x);

/* Writes zeros over the torn tail that the examination found, and syncs. The disk must be locked
 * since before the examination. */
enum disk_status examine_cut(const struct examination *x);

#endif
