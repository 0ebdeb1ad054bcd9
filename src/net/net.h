/* net.h - sockets as connections: epoll, accepting, receiving, sending.
 *
 * It knows descriptors, addresses and buffers. It never knows RESP, commands, sessions or the
 * database: callbacks tell the owner what happened. One thread.
 *
 * Receiving goes into one arena per turn, so that bytes given to 'received' stay valid until the
 * next turn begins and no connection holds a buffer while it is idle; when the owner offers memory
 * of its own ('input_space'), bytes go straight there. Sending takes iovecs from a chain
 * (base/chain.h) that the owner fills. */
#ifndef NET_NET_H
#define NET_NET_H

#include "base/buf.h"
#include "base/chain.h"
#include "base/slice.h"

#include <stdint.h>

struct net;
struct connection;

struct connection_addresses {
    char remote[128]; /* "127.0.0.1:6379", "[::1]:6379", "/run/irmak.sock:0" */
    char local[128];
    bool unix_socket;
    bool loopback; /* the peer is on this machine */
    int descriptor;
};

struct net_callbacks {
    void *context;
    /* A connection was accepted. Returns the owner's object for it, kept by the connection, or
     * NULL to refuse it: then 'refusal' (may be empty, borrowed) is sent best effort and it is
     * closed. */
    void *(*opened)(void *context, struct connection *connection,
                    const struct connection_addresses *addresses, struct slice *refusal);
    /* Memory of the owner to receive into, or NULL. */
    char *(*input_space)(void *context, void *owner, size_t *size);
    /* Bytes arrived: in the arena (valid until the next turn begins), or 'into_space' when they
     * went into input_space's memory. */
    void (*received)(void *context, void *owner, struct slice bytes, bool into_space);
    /* The peer sends no more, but may still read. True: the connection stays open, without
     * reading, until connection_close; false: it is closed as if the peer were gone. */
    bool (*ended)(void *context, void *owner);
    /* Bytes of the output went out by themselves. */
    void (*sent)(void *context, void *owner);
    /* The peer is gone or the socket failed; the connection is freed after this call. */
    void (*closed)(void *context, void *owner);
    /* The wait of the turn is over: the moment to read the clock, before the calls above. */
    void (*woken)(void *context);
};

struct net_options {
    struct net_callbacks callbacks;
    int backlog;           /* tcp-backlog */
    int keepalive_seconds; /* tcp-keepalive; 0: off */
};

struct net *net_create(const struct net_options *options);
void net_destroy(struct net *n);

/* Listens; false with a sentence in 'problem' that names the address and what is wrong. An address
 * that begins with '-' may be unavailable without that being a failure (redis.conf); "*" and "::*"
 * are all addresses of a family. A unix socket has its mode (0: what the umask leaves) before
 * anybody can connect; a socket file that nobody listens on is replaced. */
bool net_listen_tcp(struct net *n, const char *address, uint16_t port, struct buf *problem);
bool net_listen_unix(struct net *n, const char *path, unsigned mode, struct buf *problem);
uint16_t net_port(const struct net *n); /* of the first TCP listener: what port 0 became; 0: none */
void net_set_keepalive(struct net *n, int seconds); /* for connections accepted from now on */
void net_stop_listening(struct net *n);             /* removes the unix sockets' files too */

/* A descriptor of the owner (an eventfd of a worker, a signalfd) that is watched for reading. */
typedef void net_watch_function(void *context);
void net_watch(struct net *n, int descriptor, net_watch_function *ready, void *context);

/* One turn: waits at most timeout_ms (-1: for ever), accepts, receives a bounded amount from every
 * readable connection, calls watches. Returns after one round; what did not fit waits its turn in
 * order. True: something was ready. No callback may start another turn. */
bool net_turn(struct net *n, int timeout_ms);

/* Sends what the chain has released, as much as the kernel takes; what is left goes out by itself
 * when the socket is writable again (the chain must live until closed or connection_close). */
void connection_send(struct connection *c, struct chain *output);

/* Stop or go on reading: flow control by the owner. */
void connection_set_reading(struct connection *c, bool reading);

/* While nothing is read: is a peer that ended its side to be noticed (by 'ended')? For an owner
 * that waits for something else than this peer, and that should not wait for nobody. */
void connection_set_noticing_end(struct connection *c, bool noticing);

/* Closes at once, without a 'closed' callback; the owner has already let go. Allowed in callbacks;
 * the memory is freed when no event of this turn can refer to it any more. */
void connection_close(struct connection *c);

struct net_figures {
    uint64_t accepted;
    uint64_t accept_errors; /* EMFILE, ECONNABORTED ...: the loop goes on after each */
    uint64_t received_bytes;
    uint64_t sent_bytes;
    uint64_t receives; /* calls that brought bytes */
    uint64_t sends;
};
void net_measure(const struct net *n, struct net_figures *figures);

#endif
