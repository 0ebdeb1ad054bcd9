/* The small replies, which are nearly all, are written in one piece into the chain: a mark, the
 * digits of a length, CR LF. The forms (redis.io/docs/reference/protocol-spec):
 *
 *      +text   status     -text error      :n  integer   $n bulk string   *n array
 *      RESP3 only:  _ null   =n verbatim string   %n map   ~n set */
#include "resp/reply.h"

#include "base/check.h"
#include "base/number.h"

#include <stdarg.h>
#include <stdio.h>

enum {
    HEADER_BYTES_MAX = 1 + NUMBER_INTEGER_TEXT_MAX + 2,
    BULK_BYTES_IN_ONE_PIECE = 512,
};

static const char *const error_texts[] = {
#define REPLY_ERROR(name, text) text,
#include "resp/errors.def"
#undef REPLY_ERROR
};

/* --- bytes ---------------------------------------------------------------------------------- */

static inline char *put_line_end(char *out)
{
    out[0] = '\r';
    out[1] = '\n';
    return out + 2;
}

/* "*12\r\n"; the caller has reserved HEADER_BYTES_MAX. Returns where the next byte goes. */
static inline char *put_header(char *out, char mark, uint64_t count)
{
    *out++ = mark;
    if (count < 10) *out++ = (char)('0' + count);
    else out += number_format_u64(count, out);
    return put_line_end(out);
}

static inline void write_header(struct reply *r, char mark, uint64_t count)
{
    char *start = chain_reserve(r->out, HEADER_BYTES_MAX);
    chain_advance(r->out, (size_t)(put_header(start, mark, count) - start));
}

static inline void write_literal(struct reply *r, struct slice literal)
{
    memcpy(chain_reserve(r->out, literal.size), literal.data, literal.size);
    chain_advance(r->out, literal.size);
}

/* --- errors --------------------------------------------------------------------------------- */

const char *reply_error_text(enum reply_error error)
{
    CHECK((size_t)error < sizeof error_texts / sizeof error_texts[0]);
    return error_texts[error];
}

static inline bool is_line_end(char c)
{
    return c == '\r' || c == '\n';
}

/* A byte that would end the line becomes a blank, and at the end of the message nothing, as in
 * Redis: nothing that a client made us quote can be read as a second reply. */
void reply_error_message(struct reply *r, struct slice message)
{
    size_t size = message.size;
    while (size > 0 && is_line_end(message.data[size - 1])) size--;
    if (size > REPLY_ERROR_BYTES_MAX) size = REPLY_ERROR_BYTES_MAX;
    char *start = chain_reserve(r->out, 1 + size + 2), *out = start;
    *out++ = '-';
    for (size_t i = 0; i < size; i++) {
        char c = message.data[i];
        *out++ = is_line_end(c) || c == '\0' ? ' ' : c;
    }
    chain_advance(r->out, (size_t)(put_line_end(out) - start));
    if (r->errors != NULL) error_counts_add(r->errors, message);
    r->failed = true;
}

void reply_error(struct reply *r, enum reply_error error)
{
    reply_error_message(r, slice_of(reply_error_text(error)));
}

void reply_error_format(struct reply *r, enum reply_error error, ...)
{
    char message[REPLY_ERROR_BYTES_MAX + 1];
    va_list list;
    va_start(list, error);
    int size = vsnprintf(message, sizeof message, reply_error_text(error), list);
    va_end(list);
    CHECK(size >= 0);
    /* What does not fit is cut by vsnprintf. */
    reply_error_message(r, slice_of(message));
}

/* --- scalars -------------------------------------------------------------------------------- */

void reply_ok(struct reply *r)
{
    write_literal(r, SLICE("+OK\r\n"));
}

void reply_status(struct reply *r, const char *status)
{
    size_t size = strlen(status);
    char *start = chain_reserve(r->out, 1 + size + 2);
    start[0] = '+';
    memcpy(start + 1, status, size);
    chain_advance(r->out, (size_t)(put_line_end(start + 1 + size) - start));
}

void reply_integer(struct reply *r, int64_t value)
{
    char *start = chain_reserve(r->out, HEADER_BYTES_MAX), *out = start;
    *out++ = ':';
    if (value >= 0 && value < 10) *out++ = (char)('0' + value);
    else out += number_format_i64(value, out);
    chain_advance(r->out, (size_t)(put_line_end(out) - start));
}

void reply_null(struct reply *r)
{
    write_literal(r, r->version == RESP3 ? SLICE("_\r\n") : SLICE("$-1\r\n"));
}

void reply_null_array(struct reply *r)
{
    write_literal(r, r->version == RESP3 ? SLICE("_\r\n") : SLICE("*-1\r\n"));
}

/* --- strings -------------------------------------------------------------------------------- */

void reply_bulk(struct reply *r, struct slice bytes)
{
    if (bytes.size > BULK_BYTES_IN_ONE_PIECE) {
        write_header(r, '$', bytes.size);
        chain_append(r->out, bytes);
        write_literal(r, SLICE("\r\n"));
        return;
    }
    char *start = chain_reserve(r->out, HEADER_BYTES_MAX + bytes.size + 2);
    char *out = put_header(start, '$', bytes.size);
    if (bytes.size > 0) memcpy(out, bytes.data, bytes.size);
    chain_advance(r->out, (size_t)(put_line_end(out + bytes.size) - start));
}

void reply_bulk_text(struct reply *r, const char *text)
{
    reply_bulk(r, slice_of(text));
}

void reply_bulk_integer(struct reply *r, int64_t value)
{
    char text[NUMBER_INTEGER_TEXT_MAX];
    reply_bulk(r, (struct slice){text, number_format_i64(value, text)});
}

void reply_bulk_shared(struct reply *r, struct shared *s, struct slice bytes)
{
    write_header(r, '$', bytes.size);
    chain_append_shared(r->out, s, bytes);
    write_literal(r, SLICE("\r\n"));
}

void reply_verbatim(struct reply *r, struct slice bytes)
{
    if (r->version == RESP2) {
        reply_bulk(r, bytes);
        return;
    }
    struct slice format = SLICE("txt:");
    write_header(r, '=', format.size + bytes.size);
    write_literal(r, format);
    chain_append(r->out, bytes);
    write_literal(r, SLICE("\r\n"));
}

/* --- aggregates ----------------------------------------------------------------------------- */

void reply_array(struct reply *r, size_t count)
{
    write_header(r, '*', count);
}

void reply_set(struct reply *r, size_t count)
{
    write_header(r, r->version == RESP3 ? '~' : '*', count);
}

void reply_map(struct reply *r, size_t count)
{
    CHECK(count <= SIZE_MAX / 2);
    if (r->version == RESP3) write_header(r, '%', count);
    else write_header(r, '*', 2 * count);
}

void reply_map_of_pairs(struct reply *r, size_t count)
{
    write_header(r, r->version == RESP3 ? '%' : '*', count);
}

void reply_pair(struct reply *r)
{
    if (r->version == RESP2) write_header(r, '*', 2);
}
