/* listing.h - every file of a data directory, and every batch of every segment: `--list`.
 *
 * It shows what is there, also in a directory whose log is corrupt, and judges nothing: the batches
 * of a segment are those that hold together from its beginning (wal/scan.h). */
#ifndef CHECK_LISTING_H
#define CHECK_LISTING_H

#include "check/examine.h"

/* Not DISK_OK: the directory could not be listed. A segment that cannot be read is shown so. */
enum disk_status listing_show(const struct examination *x, struct output *out);

#endif
