/* The parser in three forms of one idea: what is not whole yet is looked at again when more bytes
 * have come, but never what was already accepted. 'position' stands before the first byte that
 * was not accepted; it moves over a whole header line or a whole argument, never into one.
 *
 *      *2\r\n $3\r\n GET\r\n $5\r\n he
 *                            ^position, bulk_size = 5        (INCOMPLETE)
 *
 * Every decision depends on bytes at fixed places of the request and not on how many happen to be
 * there, so that a request gives the same answer however the network cuts it. That is why the
 * length of a line is limited before its content is looked at.
 *
 * Like Redis, the parser skips the two bytes behind a length and behind an argument without
 * looking at the LF. Its texts are those of Redis 7.0 (networking.c).
 *
 * While a request is unfinished, arguments[i].data holds an offset from its first byte: the input
 * may move between calls. */
#include "resp/request.h"

#include "base/check.h"
#include "base/memory.h"
#include "base/number.h"
#include "base/word.h"

#include <stdint.h>

enum {
    ARGUMENTS_FIRST = 8,  /* enough for most commands */
    ARGUMENTS_KEPT = 128, /* a larger array, of 16 bytes each, is freed by a reset */
    LENGTH_DIGITS_FAST = 9,
    LINE_END_BYTES = 2, /* CR LF */
};

static const size_t HEADER_NOT_READ = SIZE_MAX;

const struct request_limits request_limits_full = {
    .arguments_max = REQUEST_ARGUMENTS_MAX,
    .bulk_bytes_max = REQUEST_BULK_BYTES_MAX,
    .request_bytes_max = REQUEST_BYTES_MAX,
};

const struct request_limits request_limits_login = {
    .arguments_max = REQUEST_LOGIN_ARGUMENTS_MAX,
    .bulk_bytes_max = REQUEST_LOGIN_BULK_BYTES_MAX,
    .request_bytes_max = (REQUEST_LOGIN_ARGUMENTS_MAX + 1) * (REQUEST_LOGIN_BULK_BYTES_MAX + 32),
    .before_login = true,
};

static void start_anew(struct request_parser *p)
{
    p->position = 0;
    p->arguments_expected = 0;
    p->in_multibulk = false;
    p->bulk_size = HEADER_NOT_READ;
}

void request_init(struct request_parser *p)
{
    *p = (struct request_parser){0};
    start_anew(p);
}

void request_deinit(struct request_parser *p)
{
    memory_free(p->arguments, p->arguments_capacity * sizeof *p->arguments);
    *p = (struct request_parser){0};
}

void request_reset(struct request_parser *p)
{
    if (p->arguments_capacity > ARGUMENTS_KEPT) {
        memory_free(p->arguments, p->arguments_capacity * sizeof *p->arguments);
        p->arguments = NULL;
        p->arguments_capacity = 0;
    }
    p->arguments_count = 0;
    start_anew(p);
}

static enum request_status malformed(struct request_parser *p, const char *text)
{
    size_t size = strlen(text);
    CHECK(size < sizeof p->error);
    memcpy(p->error, text, size + 1);
    return REQUEST_MALFORMED;
}

static enum request_status too_many_arguments(struct request_parser *p,
                                              const struct request_limits *limits)
{
    return malformed(p, limits->before_login
                            ? "ERR Protocol error: unauthenticated multibulk length"
                            : "ERR Protocol error: invalid multibulk length");
}

static enum request_status argument_too_large(struct request_parser *p,
                                              const struct request_limits *limits)
{
    return malformed(p, limits->before_login ? "ERR Protocol error: unauthenticated bulk length"
                                             : "ERR Protocol error: invalid bulk length");
}

static enum request_status accepted(struct request_parser *p, size_t bytes_consumed)
{
    CHECK(bytes_consumed > 0);
    CHECK(p->arguments_count <= p->arguments_capacity);
    p->bytes_consumed = bytes_consumed;
    start_anew(p);
    return p->arguments_count > 0 ? REQUEST_READY : REQUEST_EMPTY;
}

__attribute__((noinline)) static void grow_arguments(struct request_parser *p)
{
    CHECK(p->arguments_capacity <= SIZE_MAX / 2 / sizeof *p->arguments);
    size_t size = sizeof *p->arguments;
    size_t capacity = p->arguments_capacity == 0 ? ARGUMENTS_FIRST : p->arguments_capacity * 2;
    p->arguments = memory_resize(p->arguments, p->arguments_capacity * size, capacity * size);
    p->arguments_capacity = capacity;
}

static inline void add_argument(struct request_parser *p, size_t offset, size_t size)
{
    if (p->arguments_count == p->arguments_capacity) grow_arguments(p);
    p->arguments[p->arguments_count++] = (struct slice){(const char *)(uintptr_t)offset, size};
}

