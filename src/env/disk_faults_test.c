/* disk_faults_test.c - what the disk of the operating system says when the kernel says no.
 *
 * The functions of libc that disk_os.c calls stand here once more: a program's own come before
 * those of a library. Each passes on, unless a test has asked that its nth call fails. */
#include "base/memory.h"
#include "env/disk_os.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum call {
    CALL_NONE,
    CALL_OPEN,
    CALL_FLAGS, /* fcntl */
    CALL_READ,
    CALL_WRITE,
    CALL_SYNC,
    CALL_SYNC_NAMES,
    CALL_RENAME,
    CALL_REMOVE,
    CALL_STAT,
    CALL_STREAM, /* fdopendir */
    CALL_ENTRY,  /* readdir */
    CALL_LOCK,
    CALL_CUT, /* ftruncate */
};

enum { SHORT = -1, END = -2, BLOCK = DISK_BLOCK_BYTES, SLOW_US = 20000 };

static struct {
    enum call call;
    unsigned after; /* so many calls still succeed */
    int error;      /* errno; SHORT: a quarter of it is done; END: nothing is, without an error */
    bool always;    /* else once */
    bool slowly;    /* a failing fsync takes its time */
    unsigned fired;
} fault;

static void fail_next(enum call call, int error)
{
    fault.call = call;
    fault.after = 0;
    fault.error = error;
    fault.always = false;
    fault.slowly = false;
    fault.fired = 0;
}

static bool strikes(enum call call)
{
    if (fault.call != call || (fault.fired > 0 && !fault.always)) return false;
    if (fault.after > 0) {
        fault.after--;
        return false;
    }
    __atomic_add_fetch(&fault.fired, 1, __ATOMIC_RELEASE);
    errno = fault.error > 0 ? fault.error : 0;
    return true;
}

/* ---- in the place of libc's ----
 * NOLINTBEGIN(bugprone-reserved-identifier, readability-redundant-declaration,
 *             readability-inconsistent-declaration-parameter-name) */

static void *original(const char *name)
{
    void *function = dlsym(RTLD_NEXT, name);
    if (function == NULL) abort();
    return function;
}

static int open_in(int directory, const char *name, int flags, int mode)
{
    int (*next)(int, const char *, int, ...) =
        (int (*)(int, const char *, int, ...))original("openat");
    return strikes(CALL_OPEN) ? -1 : next(directory, name, flags, mode);
}

int openat(int directory, const char *name, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    int mode = (flags & O_CREAT) != 0 ? va_arg(arguments, int) : 0;
    va_end(arguments);
    return open_in(directory, name, flags, mode);
}

int __openat_2(int directory, const char *name, int flags);
int __openat_2(int directory, const char *name, int flags)
{
    return open_in(directory, name, flags, 0);
}

int open(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    int mode = (flags & O_CREAT) != 0 ? va_arg(arguments, int) : 0;
    va_end(arguments);
    return open_in(AT_FDCWD, path, flags, mode);
}

int __open_2(const char *path, int flags);
int __open_2(const char *path, int flags)
{
    return open_in(AT_FDCWD, path, flags, 0);
}

int fcntl(int descriptor, int command, ...)
{
    int (*next)(int, int, ...) = (int (*)(int, int, ...))original("fcntl");
    va_list arguments;
    va_start(arguments, command);
    int value = command == F_SETFL ? va_arg(arguments, int) : 0;
    va_end(arguments);
    return strikes(CALL_FLAGS) ? -1 : next(descriptor, command, value);
}

ssize_t pread(int descriptor, void *bytes, size_t size, off_t offset)
{
    ssize_t (*next)(int, void *, size_t, off_t) =
        (ssize_t(*)(int, void *, size_t, off_t))original("pread");
    if (!strikes(CALL_READ)) return next(descriptor, bytes, size, offset);
    if (fault.error == SHORT) return next(descriptor, bytes, size / 4, offset);
    return fault.error == END ? 0 : -1;
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
    if (!strikes(CALL_WRITE)) return next(descriptor, bytes, size, offset);
    if (fault.error == SHORT) return next(descriptor, bytes, size / 4, offset);
    return fault.error == END ? 0 : -1;
}

