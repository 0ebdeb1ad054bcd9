/* failing_disk_fixture.h - a disk in a temporary directory, one call of which fails: for tests of
 * what makes and reads files. There is one at a time, because the operations of a file do not get
 * the disk's context. */
#ifndef WAL_FAILING_DISK_FIXTURE_H
#define WAL_FAILING_DISK_FIXTURE_H

#include "env/disk.h"

struct failing_disk {
    struct disk disk;                  /* for what is tested */
    struct disk_operations operations; /* of 'disk'; a test may put in others */
    struct disk *real;                 /* the same files, and nothing fails */
    char path[64];
    unsigned calls;   /* of open, read, write, sync, rename, sync_names */
    unsigned reads;   /* of read */
    unsigned fail_at; /* which of the calls fails, from 1 on; 0: none */
};

void failing_disk_open(struct failing_disk *d);
void failing_disk_close(struct failing_disk *d); /* and the directory goes */

#endif
