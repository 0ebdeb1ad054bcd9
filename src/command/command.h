/* command.h - what a command is, and what it is allowed to see.
 *
 * A command reads db through const accessors, changes it with db_change, writes exactly one
 * reply, or asks to wait. It never sees a socket, a clock, another client's state or struct wal.
 * Order inside a command: check, decide, change, reply; nothing can fail after the first change. */
#ifndef COMMAND_COMMAND_H
#define COMMAND_COMMAND_H

#include "command/client.h"
#include "command/host.h"
#include "command/monitor.h"
#include "command/portions.h"
#include "db/db.h"
#include "resp/reply.h"

struct command;
struct command_context;

enum outcome { OUTCOME_REPLIED, OUTCOME_WAIT };

/* A command that could not be answered yet, as a value (architecture.md rule 5).
 *
 * The waiting command fills it in on its first call: 'again' is called with the same wait each
 * time one of its keys changes and replies or returns OUTCOME_WAIT once more. On those calls the
 * context's arguments are the engine's copy of the first call's, so a plan holds indexes, not
 * pointers. deadline_ms is fixed on entry: a wake-up that finds nothing must not restart it. */
struct wait {
    int64_t deadline_ms; /* tick time; 0: for ever */
    /* When 'again' is to be called although no key changed; 0: never. 'again' sets it anew, to
     * later than now, when it returns OUTCOME_WAIT. */
    int64_t wake_ms;
    /* 'again' is also called when the log is on stable storage up to here; 0: not for that. */
    lsn_t synced_lsn;
    /* ... and when the host has done an errand, by the number of this one (host.h); 0: of none. */
    uint64_t errand;
    unsigned database;
    size_t keys_first; /* the keys are the arguments keys_first .. keys_first + keys_count - 1 */
    size_t keys_count; /* 0: it waits for no key */
    /* Waiters for one group of a key find the same: when the oldest of them finds nothing, the
     * others are not tried for that change. cohort_argument is the argument with the group's name;
     * 0: each waiter is tried. cohort_number: those of a group that also wait for pending entries
     * to become so many milliseconds idle; only the oldest of each such cohort has a wake_ms that
     * counts, the next one is tried when it becomes the oldest. -1: for new entries only. */
    size_t cohort_argument;
    int64_t cohort_number;
    enum outcome (*again)(struct command_context *c, struct wait *w);
    /* Writes the reply of a deadline that passed, or of a wait that may not be. Outside a batch. */
    void (*expired)(struct command_context *c, const struct wait *w);
    void *plan;       /* heap memory of plan_size bytes without pointers into itself, or NULL; */
    size_t plan_size; /* the engine frees it with memory_free */
};

struct command_context {
    const struct slice *arguments; /* arguments[0] is the command's name; borrowed */
    size_t arguments_count;
    const struct command *command; /* the row that runs, of the subcommand where there is one */
    struct client *client;
    struct db *db;
    struct reply *reply;
    const struct host *host;
    const struct session_host *sessions;
    struct monitor *monitor;
    struct wait *wait;               /* to be filled in before OUTCOME_WAIT */
    struct reply_portions *portions; /* NULL: the reply must be made at once */
    int64_t now_us;                  /* the tick's clock */
    int64_t now_ms;                  /* the same, as db_now_ms */
    bool loading;     /* 'db' is an empty one that stands in for the one that is being recovered */
    int64_t clock_ns; /* when the request before this one ended, by host->monotonic_ns: the start
                       * of this one; 0: not known. Executing sets it, the owner clears it */
};

typedef enum outcome command_function(struct command_context *c);

/* ---- the table: facts of spec/commands.tsv, one row each in commands.def ---- */

