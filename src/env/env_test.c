/* The disk of the operating system, the trace, the clock and the entropy. */
#include "base/memory.h"
#include "env/clock.h"
#include "env/disk_os.h"
#include "env/entropy.h"
#include "env/trace.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    char path[64];
    struct disk *disk;
};

static int setup(void **state)
{
    struct fixture *f = memory_allocate_zeroed(sizeof(*f));
    char problem[256];
    snprintf(f->path, sizeof(f->path), "/tmp/irmak-env-XXXXXX");
    assert_non_null(mkdtemp(f->path));
    f->disk = disk_os_open(f->path, problem, sizeof(problem));
    assert_non_null(f->disk);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    if (f->disk != NULL) disk_os_close(f->disk);
    char command[128];
    snprintf(command, sizeof(command), "rm -rf %s", f->path);
    assert_int_equal(system(command), 0);
    memory_free(f, sizeof(*f));
    return 0;
}

static struct disk_file *open_file(struct fixture *f, const char *name, enum disk_open how)
{
    struct disk_file *file = NULL;
    assert_int_equal(f->disk->operations->open(f->disk->context, name, how, &file), DISK_OK);
    return file;
}

static void close_file(struct fixture *f, struct disk_file *file)
{
    f->disk->operations->close(f->disk->context, file);
}

static void fill(char *bytes, size_t size, unsigned seed)
{
    for (size_t i = 0; i < size; i++) bytes[i] = (char)(i * 31 + i / 4096 + seed);
}

/* What is written comes back, whatever the alignment of memory, offset and size. */
static void test_read_write(void **state)
{
    struct fixture *f = *state;
    const struct disk_operations *o = f->disk->operations;
    static const struct {
        size_t shift; /* of the memory from a block boundary */
        uint64_t offset;
        size_t size;
    } cases[] = {
        {0, 0, 4096},        {0, 8192, 65536},          {8, 0, 8192},
        {1, 4096, 3u << 20}, {0, 0, (2u << 20) + 4096}, {0, 100, 5000},
        {3, 4096, 17},       {72, 12288, 4096 * 300},   {0, 0, 0},
    };
    size_t room = 4u << 20;
    char *out = memory_allocate_aligned(DISK_BLOCK_BYTES, room);
    char *in = memory_allocate_aligned(DISK_BLOCK_BYTES, room);
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char name[16];
        snprintf(name, sizeof(name), "file-%u", i);
        fill(out, room, i);
        struct disk_file *file = open_file(f, name, DISK_OPEN_CREATE);
        struct slice bytes = {out + cases[i].shift, cases[i].size};
        assert_int_equal(o->write(file, cases[i].offset, bytes), DISK_OK);
        assert_int_equal(o->sync(file), DISK_OK);
        close_file(f, file);
        for (size_t shift = 0; shift < 12; shift += 5) {
            file = open_file(f, name, DISK_OPEN_READ);
            size_t got = 1;
            memset(in, 0, room);
            assert_int_equal(o->read(file, cases[i].offset, in + shift, bytes.size, &got), DISK_OK);
            assert_int_equal(got, bytes.size);
            if (bytes.size > 0) assert_memory_equal(in + shift, bytes.data, bytes.size);
            /* At the end of the file there is no more. */
            uint64_t end = cases[i].offset + bytes.size;
            assert_int_equal(o->read(file, end, in, 4096, &got), DISK_OK);
            assert_int_equal(got, 0);
            close_file(f, file);
            if (bytes.size == 0) break;
        }
    }
    memory_free_aligned(out, DISK_BLOCK_BYTES, room);
    memory_free_aligned(in, DISK_BLOCK_BYTES, room);
}

