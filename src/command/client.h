/* client.h - what a command may know and change about the connection that called it.
 *
 * The engine embeds one in every session. Commands see their own as mutable and, through host.h,
 * those of others as const. It never holds a socket or a buffer. */
#ifndef COMMAND_CLIENT_H
#define COMMAND_CLIENT_H

#include "base/buf.h"
#include "command/transaction.h"
#include "resp/reply.h"

#include <stdint.h>

enum {
    CLIENT_ADDRESS_MAX = 128, /* "127.0.0.1:6379", "[::1]:6379", "/run/irmak.sock:0" */
    CLIENT_NAME_MAX = 1024,   /* CLIENT SETNAME, SETINFO: bytes kept per connection */
};

enum client_reply_mode { CLIENT_REPLY_ON, CLIENT_REPLY_OFF, CLIENT_REPLY_SKIP };

struct client {
    uint64_t id; /* increases from 1, never reused: the handle that others may hold */
    char address[CLIENT_ADDRESS_MAX];
    char local_address[CLIENT_ADDRESS_MAX];
    int descriptor; /* for CLIENT LIST fd= only; -1 in the simulator */
    int64_t connected_ms;
    int64_t last_request_ms;

    enum resp_version resp;
    unsigned database;
    bool authenticated;
    bool unix_socket;
    bool blocked; /* waiting, for CLIENT LIST flags */
    bool no_evict;
    bool no_touch;
    enum client_reply_mode reply_mode;
    bool skip_reply;                /* of the request after CLIENT REPLY SKIP */
    bool close_after_reply;         /* QUIT, or killed by itself: no further request is read */
    struct buf name;                /* CLIENT SETNAME */
    struct buf library_name;        /* CLIENT SETINFO LIB-NAME */
    struct buf library_version;     /* CLIENT SETINFO LIB-VER */
    struct transaction transaction; /* MULTI and WATCH; the engine discards it when they part */
    const char *last_command;       /* full name of the row, "client|list"; NULL: none yet */

    uint64_t written_lsn; /* of the newest change that it made; 0: none, or there is no log */

    /* Figures for CLIENT LIST, kept by the engine. */
    uint64_t requests;
    uint64_t input_bytes;       /* received in all */
    uint64_t output_bytes;      /* sent in all */
    size_t input_buffer_bytes;  /* unparsed now */
    size_t output_buffer_bytes; /* unsent now */
};

#endif
