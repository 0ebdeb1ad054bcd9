/* spares.h - the files that wait to become segments, and the jobs that make, recycle and remove.
 *
 * A spare is either made of zeros ahead of need, or it was a segment that nobody needs any more and
 * still has its bytes: the salt of its next life tells them from what is written then
 * (wal/segment.h). Making costs a write of the whole file, recycling a rename, so as many old
 * segments are kept as were begun between the last two snapshots, and SPARES_AHEAD more, so that
 * none has to be made before the next snapshot; making stops at SPARES_AHEAD.
 *
 * A segment is recycled only after a manifest that does not name it is on stable storage, and it is
 * a spare only after its new name is, too. So at each point of a crash the file is either a segment
 * that no log needs, or a spare.
 *
 * It never knows which files are needed (wal/generations.h). */
#ifndef WAL_SPARES_H
#define WAL_SPARES_H

#include "wal/generations.h"
#include "wal/segment.h"

enum {
    SPARES_AHEAD = 2,
    SPARES_MAX = 16, /* with segments of 64 MiB: 1 GiB */
};

struct spares {
    uint64_t numbers[SPARES_MAX];
    size_t count;
    size_t wanted; /* old segments are kept up to so many: SPARES_AHEAD to SPARES_MAX */
    uint64_t next; /* a number that no spare has had */
};

void spares_add(struct spares *s, uint64_t number);
void spares_take(struct spares *s, uint64_t number);

/* So many segments are begun between two snapshots. */
void spares_expect(struct spares *s, uint64_t segments);

enum spare_work { SPARE_MAKE, SPARE_RECYCLE, SPARE_REMOVE };

/* One job on another thread (wal.h). */
struct wal_spare {
    struct disk *disk;
    enum spare_work work;
    uint64_t number;          /* of the spare that is made, or that the segment becomes */
    uint64_t size;            /* of the spare that is made */
    struct leftover leftover; /* what is recycled or removed */
    enum disk_status status;
};

#endif
