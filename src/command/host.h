/* host.h - what the house around a command offers: the other sessions (engine/) and the process
 * (server/), as functions, so that a command never sees a socket, a file or a thread.
 *
 * Every function gets 'context'. The simulator fills in its own. */
#ifndef COMMAND_HOST_H
#define COMMAND_HOST_H

#include "base/buf.h"
#include "base/slice.h"
#include "command/client.h"

/* One parameter and its value in CONFIG GET; the value is borrowed for the call. */
typedef void host_config_visit(void *visit_context, const char *name, struct slice value);

/* SAVE: the stop waits for the snapshot that runs. */
enum host_shutdown { HOST_SHUTDOWN_NORMAL, HOST_SHUTDOWN_NOW, HOST_SHUTDOWN_SAVE };

/* The engine fills these in: sessions. */
struct session_host {
    void *context;
    /* The session with the smallest id > after_id; NULL: none. Valid until the command returns. */
    const struct client *(*next)(void *context, uint64_t after_id);
    /* Closes a session once the running command has answered; false: no such id. The caller's own
     * session is closed after its reply was sent. */
    bool (*kill)(void *context, uint64_t id);
    /* Ends the wait of a session: it gets the reply of a deadline that passed, or an error. False:
     * no such id, or it does not wait. */
    bool (*unblock)(void *context, uint64_t id, bool with_error);
};

/* The server fills these in: configuration, figures, the process. */
struct host {
    void *context;

    /* requirepass; empty: none is needed. Borrowed. */
    struct slice (*password)(void *context);

    /* Visits every parameter that matches one of the glob patterns, each once, in table order. */
    void (*config_get)(void *context, const struct slice *patterns, size_t count,
                       host_config_visit *visit, void *visit_context);
    /* Sets all pairs (name, value, name, value ...) or none. False: 'error' holds the whole text
     * ("ERR CONFIG SET failed (possibly related to argument 'x') - ..."). */
    bool (*config_set)(void *context, const struct slice *pairs, size_t count, struct buf *error);
    /* Has the present values written into the file, beside the loop: a disk that stalls holds up
     * nobody else. The number of the errand, for wait.errand; 0: 'error' holds the text ("ERR The
     * server is running without a config file"). */
    uint64_t (*config_rewrite)(void *context, struct buf *error);
    /* True: that errand is done; 'error' holds the text if it failed. */
    bool (*config_rewritten)(void *context, uint64_t errand, struct buf *error);
    void (*reset_statistics)(void *context);

    /* Appends the text of INFO for the sections asked for (none: the default ones). */
    void (*info)(void *context, const struct slice *sections, size_t count, struct buf *out);

    /* Begins an orderly stop at the end of this tick; the caller gets no reply but the close. */
    void (*shutdown)(void *context, enum host_shutdown how);

    /* DEBUG SLEEP: holds the whole process, which is its purpose. */
    void (*sleep)(void *context, int64_t microseconds);

    /* For the time spent in commands (INFO commandstats): nanoseconds, never going back. */
    int64_t (*monotonic_ns)(void *context);

    /* Entropy: RANDOMKEY, CLIENT ids and the like. */
    uint64_t (*random)(void *context);

    /* used memory over maxmemory? Then commands with DENYOOM are refused. */
    bool (*out_of_memory)(void *context);
};

#endif