/* From offsets to pointers, once the request is whole. */
static inline void place_arguments(struct request_parser *p, const char *input)
{
    for (size_t i = 0; i < p->arguments_count; i++)
        p->arguments[i].data = input + (uintptr_t)p->arguments[i].data;
}

/* --- inline requests ------------------------------------------------------------------------ */

static enum request_status split_line(struct request_parser *p, struct word_line *l,
                                      const struct request_limits *limits)
{
    struct slice word;
    enum word_status status;
    while ((status = word_take(l, &word)) == WORD_TAKEN) {
        if (p->arguments_count == limits->arguments_max) return too_many_arguments(p, limits);
        if (word.size > limits->bulk_bytes_max) return argument_too_large(p, limits);
        add_argument(p, (size_t)(word.data - l->bytes), word.size);
    }
    if (status == WORD_NONE) return REQUEST_READY;
    return malformed(p, "ERR Protocol error: unbalanced quotes in request");
}

static enum request_status parse_inline(struct request_parser *p, struct slice input,
                                        const struct request_limits *limits)
{
    size_t visible = input.size;
    if (visible > REQUEST_INLINE_BYTES_MAX + 1) visible = REQUEST_INLINE_BYTES_MAX + 1;
    const char *newline = memchr(input.data, '\n', visible);
    if (newline == NULL) {
        if (input.size <= REQUEST_INLINE_BYTES_MAX) return REQUEST_INCOMPLETE;
        return malformed(p, "ERR Protocol error: too big inline request");
    }
    size_t size = (size_t)(newline - input.data);
    size_t consumed = size + 1;
    if (size > 0 && newline[-1] == '\r') size--;
    /* The owner of the input lets us unquote in place (request.h). */
    struct word_line line = {.bytes = (char *)(uintptr_t)input.data, .size = size};
    enum request_status status = split_line(p, &line, limits);
    if (status != REQUEST_READY) return status;
    place_arguments(p, input.data);
    return accepted(p, consumed);
}

/* --- arrays of bulk strings ----------------------------------------------------------------- */

/* A header line, "*12\r\n" or "$3\r\n". */
struct header {
    int64_t length;
    size_t size; /* of the line with its end */
};

/* Nearly every header is a mark, a few digits, CR and one byte more. False says nothing. */
static inline bool read_header_fast(struct slice bytes, char mark, struct header *header)
{
    if (bytes.size < 4 || bytes.data[0] != mark) return false;
    unsigned digit = (unsigned char)(bytes.data[1] - '0');
    if (digit > 9 || (digit == 0 && bytes.data[2] != '\r')) return false;
    int64_t length = digit;
    size_t last = bytes.size - LINE_END_BYTES;
    if (last > LENGTH_DIGITS_FAST) last = LENGTH_DIGITS_FAST;
    for (size_t i = 2; i <= last + 1; i++) {
        digit = (unsigned char)(bytes.data[i] - '0');
        if (digit > 9) {
            if (bytes.data[i] != '\r' || bytes.size - i < LINE_END_BYTES) return false;
            *header = (struct header){length, i + LINE_END_BYTES};
            return true;
        }
        length = length * 10 + digit;
    }
    return false;
}

enum header_status { HEADER_WHOLE, HEADER_INCOMPLETE, HEADER_TOO_LONG, HEADER_NOT_A_NUMBER };

static enum header_status read_header(struct slice bytes, struct header *header)
{
    size_t visible = bytes.size;
    if (visible > REQUEST_INLINE_BYTES_MAX + 1) visible = REQUEST_INLINE_BYTES_MAX + 1;
    const char *end = visible == 0 ? NULL : memchr(bytes.data, '\r', visible);
    if (end == NULL)
        return bytes.size <= REQUEST_INLINE_BYTES_MAX ? HEADER_INCOMPLETE : HEADER_TOO_LONG;
    size_t size = (size_t)(end - bytes.data);
    if (bytes.size - size < LINE_END_BYTES) return HEADER_INCOMPLETE;
    header->size = size + LINE_END_BYTES;
    struct slice digits = {bytes.data + 1, size > 0 ? size - 1 : 0};
    return number_parse_i64(digits, &header->length) ? HEADER_WHOLE : HEADER_NOT_A_NUMBER;
}

