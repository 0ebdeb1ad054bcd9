/* net_state.h - the inside of net/: what its files share, and nobody else sees.
 *
 * Everything that epoll can report begins with a 'struct target', whose kind says what it is. A
 * connection that is closed is dead, not freed: an event in the array of epoll events may still
 * point to it. Dead ones are freed when the array is used up, which is the whole defence against
 * events of freed connections. The array outlives a turn when the arena is full, so that the rest
 * of it comes first in the next turn. */
#ifndef NET_NET_STATE_H
#define NET_NET_STATE_H

#include "base/list.h"
#include "net/net.h"

#include <sys/epoll.h>

enum {
    NET_EVENTS_MAX = 512,                      /* of one epoll_wait */
    NET_ARENA_BYTES = 1024 * 1024,             /* received in one turn, about */
    NET_RECEIVE_BYTES_MAX = 64 * 1024,         /* of one connection in one turn */
    NET_RECEIVE_BYTES_MIN = 16 * 1024,         /* with less arena left the turn ends */
    NET_RECEIVE_SPACE_BYTES_MAX = 1024 * 1024, /* the same into the owner's memory */
    NET_ACCEPTS_MAX = 1000,                    /* of one listener in one turn */
    NET_ACCEPT_PAUSE_MS = 100,                 /* after an error that only time heals */
    NET_SENDS_MAX = 16,                        /* calls for one connection before others go on */
    NET_VECTORS_MAX = 64,                      /* of one sendmsg */
};

enum target_kind { TARGET_CONNECTION, TARGET_LISTENER, TARGET_WATCH };

struct target {
    enum target_kind kind;
    int descriptor; /* -1: closed, of a dead connection */
};

struct connection {
    struct target target; /* first */
    struct net *net;
    void *owner;
    struct chain *output; /* borrowed; set while the kernel was full */
    struct list list;     /* net.live or net.dead */
    uint32_t events;      /* that epoll watches */
    bool reading;
    bool noticing_end;
    bool ended; /* the peer sends no more: reading is over */
};

struct listener {
    struct target target; /* first */
    struct list list;
    char *unix_path; /* owned, of unix_path_size bytes; NULL: TCP */
    size_t unix_path_size;
};

struct watch {
    struct target target; /* first; the descriptor is the owner's */
    struct list list;
    net_watch_function *ready;
    void *context;
};

struct net {
    struct net_callbacks callbacks;
    int backlog;
    int keepalive_seconds;
    int epoll;
    int spare_descriptor; /* given up to refuse a connection when there are no more descriptors */
    bool accepting_paused;
    struct list live, dead; /* connections */
    struct list listeners, watches;
    struct epoll_event *events; /* NET_EVENTS_MAX */
    size_t events_count;
    size_t events_next; /* the first that was not looked at yet */
    char *arena;        /* NET_ARENA_BYTES */
    size_t arena_used;
    struct net_figures figures;
};

/* connection.c */
void connection_create(struct net *n, int descriptor, const struct connection_addresses *addresses);
void connection_turn(struct connection *c, uint32_t events); /* what epoll reported */
void connection_free_dead(struct net *n);

/* listen.c */
void listener_accept(struct net *n, const struct listener *l);
void listener_pause(struct net *n, bool paused);

/* net.c: epoll_ctl, which fails only for our bugs and for want of kernel memory (false). */
bool target_watch(struct net *n, struct target *t, uint32_t events);
void target_rewatch(struct net *n, struct target *t, uint32_t events);

#endif
