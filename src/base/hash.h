/* hash.h - the two hashes of the house.
 *
 * XXH3-64 with a seed places keys in tables and proves bytes on the disk; CRC16 decides the slot
 * of a key exactly as cluster clients compute it (Redis Cluster specification, appendix A). */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/slice.h"

#include <stdint.h>

/* A power of two. The fuzz targets are built with fewer: each of their executions makes and forgets
 * whole key spaces. */
#ifndef IRMAK_SLOTS
#define IRMAK_SLOTS 16384
#endif
enum { SLOTS_COUNT = IRMAK_SLOTS };

uint64_t hash_bytes(struct slice bytes, uint64_t seed);

/* XXH3-128: wide enough to stand for the bytes themselves (IDMPAUTO of XADD). */
struct hash_128 {
    uint64_t low;
    uint64_t high;
};
struct hash_128 hash_bytes_128(struct slice bytes, uint64_t seed);

/* The slot of a key, 0 to SLOTS_COUNT-1: CRC16 (XMODEM) of the part between the first '{' and the
 * next '}' when that part is not empty, else of the whole key. */
uint16_t hash_slot(struct slice key);

/* CRC16-XMODEM, polynomial 0x1021. */
uint16_t hash_crc16(struct slice bytes);

#endif
