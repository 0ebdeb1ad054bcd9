/* arguments.h - the command line of irmak-check. */
#ifndef CHECK_ARGUMENTS_H
#define CHECK_ARGUMENTS_H

#include "wal/wal.h"

struct arguments {
    const char *directory; /* borrowed from the command line */
    bool help;
    bool version;
    bool list;
    bool dump;
    lsn_t from;
    lsn_t to;
    bool explain;
    bool apply;
    bool json;
    bool no_lock;
    bool cut_torn_tail;
};

/* False: 'problem' says what is wrong, in one line. */
bool arguments_parse(struct arguments *a, int count, const char *const *words, struct buf *problem);

#endif
