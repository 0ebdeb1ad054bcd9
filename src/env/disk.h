/* disk.h - all of the disk that the house may see: one directory, flat names.
 *
 * The product gets disk_os.h; the simulator gets a disk that commits every crime that a real one
 * can (tests/sim). Offsets and sizes are bytes. A name has no slash. What a crash keeps: written
 * bytes only after sync of their file; a created, renamed or removed name only after sync_names.
 *
 * Every function returns DISK_OK or what the world did wrong; nothing is retried here. Functions
 * may be called from one helper thread at a time per file; those that take a name, from several.
 * All of these share one directory, whose failed sync is told once, to one of them: after it
 * sync_names fails for ever, whoever asks, or another thread would vouch for a name that this one
 * has lost (docs/decisions/0026).
 *
 * The disk decides how bytes travel (docs/decisions/0010): whole blocks at block boundaries go
 * past the page cache where the file system allows, from memory at a block boundary without a
 * copy. */
#ifndef ENV_DISK_H
#define ENV_DISK_H

#include "base/slice.h"

#include <stdint.h>

enum disk_status {
    DISK_OK,
    DISK_ABSENT,     /* no file of that name */
    DISK_EXISTS,     /* create found one */
    DISK_FULL,       /* ENOSPC, EDQUOT, EFBIG */
    DISK_DENIED,     /* EACCES, EPERM, EROFS */
    DISK_FAILED,     /* everything else: EIO ... */
    DISK_NAMES_LOST, /* sync_names failed, now or before */
};

const char *disk_status_text(enum disk_status status); /* "no space left on the device" ... */

struct disk_file; /* opaque, one per open file */

enum disk_open {
    DISK_OPEN_READ,   /* direct reads where the file system can: what the cache holds may not be
                         what the disk holds */
    DISK_OPEN_WRITE,  /* existing file, for writing in place */
    DISK_OPEN_CREATE, /* must not exist */
};

typedef void disk_visit(void *context, struct slice name, uint64_t size);

struct disk_operations {
    enum disk_status (*open)(void *context, const char *name, enum disk_open how,
                             struct disk_file **file);
    void (*close)(void *context, struct disk_file *file);
    /* Reads up to 'size' bytes at offset; *read_size < size only at the end of the file. */
    enum disk_status (*read)(struct disk_file *file, uint64_t offset, char *bytes, size_t size,
                             size_t *read_size);
    enum disk_status (*write)(struct disk_file *file, uint64_t offset, struct slice bytes);
    enum disk_status (*sync)(struct disk_file *file); /* data is on stable storage, or an error */
    enum disk_status (*rename)(void *context, const char *from, const char *to);
    enum disk_status (*remove)(void *context, const char *name);
    enum disk_status (*sync_names)(void *context);
    enum disk_status (*list)(void *context, disk_visit *visit, void *visit_context);
    /* A monotonic clock, only for saying how long the disk took; the simulator answers 0. */
    uint64_t (*now_ns)(void *context);
};

struct disk {
    const struct disk_operations *operations;
    void *context;
};

/* For aligned writes: the unit that the disk never tears, and that direct I/O asks for. */
enum { DISK_BLOCK_BYTES = 4096, DISK_NAME_MAX = 64 };

#endif