enum command_flag {
    COMMAND_WRITE = 1 << 0,
    COMMAND_READONLY = 1 << 1,
    COMMAND_DENYOOM = 1 << 2,
    COMMAND_ADMIN = 1 << 3,
    COMMAND_NOSCRIPT = 1 << 4,
    COMMAND_BLOCKING = 1 << 5,
    COMMAND_LOADING = 1 << 6,
    COMMAND_STALE = 1 << 7,
    COMMAND_FAST = 1 << 8,
    COMMAND_NO_AUTH = 1 << 9,
    COMMAND_MOVABLEKEYS = 1 << 10,
    COMMAND_ALLOW_BUSY = 1 << 11,
    COMMAND_NO_MULTI = 1 << 12,
    COMMAND_NO_ASYNC_LOADING = 1 << 13,
    COMMAND_SKIP_SLOWLOG = 1 << 14,
    COMMAND_NOT_QUEUED = 1 << 15, /* not shown: between MULTI and EXEC it runs at once */
};

/* Where the keys of a request stand: as COMMAND's key specifications. */
enum key_search { KEYS_NONE, KEYS_RANGE, KEYS_KEYWORD, KEYS_COUNTED };
enum { COMMAND_KEYS_MAX = 2 }; /* RENAME uses its two keys in two ways */
struct command_keys {
    enum key_search search;
    int first; /* index of the first key; KEYS_KEYWORD: where the search begins; KEYS_COUNTED:
                * index of the number of keys, which follow */
    int last;  /* index of the last; negative from the end (-1: the last argument) */
    int step;
    int limit;           /* KEYS_KEYWORD range: 2 = half of what is left (XREAD) */
    const char *keyword; /* "STREAMS" */
    const char *flags;   /* "RW access update" as in COMMAND INFO */
};

struct command {
    const char *name;      /* lower case; of a subcommand its own name ("list") */
    const char *full_name; /* "client|list" */
    const char *parent;    /* "client", or NULL */
    command_function *run; /* NULL: a container whose subcommands run */
    int arity;             /* as Redis: exact if positive, at least -arity if negative */
    uint32_t flags;
    const char *categories;                     /* "@write,@string,@slow" */
    struct command_keys keys[COMMAND_KEYS_MAX]; /* unused ones at the end: KEYS_NONE */
    const char *group;                          /* "string" */
    const char *since;                          /* "1.0.0" */
    const char *summary;
    const char *syntax; /* "SET key value [NX|XX] ..." */
    uint16_t index;     /* of the row */
};

extern const struct command command_table[];
extern const size_t command_table_count;

/* The row of a request, or of its container when the subcommand is unknown (then *unknown_sub is
 * true). NULL: no such command. Constant time. */
const struct command *command_find(const struct slice *arguments, size_t count, bool *unknown_sub);
const struct command *command_find_name(struct slice full_name); /* "set", "client|list" */

bool command_arity_holds(const struct command *command, size_t arguments_count);

/* The indexes of the keys of a request whose arity holds: at most 'capacity' into 'indexes';
 * returns how many there are, 0 when the syntax does not allow to tell. */
size_t command_key_indexes(const struct command *command, const struct slice *arguments,
                           size_t count, size_t *indexes, size_t capacity);

/* How the request uses its key number 'key' (from 0, in the order of the indexes): "RO access". */
const char *command_key_flags(const struct command *command, size_t key);

/* The subcommand after 'before' (NULL: the first) in a container; NULL when there is none left. */
const struct command *command_next_subcommand(const struct command *container,
                                              const struct command *before);
bool command_has_subcommands(const struct command *command);

/* The name of a row in capitals, as texts for people have it. */
enum { COMMAND_NAME_MAX = 32 };
void command_capitals(const char *name, char capitals[COMMAND_NAME_MAX]);

/* ---- execution ---- */

/* Runs one request in its own batch: finds the row, checks arity, authentication, memory, and
 * calls the function. *lsn: the reply must not leave before this LSN is durable. */
enum outcome command_execute(struct command_context *c, lsn_t *lsn);

/* Runs 'again' of a wait in a batch of its own. */
enum outcome command_resume(struct command_context *c, struct wait *w, lsn_t *lsn);

#endif