int fdatasync(int descriptor)
{
    int (*next)(int) = (int (*)(int))original("fdatasync");
    return strikes(CALL_SYNC) ? -1 : next(descriptor);
}

int fsync(int descriptor)
{
    int (*next)(int) = (int (*)(int))original("fsync");
    if (!strikes(CALL_SYNC_NAMES)) return next(descriptor);
    if (fault.slowly) usleep(SLOW_US);
    errno = fault.error;
    return -1;
}

int renameat(int from_directory, const char *from, int to_directory, const char *to)
{
    int (*next)(int, const char *, int, const char *) =
        (int (*)(int, const char *, int, const char *))original("renameat");
    return strikes(CALL_RENAME) ? -1 : next(from_directory, from, to_directory, to);
}

int unlinkat(int directory, const char *name, int flags)
{
    int (*next)(int, const char *, int) = (int (*)(int, const char *, int))original("unlinkat");
    return strikes(CALL_REMOVE) ? -1 : next(directory, name, flags);
}

int fstatat(int directory, const char *name, struct stat *s, int flags)
{
    int (*next)(int, const char *, struct stat *, int) =
        (int (*)(int, const char *, struct stat *, int))original("fstatat");
    return strikes(CALL_STAT) ? -1 : next(directory, name, s, flags);
}

DIR *fdopendir(int descriptor)
{
    DIR *(*next)(int) = (DIR * (*)(int)) original("fdopendir");
    return strikes(CALL_STREAM) ? NULL : next(descriptor);
}

struct dirent *readdir(DIR *stream)
{
    struct dirent *(*next)(DIR *) = (struct dirent * (*)(DIR *)) original("readdir");
    return strikes(CALL_ENTRY) ? NULL : next(stream);
}

int flock(int descriptor, int operation)
{
    int (*next)(int, int) = (int (*)(int, int))original("flock");
    return strikes(CALL_LOCK) ? -1 : next(descriptor, operation);
}

int ftruncate(int descriptor, off_t size)
{
    int (*next)(int, off_t) = (int (*)(int, off_t))original("ftruncate");
    return strikes(CALL_CUT) ? -1 : next(descriptor, size);
}
/* NOLINTEND(bugprone-reserved-identifier, readability-redundant-declaration,
 *           readability-inconsistent-declaration-parameter-name) */

/* ---- the disk under test ---- */

struct fixture {
    char path[64];
    struct disk *disk;
    const struct disk_operations *o;
    struct disk_file *file; /* "file", three blocks */
    char *blocks;           /* as many bytes, aligned */
};

enum { FILE_BYTES = 3 * BLOCK };

static int setup(void **state)
{
    struct fixture *f = memory_allocate_zeroed(sizeof *f);
    char problem[256];
    fail_next(CALL_NONE, 0);
    snprintf(f->path, sizeof f->path, "/tmp/irmak-faults-XXXXXX");
    assert_non_null(mkdtemp(f->path));
    f->disk = disk_os_open(f->path, problem, sizeof problem);
    assert_non_null(f->disk);
    f->o = f->disk->operations;
    f->blocks = memory_allocate_aligned(BLOCK, FILE_BYTES);
    for (size_t i = 0; i < FILE_BYTES; i++) f->blocks[i] = (char)(i * 7 + i / BLOCK);
    assert_int_equal(f->o->open(f->disk->context, "file", DISK_OPEN_CREATE, &f->file), DISK_OK);
    assert_int_equal(f->o->write(f->file, 0, (struct slice){f->blocks, FILE_BYTES}), DISK_OK);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    char command[128];
    fail_next(CALL_NONE, 0);
    f->o->close(f->disk->context, f->file);
    disk_os_close(f->disk);
    memory_free_aligned(f->blocks, BLOCK, FILE_BYTES);
    snprintf(command, sizeof command, "rm -rf %s", f->path);
    assert_int_equal(system(command), 0);
    memory_free(f, sizeof *f);
    return 0;
}

static enum disk_status open_again(struct fixture *f, struct disk_file **file)
{
    return f->o->open(f->disk->context, "file", DISK_OPEN_WRITE, file);
}

