"""One step of a random sequence: bytes to send and how many replies they bring."""

import shlex

from wire import encode


class Step:
    """`words` name the command for the rules and for people. `payload` is what is sent when that
    is not just the command. `first`, a list of commands, goes before it and brings no reply: to
    Redis alone, unless `first_for_both`.
    `client` is which of the segment's connections sends it, `waits` that it is to be answered
    before anything else is done, however long that takes."""

    __slots__ = ("words", "payload", "replies", "first", "first_for_both", "client", "waits")

    def __init__(self, words, payload=None, replies=1, first=(), first_for_both=False,
                 client=0, waits=False):
        self.words = words
        self.payload = encode(words) if payload is None else payload
        self.replies = replies
        self.first = first
        self.first_for_both = first_for_both
        self.client = client
        self.waits = waits

    def __str__(self):
        text = printable(self.words)
        if self.payload != encode(self.words):
            text = f"{self.payload!r}"
        prefix = f"client {self.client}: " if self.client else ""
        if not self.first:
            return prefix + text
        who = "both" if self.first_for_both else "Redis"
        commands = ", ".join(printable(words) for words in self.first)
        return f"{prefix}{text}   ({who} first: {commands})"

    def bytes_for(self, is_redis):
        """What this server is sent."""
        if not self.first or not (is_redis or self.first_for_both):
            return self.payload
        return b"".join(silently(words) for words in self.first) + self.payload


def printable(words):
    return " ".join(shlex.quote(w) if w.isprintable() and w.isascii() else ascii(w)
                    for w in words)


def silently(words):
    """The command, with its reply switched off."""
    return encode(["CLIENT", "REPLY", "SKIP"]) + encode(words)
