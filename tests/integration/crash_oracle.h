/* crash_oracle.h - the one judge of what a client may find after a crash.
 *
 * Clients tell it what they send (invoke) and what comes back (answered). An operation is
 * acknowledged when its answer arrived, and unknown when the crash came first. After recovery the
 * caller shows the whole state and the oracle holds it against the promise
 * (design/reliability.md):
 *
 *   - an acknowledged write survives; an unknown one is wholly there or wholly absent;
 *   - order is kept: the server runs the operations of a client in the order in which they were
 *     sent, so what survives of them is a prefix, across all keys and streams together;
 *   - what a reader has seen survives too (saw_value, entries of a group read);
 *   - nothing that was never sent appears, and nothing that was removed comes back;
 *   - a stream's length, last ID and entries-added, and a group's position, pending entries,
 *     owners and lag are exact.
 *
 * How it judges: each client has the candidates 0 ... n, "the first j of its unknown operations
 * happened". Every value, entry and pending entry that is shown strikes candidates out. When
 * none is left, no history explains the state.
 *
 *      acknowledged ops     unknown ops of one client
 *      [0] [1] [2] [3]      [4] [5] [6]
 *                      ^ 4     5   6   7     candidates: prefixes that may have survived
 *
 * It must never know sockets, files, clocks or the server: the simulator and the drivers of a real
 * process use the same code. It uses libc's heap, so that injected failures of ours never reach it.
 *
 * Limits of the model, which the caller keeps: a key is written by one client; an XADD has the ID
 * `*` and a payload that no other XADD has; a stream has at most one group, read with `>` only; of
 * the operations that acknowledge, claim, give back or dereference one pending entry only one is
 * unanswered at any time, and none names an entry that is not pending; a group's position is set
 * forwards only, and while nobody reads; an XSETID names an ID above all that its stream may have
 * by then; a client has one idempotent message at a time, and keeps one connection between two
 * judgements. crash_oracle_ask.h tells what keeps to this. Index arguments must be in range. */
#ifndef INTEGRATION_CRASH_ORACLE_H
#define INTEGRATION_CRASH_ORACLE_H

#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct crash_oracle; /* opaque; create/destroy */

struct oracle_id {
    uint64_t ms;
    uint64_t sequence;
};

static inline int oracle_id_compare(struct oracle_id a, struct oracle_id b)
{
    if (a.ms != b.ms) return a.ms < b.ms ? -1 : 1;
    return a.sequence < b.sequence ? -1 : a.sequence > b.sequence;
}

struct oracle_entry {
    struct oracle_id id;
    struct slice payload; /* all fields and values in the caller's unambiguous encoding */
};

struct oracle_answer {
    bool is_error;    /* refused: the operation had no effect */
    bool has_integer; /* compare with what the writes of this operation must answer */
    int64_t integer;
    struct oracle_id id;                /* of an add */
    const struct oracle_entry *entries; /* of a group read */
    size_t entry_count;
};

enum oracle_violation_kind {
    ORACLE_VALUE_WRONG,     /* a key has a value that no candidate explains */
    ORACLE_ORDER_BROKEN,    /* each part is possible, but not together */
    ORACLE_ANSWER_WRONG,    /* a live answer contradicts what was acknowledged before */
    ORACLE_ENTRY_LOST,      /* an acknowledged or seen entry is gone */
    ORACLE_ENTRY_UNKNOWN,   /* an entry that was never sent, or that was removed */
    ORACLE_ENTRY_CHANGED,   /* an acknowledged ID with other bytes */
    ORACLE_STREAM_INEXACT,  /* length, last ID, entries-added, or order of IDs */
    ORACLE_PENDING_LOST,    /* delivered, never acknowledged, no longer pending */
    ORACLE_PENDING_WRONG,   /* pending, but acknowledged, never delivered, or of another owner */
    ORACLE_GROUP_INEXACT,   /* position, lag or entries-read */
    ORACLE_DELIVERED_AGAIN, /* `>` gave an entry that the group had given before */
};

