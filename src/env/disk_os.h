/* disk_os.h - the disk of the operating system: one directory, locked by this process. */
#ifndef ENV_DISK_OS_H
#define ENV_DISK_OS_H

#include "env/disk.h"

/* Opens (creating it when the parent exists) and locks a directory. NULL on failure, with a
 * sentence for the operator in 'problem' that names the path and what is wrong (two servers on one
 * directory, not writable, not a directory ...). The path is copied. */
struct disk *disk_os_open(const char *path, char *problem, size_t problem_size);

/* The same for a tool that looks at a directory that must exist: nothing is made, nothing in it is
 * changed. With 'locking' the lock is taken if the directory has a lock file, and its text stays;
 * without, a server may be writing meanwhile. */
struct disk *disk_os_open_existing(const char *path, bool locking, char *problem,
                                   size_t problem_size);

/* Releases the lock. Files must be closed. */
void disk_os_close(struct disk *disk);

#endif
