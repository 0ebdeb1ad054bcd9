/* wire.h - one TCP connection as bytes, for tests of the protocol itself.
 *
 * What a test expects is written as the exact bytes of the wire. A wait for bytes that never
 * come ends after 10 s and fails the test, showing what came instead. */
#ifndef INTEGRATION_WIRE_H
#define INTEGRATION_WIRE_H

#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>

struct wire {
    int descriptor;
};

struct wire wire_open(int port);                              /* fails the test if refused */
struct wire wire_open_address(const char *address, int port); /* descriptor -1 if refused */
struct wire wire_open_unix(const char *path);
void wire_close(struct wire *wire);

/* Sends all. False if the peer has closed. */
bool wire_send(const struct wire *wire, struct slice bytes);
bool wire_send_text(const struct wire *wire, const char *text);

/* The next bytes are exactly these. */
void wire_expect(const struct wire *wire, const char *bytes);
void wire_expect_slice(const struct wire *wire, struct slice bytes);

/* Sends the text and expects the bytes. */
void wire_ask(const struct wire *wire, const char *text, const char *bytes);

/* The peer closes, having sent exactly these bytes before. */
void wire_expect_closed(const struct wire *wire, const char *bytes_before);

/* Bytes up to the first LF, without CR LF; fails if 'size' is too small. */
void wire_read_line(const struct wire *wire, char *line, size_t size);

/* The content of a bulk or verbatim reply, in heap memory that the caller frees, with a NUL after
 * it. */
char *wire_read_bulk(const struct wire *wire, size_t *size);

/* Reads what is there, at most 'size'; 0: closed. Waits for at least a byte. */
size_t wire_read(const struct wire *wire, char *bytes, size_t size);

#endif