/* Reads the whole file into 'bytes' and compares. */
static void expect_whole(struct fixture *f, char *bytes)
{
    size_t got;
    assert_int_equal(f->o->read(f->file, 0, bytes, FILE_BYTES, &got), DISK_OK);
    assert_int_equal(got, FILE_BYTES);
    assert_memory_equal(bytes, f->blocks, FILE_BYTES);
}

/* Each errno that an operation can meet is the status that its callers know. */
static void test_statuses(void **state)
{
    static const struct {
        int error;
        enum disk_status status;
    } rows[] = {
        {ENOENT, DISK_ABSENT}, {EEXIST, DISK_EXISTS}, {ENOSPC, DISK_FULL},   {EDQUOT, DISK_FULL},
        {EFBIG, DISK_FULL},    {EACCES, DISK_DENIED}, {EPERM, DISK_DENIED},  {EROFS, DISK_DENIED},
        {EIO, DISK_FAILED},    {ENODEV, DISK_FAILED}, {EMFILE, DISK_FAILED},
    };
    struct fixture *f = *state;
    struct slice block = {f->blocks, BLOCK};
    struct disk_file *file = NULL;
    size_t got;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int error = rows[i].error;
        enum disk_status status = rows[i].status;
        fail_next(CALL_OPEN, error);
        assert_int_equal(open_again(f, &file), status);
        fail_next(CALL_READ, error);
        assert_int_equal(f->o->read(f->file, 0, f->blocks, BLOCK, &got), status);
        assert_int_equal(got, 0);
        fail_next(CALL_WRITE, error);
        assert_int_equal(f->o->write(f->file, 0, block), status);
        fail_next(CALL_SYNC, error);
        assert_int_equal(f->o->sync(f->file), status);
        fail_next(CALL_RENAME, error);
        assert_int_equal(f->o->rename(f->disk->context, "file", "other"), status);
        fail_next(CALL_REMOVE, error);
        assert_int_equal(f->o->remove(f->disk->context, "file"), status);
        assert_int_equal(fault.fired, 1);
    }
}

/* The kernel tells of a failed sync of the directory once. It is never trusted again, and what is
 * no name goes on. */
static void test_names_lost(void **state)
{
    static const int errors[] = {EIO, ENOSPC, EDQUOT, EROFS};
    struct fixture *f = *state;
    char problem[256];
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        assert_int_equal(f->o->sync_names(f->disk->context), DISK_OK);
        fail_next(CALL_SYNC_NAMES, errors[i]);
        assert_int_equal(f->o->sync_names(f->disk->context), DISK_NAMES_LOST);
        assert_int_equal(f->o->sync_names(f->disk->context), DISK_NAMES_LOST);
        assert_int_equal(fault.fired, 1);
        assert_int_equal(f->o->sync(f->file), DISK_OK);
        assert_int_equal(f->o->rename(f->disk->context, "file", "other"), DISK_OK);
        assert_int_equal(f->o->rename(f->disk->context, "other", "file"), DISK_OK);
        f->o->close(f->disk->context, f->file);
        disk_os_close(f->disk);
        f->disk = disk_os_open(f->path, problem, sizeof problem);
        assert_non_null(f->disk);
        assert_int_equal(open_again(f, &f->file), DISK_OK);
    }
}

static void *sync_names_of(void *context)
{
    const struct fixture *f = context;
    enum disk_status status = f->o->sync_names(f->disk->context);
    return status == DISK_NAMES_LOST ? NULL : context;
}

/* A thread that syncs while the sync of another fails is not told that all is well. The kernel
 * would say so: it has told the other one. */
static void test_names_lost_by_another(void **state)
{
    struct fixture *f = *state;
    pthread_t threads[4];
    fail_next(CALL_SYNC_NAMES, EIO);
    fault.slowly = true;
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, sync_names_of, f), 0);
        while (i == 0 && __atomic_load_n(&fault.fired, __ATOMIC_ACQUIRE) == 0) usleep(100);
    }
    for (size_t i = 0; i < 4; i++) {
        void *told_well;
        assert_int_equal(pthread_join(threads[i], &told_well), 0);
        assert_null(told_well);
    }
    assert_int_equal(fault.fired, 1);
}