struct oracle_violation {
    enum oracle_violation_kind kind;
    char text[240];
};

struct oracle_figures {
    uint64_t acknowledged;    /* operations whose answer arrived */
    uint64_t refused;         /* answered with an error */
    uint64_t unknown;         /* operations whose answer a crash took */
    uint64_t unknown_applied; /* of these, at least so many had happened */
    uint64_t violations;
};

/* 'client_count' clients, no keys, no streams. Never NULL. */
struct crash_oracle *crash_oracle_create(uint32_t client_count);
void crash_oracle_destroy(struct crash_oracle *oracle);

/* Declares a key that does not exist yet and that only 'client' writes; its index, from 0. */
uint32_t crash_oracle_add_key(struct crash_oracle *oracle, uint32_t client);

/* Declares a stream that exists, empty, with a group at 0-0 if 'has_group'; its index, from 0. */
uint32_t crash_oracle_add_stream(struct crash_oracle *oracle, bool has_group);

/* --- What comes back. ------------------------------------------------------------------------ */

/* The answer to the oldest unanswered operation of 'client'. */
void crash_oracle_answered(struct crash_oracle *oracle, uint32_t client,
                           const struct oracle_answer *answer);

/* The server has refused the unanswered operation at 'index' (0: the oldest), and its client does
 * not know: for a caller that looks into the server. Else it is a gap in the order. */
void crash_oracle_was_refused(struct crash_oracle *oracle, uint32_t client, size_t index);

/* Anybody read this value of the key, which has it only once (an answer may come long after the
 * read): what it depends on can no longer be lost. */
void crash_oracle_saw_value(struct crash_oracle *oracle, uint32_t key, bool exists,
                            struct slice value);
void crash_oracle_saw_entry(struct crash_oracle *oracle, uint32_t stream,
                            const struct oracle_entry *entry);

/* --- What is there after recovery. ----------------------------------------------------------- */

/* No client of ours. */
#define ORACLE_NOBODY UINT32_MAX

struct oracle_pending {
    struct oracle_id id;
    uint32_t client;     /* the owner, or ORACLE_NOBODY */
    uint64_t deliveries; /* 0: not looked at */
};

struct oracle_recovered_stream {
    bool exists;
    const struct oracle_entry *entries; /* all, as XRANGE - + gives them */
    size_t entry_count;
    uint64_t length; /* as XINFO says */
    struct oracle_id last_id;
    uint64_t entries_added;
    bool group_exists;
    struct oracle_id last_delivered_id;
    const struct oracle_pending *pending; /* all, in order of IDs */
    size_t pending_count;
    int64_t lag;          /* -1: not looked at */
    int64_t entries_read; /* -1: not looked at */
};

/* Every key and every stream is shown once between begin and end. */
void crash_oracle_judge_begin(struct crash_oracle *oracle);
void crash_oracle_judge_value(struct crash_oracle *oracle, uint32_t key, bool exists,
                              struct slice value);
void crash_oracle_judge_stream(struct crash_oracle *oracle, uint32_t stream,
                               const struct oracle_recovered_stream *recovered);

/* True if nothing was violated since the last judgement. The state that was shown is what the next
 * operations build on; unknown operations are settled by it. */
bool crash_oracle_judge_end(struct crash_oracle *oracle);

/* All violations so far are counted; the first ORACLE_VIOLATIONS_KEPT are kept. NULL past them. */
enum { ORACLE_VIOLATIONS_KEPT = 16 };
const struct oracle_violation *crash_oracle_violation(const struct crash_oracle *oracle,
                                                      size_t index);
void crash_oracle_measure(const struct crash_oracle *oracle, struct oracle_figures *figures);

#include "crash_oracle_ask.h"
#include "crash_oracle_invoke.h"
#endif
