"""Several clients, some of which wait: who gets what, in which order, and what ends a wait.

Client 0 never waits; it writes. The others read with BLOCK. Every step is done when both servers
have settled, so that the order in which clients began to wait is known.
"""

from step import Step
from streams import creates_consumer
from wire import encode

CLIENTS = 5
KEYS = ("s1", "s2", "s3")
GROUPS = ("g1", "g2")


class Blocking:
    """Makes the steps of a segment."""

    def __init__(self, source, _commands):
        self.source = source
        self.newest = dict.fromkeys(KEYS, 0)

    def steps(self, count):
        for key in KEYS[:2]:
            for group in GROUPS:
                yield Step(["XGROUP", "CREATE", key, group, "$", "MKSTREAM"])
        for _ in range(count):
            client = self.source.random.randint(0, 2 * CLIENTS)
            if client >= CLIENTS or client == 0:
                yield self.write()
            elif self.source.chance(0.03):
                yield Step(["close"], client=client)
            elif self.source.chance(0.04):
                yield self.pipelined(client)
            else:
                yield self.read(client)

    def key(self):
        """One key more often than the others: a queue of waiters needs several at one place."""
        return "s1" if self.source.chance(0.5) else self.source.choice(KEYS)

    def group(self):
        return "g1" if self.source.chance(0.6) else "g2"

    def write(self):
        source, key = self.source, self.key()
        kind = source.random.random()
        if kind < 0.55:
            count = source.choice((1, 1, 1, 2, 3))
            return self.several([self.xadd(key if source.chance(0.7) else self.key())
                                 for _ in range(count)])
        group = self.group()
        if kind < 0.85:
            return Step(source.choice((
                ["XLEN", key], ["XGROUP", "SETID", key, group, "$"],
                ["XINFO", "CONSUMERS", key, group], ["XINFO", "GROUPS", key],
                ["XTRIM", key, "MAXLEN", str(source.small(3))], ["XPENDING", key, group],
                ["XDEL", key, f"{self.newest[key]}-1"],
                ["XACK", key, group, f"{self.newest[key]}-1"],
                ["XGROUP", "CREATE", key, group, source.choice(("0", "$")), "MKSTREAM"],
                ["XGROUP", "DELCONSUMER", key, group, "c1"], ["XADD", key, "1-1"],
                ["XADD", key, "0-1", "f", "too small"], ["XADD", key, "NOMKSTREAM", "*"],
                ["XREAD", "STREAMS", key, "0"], ["DEL", "nosuch"])))
        if kind < 0.97:
            other = self.key()
            return self.several(source.choice((
                [["DEL", key]], [["UNLINK", key]], [["SET", key, "string"]],
                [["XGROUP", "DESTROY", key, group]], [["RENAME", key, other]],
                [["RENAME", key, "elsewhere"]], [["RENAME", "elsewhere", key]],
                [["EXPIRE", key, "0"]], [["DEL", key], ["SET", key, "x"]],
                [["SET", key, "x"], ["DEL", key]], [["DEL", key], self.xadd(key)],
                [["SET", key, "x"], ["DEL", key], self.xadd(key)],
                [["XGROUP", "DESTROY", key, group], ["XGROUP", "CREATE", key, group, "$"]],
                [["GETDEL", key]], [["SELECT", "1"], self.xadd(key), ["SELECT", "0"]])))
        return self.several(source.choice(([["FLUSHDB"]], [["FLUSHALL"]])) + [
            ["XGROUP", "CREATE", k, g, "$", "MKSTREAM"] for k in KEYS[:2] for g in GROUPS])

    def several(self, commands):
        """Commands in one packet: what they wake is decided command by command."""
        words = commands[0] if len(commands) == 1 else [w for c in commands for w in c + [";"]]
        return Step(words, b"".join(encode(c) for c in commands), replies=len(commands))

    def xadd(self, key):
        self.newest[key] += 1
        id_ = f"{self.newest[key]}-1" if self.source.chance(0.9) else "*-*"
        return ["XADD", key, id_, "f", self.source.choice(("v", "", "w" * 100))]

    def read(self, client):
        source = self.source
        keys = [self.key()]
        if source.chance(0.3):
            keys = source.random.sample(KEYS, 2)
        waits = source.chance(0.08)
        timeout = source.choice(("1", "2", "3")) if waits else source.choice(("0", "100000"))
        if source.chance(0.35):
            ids = [source.choice(("$", "$", "0", f"{self.newest[k]}-1", f"{self.newest[k] + 2}-0"))
                   for k in keys]
            words = ["XREAD", "BLOCK", timeout]
        else:
            ids = [source.choice((">", ">", ">", ">", "0")) for _ in keys]
            words = ["XREADGROUP", "GROUP", self.group(), f"c{source.small(4)}",
                     "BLOCK", timeout]
            if source.chance(0.15):
                words.append("NOACK")
        if source.chance(0.4):
            words += ["COUNT", source.choice(("1", "2", "10"))]
        words += ["STREAMS"] + keys + ids
        commands = creates_consumer(words)
        return Step(words, first=commands,
                    first_for_both=len(commands) > 1, client=client, waits=waits)

    def pipelined(self, client):
        """A client that waits, and has sent more behind: that is done when the wait has ended."""
        timeout = self.source.choice("123")
        commands = [["XREAD", "BLOCK", timeout, "STREAMS", "nosuch", "$"], ["PING"],
                    ["XLEN", "s1"], ["XREAD", "BLOCK", timeout, "STREAMS", "s1", "$"],
                    ["ECHO", "x"]]
        step = self.several(commands[:self.source.random.randint(2, 5)])
        step.client, step.waits = client, True
        return step
