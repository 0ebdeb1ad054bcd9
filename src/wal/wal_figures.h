/* wal_figures.h - what the log measures of itself, for INFO: wal_measure in wal.h fills it in. */
#ifndef WAL_WAL_FIGURES_H
#define WAL_WAL_FIGURES_H

#include "env/disk.h"

#include <stdint.h>

struct wal_figures {
    uint64_t segments;
    uint64_t bytes;             /* of the segments that are the log */
    uint64_t spares;            /* files that wait to become segments, */
    uint64_t spare_bytes;       /* and what they take */
    uint64_t segments_recycled; /* since start, of those that were begun */
    uint64_t batches;           /* since start */
    uint64_t frames;            /* since start */
    uint64_t batch_bytes;       /* of batches since start, and of those that a recovery replayed */
    uint64_t snapshots;
    uint64_t snapshot_bytes;
    uint64_t syncs;        /* since start */
    uint64_t sync_ns_last; /* 0 in the simulator */
    uint64_t sync_ns_max;
    uint64_t sync_ns_total;
    uint64_t sync_ns_p50; /* percentiles since start: base/histogram.h */
    uint64_t sync_ns_p99;
    uint64_t commit_ns_total; /* of whole flushes: written and synced */
    uint64_t commit_ns_p50;
    uint64_t commit_ns_p99;
    uint64_t commit_ns_max;
    uint64_t batch_frames_p50; /* frames of a batch, markers not counted */
    uint64_t batch_frames_p99;
    uint64_t batch_frames_max;
    uint64_t batch_bytes_p50; /* bytes of a batch, its header counted */
    uint64_t batch_bytes_p99;
    uint64_t batch_bytes_max;
    uint64_t segment_number;
    uint64_t epoch;
    uint64_t first_lsn;
    enum disk_status last_status;
};

#endif
