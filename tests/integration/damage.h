/* damage.h - data directories of a stopped server: copying, damaging, and asking irmak-check.
 *
 * The only part of the tests of a real process that knows the byte format (docs/format/wal.md), and
 * only as much as is needed to forge a file with a valid hash. irmak-check is the program beside
 * the server under test. Failures of the environment end the test with cmocka's fail(). */
#ifndef INTEGRATION_DAMAGE_H
#define INTEGRATION_DAMAGE_H

#include "server_process.h"

#include <stdint.h>

/* Runs a shell command; the test fails unless its status is 0. */
void damage_shell(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The server's directory becomes what 'from' (a directory) holds. */
void damage_copy(const struct server_process *server, const char *from);

/* Inverts one bit of byte 'offset' of a file in the directory. */
void damage_flip(const struct server_process *server, const char *name, uint64_t offset);

/* Writes the u32 'version' at byte 16 (manifest, segment header) and makes the hash of the first
 * block right again. */
void damage_forge_version(const struct server_process *server, const char *name, uint32_t version);

/* The name of the newest segment, and the offset of its last batch that has frames. */
void damage_newest_segment(const struct server_process *server, char name[64]);
uint64_t damage_last_batch(const struct server_process *server, const char *name);

/* irmak-check on the server's directory, options as in a shell. Its exit status; what it printed
 * (standard output and error), which the caller frees, in '*text'. */
int damage_check(const struct server_process *server, const char *options, char **text);

#endif
