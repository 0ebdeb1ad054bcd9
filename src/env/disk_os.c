/* disk_os.c - one directory of the operating system behind env/disk.h.
 *
 * Everything goes through the descriptor of the directory, so that a server that changes its
 * working directory, or an operator who renames a parent, cannot make it write elsewhere.
 *
 * Bytes travel past the page cache (O_DIRECT): recovery must see what the disk holds and not what
 * the cache holds, and a sync then has nothing to do but to empty the cache of the device. Three
 * things can be in the way, and each has its fallback:
 *   - the file system refuses the flag at open (tmpfs of old kernels): opened without it;
 *   - the offset or the size is not a multiple of DISK_BLOCK_BYTES: the flag is dropped for this
 *     file, for good;
 *   - only the memory is not at a block boundary: the bytes go through a bounce buffer.
 *
 * Invariant: a file that has the flag is read and written in whole blocks from aligned memory. */
#include "env/disk_os.h"

#include "base/check.h"
#include "base/memory.h"
#include "env/clock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_NAME "lock"

enum {
    BOUNCE_BYTES = 1024 * 1024,
    TRANSFER_BYTES_MAX = 1024 * 1024 * 1024, /* one pread or pwrite takes less than 2 GiB */
    LOCK_TEXT_BYTES = 32,
    FILE_MODE = 0640,
    DIRECTORY_MODE = 0750,
};

struct disk_file {
    int descriptor;
    bool direct;
    char *bounce; /* BOUNCE_BYTES at a block boundary, NULL until it is needed */
};

struct disk_os {
    struct disk disk; /* first: what the caller holds */
    int directory;
    int lock; /* -1: none is held (disk_os_open_existing) */
    pthread_mutex_t names;
    bool names_lost; /* a sync of the directory has failed */
};

static enum disk_status status_of(int error)
{
    switch (error) {
    case ENOENT: return DISK_ABSENT;
    case EEXIST: return DISK_EXISTS;
    case ENOSPC:
    case EDQUOT:
    case EFBIG: return DISK_FULL;
    case EACCES:
    case EPERM:
    case EROFS: return DISK_DENIED;
    default: return DISK_FAILED;
    }
}