/* A read that goes past the end gives what there is. */
static void test_short_read(void **state)
{
    struct fixture *f = *state;
    const struct disk_operations *o = f->disk->operations;
    char *bytes = memory_allocate_aligned(DISK_BLOCK_BYTES, 65536);
    fill(bytes, 65536, 1);
    struct disk_file *file = open_file(f, "a", DISK_OPEN_CREATE);
    assert_int_equal(o->write(file, 0, (struct slice){bytes, 5000}), DISK_OK);
    close_file(f, file);
    for (size_t shift = 0; shift < 2; shift++) {
        file = open_file(f, "a", DISK_OPEN_READ);
        size_t got;
        assert_int_equal(o->read(file, 0, bytes + shift * 8, 32768, &got), DISK_OK);
        assert_int_equal(got, 5000);
        assert_int_equal((unsigned char)bytes[shift * 8 + 4999],
                         (unsigned char)(4999 * 31 + 1 + 1));
        close_file(f, file);
    }
    memory_free_aligned(bytes, DISK_BLOCK_BYTES, 65536);
}

/* Names: create once, absent, rename replaces, remove. */
static void test_names(void **state)
{
    struct fixture *f = *state;
    const struct disk_operations *o = f->disk->operations;
    void *d = f->disk->context;
    struct disk_file *file;
    assert_int_equal(o->open(d, "a", DISK_OPEN_READ, &file), DISK_ABSENT);
    assert_int_equal(o->open(d, "a", DISK_OPEN_WRITE, &file), DISK_ABSENT);
    close_file(f, open_file(f, "a", DISK_OPEN_CREATE));
    close_file(f, open_file(f, "b", DISK_OPEN_CREATE));
    assert_int_equal(o->open(d, "a", DISK_OPEN_CREATE, &file), DISK_EXISTS);
    assert_int_equal(o->rename(d, "a", "b"), DISK_OK);
    assert_int_equal(o->rename(d, "a", "b"), DISK_ABSENT);
    assert_int_equal(o->sync_names(d), DISK_OK);
    assert_int_equal(o->remove(d, "b"), DISK_OK);
    assert_int_equal(o->remove(d, "b"), DISK_ABSENT);
}

static void count_visit(void *context, struct slice name, uint64_t size)
{
    uint64_t *sum = context;
    assert_true(slice_equal(name, SLICE("x")) || slice_equal(name, SLICE("y")));
    *sum += 1000000 + size;
}

/* The list shows files with their sizes, and neither the lock nor directories. */
static void test_list(void **state)
{
    struct fixture *f = *state;
    const struct disk_operations *o = f->disk->operations;
    struct disk_file *file = open_file(f, "x", DISK_OPEN_CREATE);
    assert_int_equal(o->write(file, 0, SLICE("12345")), DISK_OK);
    close_file(f, file);
    close_file(f, open_file(f, "y", DISK_OPEN_CREATE));
    char path[128];
    snprintf(path, sizeof(path), "%s/sub", f->path);
    assert_int_equal(mkdir(path, 0700), 0);
    uint64_t sum = 0;
    assert_int_equal(o->list(f->disk->context, count_visit, &sum), DISK_OK);
    assert_int_equal(sum, 2000005);
    assert_int_equal(o->list(f->disk->context, count_visit, &sum), DISK_OK);
    assert_int_equal(sum, 4000010);
}

/* Two servers on one directory: the second is told who has it. */
static void test_locked(void **state)
{
    struct fixture *f = *state;
    char problem[256], pid[32];
    assert_null(disk_os_open(f->path, problem, sizeof(problem)));
    snprintf(pid, sizeof(pid), "process %ld)", (long)getpid());
    assert_non_null(strstr(problem, f->path));
    assert_non_null(strstr(problem, pid));
    disk_os_close(f->disk);
    f->disk = disk_os_open(f->path, problem, sizeof(problem));
    assert_non_null(f->disk);
}

/* Paths that cannot be a data directory are refused with a sentence. */
static void test_bad_paths(void **state)
{
    struct fixture *f = *state;
    char problem[256], path[128];
    assert_null(disk_os_open("/nonexistent/deeper", problem, sizeof(problem)));
    assert_non_null(strstr(problem, "/nonexistent/deeper"));
    close_file(f, open_file(f, "plain", DISK_OPEN_CREATE));
    snprintf(path, sizeof(path), "%s/plain", f->path);
    assert_null(disk_os_open(path, problem, sizeof(problem)));
    assert_non_null(strstr(problem, "Not a directory"));
    snprintf(path, sizeof(path), "%s/made", f->path);
    struct disk *made = disk_os_open(path, problem, sizeof(problem));
    assert_non_null(made);
    disk_os_close(made);
}

