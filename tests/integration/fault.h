/* fault.h - what a test and the preloaded library (fault_preload.c) share: one page of memory.
 *
 * The test makes the file, maps it, and gives its path to the server in IRMAK_FAULT_FILE; the
 * library maps the same file and looks at it at every call. So a test can arm a failure before the
 * start (recovery) or while the server runs, disarm it, and see what was struck.
 *
 * Only calls on the data directory count: files that were opened relative to a descriptor of a
 * directory, which is what env/disk_os.c does and nobody else; of these not the file `lock`.
 *
 * A failed sync loses what was written since the last one, as a disk may: the library puts the old
 * bytes back. So a server that acknowledges in spite of it is found out after its restart. */
#ifndef INTEGRATION_FAULT_H
#define INTEGRATION_FAULT_H

#include <stdint.h>

enum fault_call {
    FAULT_OPEN,       /* openat */
    FAULT_READ,       /* pread */
    FAULT_WRITE,      /* pwrite */
    FAULT_SYNC,       /* fdatasync */
    FAULT_RENAME,     /* renameat */
    FAULT_REMOVE,     /* unlinkat */
    FAULT_SYNC_NAMES, /* fsync */
    FAULT_CALLS_COUNT,
    FAULT_ALLOCATE = FAULT_CALLS_COUNT, /* mallocx, rallocx: no call on the disk */
    FAULT_COUNTS_COUNT,
};

enum {
    FAULT_SHORT = -1,
    FAULT_NAME_SIZE = 64,
    FAULT_CHANGES = 1 << FAULT_WRITE | 1 << FAULT_SYNC | 1 << FAULT_RENAME | 1 << FAULT_REMOVE |
                    1 << FAULT_SYNC_NAMES,
};

/* Apart from failures, reads can be held: the read number 'held_from' (counted in seen, from 0) and
 * all after it wait, without the lock, until it is 0 again. So do the calls whose bits are set in
 * 'stalled', of those that change the disk. */
struct fault_page {
    uint32_t armed;                    /* last to be written by the test, first to be read */
    uint32_t call;                     /* enum fault_call */
    uint32_t after;                    /* so many further calls still succeed */
    uint32_t sticky;                   /* all that follow fail too */
    int32_t error;                     /* errno, or FAULT_SHORT: half of a write succeeds */
    uint32_t fired;                    /* how often it struck */
    uint32_t on_segment;               /* it struck a write or sync of a log-N */
    uint32_t on_recycled;              /* it struck a call that recycles, or on a recycled file */
    uint32_t recycled;                 /* a log-N became a spare-N, and the names were synced */
    uint32_t reused;                   /* and its header was written again */
    char name[FAULT_NAME_SIZE];        /* of the first file that it struck */
    uint32_t held_from;                /* > 0; 0: reads are not held */
    uint32_t held;                     /* the held_from that a read waits for */
    uint32_t stalled;                  /* bits: 1 << enum fault_call */
    uint32_t waiting;                  /* the bits of those that wait, or have waited */
    uint32_t seen[FAULT_COUNTS_COUNT]; /* calls since the process began */
};

#endif