/* openat that a signal cannot end. */
static int open_name(int directory, const char *name, int flags)
{
    int descriptor;
    do {
        descriptor = openat(directory, name, flags | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
    } while (descriptor < 0 && errno == EINTR);
    return descriptor;
}

static int open_flags(enum disk_open how)
{
    switch (how) {
    case DISK_OPEN_READ: return O_RDONLY;
    case DISK_OPEN_WRITE: return O_RDWR;
    case DISK_OPEN_CREATE: return O_RDWR | O_CREAT | O_EXCL;
    }
    CHECK(false);
    return 0;
}

static enum disk_status os_open(void *context, const char *name, enum disk_open how,
                                struct disk_file **file)
{
    struct disk_os *d = context;
    CHECK(name != NULL && strchr(name, '/') == NULL);
    CHECK(strlen(name) <= DISK_NAME_MAX);
    int flags = open_flags(how);
    bool direct = true;
    int descriptor = open_name(d->directory, name, flags | O_DIRECT);
    if (descriptor < 0 && errno == EINVAL) {
        /* Linux may have made the file before the file system refused the flag. */
        direct = false;
        descriptor = open_name(d->directory, name, flags & ~O_EXCL);
    }
    if (descriptor < 0) return status_of(errno);
    *file = memory_allocate(sizeof(**file));
    **file = (struct disk_file){.descriptor = descriptor, .direct = direct};
    return DISK_OK;
}

static void os_close(void *context, struct disk_file *file)
{
    (void)context;
    CHECK(file != NULL);
    /* What must be on the disk was synced before; a late error of close has nobody to tell. */
    (void)close(file->descriptor);
    if (file->bounce != NULL) memory_free_aligned(file->bounce, DISK_BLOCK_BYTES, BOUNCE_BYTES);
    memory_free(file, sizeof(*file));
}

static bool aligned(uint64_t figure)
{
    return figure % DISK_BLOCK_BYTES == 0;
}

static enum disk_status leave_direct(struct disk_file *file)
{
    int flags = fcntl(file->descriptor, F_GETFL);
    if (flags < 0 || fcntl(file->descriptor, F_SETFL, flags & ~O_DIRECT) != 0)
        return status_of(errno);
    file->direct = false;
    return DISK_OK;
}

/* Makes the file ready for a transfer; *bouncing: through the bounce buffer, in its portions. */
static enum disk_status prepare(struct disk_file *file, uint64_t offset, const char *bytes,
                                size_t size, bool *bouncing)
{
    *bouncing = false;
    if (file->direct && (!aligned(offset) || !aligned(size))) {
        enum disk_status status = leave_direct(file);
        if (status != DISK_OK) return status;
    }
    if (file->direct && !aligned((uintptr_t)bytes)) {
        *bouncing = true;
        if (file->bounce == NULL)
            file->bounce = memory_allocate_aligned(DISK_BLOCK_BYTES, BOUNCE_BYTES);
    }
    return DISK_OK;
}

static enum disk_status read_plainly(struct disk_file *file, uint64_t offset, char *bytes,
                                     size_t size, size_t *read_size)
{
    *read_size = 0;
    while (*read_size < size) {
        size_t portion = size - *read_size;
        if (portion > TRANSFER_BYTES_MAX) portion = TRANSFER_BYTES_MAX;
        ssize_t got =
            pread(file->descriptor, bytes + *read_size, portion, (off_t)(offset + *read_size));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return status_of(errno);
        if (got == 0) return DISK_OK;
        *read_size += (size_t)got;
        /* A direct read ends inside a block only at the end of the file. */
        if (file->direct && !aligned((uint64_t)got)) return DISK_OK;
    }
    return DISK_OK;
}

static enum disk_status os_read(struct disk_file *file, uint64_t offset, char *bytes, size_t size,
                                size_t *read_size)
{
    bool bouncing;
    *read_size = 0;
    enum disk_status status = prepare(file, offset, bytes, size, &bouncing);
    if (status != DISK_OK) return status;
    if (!bouncing) return read_plainly(file, offset, bytes, size, read_size);
    while (*read_size < size) {
        size_t portion = size - *read_size < BOUNCE_BYTES ? size - *read_size : BOUNCE_BYTES;
        size_t got;
        status = read_plainly(file, offset + *read_size, file->bounce, portion, &got);
        if (status != DISK_OK) return status;
        memcpy(bytes + *read_size, file->bounce, got);
        *read_size += got;
        if (got < portion) break;
    }
    return DISK_OK;
}

static enum disk_status write_plainly(struct disk_file *file, uint64_t offset, const char *bytes,
                                      size_t size)
{
    size_t written = 0;
    while (written < size) {
        size_t portion = size - written;
        if (portion > TRANSFER_BYTES_MAX) portion = TRANSFER_BYTES_MAX;
        ssize_t put = pwrite(file->descriptor, bytes + written, portion, (off_t)(offset + written));
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return status_of(errno);
        if (put == 0) return DISK_FULL; /* no file system does this for another reason */
        written += (size_t)put;
        /* A short direct write (the disk is nearly full) may end inside a block. */
        if (file->direct && !aligned((uint64_t)put)) return DISK_FULL;
    }
    return DISK_OK;
}

static enum disk_status os_write(struct disk_file *file, uint64_t offset, struct slice bytes)
{
    bool bouncing;
    enum disk_status status = prepare(file, offset, bytes.data, bytes.size, &bouncing);
    if (status != DISK_OK) return status;
    if (!bouncing) return write_plainly(file, offset, bytes.data, bytes.size);
    for (size_t written = 0; written < bytes.size && status == DISK_OK;) {
        size_t left = bytes.size - written;
        size_t portion = left < BOUNCE_BYTES ? left : BOUNCE_BYTES;
        memcpy(file->bounce, bytes.data + written, portion);
        status = write_plainly(file, offset + written, file->bounce, portion);
        written += portion;
    }
    return status;
}

/* fdatasync keeps the data and what is needed to read it back (size, blocks). A signal does not
 * make it fail on a local disk; if one ever does, it is a failed sync like any other. */
static enum disk_status os_sync(struct disk_file *file)
{
    return fdatasync(file->descriptor) == 0 ? DISK_OK : status_of(errno);
}

static enum disk_status os_rename(void *context, const char *from, const char *to)
{
    struct disk_os *d = context;
    int result = renameat(d->directory, from, d->directory, to);
    return result == 0 ? DISK_OK : status_of(errno);
}

static enum disk_status os_remove(void *context, const char *name)
{
    struct disk_os *d = context;
    CHECK(strcmp(name, LOCK_NAME) != 0);
    return unlinkat(d->directory, name, 0) == 0 ? DISK_OK : status_of(errno);
}

/* Under a mutex, so that no thread syncs between the failure of another and its being noted. */
static enum disk_status os_sync_names(void *context)
{
    struct disk_os *d = context;
    pthread_mutex_lock(&d->names);
    if (!d->names_lost) d->names_lost = fsync(d->directory) != 0;
    bool lost = d->names_lost;
    pthread_mutex_unlock(&d->names);
    return lost ? DISK_NAMES_LOST : DISK_OK;
}

static bool visit_entry(struct disk_os *d, const char *name, disk_visit *visit, void *context)
{
    struct stat s;
    if (fstatat(d->directory, name, &s, AT_SYMLINK_NOFOLLOW) != 0) {
        return errno == ENOENT; /* another thread removed it meanwhile */
    }
    if (S_ISREG(s.st_mode) && strcmp(name, LOCK_NAME) != 0)
        visit(context, slice_of(name), (uint64_t)s.st_size);
    return true;
}

static enum disk_status os_list(void *context, disk_visit *visit, void *visit_context)
{
    struct disk_os *d = context;
    int again = open_name(d->directory, ".", O_RDONLY | O_DIRECTORY);
    if (again < 0) return status_of(errno);
    DIR *stream = fdopendir(again);
    if (stream == NULL) {
        enum disk_status status = status_of(errno);
        (void)close(again);
        return status;
    }
    enum disk_status status = DISK_OK;
    const struct dirent *entry;
    while (errno = 0, (entry = readdir(stream)) != NULL) {
        if (!visit_entry(d, entry->d_name, visit, visit_context)) break;
    }
    if (errno != 0) status = status_of(errno);
    (void)closedir(stream);
    return status;
}

static uint64_t os_now_ns(void *context)
{
    (void)context;
    return (uint64_t)clock_monotonic_ns();
}

static const struct disk_operations operations = {
    .open = os_open,
    .close = os_close,
    .read = os_read,
    .write = os_write,
    .sync = os_sync,
    .rename = os_rename,
    .remove = os_remove,
    .sync_names = os_sync_names,
    .list = os_list,
    .now_ns = os_now_ns,
};

static int open_directory(const char *path, char *problem, size_t problem_size)
{
    int directory;
    do {
        directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    } while (directory < 0 && errno == EINTR);
    if (directory < 0) {
        snprintf(problem, problem_size, "the directory '%s' cannot be opened: %s", path,
                 strerror(errno));
    }
    return directory;
}

/* The lock belongs to the open file and not to its name or content: it ends with the process,
 * however that ends. */
static bool hold(int lock, const char *path, char *problem, size_t problem_size)
{
    char owner[LOCK_TEXT_BYTES] = {0};
    if (flock(lock, LOCK_EX | LOCK_NB) == 0) return true;
    int error = errno;
    ssize_t size = pread(lock, owner, sizeof(owner) - 1, 0);
    while (size > 0 && owner[size - 1] == '\n') owner[--size] = '\0';
    if (error == EWOULDBLOCK) {
        snprintf(problem, problem_size,
                 "the directory '%s' is in use by another server (process %s)", path,
                 size > 0 ? owner : "unknown");
    } else {
        snprintf(problem, problem_size, "the directory '%s' cannot be locked: %s", path,
                 strerror(error));
    }
    return false;
}

/* The number of the process in the lock file is for the message only. */
static int take_lock(int directory, const char *path, char *problem, size_t problem_size)
{
    int lock = open_name(directory, LOCK_NAME, O_RDWR | O_CREAT);
    if (lock < 0) {
        snprintf(problem, problem_size, "the directory '%s' is not writable: %s", path,
                 strerror(errno));
        return -1;
    }
    if (!hold(lock, path, problem, problem_size)) {
        (void)close(lock);
        return -1;
    }
    char owner[LOCK_TEXT_BYTES];
    int size = snprintf(owner, sizeof(owner), "%ld\n", (long)getpid());
    bool named = ftruncate(lock, 0) == 0 && pwrite(lock, owner, (size_t)size, 0) == size;
    /* On a full disk the lock holds all the same, only the message has no number to name. */
    (void)named;
    return lock;
}

static struct disk *create(int directory, int lock)
{
    struct disk_os *d = memory_allocate(sizeof(*d));
    *d = (struct disk_os){.directory = directory, .lock = lock};
    d->disk = (struct disk){.operations = &operations, .context = d};
    int result = pthread_mutex_init(&d->names, NULL);
    CHECK(result == 0);
    return &d->disk;
}

struct disk *disk_os_open(const char *path, char *problem, size_t problem_size)
{
    CHECK(path != NULL && problem != NULL && problem_size > 0);
    if (mkdir(path, DIRECTORY_MODE) != 0 && errno != EEXIST) {
        snprintf(problem, problem_size, "the directory '%s' cannot be made: %s", path,
                 strerror(errno));
        return NULL;
    }
    int directory = open_directory(path, problem, problem_size);
    if (directory < 0) return NULL;
    int lock = take_lock(directory, path, problem, problem_size);
    if (lock >= 0) return create(directory, lock);
    (void)close(directory);
    return NULL;
}

struct disk *disk_os_open_existing(const char *path, bool locking, char *problem,
                                   size_t problem_size)
{
    CHECK(path != NULL && problem != NULL && problem_size > 0);
    int directory = open_directory(path, problem, problem_size);
    if (directory < 0) return NULL;
    int lock = locking ? open_name(directory, LOCK_NAME, O_RDONLY) : -1;
    bool usable = lock >= 0 ? hold(lock, path, problem, problem_size) : true;
    if (lock < 0 && locking && errno != ENOENT) {
        snprintf(problem, problem_size, "the lock of the directory '%s' cannot be opened: %s", path,
                 strerror(errno));
        usable = false;
    }
    if (usable) return create(directory, lock);
    if (lock >= 0) (void)close(lock);
    (void)close(directory);
    return NULL;
}

void disk_os_close(struct disk *disk)
{
    CHECK(disk != NULL);
    struct disk_os *d = disk->context;
    CHECK(&d->disk == disk);
    if (d->lock >= 0) (void)close(d->lock);
    (void)close(d->directory);
    pthread_mutex_destroy(&d->names);
    memory_free(d, sizeof(*d));
}
