"""The words that random commands are made of, and what makes a valid command an invalid one.

Nothing here may depend on how fast the servers are: deadlines are so far away that none passes
during a segment, and two that are compared are far apart; idle times are tiny or enormous.
"""

EDGES = (
    "0", "1", "-1", "2", "10", "2147483647", "2147483648", "2147483649", "-2147483647",
    "-2147483648", "-2147483649", "4294967295", "4294967296", "4294967297", "-4294967296",
    "9223372036854775806", "9223372036854775807", "9223372036854775808", "-9223372036854775807",
    "-9223372036854775808", "-9223372036854775809", "18446744073709551614",
    "18446744073709551615", "18446744073709551616", "99999999999999999999999", "01", "+1", " 1",
    "1 ", "", "x", "1.0", "1e3", "0x10", "-0", "--1", "-", "+", "1\x002")

# Replacements that are no small positive integers: those could become deadlines and timeouts.
STRANGE = ("", "x", "-1", "0", "-", "+", "9223372036854775807", "-9223372036854775808",
           "18446744073709551616", "STREAMS", "GROUP", "COUNT", "NX", "XX", "GET", "IDLE",
           "JUSTID", "MAXLEN", "=", "LIMIT", "k1", "s1", "g1", "a", "*", "$", ">", "0-0", "HELP",
           "\r\n", "a b", "\x00\xff", "%s%n", "y" * 200)

TIMED = {"set", "getex", "setex", "psetex", "expire", "pexpire", "expireat", "pexpireat"}
IDLE_TIMES = {"0", "100000", "9223372036854775807"}


class Source:
    """A seeded source of words."""

    def __init__(self, random):
        self.random = random
        self.deadlines = 0

    def chance(self, probability):
        return self.random.random() < probability

    def choice(self, items):
        return self.random.choice(items)

    def small(self, limit):
        """An integer below limit, small ones more often."""
        return int(limit * self.random.random() ** 2)

    def edge(self):
        return self.choice(EDGES)

    def count(self):
        if self.chance(0.1):
            return self.edge()
        return self.choice(("0", "1", "2", "3", "5", "10", "20", "100", "-1"))

    def seconds_left(self):
        """A time to live: never one that another command of the segment uses or that passes."""
        if self.chance(0.12):
            return self.choice(("0", "-1", "x", "", "9223372036854775807", "9223372036854775",
                                "9223372036854775808", "-9223372036854775808", "1.5",
                                "-9223372036854775", "4611686018427387904"))
        self.deadlines += 1
        return str(100 * (1 + self.deadlines * 7919 % 9973))

    def milliseconds_left(self):
        if self.chance(0.12):
            return self.choice(("0", "-1", "x", "", "9223372036854775807",
                                "9223372036854775808", "-9223372036854775808", "1.5"))
        self.deadlines += 1
        return str(100000 * (1 + self.deadlines * 7919 % 9973) + 50000)

    def unix_seconds(self):
        if self.chance(0.15):
            return self.choice(("0", "-1", "100", "x", "9223372036854775807",
                                "9223372036854775", "-9223372036854775808"))
        return str(self.random.randint(4 * 10 ** 9, 9 * 10 ** 9))

    def unix_milliseconds(self):
        if self.chance(0.15):
            return self.choice(("0", "-1", "100", "x", "9223372036854775807",
                                "-9223372036854775808"))
        return str(self.random.randint(4 * 10 ** 12, 9 * 10 ** 12))

    def case(self, word):
        """An option, in any case."""
        return word if self.chance(0.8) else word.lower() if self.chance(0.6) else word.title()

    def mutate(self, words):
        """Usually an invalid command: a word dropped, doubled, replaced, added or moved."""
        words = list(words)
        at = self.random.randrange(1, len(words)) if len(words) > 1 else 0
        kind = self.random.random()
        if kind < 0.3 and len(words) > 1:
            del words[at]
        elif kind < 0.45 and len(words) > 1:
            words.insert(at, words[at])
        elif kind < 0.7 and len(words) > 1:
            words[at] = self.choice(STRANGE)
        elif kind < 0.85:
            words.append(self.choice(STRANGE))
        elif kind < 0.92 and len(words) > 2 and words[0].lower() not in TIMED:
            other = self.random.randrange(1, len(words))
            words[at], words[other] = words[other], words[at]
        else:
            words = words[:max(1, at)]
        return words


def steady(words):
    """The command, with what would depend on time replaced: BLOCK at most 1 ms, idle times that
    nothing reaches by waiting, and no XAUTOCLAIM that allocates gigabytes."""
    name = words[0].lower()
    if name in ("xread", "xreadgroup"):
        words = list(words)
        for i in range(1, len(words) - 1):
            if words[i].lower() == "block" and words[i + 1].isdigit():
                words[i + 1] = "1"
    elif name in ("xclaim", "xautoclaim") and len(words) > 4:
        words = list(words)
        _steady_idle(words, 4)
        for i in range(6, len(words) - 1):
            if words[i].lower() == "count" and words[i + 1].isdigit():
                if 10 ** 6 < int(words[i + 1]) < 2 ** 62:
                    words[i + 1] = "1000"
    elif name == "xpending" and len(words) > 4 and words[3].lower() == "idle":
        words = list(words)
        _steady_idle(words, 4)
    return words


def _steady_idle(words, at):
    if words[at].isdigit() and words[at] not in IDLE_TIMES:
        words[at] = "0" if len(words[at]) < 6 else "100000"
