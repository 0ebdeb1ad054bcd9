/* memory.h - the only door to the heap.
 *
 * Every allocation is freed with its size, so that the allocator does not look it up. An
 * allocation never returns NULL: a process that cannot get memory says so and stops, because a
 * half-applied change is worse than a restart (docs/decisions/0007). The limit that clients meet
 * is maxmemory, checked before a command runs.
 *
 * memory_jemalloc.c serves the release, memory_libc.c the sanitizers, which need their own heap. */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <stddef.h>

/* Heap memory of 'size' bytes, size > 0; not zeroed. Never NULL. */
void *memory_allocate(size_t size);
void *memory_allocate_zeroed(size_t size);

/* Moves 'pointer' (NULL with old_size 0 is an allocation) to new_size > 0 bytes; keeps the content
 * up to the smaller size. */
void *memory_resize(void *pointer, size_t old_size, size_t new_size);

/* Frees an allocation made with exactly 'size'. NULL with size 0 does nothing. */
void memory_free(void *pointer, size_t size);

/* The bytes that an allocation of 'size' really takes: what a growing buffer may use for free. */
size_t memory_rounded_size(size_t size);

/* Memory whose address is a multiple of 'alignment' (a power of two), for direct I/O. Freed by
 * memory_free_aligned with the same figures. */
void *memory_allocate_aligned(size_t alignment, size_t size);
void memory_free_aligned(void *pointer, size_t alignment, size_t size);

/* Threads take memory from different places, so as not to wait for each other. What one thread
 * allocates for another one to own is better taken from the place of the owner, or what that one
 * frees does not serve its next allocations. */
unsigned memory_arena(void); /* of the calling thread */
void memory_use_arena(unsigned arena);

struct memory_figures {
    size_t allocated_bytes; /* in live allocations, as the allocator counts them */
    size_t resident_bytes;  /* what the allocator holds from the kernel */
};

/* Figures of the allocator; costs some microseconds, so call it for INFO, not per command. */
void memory_measure(struct memory_figures *figures);

/* From now on, memory that was freed goes back to the kernel from a thread of the allocator's own,
 * not in the middle of a free: what a FLUSHALL leaves takes it milliseconds at a time
 * (docs/decisions/0017, 0030). Called by the thread that frees. The other one takes no signals. */
void memory_return_beside(void);

/* The name and version of the allocator, for INFO ("jemalloc-5.3.0", "libc"). */
const char *memory_allocator_name(void);

#endif
