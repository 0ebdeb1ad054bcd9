/* The heap of the sanitizer builds: libc's, so that they see every allocation. The size that the
 * caller gives back is checked against the one that it asked for, which jemalloc cannot do. */
#include "base/check.h"
#include "base/memory.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Before each allocation stands its size, padded to keep the alignment of malloc. */
enum { HEADER_BYTES = 16 };

static size_t allocated_bytes;

_Noreturn static void out_of_memory(size_t size)
{
    char sentence[80];
    (void)snprintf(sentence, sizeof sentence, "irmak: out of memory allocating %zu bytes", size);
    check_abort(sentence);
}

static void *with_header(void *block, size_t size)
{
    if (block == NULL) out_of_memory(size);
    memcpy(block, &size, sizeof size);
    __atomic_add_fetch(&allocated_bytes, size, __ATOMIC_RELAXED);
    return (char *)block + HEADER_BYTES;
}

static void *without_header(void *pointer, size_t size)
{
    size_t asked;
    char *block = (char *)pointer - HEADER_BYTES;
    memcpy(&asked, block, sizeof asked);
    CHECK(asked == size);
    __atomic_sub_fetch(&allocated_bytes, size, __ATOMIC_RELAXED);
    return block;
}

void *memory_allocate(size_t size)
{
    CHECK(size > 0);
    return with_header(malloc(size + HEADER_BYTES), size);
}

void *memory_allocate_zeroed(size_t size)
{
    CHECK(size > 0);
    return with_header(calloc(1, size + HEADER_BYTES), size);
}

void *memory_resize(void *pointer, size_t old_size, size_t new_size)
{
    CHECK(new_size > 0);
    CHECK((pointer == NULL) == (old_size == 0));
    if (pointer == NULL) return memory_allocate(new_size);
    return with_header(realloc(without_header(pointer, old_size), new_size + HEADER_BYTES),
                       new_size);
}

void memory_free(void *pointer, size_t size)
{
    CHECK((pointer == NULL) == (size == 0));
    if (pointer != NULL) free(without_header(pointer, size));
}

size_t memory_rounded_size(size_t size)
{
    CHECK(size > 0);
    return (size + 15) & ~(size_t)15;
}

void *memory_allocate_aligned(size_t alignment, size_t size)
{
    CHECK(size > 0);
    CHECK((alignment & (alignment - 1)) == 0);
    /* posix_memalign refuses less than this; jemalloc does not. */
    if (alignment < sizeof(void *)) alignment = sizeof(void *);
    void *pointer = NULL;
    if (posix_memalign(&pointer, alignment, size) != 0) out_of_memory(size);
    return pointer;
}

void memory_free_aligned(void *pointer, size_t alignment, size_t size)
{
    CHECK(pointer != NULL);
    (void)alignment;
    (void)size;
    free(pointer);
}

/* libc has its own ways. */
unsigned memory_arena(void)
{
    return 0;
}

void memory_use_arena(unsigned arena)
{
    CHECK(arena == 0);
}

void memory_measure(struct memory_figures *figures)
{
    figures->allocated_bytes = __atomic_load_n(&allocated_bytes, __ATOMIC_RELAXED);
    figures->resident_bytes = figures->allocated_bytes;
}

void memory_return_beside(void) {}

const char *memory_allocator_name(void)
{
    return "libc";
}
