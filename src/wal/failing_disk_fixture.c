#include "wal/failing_disk_fixture.h"

#include "env/disk_os.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct failing_disk *the_disk;

static bool fails(void)
{
    return ++the_disk->calls == the_disk->fail_at;
}

static const struct disk_operations *real(void)
{
    return the_disk->real->operations;
}

static enum disk_status open_file(void *context, const char *name, enum disk_open how,
                                  struct disk_file **file)
{
    return fails() ? DISK_FAILED : real()->open(context, name, how, file);
}

static enum disk_status read_file(struct disk_file *file, uint64_t offset, char *bytes, size_t size,
                                  size_t *read_size)
{
    *read_size = 0;
    the_disk->reads++;
    return fails() ? DISK_FAILED : real()->read(file, offset, bytes, size, read_size);
}

static enum disk_status write_file(struct disk_file *file, uint64_t offset, struct slice bytes)
{
    return fails() ? DISK_FULL : real()->write(file, offset, bytes);
}

static enum disk_status sync_file(struct disk_file *file)
{
    return fails() ? DISK_FAILED : real()->sync(file);
}

static enum disk_status rename_file(void *context, const char *from, const char *to)
{
    return fails() ? DISK_FAILED : real()->rename(context, from, to);
}

static enum disk_status sync_names(void *context)
{
    return fails() ? DISK_NAMES_LOST : real()->sync_names(context);
}

void failing_disk_open(struct failing_disk *d)
{
    char problem[256];
    *d = (struct failing_disk){.path = "/tmp/irmak-failing-disk-XXXXXX"};
    assert_non_null(mkdtemp(d->path));
    d->real = disk_os_open(d->path, problem, sizeof problem);
    assert_non_null(d->real);
    d->operations = *d->real->operations;
    d->operations.open = open_file;
    d->operations.read = read_file;
    d->operations.write = write_file;
    d->operations.sync = sync_file;
    d->operations.rename = rename_file;
    d->operations.sync_names = sync_names;
    d->disk = (struct disk){.operations = &d->operations, .context = d->real->context};
    the_disk = d;
}

void failing_disk_close(struct failing_disk *d)
{
    char command[128];
    disk_os_close(d->real);
    snprintf(command, sizeof command, "rm -rf %s", d->path);
    assert_int_equal(system(command), 0);
    the_disk = NULL;
}
