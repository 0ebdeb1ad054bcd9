/* request.h - cut one request after the other out of the bytes that a client sent.
 *
 * Incremental: the parser remembers how far it came, so that a request that arrives in a thousand
 * pieces is parsed once. It never knows commands, sessions or sockets, and asserts nothing about
 * its input (CVE-2026-27623, CVE-2021-21309): every malformed byte is a status and a text.
 *
 * Contract with the owner of the input: the bytes given to request_parse begin at the first byte
 * of the current request, on every call until it is READY; earlier calls' bytes come again,
 * followed by newer ones (they may have moved in memory). The arguments of a READY request borrow
 * from the input of that call. */
#ifndef RESP_REQUEST_H
#define RESP_REQUEST_H

#include "base/buf.h"
#include "base/limits.h"
#include "base/slice.h"

enum request_status {
    REQUEST_READY,      /* arguments, arguments_count and bytes_consumed are set */
    REQUEST_INCOMPLETE, /* more bytes are needed; see request_bytes_wanted */
    REQUEST_EMPTY,      /* a blank line or *0 or *-1: consume bytes_consumed, no reply is due */
    REQUEST_MALFORMED,  /* 'error' is the text to send, then the connection is closed */
};

/* What this connection may send; smaller before it has authenticated. */
struct request_limits {
    size_t arguments_max;
    size_t bulk_bytes_max;
    size_t request_bytes_max; /* with its headers, from the first byte to the last */
    bool before_login;        /* for the wording: what is too large here may be fine later */
};

extern const struct request_limits request_limits_login; /* before authentication */
extern const struct request_limits request_limits_full;

struct request_parser {
    struct slice *arguments; /* capacity 'arguments_capacity', owned; small ones are kept */
    size_t arguments_capacity;
    size_t arguments_count; /* of the READY request */
    size_t bytes_consumed;  /* by the READY or EMPTY request */
    char error[128];        /* of a MALFORMED request, without "-" and CR LF: "ERR Protocol ..." */
    /* private: the state of an unfinished request, as offsets from its first byte */
    size_t position;
    size_t arguments_expected;
    bool in_multibulk;
    size_t bulk_size; /* of the argument being read; SIZE_MAX: its header is not read yet */
};

void request_init(struct request_parser *p);
void request_deinit(struct request_parser *p);

/* The hot path of the server: no copy, no allocation while the arguments fit. After READY or EMPTY
 * the parser is at its reset point. A request may be inline (words with Redis' quoting rules; they
 * are unquoted in place, hence input is not const) or an array of bulk strings. */
enum request_status request_parse(struct request_parser *p, struct slice input,
                                  const struct request_limits *limits);

/* Do these bytes, the first ones of a request that does not begin with '*', belong to another
 * protocol: HTTP ("POST ", "Host:"), TLS, SSH? Such a connection must be closed at once, because a
 * browser or a proxy can be made to send us commands that way (design/security.md). Ask again when
 * more bytes have come: too few to tell is false. */
bool request_is_foreign(struct slice first_bytes);

/* After INCOMPLETE: the size that the input must reach before another call can make progress, for
 * the owner to reserve memory for a large argument once. At least the present size + 1. */
size_t request_bytes_wanted(const struct request_parser *p, size_t input_size);

/* Nothing of an unfinished request is remembered. */
static inline bool request_is_reset(const struct request_parser *p)
{
    return p->position == 0 && !p->in_multibulk;
}

/* Frees what a large request made the parser hold, and starts anew. */
void request_reset(struct request_parser *p);

#endif
