/* disk_os.h - the disk of the operating system: one directory, locked by this process. */
#ifndef ENV_DISK_OS_H
#define ENV_DISK_OS_H

#include "env/disk.h"

/* Opens (creating it when the parent exists) and locks a directory. NULL on failure, with a
 * sentence for the operator in 'problem' that names the path and what is wrong (two servers on one
 * directory, not writable, not a directory ...). The path is copied. */
struct disk *disk_os_open(const char *path, char *problem, size_t problem_size);

/* Releases the lock. Files must be closed. */
void disk_os_close(struct disk *disk);

#endif
