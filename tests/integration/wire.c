#include "wire.h"

#include "server_process.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

enum { SHOWN_MAX = 200, TIMEOUT_S = 10 };

struct wire wire_open(int port)
{
    struct wire wire = {server_process_connect(port)};
    if (wire.descriptor < 0) fail_msg("cannot connect to port %d: %s", port, strerror(errno));
    return wire;
}

static struct wire open_socket(const struct sockaddr *address, socklen_t size)
{
    struct wire wire = {socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    struct timeval limit = {.tv_sec = TIMEOUT_S};
    if (wire.descriptor < 0) return wire;
    setsockopt(wire.descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (connect(wire.descriptor, address, size) == 0) return wire;
    close(wire.descriptor);
    wire.descriptor = -1;
    return wire;
}

struct wire wire_open_address(const char *address, int port)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
    struct addrinfo *found;
    char service[16];
    snprintf(service, sizeof service, "%d", port);
    assert_int_equal(getaddrinfo(address, service, &hints, &found), 0);
    struct wire wire = open_socket(found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    return wire;
}

struct wire wire_open_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    assert_true(strlen(path) < sizeof address.sun_path);
    memcpy(address.sun_path, path, strlen(path) + 1);
    return open_socket((struct sockaddr *)&address, sizeof address);
}

void wire_close(struct wire *wire)
{
    close(wire->descriptor);
    wire->descriptor = -1;
}

bool wire_send(const struct wire *wire, struct slice bytes)
{
    while (bytes.size > 0) {
        ssize_t sent = send(wire->descriptor, bytes.data, bytes.size, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent <= 0) return false;
        bytes.data += sent;
        bytes.size -= (size_t)sent;
    }
    return true;
}

bool wire_send_text(const struct wire *wire, const char *text)
{
    return wire_send(wire, slice_of(text));
}

size_t wire_read(const struct wire *wire, char *bytes, size_t size)
{
    for (;;) {
        ssize_t got = recv(wire->descriptor, bytes, size, 0);
        if (got >= 0) return (size_t)got;
        if (errno == EINTR) continue;
        if (errno == ECONNRESET) return 0;
        fail_msg("nothing comes: %s", strerror(errno));
    }
}

static void show_difference(struct slice expected, struct slice seen)
{
    print_error("expected: %.*s\n", (int)(expected.size < SHOWN_MAX ? expected.size : SHOWN_MAX),
                expected.data);
    print_error("seen:     %.*s\n", (int)(seen.size < SHOWN_MAX ? seen.size : SHOWN_MAX),
                seen.data);
}

void wire_expect_slice(const struct wire *wire, struct slice bytes)
{
    char *seen = malloc(bytes.size + 1);
    assert_non_null(seen);
    size_t size = 0;
    while (size < bytes.size) {
        ssize_t got = recv(wire->descriptor, seen + size, bytes.size - size, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        size += (size_t)got;
        if (memcmp(seen, bytes.data, size) != 0) break;
    }
    bool equal = size == bytes.size && memcmp(seen, bytes.data, size) == 0;
    if (!equal) show_difference(bytes, (struct slice){seen, size});
    free(seen);
    assert_true(equal);
}

void wire_expect(const struct wire *wire, const char *bytes)
{
    wire_expect_slice(wire, slice_of(bytes));
}

void wire_ask(const struct wire *wire, const char *text, const char *bytes)
{
    assert_true(wire_send_text(wire, text));
    wire_expect(wire, bytes);
}

void wire_expect_closed(const struct wire *wire, const char *bytes_before)
{
    char rest[SHOWN_MAX];
    if (bytes_before[0] != '\0') wire_expect(wire, bytes_before);
    size_t size = wire_read(wire, rest, sizeof rest);
    if (size > 0) show_difference(SLICE("(the end)"), (struct slice){rest, size});
    assert_int_equal(size, 0);
}

void wire_read_line(const struct wire *wire, char *line, size_t size)
{
    for (size_t used = 0; used < size; used++) {
        assert_int_equal(wire_read(wire, line + used, 1), 1);
        if (line[used] != '\n') continue;
        line[used] = '\0';
        if (used > 0 && line[used - 1] == '\r') line[used - 1] = '\0';
        return;
    }
    fail_msg("a line is longer than %zu bytes", size);
}

char *wire_read_bulk(const struct wire *wire, size_t *size)
{
    char line[64], *rest;
    wire_read_line(wire, line, sizeof line);
    if (line[0] != '$' && line[0] != '=') fail_msg("expected a bulk reply, seen %s", line);
    size_t announced = strtoull(line + 1, &rest, 10);
    assert_int_equal(*rest, '\0');
    char *bytes = malloc(announced + 3);
    assert_non_null(bytes);
    for (size_t used = 0; used < announced + 2;) {
        size_t got = wire_read(wire, bytes + used, announced + 2 - used);
        assert_true(got > 0);
        used += got;
    }
    assert_memory_equal(bytes + announced, "\r\n", 2);
    bytes[announced] = '\0';
    if (size != NULL) *size = announced;
    return bytes;
}