static enum request_status read_count(struct request_parser *p, struct slice input,
                                      const struct request_limits *limits)
{
    struct header header;
    if (!read_header_fast(input, '*', &header)) {
        switch (read_header(input, &header)) {
        case HEADER_WHOLE: break;
        case HEADER_INCOMPLETE: return REQUEST_INCOMPLETE;
        case HEADER_TOO_LONG: return malformed(p, "ERR Protocol error: too big mbulk count string");
        case HEADER_NOT_A_NUMBER:
            return malformed(p, "ERR Protocol error: invalid multibulk length");
        }
    }
    if (header.length > REQUEST_ARGUMENTS_MAX)
        return malformed(p, "ERR Protocol error: invalid multibulk length");
    if (header.length > 0 && (size_t)header.length > limits->arguments_max)
        return too_many_arguments(p, limits);
    p->in_multibulk = true;
    p->arguments_expected = header.length > 0 ? (size_t)header.length : 0;
    p->position = header.size;
    return REQUEST_READY;
}

static enum request_status expected_bulk(struct request_parser *p, char got)
{
    /* Redis sends blanks for what would break the reply. */
    if (got == '\r' || got == '\n' || got == '\0') got = ' ';
    malformed(p, "ERR Protocol error: expected '$', got '?'");
    *strchr(p->error, '?') = got;
    return REQUEST_MALFORMED;
}

static enum request_status read_bulk_size(struct request_parser *p, struct slice input,
                                          const struct request_limits *limits)
{
    struct slice bytes = {input.data + p->position, input.size - p->position};
    struct header header;
    if (!read_header_fast(bytes, '$', &header)) {
        switch (read_header(bytes, &header)) {
        case HEADER_WHOLE:
            if (bytes.data[0] != '$') return expected_bulk(p, bytes.data[0]);
            break;
        case HEADER_INCOMPLETE: return REQUEST_INCOMPLETE;
        case HEADER_TOO_LONG: return malformed(p, "ERR Protocol error: too big bulk count string");
        case HEADER_NOT_A_NUMBER:
            if (bytes.data[0] != '$') return expected_bulk(p, bytes.data[0]);
            return malformed(p, "ERR Protocol error: invalid bulk length");
        }
    }
    if (header.length < 0 || (uint64_t)header.length > REQUEST_BULK_BYTES_MAX)
        return malformed(p, "ERR Protocol error: invalid bulk length");
    size_t size = (size_t)header.length;
    if (size > limits->bulk_bytes_max) return argument_too_large(p, limits);
    if (p->position + header.size + size + LINE_END_BYTES > limits->request_bytes_max)
        return malformed(p, "ERR Protocol error: request exceeds the query buffer limit");
    p->position += header.size;
    p->bulk_size = size;
    return REQUEST_READY;
}

static enum request_status parse_multibulk(struct request_parser *p, struct slice input,
                                           const struct request_limits *limits)
{
    if (!p->in_multibulk) {
        enum request_status status = read_count(p, input, limits);
        if (status != REQUEST_READY) return status;
    }
    while (p->arguments_count < p->arguments_expected) {
        if (p->bulk_size == HEADER_NOT_READ) {
            enum request_status status = read_bulk_size(p, input, limits);
            if (status != REQUEST_READY) return status;
        }
        if (input.size - p->position < p->bulk_size + LINE_END_BYTES) return REQUEST_INCOMPLETE;
        add_argument(p, p->position, p->bulk_size);
        p->position += p->bulk_size + LINE_END_BYTES;
        p->bulk_size = HEADER_NOT_READ;
    }
    place_arguments(p, input.data);
    return accepted(p, p->position);
}

/* --- both ----------------------------------------------------------------------------------- */

enum request_status request_parse(struct request_parser *p, struct slice input,
                                  const struct request_limits *limits)
{
    CHECK(p->position <= input.size);
    if (!p->in_multibulk) p->arguments_count = 0;
    if (input.size == 0) return REQUEST_INCOMPLETE;
    if (input.data[0] == '*') return parse_multibulk(p, input, limits);
    return parse_inline(p, input, limits);
}

size_t request_bytes_wanted(const struct request_parser *p, size_t input_size)
{
    CHECK(p->position <= input_size);
    if (p->bulk_size == HEADER_NOT_READ) return input_size + 1;
    size_t wanted = p->position + p->bulk_size + LINE_END_BYTES;
    return wanted > input_size ? wanted : input_size + 1;
}

bool request_is_foreign(struct slice first_bytes)
{
    static const struct slice beginnings[] = {
        {"POST ", 5},
        {"Host:", 5},
        {"SSH-", 4},
        {"\x16\x03", 2}, /* a TLS handshake record: the client hello */
    };
    for (size_t i = 0; i < sizeof beginnings / sizeof beginnings[0]; i++) {
        struct slice beginning = beginnings[i];
        if (first_bytes.size < beginning.size) continue;
        struct slice bytes = {first_bytes.data, beginning.size};
        if (slice_equal_ignoring_case(bytes, beginning)) return true;
    }
    return false;
}
