/* sim_disk.h - a disk in memory that commits every crime that a real one can, repeatably by seed.
 *
 * What it does by itself:
 *   - written bytes are visible at once, but stand on stable storage only after a sync of their
 *     file; until then a power cut keeps any subset of the written 512-byte sectors, of any
 *     version, whatever the order in which they were written; a file's size is no better;
 *   - created, renamed and removed names are visible at once, but stand only after sync_names;
 *     until then a power cut keeps any subset of these changes (a rename is kept or lost whole);
 *     syncing a file does not sync its name;
 *   - a kill ends the process and not the machine: everything visible stays visible, and what was
 *     not synced is still not.
 * What it does when asked (struct sim_faults):
 *   - the n-th call fails, once or for ever: a failed write has written any prefix of its sectors,
 *     a failed sync has kept any subset of the sectors and forgets the others: the next sync
 *     succeeds without them, though they stay visible until the power is cut; a failed sync_names
 *     is DISK_NAMES_LOST and so are all that follow, until the process ends (env/disk.h);
 *   - from the n-th call on the power is off: every call fails and changes nothing;
 *   - the disk is full beyond a number of bytes.
 * What it does on demand (sim_disk_damage), and what must never be noticed too late: a flipped
 * bit, a zeroed sector, a stale sector (what stood there before the last write), a misdirected one
 * (a sector of the same disk written over another).
 *
 * One thread. Memory: three images of every file, fit for small segments. */
#ifndef SIM_DISK_H
#define SIM_DISK_H

#include "env/disk.h"

struct sim_disk;

enum { SIM_SECTOR_BYTES = 512 };

struct sim_faults {
    uint64_t fail_at;             /* the n-th call from now; 0: never */
    bool fail_for_ever;           /* and every call after it */
    enum disk_status fail_status; /* what it answers */
    uint64_t power_off_at;        /* from the n-th call from now; 0: never */
    uint64_t capacity;            /* bytes of all files together; 0: endless */
};

struct sim_disk *sim_disk_create(uint64_t seed);
void sim_disk_destroy(struct sim_disk *s);

/* A copy in the same state, without open files and without faults, with a seed of its own. */
struct sim_disk *sim_disk_clone(const struct sim_disk *s, uint64_t seed);

struct disk *sim_disk_disk(struct sim_disk *s);

/* For an empty disk whose power is never cut: what is written stands at once, without the images
 * that a cut or damage would need. Kills and failing calls stay what they are. */
void sim_disk_trust(struct sim_disk *s);

/* The counts start now. */
void sim_disk_set_faults(struct sim_disk *s, const struct sim_faults *faults);
uint64_t sim_disk_calls(const struct sim_disk *s); /* since sim_disk_set_faults */
bool sim_disk_fault_met(const struct sim_disk *s); /* fail_at or power_off_at was reached */

/* Both close all files and end all faults. */
void sim_disk_kill(struct sim_disk *s);
void sim_disk_power_cut(struct sim_disk *s);

enum sim_damage { SIM_FLIP, SIM_ZERO, SIM_STALE, SIM_MISDIRECT, SIM_DAMAGES_COUNT };

/* Damages the stable and the visible image of a sector. False: nothing changed (the sector held
 * the same bytes already, or there is none). */
bool sim_disk_damage(struct sim_disk *s, const char *name, uint64_t sector, enum sim_damage kind);

/* Direct access for tests that write their own lies; NULL: no such file. Both images are set by
 * sim_disk_patch. */
const char *sim_disk_bytes(const struct sim_disk *s, const char *name, uint64_t *size);
void sim_disk_patch(struct sim_disk *s, const char *name, uint64_t offset, struct slice bytes);

/* Of all that is visible and stable: equal runs have equal hashes. */
uint64_t sim_disk_hash(const struct sim_disk *s);

#endif
