/* entropy.h - random bytes from the kernel, for seeds, salts and identifiers. */
#ifndef ENV_ENTROPY_H
#define ENV_ENTROPY_H

#include <stddef.h>
#include <stdint.h>

/* Fills the bytes from getrandom(2); stops the process when the kernel has none. */
void entropy_fill(void *bytes, size_t size);
uint64_t entropy_u64(void);

#endif