/* A signal ends no operation. */
static void test_signals(void **state)
{
    struct fixture *f = *state;
    struct disk_file *file = NULL;
    char *bytes = memory_allocate_aligned(BLOCK, FILE_BYTES), problem[256];
    fail_next(CALL_OPEN, EINTR);
    assert_int_equal(open_again(f, &file), DISK_OK);
    f->o->close(f->disk->context, file);
    fail_next(CALL_WRITE, EINTR);
    assert_int_equal(f->o->write(f->file, 0, (struct slice){f->blocks, FILE_BYTES}), DISK_OK);
    assert_int_equal(fault.fired, 1);
    fail_next(CALL_READ, EINTR);
    expect_whole(f, bytes);
    assert_int_equal(fault.fired, 1);
    fail_next(CALL_OPEN, EINTR); /* of the directory */
    struct disk *looking = disk_os_open_existing(f->path, false, problem, sizeof problem);
    assert_non_null(looking);
    assert_int_equal(fault.fired, 1);
    disk_os_close(looking);
    memory_free_aligned(bytes, BLOCK, FILE_BYTES);
}

/* A short read goes on where it stopped, a short write too, whole blocks; inside of a block a
 * direct read is at the end of the file and a direct write has met a full disk. */
static void test_short_transfers(void **state)
{
    struct fixture *f = *state;
    struct slice four = {memory_allocate_aligned(BLOCK, 4 * BLOCK), 4 * BLOCK};
    char *bytes = memory_allocate_aligned(BLOCK, 4 * BLOCK);
    size_t got;
    memset((char *)(uintptr_t)four.data, 'x', four.size);
    fail_next(CALL_WRITE, SHORT); /* one of four blocks */
    assert_int_equal(f->o->write(f->file, 0, four), DISK_OK);
    assert_int_equal(fault.fired, 1);
    fail_next(CALL_READ, SHORT);
    assert_int_equal(f->o->read(f->file, 0, bytes, four.size, &got), DISK_OK);
    assert_int_equal(got, four.size);
    assert_memory_equal(bytes, four.data, four.size);
    fail_next(CALL_WRITE, END);
    assert_int_equal(f->o->write(f->file, 0, four), DISK_FULL);
    memory_free_aligned(bytes, BLOCK, 4 * BLOCK);
    memory_free_aligned((char *)(uintptr_t)four.data, BLOCK, 4 * BLOCK);
}

/* Unaligned memory goes through the bounce buffer; its transfers fail as the others. */
static void test_bounce(void **state)
{
    struct fixture *f = *state;
    char *memory = memory_allocate_aligned(BLOCK, FILE_BYTES + BLOCK), *bytes = memory + 1;
    size_t got;
    memcpy(bytes, f->blocks, FILE_BYTES);
    fail_next(CALL_WRITE, EIO);
    assert_int_equal(f->o->write(f->file, 0, (struct slice){bytes, FILE_BYTES}), DISK_FAILED);
    assert_int_equal(fault.fired, 1);
    assert_int_equal(f->o->write(f->file, 0, (struct slice){bytes, FILE_BYTES}), DISK_OK);
    fail_next(CALL_READ, EIO);
    assert_int_equal(f->o->read(f->file, 0, bytes, FILE_BYTES, &got), DISK_FAILED);
    assert_int_equal(fault.fired, 1);
    expect_whole(f, bytes);
    memory_free_aligned(memory, BLOCK, FILE_BYTES + BLOCK);
}

/* A transfer that is not in whole blocks needs a file without O_DIRECT; when the flag stays, or
 * cannot be asked for, nothing is transferred. */
static void test_flag_stays(void **state)
{
    struct fixture *f = *state;
    char byte = 'b', seen;
    size_t got;
    for (unsigned after = 0; after < 2; after++) {
        struct disk_file *file = NULL;
        assert_int_equal(open_again(f, &file), DISK_OK);
        fail_next(CALL_FLAGS, EPERM);
        fault.after = after;
        assert_int_equal(f->o->read(file, 1, &seen, 1, &got), DISK_DENIED);
        assert_int_equal(fault.fired, 1);
        fail_next(CALL_FLAGS, EPERM);
        fault.after = after;
        assert_int_equal(f->o->write(file, 1, (struct slice){&byte, 1}), DISK_DENIED);
        assert_int_equal(f->o->read(file, 1, &seen, 1, &got), DISK_OK);
        assert_int_equal(seen, f->blocks[1]);
        f->o->close(f->disk->context, file);
    }
}

