/* limits.h - every limit of the house that a client or a file can meet, in one place, and the
 * relations between them. A limit that is configured stands in server/config.def; what stands here
 * is what no configuration can exceed. */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

#include <assert.h>
#include <stdint.h>

#define KIB ((uint64_t)1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

/* Protocol (resp/). Redis' proto-max-bulk-len and multibulk limits. */
#define REQUEST_BULK_BYTES_MAX   (512 * MIB)
#define REQUEST_ARGUMENTS_MAX    (1024 * 1024)
#define REQUEST_INLINE_BYTES_MAX (64 * KIB)
#define REQUEST_BYTES_MAX        (1 * GIB) /* of one request, as client-query-buffer-limit */

/* Before a connection has authenticated (design/security.md, CVE-2021-32675, CVE-2025-21605). */
#define REQUEST_LOGIN_ARGUMENTS_MAX  10
#define REQUEST_LOGIN_BULK_BYTES_MAX (16 * KIB)
#define OUTPUT_LOGIN_BYTES_MAX       (4 * KIB)

/* A reply that is longer is made in pieces of this size (command/portions.h). */
#define REPLY_PORTION_BYTES (256 * KIB)

/* Key space (store/). */
#define DATABASES_COUNT  16
#define STRING_BYTES_MAX (512 * MIB)
#define KEY_BYTES_MAX    (512 * MIB)

/* MULTI: what one client may queue (its arguments, with the bookkeeping), and watch. */
#define TRANSACTION_BYTES_MAX    (512 * MIB)
#define TRANSACTION_REQUESTS_MAX (1024 * 1024)
#define WATCHED_BYTES_MAX        (64 * MIB)

/* Log (wal/). A frame is the effects of a command, or of an EXEC; a batch is one group commit. */
#define FRAME_BYTES_MAX (3 * GIB)
#define SEGMENT_BYTES   (64 * MIB)

/* Every effect names its key, and those of groups their group and consumer: what a request's names
 * come to when its effects repeat them. A request that would need more is refused. */
#define REPEATED_NAMES_BYTES_MAX (512 * MIB)

/* An EXEC whose frame is longer than this runs no further command that writes (decisions/0022). */
#define FRAME_TRANSACTION_BYTES_MAX (1 * GIB)

/* With more than this waiting to be written, who writes waits too: a disk that is slow or stalls
 * must not fill the memory. Half a segment, so that a batch mostly fits into the present one. */
#define LOG_PENDING_BYTES_MAX (SEGMENT_BYTES / 2)

static_assert(REQUEST_BULK_BYTES_MAX <= REQUEST_BYTES_MAX, "a legal argument fits in a request");
static_assert(STRING_BYTES_MAX <= REQUEST_BULK_BYTES_MAX, "a legal value can be sent at once");
static_assert(REQUEST_BYTES_MAX + REPEATED_NAMES_BYTES_MAX + STRING_BYTES_MAX <= FRAME_BYTES_MAX,
              "the effects of a legal request, with a value that it changes, fit in one frame");
static_assert(FRAME_TRANSACTION_BYTES_MAX + TRANSACTION_BYTES_MAX + REPEATED_NAMES_BYTES_MAX +
                      STRING_BYTES_MAX <=
                  FRAME_BYTES_MAX,
              "and so do those of a request that was queued, behind the ones before it");
static_assert(WATCHED_BYTES_MAX <= TRANSACTION_BYTES_MAX, "watching costs less than queueing");

#endif
