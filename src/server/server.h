/* server.h - the process: one epoll loop round one engine, and how its rooms are joined.
 *
 * It knows every room and is known by none. All state is in struct server, which main owns. */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include "server/config.h"

struct server;

/* Locks the directory and listens. 'config' is borrowed. NULL with a sentence for the operator in
 * 'problem': nothing was changed that matters. */
struct server *server_create(struct config *config, struct buf *problem);

/* Recovers the data and serves until a signal or SHUTDOWN ends it; returns the process' exit
 * status. A recovery that fails ends it too, with a sentence for the operator in 'problem'. */
int server_run(struct server *s, struct buf *problem);

void server_destroy(struct server *s);

#endif
