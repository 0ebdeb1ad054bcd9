/* crash_world.h - what the parts of the crash simulation share: one seed's world. Private to it.
 *
 * Two kinds of actors speak to the machine:
 *   - the faithful (crash_traffic.c) keep to the model of the crash oracle, which judges by what
 *     they were told and what they were shown, and knows nothing of LSNs;
 *   - the wild (crash_wild.c) use everything else in database 1: deadlines, RENAME, FLUSHDB,
 *     claims, trimming, groups that come and go.
 * Both kinds are judged by moments, too: after each tick the world notes the hash of the whole key
 * space under the LSN that the log has reached (group commits end where ticks end, so a recovery
 * can stop nowhere else). What a recovery brings back must be one of these moments, exactly, and
 * none before needed_lsn, which grows with every answer that says that something was changed, or
 * shows something that was.
 *
 * Invariants: moments above the last recovered LSN are forgotten, since their LSNs are given again;
 * an actor's sent[] is in the order of sending. */
#ifndef SIM_CRASH_WORLD_H
#define SIM_CRASH_WORLD_H

#include "../integration/crash_oracle.h"
#include "answer.h"
#include "journal.h"
#include "machine.h"

enum {
    FAITHFUL_COUNT = 3,
    WILD_COUNT = 2,
    ACTORS_COUNT = FAITHFUL_COUNT + WILD_COUNT,
    SENT_MAX = 64,
    SENT_AT_ONCE_MAX = 12, /* by one call of traffic_send or wild_send */
    LSN_MAX = 16384,
    KEYS_PER_CLIENT = 3, /* the first holds numbers, the others text */
    FAITHFUL_KEYS = FAITHFUL_COUNT * KEYS_PER_CLIENT,
    FAITHFUL_STREAMS = 2,
    WILD_KEYS = 8, /* the last WILD_STREAMS of them are meant for streams */
    WILD_STREAMS = 3,
    KNOWN_IDS_MAX = 16,
};

/* When has an answer told its client that the database has changed? */
enum answer_rule {
    RULE_NEVER,    /* it cannot be told from the answer */
    RULE_ACCEPTED, /* unless it is an error, null or empty */
    RULE_POSITIVE, /* when it is an integer above 0 */
};

enum sent_kind {
    SENT_SETUP,
    SENT_WRITES,
    SENT_GET,
    SENT_ADD,
    SENT_GROUP_READ,
    SENT_READ,
    SENT_CLAIM,
    SENT_AUTOCLAIM,
    SENT_DEREFERENCE, /* XDELEX DELREF of one ID */
    SENT_OUTBOX,      /* EXEC of a SET and an XADD */
    SENT_OTHER,
    SENT_WILD
};

/* A request on its way. */
struct sent {
    enum sent_kind kind;
    enum answer_rule rule;
    uint32_t place; /* the key of a GET; the stream of what concerns one */
    bool looks;     /* WILD: the answer shows 'place' as it was */
    bool executed;
    bool refused;   /* the oracle knows */
    lsn_t tick_lsn; /* where the log stood at the end of the tick that executed it */
    lsn_t seen_lsn; /* the newest change of 'place' in the ticks before that one */
};

struct actor {
    size_t link;
    struct sent sent[SENT_MAX];
    size_t sent_count;
    uint64_t taken;    /* requests of this connection that were answered */
    uint64_t executed; /* and those that were executed */
};

struct known_ids {
    struct oracle_id ids[KNOWN_IDS_MAX];
    size_t count;
};

struct moment {
    bool known;
    uint64_t hash;
    int64_t now_ms;
};

struct world {
    struct journal *journal;
    struct sim_disk *disk;
    struct machine machine;
    struct random random;
    bool disk_faults;
    bool promises; /* appendfsync always: what is answered must survive */
    enum wal_policy policy;
    struct stream_block_limits stream_block;
    int64_t now_us;
    struct crash_oracle *oracle;
    struct actor actors[ACTORS_COUNT];
    struct known_ids faithful_ids[FAITHFUL_STREAMS];
    struct known_ids wild_ids[WILD_KEYS];
    uint64_t wild_hash[WILD_KEYS];
    lsn_t wild_lsn[WILD_KEYS];
    uint64_t payload_next;
    int64_t message_us[FAITHFUL_COUNT]; /* when its idempotent message was sent first */
    struct moment *moments;             /* LSN_MAX + 1 of them */
    lsn_t tick_lsn;
    lsn_t needed_lsn;
};

/* True with a chance of 1 in n. */
static inline bool world_chance(struct world *w, uint64_t n)
{
    return random_below(&w->random, n) == 0;
}

static inline uint32_t world_pick(struct world *w, uint32_t bound)
{
    return (uint32_t)random_below(&w->random, bound);
}

/* The place in which the caller describes the request that it has just given to the machine. */
struct sent *world_sent(struct world *w, struct actor *a, enum sent_kind kind);
void world_remember_id(struct known_ids *known, struct oracle_id id);
bool world_parse_id(struct slice text, struct oracle_id *id);

/* crash_traffic.c */
void traffic_create(struct world *w); /* streams and groups, in a machine that runs */
void traffic_connect(struct world *w, struct actor *a);
void traffic_send(struct world *w, struct actor *a);
void traffic_answered(struct world *w, struct actor *a, const struct sent *sent,
                      struct slice reply);
void traffic_note_refused(struct world *w, struct actor *a); /* after each tick */
void traffic_judge(struct world *w); /* the recovered machine, by the oracle */

/* crash_wild.c */
void wild_connect(struct world *w, struct actor *a);
void wild_send(struct world *w, struct actor *a);
void wild_answered(struct world *w, struct actor *a, const struct sent *sent, struct slice reply);
void wild_note_tick(struct world *w); /* which of its keys have changed */
void wild_forget(struct world *w);    /* after a recovery all that is there is certain */

/* crash.c: everything that follows from the seed. False: the journal says what is wrong. */
bool crash_run_seed(struct journal *journal, uint64_t seed, bool disk_faults);

#endif
