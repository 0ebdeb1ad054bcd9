/* fault_preload.c - LD_PRELOAD library that makes the Nth call on the data directory fail; the
 * contract is fault.h.
 *
 * Calls of several threads are counted under one lock, which is held during the call itself:
 * the disk is slow anyway, and so a write and a sync of one file are seen in their real order. */
#include "fault.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

enum { DESCRIPTORS_MAX = 1024, BLOCK_BYTES = 4096, KEPT_MAX = 256, RECYCLED_MAX = 64 };

struct kept { /* what stood where an unsynced write went */
    int descriptor;
    off_t offset;
    size_t size;
    char *bytes;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct fault_page *page;
static bool looked;
static char recycled_names[RECYCLED_MAX][FAULT_NAME_SIZE];
static size_t recycled_count;
static bool recycled_files[DESCRIPTORS_MAX]; /* open ones, whatever they are called by now */
static __thread bool has_recycled;           /* this thread, since its last sync of names */
static bool tracked[DESCRIPTORS_MAX];
static struct kept kept[KEPT_MAX];
static size_t kept_count;

static void *original(const char *name)
{
    void *function = dlsym(RTLD_NEXT, name);
    if (function == NULL) abort();
    return function;
}

static struct fault_page *find_page(void)
{
    if (looked) return page;
    looked = true;
    int (*open_file)(const char *, int, ...) = (int (*)(const char *, int, ...))original("open");
    const char *path = getenv("IRMAK_FAULT_FILE");
    int file = path != NULL ? open_file(path, O_RDWR | O_CLOEXEC) : -1;
    if (file < 0) return NULL;
    void *memory = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (memory != MAP_FAILED) page = memory;
    return page;
}

static bool is_tracked(int descriptor)
{
    return descriptor >= 0 && descriptor < DESCRIPTORS_MAX && tracked[descriptor];
}

/* The present name of an open file: a spare becomes a segment while it is open. */
static void name_of(int descriptor, char name[FAULT_NAME_SIZE])
{
    char link[64], path[512];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t size = readlink(link, path, sizeof path - 1);
    path[size > 0 ? size : 0] = '\0';
    const char *base = strrchr(path, '/');
    snprintf(name, FAULT_NAME_SIZE, "%.*s", FAULT_NAME_SIZE - 1, base != NULL ? base + 1 : path);
}

static bool is_recycled(const char *name)
{
    for (size_t i = 0; i < recycled_count; i++)
        if (strcmp(recycled_names[i], name) == 0) return true;
    return false;
}

static void note_rename(const char *from, const char *to)
{
    if (strncmp(from, "log-", 4) != 0 || strncmp(to, "spare-", 6) != 0) return;
    has_recycled = true;
    if (recycled_count == RECYCLED_MAX) return;
    snprintf(recycled_names[recycled_count++], FAULT_NAME_SIZE, "%s", to);
}

/* Does this call make a spare of a segment, or is it on a file that was made so? */
static bool recycles(enum fault_call call, const char *name, int descriptor)
{
    if (call == FAULT_RENAME) return strncmp(name, "log-", 4) == 0 || is_recycled(name);
    if (call == FAULT_SYNC_NAMES) return has_recycled;
    if (call == FAULT_OPEN) return is_recycled(name);
    return descriptor >= 0 && recycled_files[descriptor];
}

/* Counts the call; true if it must fail. 'name' may be NULL: ask the descriptor. */
static bool strikes(enum fault_call call, const char *name, int descriptor)
{
    struct fault_page *p = find_page();
    if (p == NULL) return false;
    p->seen[call]++;
    if (__atomic_load_n(&p->armed, __ATOMIC_ACQUIRE) == 0 || p->call != (uint32_t)call)
        return false;
    if (p->after > 0) {
        p->after--;
        return false;
    }
    if (p->fired > 0 && !p->sticky) return false;
    char own[FAULT_NAME_SIZE];
    if (name != NULL) snprintf(own, sizeof own, "%s", name);
    else name_of(descriptor, own);
    if (p->fired == 0) memcpy(p->name, own, sizeof own);
    if ((call == FAULT_WRITE || call == FAULT_SYNC) && strncmp(own, "log-", 4) == 0)
        p->on_segment = 1;
    if (recycles(call, own, descriptor)) p->on_recycled = 1;
    __atomic_add_fetch(&p->fired, 1, __ATOMIC_RELEASE);
    errno = p->error == FAULT_SHORT ? 0 : p->error;
    return true;
}

/* ---- what an unsynced write may lose ---- */

static void keep_old(int descriptor, off_t offset, size_t size)
{
    ssize_t (*read_at)(int, void *, size_t, off_t) =
        (ssize_t(*)(int, void *, size_t, off_t))original("pread");
    if (kept_count == KEPT_MAX || size % BLOCK_BYTES != 0) return;
    void *bytes;
    if (posix_memalign(&bytes, BLOCK_BYTES, size) != 0) return;
    memset(bytes, 0, size);
    (void)!read_at(descriptor, bytes, size, offset);
    kept[kept_count++] = (struct kept){descriptor, offset, size, bytes};
}

static void forget_old(int descriptor)
{
    size_t left = 0;
    for (size_t i = 0; i < kept_count; i++) {
        if (kept[i].descriptor == descriptor) free(kept[i].bytes);
        else kept[left++] = kept[i];
    }
    kept_count = left;
}

static void put_old_back(int descriptor)
{
    ssize_t (*write_at)(int, const void *, size_t, off_t) =
        (ssize_t(*)(int, const void *, size_t, off_t))original("pwrite");
    for (size_t i = kept_count; i-- > 0;)
        if (kept[i].descriptor == descriptor)
            (void)!write_at(descriptor, kept[i].bytes, kept[i].size, kept[i].offset);
    forget_old(descriptor);
}

/* ---- the calls ---- */

static int open_counted(const char *function, int directory, const char *name, int flags, int mode)
{
    int (*next)(int, const char *, int, ...) =
        (int (*)(int, const char *, int, ...))original(function);
    if (directory == AT_FDCWD || find_page() == NULL) return next(directory, name, flags, mode);
    pthread_mutex_lock(&lock);
    int result = strikes(FAULT_OPEN, name, -1) ? -1 : next(directory, name, flags, mode);
    if (result >= 0 && result < DESCRIPTORS_MAX) {
        tracked[result] = strcmp(name, "lock") != 0 && (flags & O_DIRECTORY) == 0;
        recycled_files[result] = is_recycled(name);
    }
    pthread_mutex_unlock(&lock);
    return result;
}

/* From here on libc's own functions, reserved names among them, are replaced: that is the purpose.
 * NOLINTBEGIN(bugprone-reserved-identifier, readability-redundant-declaration,
 *             readability-inconsistent-declaration-parameter-name) */
int openat(int directory, const char *name, int flags, ...);
int openat(int directory, const char *name, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    int mode = (flags & O_CREAT) != 0 ? va_arg(arguments, int) : 0;
    va_end(arguments);
    return open_counted("openat", directory, name, flags, mode);
}

int __openat_2(int directory, const char *name, int flags);
int __openat_2(int directory, const char *name, int flags)
{
    return open_counted("openat", directory, name, flags, 0);
}

int close(int descriptor)
{
    int (*next)(int) = (int (*)(int))original("close");
    if (!is_tracked(descriptor)) return next(descriptor);
    pthread_mutex_lock(&lock);
    tracked[descriptor] = false;
    forget_old(descriptor);
    int result = next(descriptor);
    pthread_mutex_unlock(&lock);
    return result;
}

static void wait_while_held(void)
{
    struct fault_page *p = find_page();
    if (p == NULL) return;
    for (;;) {
        uint32_t from = __atomic_load_n(&p->held_from, __ATOMIC_ACQUIRE);
        if (from == 0 || __atomic_load_n(&p->seen[FAULT_READ], __ATOMIC_RELAXED) < from) return;
        __atomic_store_n(&p->held, from, __ATOMIC_RELEASE);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

static void wait_while_stalled(enum fault_call call)
{
    struct fault_page *p = find_page();
    uint32_t bit = 1U << call;
    while (p != NULL && (__atomic_load_n(&p->stalled, __ATOMIC_ACQUIRE) & bit) != 0) {
        __atomic_fetch_or(&p->waiting, bit, __ATOMIC_RELEASE);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

ssize_t pread(int descriptor, void *bytes, size_t size, off_t offset)
{
    ssize_t (*next)(int, void *, size_t, off_t) =
        (ssize_t(*)(int, void *, size_t, off_t))original("pread");
    if (!is_tracked(descriptor)) return next(descriptor, bytes, size, offset);
    wait_while_held();
    pthread_mutex_lock(&lock);
    ssize_t result =
        strikes(FAULT_READ, NULL, descriptor) ? -1 : next(descriptor, bytes, size, offset);
    pthread_mutex_unlock(&lock);
    return result;
}

ssize_t __pread_chk(int descriptor, void *bytes, size_t size, off_t offset, size_t room);
ssize_t __pread_chk(int descriptor, void *bytes, size_t size, off_t offset, size_t room)
{
    if (size > room) abort();
    return pread(descriptor, bytes, size, offset);
}

ssize_t pwrite(int descriptor, const void *bytes, size_t size, off_t offset)
{
    ssize_t (*next)(int, const void *, size_t, off_t) =
        (ssize_t(*)(int, const void *, size_t, off_t))original("pwrite");
    if (!is_tracked(descriptor)) return next(descriptor, bytes, size, offset);
    wait_while_stalled(FAULT_WRITE);
    pthread_mutex_lock(&lock);
    ssize_t result = -1;
    bool struck = strikes(FAULT_WRITE, NULL, descriptor);
    if (!struck && offset == 0 && recycled_files[descriptor]) page->reused++;
    if (!struck || page->error == FAULT_SHORT) {
        size_t portion = struck ? size / 2 : size;
        keep_old(descriptor, offset, size);
        /* Half of one block is written as a whole: a direct write cannot do otherwise. */
        size_t written = portion % BLOCK_BYTES == 0 ? portion : size;
        result = next(descriptor, bytes, written, offset);
        if (result > (ssize_t)portion) result = (ssize_t)portion;
    }
    pthread_mutex_unlock(&lock);
    return result;
}

int fdatasync(int descriptor)
{
    int (*next)(int) = (int (*)(int))original("fdatasync");
    if (!is_tracked(descriptor)) return next(descriptor);
    wait_while_stalled(FAULT_SYNC);
    pthread_mutex_lock(&lock);
    int result = -1;
    if (strikes(FAULT_SYNC, NULL, descriptor)) {
        int error = errno;
        put_old_back(descriptor);
        errno = error;
    } else {
        result = next(descriptor);
        if (result == 0) forget_old(descriptor);
    }
    pthread_mutex_unlock(&lock);
    return result;
}

int fsync(int descriptor)
{
    int (*next)(int) = (int (*)(int))original("fsync");
    wait_while_stalled(FAULT_SYNC_NAMES);
    pthread_mutex_lock(&lock);
    int result = strikes(FAULT_SYNC_NAMES, "names", -1) ? -1 : next(descriptor);
    if (result == 0 && has_recycled && page != NULL)
        __atomic_add_fetch(&page->recycled, 1, __ATOMIC_RELEASE);
    has_recycled = false;
    pthread_mutex_unlock(&lock);
    return result;
}

int renameat(int from_directory, const char *from, int to_directory, const char *to)
{
    int (*next)(int, const char *, int, const char *) =
        (int (*)(int, const char *, int, const char *))original("renameat");
    wait_while_stalled(FAULT_RENAME);
    pthread_mutex_lock(&lock);
    int result =
        strikes(FAULT_RENAME, from, -1) ? -1 : next(from_directory, from, to_directory, to);
    if (result == 0) note_rename(from, to);
    pthread_mutex_unlock(&lock);
    return result;
}

int unlinkat(int directory, const char *name, int flags)
{
    int (*next)(int, const char *, int) = (int (*)(int, const char *, int))original("unlinkat");
    wait_while_stalled(FAULT_REMOVE);
    pthread_mutex_lock(&lock);
    int result = strikes(FAULT_REMOVE, name, -1) ? -1 : next(directory, name, flags);
    pthread_mutex_unlock(&lock);
    return result;
}

/* ---- memory: from every thread, so without the lock ---- */

static bool refuses_memory(void)
{
    struct fault_page *p = find_page();
    if (p == NULL) return false;
    __atomic_add_fetch(&p->seen[FAULT_ALLOCATE], 1, __ATOMIC_RELAXED);
    if (__atomic_load_n(&p->armed, __ATOMIC_ACQUIRE) == 0 || p->call != FAULT_ALLOCATE)
        return false;
    if (__atomic_fetch_sub(&p->after, 1, __ATOMIC_RELAXED) != 0) return false;
    __atomic_add_fetch(&p->fired, 1, __ATOMIC_RELEASE);
    return true;
}

void *mallocx(size_t size, int flags);
void *mallocx(size_t size, int flags)
{
    static void *(*next)(size_t, int);
    if (next == NULL) next = (void *(*)(size_t, int))original("mallocx");
    return refuses_memory() ? NULL : next(size, flags);
}

void *rallocx(void *pointer, size_t size, int flags);
void *rallocx(void *pointer, size_t size, int flags)
{
    static void *(*next)(void *, size_t, int);
    if (next == NULL) next = (void *(*)(void *, size_t, int))original("rallocx");
    return refuses_memory() ? NULL : next(pointer, size, flags);
}
/* NOLINTEND(bugprone-reserved-identifier, readability-redundant-declaration,
 *           readability-inconsistent-declaration-parameter-name) */
