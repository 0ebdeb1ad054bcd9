/* floor_server.c - the floor of a request: what the kernel and the load generator allow a server on
 * one thread that does nothing.
 *
 *   floor_server --port PORT [--OPTION VALUE ...]
 *       Frames requests of RESP (arrays of bulk strings, as every client library sends them) and
 *       answers each with +PONG, until it is killed. The other options are those that any peer of
 *       redis-tests/bench is started with; they mean nothing here.
 *
 * The shape is that of every peer: one epoll loop, level-triggered; one recv and one send for each
 * connection that is ready. Nothing is looked at but lengths, so a bulk string that has not come
 * yet is skipped without being kept. What is not RESP ends the connection. */
#include "load.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    EVENTS_MAX = 1024,
    INPUT_BYTES = 64 * 1024,
    CLIENTS_MAX = 16 * 1024, /* descriptors */
    BULK_MAX = 512 * 1024 * 1024,
    BULKS_MAX = 1024 * 1024,
};

#define ANSWER "+PONG\r\n"

/* Where in a request a connection is. */
struct place {
    long number;    /* of the line that is being read, as far as it came */
    long skip;      /* bytes of a bulk string, with its end, that are still to come */
    long bulks;     /* of this request that are still to come */
    char line_type; /* '*' or '$'; 0: between lines */
};

static struct place places[CLIENTS_MAX];
static char input[INPUT_BYTES];
static char answers[INPUT_BYTES]; /* no request is shorter than its answer */

/* The line that ends here says how much follows. */
static bool end_line(struct place *p)
{
    bool array = p->line_type == '*';
    if (p->number > (array ? BULKS_MAX : BULK_MAX)) return false;
    if (array) p->bulks = p->number;
    else p->skip = p->number + 2;
    p->number = 0;
    p->line_type = 0;
    return true;
}

static bool take_byte(struct place *p, char byte)
{
    if (p->line_type == 0) {
        p->line_type = byte;
        return byte == (p->bulks > 0 ? '$' : '*');
    }
    if (byte == '\n') return end_line(p);
    if (byte >= '0' && byte <= '9' && p->number <= BULK_MAX)
        p->number = p->number * 10 + (byte - '0');
    else if (byte != '\r') return false;
    return true;
}

/* Requests that end in the bytes; -1: they are not RESP. */
static long count_requests(struct place *p, const char *bytes, long size)
{
    long requests = 0;
    for (long at = 0; at < size;) {
        if (p->skip == 0) {
            if (!take_byte(p, bytes[at++])) return -1;
            continue;
        }
        long part = p->skip < size - at ? p->skip : size - at;
        p->skip -= part;
        at += part;
        if (p->skip == 0 && --p->bulks == 0) requests++;
    }
    return requests;
}

/* False: the connection is over. */
static bool serve(int socket)
{
    ssize_t size = recv(socket, input, sizeof input, 0);
    if (size <= 0) return size < 0 && (errno == EAGAIN || errno == EINTR);
    long requests = count_requests(&places[socket], input, size);
    if (requests < 0) return false;
    size_t bytes = (size_t)requests * (sizeof ANSWER - 1);
    return bytes == 0 || send(socket, answers, bytes, MSG_NOSIGNAL) == (ssize_t)bytes;
}

static void watch(int epoll, int socket)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = socket};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, socket, &event) != 0)
        load_stop("epoll_ctl", strerror(errno));
}

static void accept_one(int epoll, int listener)
{
    int one = 1, socket = accept(listener, NULL, NULL);
    if (socket < 0) return;
    if (socket >= CLIENTS_MAX) {
        close(socket);
        return;
    }
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    places[socket] = (struct place){0};
    watch(epoll, socket);
}

static int listen_on(int port)
{
    int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(listener, 511) != 0)
        load_stop("listen", strerror(errno));
    return listener;
}

int main(int count, char **words)
{
    if (count < 3 || strcmp(words[1], "--port") != 0)
        load_stop("usage", "floor_server --port PORT");
    int listener = listen_on((int)load_number(words[2], 1, 65535)), epoll = epoll_create1(0);
    watch(epoll, listener);
    for (size_t at = 0; at + sizeof ANSWER < sizeof answers; at += sizeof ANSWER - 1)
        memcpy(answers + at, ANSWER, sizeof ANSWER - 1);
    for (;;) {
        struct epoll_event events[EVENTS_MAX];
        int ready = epoll_wait(epoll, events, EVENTS_MAX, -1);
        for (int i = 0; i < ready; i++) {
            int socket = events[i].data.fd;
            if (socket == listener) accept_one(epoll, listener);
            else if (!serve(socket)) close(socket);
        }
    }
}
