/* disk_load.c - the floor of a durable write: what this disk does when nothing else is asked of it.
 *
 *   disk_load DIRECTORY COUNT
 *       Writes COUNT blocks of 4 KiB one after the other into a file that was filled with zeros,
 *       past the page cache where the file system allows, and syncs each: as the log does, but
 *       without a server. Prints writes/s and the processor time of one in microseconds. */
#include "load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 4096, FILE_BYTES = 16 * 1024 * 1024, COUNT_MAX = 1000 * 1000 };

_Noreturn static void stop(const char *what)
{
    load_stop(what, strerror(errno));
}

static int open_filled(const char *path, char *block)
{
    int file = open(path, O_RDWR | O_CREAT | O_EXCL | O_DIRECT, 0600);
    if (file < 0) {
        unlink(path); /* Linux may have made it before the file system refused the flag */
        file = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    }
    if (file < 0) stop(path);
    for (off_t offset = 0; offset < FILE_BYTES; offset += BLOCK)
        if (pwrite(file, block, BLOCK, offset) != BLOCK) stop("filling the file");
    if (fsync(file) != 0) stop("filling the file");
    return file;
}

int main(int count, char **words)
{
    char path[4096];
    if (count != 3) load_stop("usage", "disk_load DIRECTORY COUNT");
    long writes = (long)load_number(words[2], 1, COUNT_MAX);
    char *block = aligned_alloc(BLOCK, BLOCK);
    if (block == NULL) load_stop("a block", "no memory");
    snprintf(path, sizeof path, "%s/disk_load-%ld", words[1], (long)getpid());
    memset(block, 0, BLOCK);
    int file = open_filled(path, block);
    uint64_t begin = load_now_ns();
    clock_t used = clock();
    for (long i = 0; i < writes; i++) {
        memset(block, (int)(i + 1), BLOCK);
        if (pwrite(file, block, BLOCK, i * BLOCK % FILE_BYTES) != BLOCK) stop("writing");
        if (fdatasync(file) != 0) stop("syncing");
    }
    used = clock() - used;
    printf("%.0f %.1f\n", (double)writes / load_seconds_since(begin),
           (double)used / CLOCKS_PER_SEC / (double)writes * 1e6);
    close(file);
    unlink(path);
    free(block);
    return 0;
}