/* A file system that refuses O_DIRECT is used without it. */
static void test_flag_refused(void **state)
{
    struct fixture *f = *state;
    struct disk_file *file = NULL;
    char bytes[10];
    size_t got;
    fail_next(CALL_OPEN, EINVAL);
    assert_int_equal(open_again(f, &file), DISK_OK);
    assert_int_equal(f->o->read(file, 5, bytes, sizeof bytes, &got), DISK_OK);
    assert_int_equal(got, sizeof bytes);
    assert_memory_equal(bytes, f->blocks + 5, sizeof bytes);
    f->o->close(f->disk->context, file);
    fail_next(CALL_OPEN, EINVAL);
    fault.always = true;
    assert_int_equal(open_again(f, &file), DISK_FAILED);
}

static void count_name(void *context, struct slice name, uint64_t size)
{
    (*(unsigned *)context)++;
    assert_true(slice_equal(name, slice_of("file")));
    assert_int_equal(size, FILE_BYTES);
}

/* A directory that cannot be read to its end is not taken for an empty one. */
static void test_list(void **state)
{
    static const enum call calls[] = {CALL_OPEN, CALL_STREAM, CALL_ENTRY, CALL_STAT};
    struct fixture *f = *state;
    unsigned count = 0;
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        fail_next(calls[i], EIO);
        assert_int_equal(f->o->list(f->disk->context, count_name, &count), DISK_FAILED);
        assert_int_equal(fault.fired, 1);
    }
    count = 0;
    fail_next(CALL_STAT, ENOENT); /* removed meanwhile */
    fault.always = true;
    assert_int_equal(f->o->list(f->disk->context, count_name, &count), DISK_OK);
    assert_int_equal(count, 0);
    fail_next(CALL_NONE, 0);
    assert_int_equal(f->o->list(f->disk->context, count_name, &count), DISK_OK);
    assert_int_equal(count, 1);
}

/* Without the lock there is no disk, and the message says why. */
static void test_lock(void **state)
{
    struct fixture *f = *state;
    char problem[256];
    disk_os_close(f->disk);
    fail_next(CALL_LOCK, ENOLCK);
    assert_null(disk_os_open(f->path, problem, sizeof problem));
    assert_non_null(strstr(problem, "cannot be locked: No locks"));
    fail_next(CALL_LOCK, EWOULDBLOCK);
    assert_null(disk_os_open(f->path, problem, sizeof problem));
    assert_non_null(strstr(problem, "in use by another server"));
    fail_next(CALL_LOCK, ENOLCK);
    assert_null(disk_os_open_existing(f->path, true, problem, sizeof problem));
    assert_non_null(strstr(problem, "cannot be locked: No locks"));
    fail_next(CALL_OPEN, EROFS);
    fault.after = 1; /* the directory's own */
    assert_null(disk_os_open(f->path, problem, sizeof problem));
    assert_non_null(strstr(problem, "is not writable: Read-only"));
    fail_next(CALL_OPEN, EACCES);
    fault.after = 1;
    assert_null(disk_os_open_existing(f->path, true, problem, sizeof problem));
    assert_non_null(strstr(problem, "lock of the directory"));
    fail_next(CALL_CUT, ENOSPC); /* only the number in the lock is missing then */
    f->disk = disk_os_open(f->path, problem, sizeof problem);
    assert_non_null(f->disk);
    fail_next(CALL_LOCK, EWOULDBLOCK); /* nobody has said who */
    assert_null(disk_os_open(f->path, problem, sizeof problem));
    assert_non_null(strstr(problem, "in use by another server"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_statuses, setup, teardown),
        cmocka_unit_test_setup_teardown(test_names_lost, setup, teardown),
        cmocka_unit_test_setup_teardown(test_names_lost_by_another, setup, teardown),
        cmocka_unit_test_setup_teardown(test_signals, setup, teardown),
        cmocka_unit_test_setup_teardown(test_short_transfers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bounce, setup, teardown),
        cmocka_unit_test_setup_teardown(test_flag_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(test_flag_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_list, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lock, setup, teardown),
    };
    return cmocka_run_group_tests_name("env disk faults", tests, NULL, NULL);
}
