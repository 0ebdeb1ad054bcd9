"""RESP2 and RESP3 as bytes: requests, and a strict reader of replies.

A reply is looked at twice. `reply_end` finds where it ends, so that two servers' replies can be
compared as bytes; `parse` turns a reply into a tree of (kind, value) pairs, kinds being the first
byte of RESP, and refuses everything that no server may send: numbers with a sign or zeros that
are not needed, kinds that the protocol in use does not have, text with line ends in it. Since one
tree has one form as bytes, equal trees are equal bytes.
"""

import re
import socket

NULL_BULK = ("$", None)
NULL_ARRAY = ("*", None)
NULL = ("_", None)
RECEIVE_SIZE = 1 << 20
REPLY_SECONDS = 10.0

_INTEGER = re.compile(rb"0|-?[1-9][0-9]*")
_LENGTH = re.compile(rb"0|[1-9][0-9]*")
_COUNTED = b"*%~>"
_SIZED = b"$=!"
_RESP2 = "+-:$*"


class ProtocolError(Exception):
    """The server sent something that is not RESP."""


class Closed(Exception):
    """The server closed the connection; `received` is what came before."""

    def __init__(self, received):
        super().__init__("the server closed the connection")
        self.received = received


class Silent(Exception):
    """The server did not answer in time; `received` is what came before."""

    def __init__(self, received):
        super().__init__("the server does not answer")
        self.received = received


def encode(words):
    """A request; words are text of one byte per character."""
    parts = ["*%d\r\n" % len(words)]
    for word in words:
        parts.append("$%d\r\n%s\r\n" % (len(word), word))
    return "".join(parts).encode("latin-1")


def reply_end(data, at):
    """The offset behind the reply at `at`. IndexError or ValueError when it is not whole."""
    wanted = 1
    while wanted:
        wanted -= 1
        line_end = data.index(b"\r\n", at)
        kind = data[at]
        if kind in _SIZED:
            size = int(data[at + 1:line_end])
            at = line_end + 2 if size < 0 else line_end + 4 + size
            if at > len(data):
                raise ValueError("cut")
        else:
            if kind in _COUNTED:
                count = int(data[at + 1:line_end])
                if count > 0:
                    wanted += 2 * count if kind == 0x25 else count
            at = line_end + 2
    return at


def parse(data, protocol):
    """The tree of exactly one reply."""
    tree, end = _parse(data, 0, protocol)
    if end != len(data):
        raise ProtocolError(f"bytes after the reply: {data[end:end + 40]!r}")
    return tree


def _number(pattern, digits):
    if not pattern.fullmatch(digits):
        raise ProtocolError(f"not a number as RESP writes it: {digits!r}")
    return int(digits)


def _parse(data, at, protocol):
    line_end = data.find(b"\r\n", at)
    if line_end < 0:
        raise ProtocolError(f"a line without an end: {data[at:at + 40]!r}")
    kind, line = chr(data[at]), bytes(data[at + 1:line_end])
    after = line_end + 2
    if protocol == 2 and kind not in _RESP2:
        raise ProtocolError(f"{kind!r} in RESP2")
    if kind in "+-":
        if b"\r" in line or b"\n" in line:
            raise ProtocolError(f"a line end inside of a line: {line!r}")
        return (kind, line), after
    if kind == ":":
        return (kind, _number(_INTEGER, line)), after
    if kind == "_" and not line:
        return NULL, after
    if kind == "#" and line in (b"t", b"f"):
        return (kind, line), after
    if kind in ",(" and line:
        return (kind, line), after
    if kind in "$*" and line == b"-1":
        if protocol == 3:
            raise ProtocolError(f"RESP2's null {kind}-1 in RESP3")
        return (kind, None), after
    if kind in "$=!":
        return _parse_sized(data, kind, _number(_LENGTH, line), after)
    if kind in "*%~>":
        count = _number(_LENGTH, line) * (2 if kind == "%" else 1)
        items = []
        for _ in range(count):
            item, after = _parse(data, after, protocol)
            items.append(item)
        return (kind, tuple(items)), after
    raise ProtocolError(f"no reply begins so: {data[at:at + 40]!r}")


def _parse_sized(data, kind, size, at):
    value = bytes(data[at:at + size])
    if len(value) != size or data[at + size:at + size + 2] != b"\r\n":
        raise ProtocolError(f"{kind}{size} does not hold {size} bytes and a line end")
    return (kind, value), at + size + 2


class Link:
    """One connection to one server."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=REPLY_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = bytearray()

    def close(self):
        self.socket.close()

    def send(self, data):
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass  # what was sent before it closed is still to be read

    def _receive(self):
        try:
            part = self.socket.recv(RECEIVE_SIZE)
        except ConnectionResetError:
            part = b""
        except (TimeoutError, BlockingIOError):
            raise Silent(bytes(self.received)) from None
        if not part:
            raise Closed(bytes(self.received))
        self.received += part

    def read_until(self, mark, seconds=REPLY_SECONDS):
        """Everything before the mark, with which what the server sends ends."""
        self.socket.settimeout(seconds)
        while not self.received.endswith(mark):
            self._receive()
        data = bytes(self.received[:-len(mark)])
        self.received.clear()
        return data

    def read_reply(self, seconds=REPLY_SECONDS):
        """One reply, as bytes."""
        self.socket.settimeout(seconds)
        while True:
            try:
                end = reply_end(self.received, 0)
                break
            except (ValueError, IndexError):
                self._receive()
        data = bytes(self.received[:end])
        del self.received[:end]
        return data

    def call(self, *words):
        """One command and the bytes of its reply."""
        self.send(encode(words))
        return self.read_reply()
