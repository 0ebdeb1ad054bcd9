/* memory_disk.h - a disk in memory for fuzz targets: files by name, no faults, nothing is kept. */
#ifndef FUZZ_MEMORY_DISK_H
#define FUZZ_MEMORY_DISK_H

#include "base/buf.h"
#include "base/check.h"
#include "base/memory.h"
#include "env/disk.h"

enum { MEMORY_FILES_MAX = 16 };

struct disk_file {
    bool used;
    char name[DISK_NAME_MAX + 1];
    struct buf bytes;
};

struct memory_disk {
    struct disk disk;
    struct disk_file files[MEMORY_FILES_MAX];
};

static inline struct disk_file *memory_find(struct memory_disk *d, const char *name)
{
    for (size_t i = 0; i < MEMORY_FILES_MAX; i++)
        if (d->files[i].used && strcmp(d->files[i].name, name) == 0) return &d->files[i];
    return NULL;
}

/* A new, empty file; the disk has room for few. */
static inline struct disk_file *memory_create(struct memory_disk *d, const char *name)
{
    for (size_t i = 0; i < MEMORY_FILES_MAX; i++) {
        struct disk_file *f = &d->files[i];
        if (f->used) continue;
        CHECK(strlen(name) <= DISK_NAME_MAX);
        f->used = true;
        memcpy(f->name, name, strlen(name) + 1);
        return f;
    }
    return NULL;
}

static inline void memory_drop(struct disk_file *f)
{
    buf_deinit(&f->bytes);
    *f = (struct disk_file){0};
}

static inline enum disk_status memory_open(void *context, const char *name, enum disk_open how,
                                           struct disk_file **file)
{
    *file = memory_find(context, name);
    if (how != DISK_OPEN_CREATE) return *file == NULL ? DISK_ABSENT : DISK_OK;
    if (*file != NULL) return DISK_EXISTS;
    *file = memory_create(context, name);
    return *file == NULL ? DISK_FULL : DISK_OK;
}

static inline void memory_close(void *context, struct disk_file *file)
{
    (void)context;
    CHECK(file->used);
}

static inline enum disk_status memory_read(struct disk_file *f, uint64_t offset, char *bytes,
                                           size_t size, size_t *read_size)
{
    *read_size = 0;
    if (offset >= f->bytes.size) return DISK_OK;
    size_t left = f->bytes.size - (size_t)offset;
    *read_size = size < left ? size : left;
    memcpy(bytes, f->bytes.data + offset, *read_size);
    return DISK_OK;
}

static inline enum disk_status memory_write(struct disk_file *f, uint64_t offset,
                                            struct slice bytes)
{
    size_t end = (size_t)offset + bytes.size;
    if (end > f->bytes.size) {
        size_t gap = end - f->bytes.size;
        memset(buf_reserve(&f->bytes, gap), 0, gap);
        buf_advance(&f->bytes, gap);
    }
    memcpy(f->bytes.data + offset, bytes.data, bytes.size);
    return DISK_OK;
}

static inline enum disk_status memory_sync(struct disk_file *f)
{
    CHECK(f->used);
    return DISK_OK;
}

static inline enum disk_status memory_rename(void *context, const char *from, const char *to)
{
    struct disk_file *f = memory_find(context, from);
    struct disk_file *old = memory_find(context, to);
    if (f == NULL) return DISK_ABSENT;
    if (old != NULL) memory_drop(old);
    memcpy(f->name, to, strlen(to) + 1);
    return DISK_OK;
}

static inline enum disk_status memory_remove(void *context, const char *name)
{
    struct disk_file *f = memory_find(context, name);
    if (f == NULL) return DISK_ABSENT;
    memory_drop(f);
    return DISK_OK;
}

static inline enum disk_status memory_sync_names(void *context)
{
    CHECK(context != NULL);
    return DISK_OK;
}

static inline enum disk_status memory_list(void *context, disk_visit *visit, void *visit_context)
{
    struct memory_disk *d = context;
    for (size_t i = 0; i < MEMORY_FILES_MAX; i++)
        if (d->files[i].used)
            visit(visit_context, slice_of(d->files[i].name), d->files[i].bytes.size);
    return DISK_OK;
}

static inline uint64_t memory_now_ns(void *context)
{
    (void)context;
    return 0;
}

static const struct disk_operations memory_operations = {
    .open = memory_open,
    .close = memory_close,
    .read = memory_read,
    .write = memory_write,
    .sync = memory_sync,
    .rename = memory_rename,
    .remove = memory_remove,
    .sync_names = memory_sync_names,
    .list = memory_list,
    .now_ns = memory_now_ns,
};

static inline void memory_disk_init(struct memory_disk *d)
{
    *d = (struct memory_disk){.disk = {.operations = &memory_operations}};
    d->disk.context = d;
}

static inline void memory_disk_deinit(struct memory_disk *d)
{
    for (size_t i = 0; i < MEMORY_FILES_MAX; i++)
        if (d->files[i].used) memory_drop(&d->files[i]);
}

#endif
