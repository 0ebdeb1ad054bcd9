/* The heap of the release and debug builds: jemalloc through its own calls (mallocx, sdallocx),
 * which take the size back and so need not look it up. */
#include "base/check.h"
#include "base/memory.h"

#include <jemalloc/jemalloc.h>
#include <stdint.h>
#include <stdio.h>

_Noreturn static void out_of_memory(size_t size)
{
    char sentence[80];
    (void)snprintf(sentence, sizeof sentence, "irmak: out of memory allocating %zu bytes", size);
    check_abort(sentence);
}

void *memory_allocate(size_t size)
{
    CHECK(size > 0);
    void *pointer = mallocx(size, 0);
    if (pointer == NULL) out_of_memory(size);
    return pointer;
}

void *memory_allocate_zeroed(size_t size)
{
    CHECK(size > 0);
    void *pointer = mallocx(size, MALLOCX_ZERO);
    if (pointer == NULL) out_of_memory(size);
    return pointer;
}

void *memory_resize(void *pointer, size_t old_size, size_t new_size)
{
    CHECK(new_size > 0);
    CHECK((pointer == NULL) == (old_size == 0));
    if (pointer == NULL) return memory_allocate(new_size);
    void *moved = rallocx(pointer, new_size, 0);
    if (moved == NULL) out_of_memory(new_size);
    return moved;
}

void memory_free(void *pointer, size_t size)
{
    CHECK((pointer == NULL) == (size == 0));
    if (pointer != NULL) sdallocx(pointer, size, 0);
}

size_t memory_rounded_size(size_t size)
{
    CHECK(size > 0);
    return nallocx(size, 0);
}

void *memory_allocate_aligned(size_t alignment, size_t size)
{
    CHECK(size > 0);
    CHECK((alignment & (alignment - 1)) == 0);
    void *pointer = mallocx(size, MALLOCX_ALIGN(alignment));
    if (pointer == NULL) out_of_memory(size);
    return pointer;
}

void memory_free_aligned(void *pointer, size_t alignment, size_t size)
{
    CHECK(pointer != NULL);
    sdallocx(pointer, size, MALLOCX_ALIGN(alignment));
}

unsigned memory_arena(void)
{
    unsigned arena = 0;
    size_t size = sizeof arena;
    CHECK(mallctl("thread.arena", &arena, &size, NULL, 0) == 0);
    return arena;
}

void memory_use_arena(unsigned arena)
{
    CHECK(mallctl("thread.arena", NULL, NULL, &arena, sizeof arena) == 0);
}

static size_t figure(const char *name)
{
    size_t value = 0, size = sizeof value;
    CHECK(mallctl(name, &value, &size, NULL, 0) == 0);
    return value;
}

void memory_measure(struct memory_figures *figures)
{
    uint64_t epoch = 1;
    /* Statistics are a snapshot that jemalloc takes when the epoch is advanced. */
    CHECK(mallctl("epoch", NULL, NULL, &epoch, sizeof epoch) == 0);
    figures->allocated_bytes = figure("stats.allocated");
    figures->resident_bytes = figure("stats.resident");
}

void memory_return_beside(void)
{
    bool beside = true;
    CHECK(mallctl("background_thread", NULL, NULL, &beside, sizeof beside) == 0);
    /* Else what is freed beside 8 MiB of free pages gives all of them back at once, itself. */
    char name[64];
    size_t never = SIZE_MAX;
    snprintf(name, sizeof name, "arena.%u.oversize_threshold", memory_arena());
    CHECK(mallctl(name, NULL, NULL, &never, sizeof never) == 0);
}

const char *memory_allocator_name(void)
{
    return "jemalloc-" JEMALLOC_VERSION;
}
