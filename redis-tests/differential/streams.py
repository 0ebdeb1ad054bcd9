"""Random stream commands: entries, ranges, groups, pending entries, claims and information."""

from step import Step
from words import steady

KEYS = ("s1", "s2", "s3", "now", "str")
GROUPS = ("g1", "g2", "g3", "")
CONSUMERS = ("a", "b", "c", "STREAMS", "")
FIELDS = ("f", "v", "value", "", "-1", "0", "12345", "9223372036854775807", "\x00\r\n\xff",
          "z" * 64, "w" * 300)
BAD_IDS = ("0", "0-0", "0-1", "18446744073709551615-18446744073709551615",
           "18446744073709551615", "18446744073709551616-0", "1-18446744073709551616", "x", "1-",
           "-1", "-", "+", "$", ">", "*", "5-*", "1-2-3", "", "1-x", "01-1", "1 -1", "(1-1",
           "9223372036854775807-9223372036854775807", "9223372036854775808-0", "1--1",
           "*-1", "**", "1-**")


class Streams:
    """Makes the steps of a segment. Tracks no state but the newest ID of each key, so that IDs
    hit: whatever the servers do, the sequence is the same."""

    def __init__(self, source, commands):
        self.source = source
        self.newest = dict.fromkeys(KEYS, 0)
        self.deep = source.chance(0.25)
        self.clean = True  # every word of the next command is a valid one
        self.makers = self._makers(commands)

    def steps(self, count):
        """`count` commands, after a prologue that gives most keys a stream and some groups."""
        source = self.source
        for words in self._prologue():
            yield Step(words)
        weights = [m[0] for m in self.makers]
        makers = [m[1] for m in self.makers]
        for maker in source.random.choices(makers, weights, k=count):
            self.clean = source.chance(0.85)
            words = maker()
            if not self.clean and source.chance(0.3):
                words = source.mutate(words)
            words = steady(words)
            words[0] = source.case(words[0])
            commands = creates_consumer(words)
            yield Step(words, first=commands, first_for_both=not self.clean or len(commands) > 1)

    def _makers(self, commands):
        makers = [
            (24, self.xadd), (2, self.xlen), (5, self.xrange), (5, self.xrevrange),
            (4, self.xdel), (3, self.xtrim), (4, self.xgroup), (12, self.xreadgroup),
            (4, self.xread), (5, self.xack), (3, self.xpending), (4, self.xpending_range),
            (5, self.xclaim), (4, self.xautoclaim), (4, self.xinfo), (2, self.other),
        ]
        if "xsetid" in commands:
            makers.append((1, self.xsetid))
        return makers

    def _prologue(self):
        yield ["SET", "str", "text"]
        for key in KEYS[:3]:
            for _ in range(self.source.choice((150, 400)) if self.deep else 3):
                self.newest[key] += 1
                yield ["XADD", key, f"{self.newest[key]}-1", "f", self.source.choice(FIELDS)]
            for group in GROUPS[:2]:
                yield ["XGROUP", "CREATE", key, group, self.source.choice(("0", "$"))]

    def key(self):
        if self.source.chance(0.03):
            return self.source.choice(("none", "", "str"))
        return self.source.choice(KEYS[:3] if self.source.chance(0.92) else KEYS)

    def group(self):
        return self.source.choice(GROUPS[:2] if self.source.chance(0.9) else GROUPS + ("gx",))

    def consumer(self):
        return self.source.choice(CONSUMERS)

    def id(self, key):
        """An ID that often is one of the key's."""
        if not self.clean and self.source.chance(0.25):
            return self.source.choice(BAD_IDS)
        newest = self.newest.get(key, 5)
        ms = max(0, newest - self.source.small(max(12, newest // 2)))
        if self.source.chance(0.15):
            return str(ms)
        return f"{ms}-{self.source.choice((0, 1, 1, 1, 2, 3, 7))}"

    def count(self):
        if self.clean:
            return self.source.choice(("1", "2", "3", "5", "10", "20", "100"))
        return self.source.count()

    def bound(self, key):
        r = self.source.random.random()
        if not self.clean and r < 0.05:
            return self.source.choice(("+1-1", "(+1", "1-+1", " 1", "(-", "(+", "(", "[1"))
        if r < 0.2:
            return "-"
        if r < 0.45:
            return "+"
        return "(" + self.id(key) if r < 0.6 else self.id(key)

    def new_id(self, key):
        if key == "now" and self.source.chance(0.9):
            return "*"
        if not self.clean and self.source.chance(0.3):
            return self.source.choice(BAD_IDS)
        step = self.source.choice((0, 1, 1, 1, 2))
        if key in self.newest:
            self.newest[key] += step
        sequence = self.source.choice(("*", "1", "1", "2", "3", "9"))
        return f"{self.newest.get(key, 3)}-{sequence}"

    def trim(self, key):
        """Exact, or approximate with a threshold that removes nothing: how many entries `~`
        removes depends on the size of blocks."""
        words = []
        limit = not self.clean and self.source.chance(0.5)
        if self.source.chance(0.15):
            words = [self.source.case("MAXLEN"), "~",
                     self.source.choice(("100000", "9223372036854775807"))]
            limit = self.source.chance(0.5)
        elif self.source.chance(0.6):
            words = [self.source.case("MAXLEN")] + self.source.choice(([], ["="]))
            words.append(self.count() if not self.deep or self.source.chance(0.1)
                         else str(self.source.random.randint(50, 500)))
        else:
            words = [self.source.case("MINID")] + self.source.choice(([], ["="])) + [self.id(key)]
        if limit:
            words += ["LIMIT", self.count()]
        return words

    def xadd(self):
        source, key = self.source, self.key()
        words = ["XADD", key]
        options = []
        if source.chance(0.05):
            options.append([source.case("NOMKSTREAM")])
        if source.chance(0.07):
            options.append(self.trim(key))
        if not self.clean and source.chance(0.1):
            options.append(self.trim(key))
        source.random.shuffle(options)
        for option in options:
            words += option
        words.append(self.new_id(key))
        pairs = source.choice((1, 1, 1, 2, 3)) * 2
        if not self.clean and source.chance(0.2):
            pairs = source.choice((0, 1, 3, 40))
        names = ("f", "g") if source.chance(0.7) else FIELDS
        for i in range(pairs):
            words.append(source.choice(names if i % 2 == 0 else FIELDS))
        return words

    def xlen(self):
        return ["XLEN", self.key()]

    def _maybe_count(self, probability=0.7):
        return [self.source.case("COUNT"), self.count()] \
            if self.source.chance(probability) else []

    def xrange(self):
        key = self.key()
        return ["XRANGE", key, self.bound(key), self.bound(key)] + self._maybe_count()

    def xrevrange(self):
        key = self.key()
        return ["XREVRANGE", key, self.bound(key), self.bound(key)] + self._maybe_count()

    def ids(self, key, limit=4):
        return [self.id(key) for _ in range(self.source.random.randint(1, limit))]

    def xdel(self):
        key = self.key()
        return ["XDEL", key] + self.ids(key)

    def xtrim(self):
        key = self.key()
        return ["XTRIM", key] + self.trim(key)

    def xsetid(self):
        source, key = self.source, self.key()
        words = ["XSETID", key, f"{self.newest.get(key, 1) + source.small(3)}-{source.small(9)}"]
        if source.chance(0.3):
            words += ["ENTRIESADDED", self.count(), "MAXDELETEDID", self.id(key)]
        return words

    def xgroup(self):
        source, key, group = self.source, self.key(), self.group()
        kind = source.random.random()
        start = source.choice(("0", "$", "$", self.id(key)))
        tail = []
        if source.chance(0.15):
            tail += [source.case("ENTRIESREAD"), source.choice(("0", "1", "3", "-1", "-2", "x"))]
        if kind < 0.3:
            if source.chance(0.4):
                tail.insert(0, source.case("MKSTREAM"))
            return ["XGROUP", source.case("CREATE"), key, group, start] + tail
        if kind < 0.45:
            return ["XGROUP", source.case("SETID"), key, group, start] + tail
        if kind < 0.7:
            return ["XGROUP", "CREATECONSUMER", key, group, self.consumer()]
        if kind < 0.82:
            return ["XGROUP", "DELCONSUMER", key, group, self.consumer()]
        if kind < 0.9:
            return ["XGROUP", "DESTROY", key, group]
        return source.choice((["XGROUP"], ["XGROUP", "NOSUCH"], ["XGROUP", "NOSUCH", key, group],
                              ["XGROUP", "create"], ["XGROUP", "DESTROY", key],
                              ["XGROUP", "SETID", key, group], ["XGROUP", ""],
                              ["XGROUP", "HELP"], ["XGROUP", "HELP", "x"]))

    def _several(self):
        """Keys to read from: usually one."""
        if self.source.chance(0.75):
            return [self.key()]
        return [self.key() for _ in range(self.source.random.randint(2, 3))]

    def xread(self):
        source, keys = self.source, self._several()
        words = ["XREAD"] + self._maybe_count()
        if not self.clean and source.chance(0.3):
            words += [source.case("BLOCK"), source.choice(("1", "-1", "x", "1.5",
                                                           "9223372036854775808"))]
        words += [source.case("STREAMS")] + keys
        return words + [source.choice(("0", "$", "0-0", self.id(k), self.id(k))) for k in keys]

    def xreadgroup(self):
        source, keys = self.source, self._several()
        words = ["XREADGROUP", source.case("GROUP"), self.group(), self.consumer()]
        words += self._maybe_count(0.85)
        if source.chance(0.1):
            words.append(source.case("NOACK"))
        if not self.clean and source.chance(0.15):
            words += ["BLOCK", source.choice(("1", "-1", "x"))]
        words += [source.case("STREAMS")] + keys
        return words + [source.choice((">", ">", ">", "0", self.id(k))) for k in keys]

    def xack(self):
        key = self.key()
        return ["XACK", key, self.group()] + self.ids(key, 6)

    def _least_idle(self):
        if self.clean:
            return self.source.choice(("0", "0", "0", "100000"))
        return self.source.choice(("0", "0", "-1", "x", "", "9223372036854775808"))

    def xpending(self):
        return ["XPENDING", self.key(), self.group()]

    def xpending_range(self):
        source, key = self.source, self.key()
        words = ["XPENDING", key, self.group()]
        if source.chance(0.25):
            words += [source.case("IDLE"), source.choice(("0", "0", "100000", "-1", "x"))]
        words += [self.bound(key), self.bound(key), self.count()]
        return words + ([self.consumer()] if source.chance(0.4) else [])

    def xclaim(self):
        source, key = self.source, self.key()
        words = ["XCLAIM", key, self.group(), self.consumer(),
                 self._least_idle()] + self.ids(key, 5)
        odd = () if self.clean else ("-1", "x", "9223372036854775807")
        options = (["JUSTID"], ["FORCE"], ["RETRYCOUNT", self.count()],
                   ["LASTID", self.id(key)],
                   ["IDLE", source.choice(("0", "1", "50", "50000", "1000000") + odd)],
                   ["TIME", source.choice(("0", "1000", "9999999999999") + odd)], ["BAD"])
        for option, probability in zip(options, (0.2, 0.25, 0.15, 0.1, 0.15, 0.1, 0.1)):
            if source.chance(probability) and not (self.clean and option == ["BAD"]):
                words += [source.case(option[0])] + option[1:]
        return words

    def xautoclaim(self):
        source, key = self.source, self.key()
        words = ["XAUTOCLAIM", key, self.group(), self.consumer(),
                 self._least_idle(),
                 source.choice(("", "(")) + self.id(key) if source.chance(0.4)
                 else source.choice(("0", "-", "0-0"))]
        words += self._maybe_count(0.5)
        return words + ([source.case("JUSTID")] if source.chance(0.3) else [])

    def xinfo(self):
        source, key = self.source, self.key()
        kind = source.random.random()
        if kind < 0.25:
            return ["XINFO", source.case("STREAM"), key]
        if kind < 0.45:
            return ["XINFO", source.case("GROUPS"), key]
        if kind < 0.65:
            return ["XINFO", source.case("CONSUMERS"), key, self.group()]
        if kind < 0.9:
            tail = ["COUNT", self.count()] if source.chance(0.6) else []
            return ["XINFO", "STREAM", key, source.case("FULL")] + tail
        return source.choice((["XINFO"], ["XINFO", "NOSUCH", key], ["XINFO", "STREAM"],
                              ["XINFO", "STREAM", key, "NOSUCH"], ["XINFO", "GROUPS"],
                              ["XINFO", "STREAM", key, "FULL", "COUNT"],
                              ["XINFO", "STREAM", key, "FULL", "NOSUCH", "1"],
                              ["XINFO", "CONSUMERS", key], ["XINFO", "HELP"]))

    def other(self):
        key = self.key()
        return self.source.choice((
            ["TYPE", key], ["EXISTS", key], ["GET", key], ["INCR", key], ["APPEND", key, "x"],
            ["DEL", key] if self.source.chance(0.2) else ["STRLEN", key],
            ["RENAME", key, self.key()] if self.source.chance(0.2) else ["PERSIST", key],
            ["SET", "str", "text"], ["GETRANGE", key, "0", "-1"], ["EXPIRE", key, "x"],
            ["MGET", key, "str"], ["GETSET", key, "x"] if key == "str" else ["GETEX", key]))


def creates_consumer(words):
    """The commands that Redis 7.0 is given first, so that it has the consumer that Redis 7.2
    creates even when nothing was delivered to it (difference consumer-created). Irmak has to
    create it by itself. Where the command may be an error that creates none, both are told."""
    name = words[0].lower()
    commands = []
    if name in ("xclaim", "xautoclaim") and len(words) > 5:
        commands = [["XGROUP", "CREATECONSUMER"] + words[1:4]]
    elif name == "xreadgroup" and len(words) > 5:
        streams = next((i for i in range(4, len(words)) if words[i].lower() == "streams"), None)
        if streams is not None:
            keys = words[streams + 1:streams + 1 + (len(words) - streams - 1) // 2]
            commands = [["XGROUP", "CREATECONSUMER", key, words[2], words[3]] for key in keys]
    return commands