/* A disk without space says so and not something else. */
static void test_full(void **state)
{
    struct fixture *f = *state;
    const struct disk_operations *o = f->disk->operations;
    char path[128];
    snprintf(path, sizeof(path), "%s/full", f->path);
    if (mknod(path, S_IFCHR | 0600, (dev_t)(1 << 8 | 7)) != 0) skip();
    struct disk_file *file;
    if (o->open(f->disk->context, "full", DISK_OPEN_WRITE, &file) != DISK_OK) skip();
    assert_int_equal(o->write(file, 0, SLICE("x")), DISK_FULL);
    close_file(f, file);
}

static void keep_line(void *context, enum trace_level level, const char *text)
{
    assert_int_equal(level, TRACE_WARNING);
    snprintf(context, 2048, "%s", text);
}

/* A line reaches the sink, cut at its limit; without a sink nothing happens. */
static void test_trace(void **state)
{
    (void)state;
    char line[2048] = "", longer[1500];
    struct trace trace = {.line = keep_line, .context = line};
    trace_write(&trace, TRACE_WARNING, "%d bottles", 3);
    assert_string_equal(line, "3 bottles");
    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    trace_write(&trace, TRACE_WARNING, "%s", longer);
    assert_int_equal(strlen(line), 1023);
    trace_write(NULL, TRACE_WARNING, "nobody");
    trace_write(&(struct trace){0}, TRACE_WARNING, "nobody");
}

/* Clocks have the units that they say; entropy does not repeat. */
static void test_clock_and_entropy(void **state)
{
    (void)state;
    int64_t before = clock_monotonic_ns();
    assert_true(clock_monotonic_ns() >= before);
    assert_true(clock_unix_us() > (int64_t)1600000000 * 1000000);
    assert_true(clock_unix_us() < (int64_t)16000000000 * 1000000);
    assert_true(entropy_u64() != entropy_u64());
    unsigned char bytes[300] = {0};
    entropy_fill(bytes, sizeof(bytes));
    unsigned zeros = 0;
    for (size_t i = 0; i < sizeof(bytes); i++) zeros += bytes[i] == 0;
    assert_true(zeros < 100);
}

/* A tool that looks takes the lock if there is one, makes nothing and writes nothing. */
static void test_looking_changes_nothing(void **state)
{
    struct fixture *f = *state;
    char problem[256] = "", path[96];
    assert_null(disk_os_open_existing(f->path, true, problem, sizeof(problem)));
    assert_non_null(strstr(problem, "is in use by another server (process "));
    struct disk *looking = disk_os_open_existing(f->path, false, problem, sizeof(problem));
    assert_non_null(looking);
    disk_os_close(looking);
    disk_os_close(f->disk);
    f->disk = disk_os_open_existing(f->path, true, problem, sizeof(problem));
    assert_non_null(f->disk);
    assert_null(disk_os_open(f->path, problem, sizeof(problem)));
    snprintf(path, sizeof(path), "%s/lock", f->path);
    disk_os_close(f->disk);
    assert_int_equal(unlink(path), 0);
    f->disk = disk_os_open_existing(f->path, true, problem, sizeof(problem));
    assert_non_null(f->disk);
    assert_int_equal(access(path, F_OK), -1);
    snprintf(path, sizeof(path), "%s/none", f->path);
    assert_null(disk_os_open_existing(path, true, problem, sizeof(problem)));
    assert_non_null(strstr(problem, "cannot be opened"));
    assert_int_equal(access(path, F_OK), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_looking_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_read_write, setup, teardown),
        cmocka_unit_test_setup_teardown(test_short_read, setup, teardown),
        cmocka_unit_test_setup_teardown(test_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_list, setup, teardown),
        cmocka_unit_test_setup_teardown(test_locked, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_paths, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full, setup, teardown),
        cmocka_unit_test(test_trace),
        cmocka_unit_test(test_clock_and_entropy),
    };
    return cmocka_run_group_tests_name("env", tests, NULL, NULL);
}
