"""Three clients with MULTI, EXEC, DISCARD and WATCH, over keys that all of them change, in three
databases: what is queued, what aborts, what breaks a watch, and what EXEC answers."""

from step import Step
from wire import encode

CLIENTS = 3
KEYS = ("a", "b", "c", "s")
DATABASES = ("0", "1", "2")


class Transactions:
    """Makes the steps of a segment."""

    def __init__(self, source, _commands):
        self.source = source
        self.newest = 0

    def steps(self, count):
        for _ in range(count):
            client = self.source.random.randrange(CLIENTS)
            if self.source.chance(0.01):
                yield Step(["close"], client=client)
            elif self.source.chance(0.25):
                yield self.whole(client)
            else:
                words = self.frame() if self.source.chance(0.35) else self.command()
                yield Step(words, client=client, waits=True)

    def whole(self, client):
        """MULTI to EXEC in one packet, after a WATCH perhaps."""
        commands = [["WATCH", self.key()]] if self.source.chance(0.5) else []
        commands += [["MULTI"]]
        commands += [self.command() for _ in range(self.source.random.randrange(5))]
        if self.source.chance(0.2):
            commands += [["XREAD", "BLOCK", "0", "STREAMS", "s", "$"]]
        commands += [["EXEC"]]
        return Step([w for c in commands for w in c + [";"]],
                    b"".join(encode(c) for c in commands), replies=len(commands), client=client,
                    waits=True)

    def key(self):
        return self.source.choice(KEYS)

    def frame(self):
        """What begins, ends and watches."""
        return self.source.choice((
            ["MULTI"], ["MULTI"], ["MULTI"], ["EXEC"], ["EXEC"], ["EXEC"], ["DISCARD"],
            ["WATCH", self.key()], ["WATCH", self.key()], ["WATCH", self.key(), self.key()],
            ["UNWATCH"], ["RESET"] if self.source.chance(0.2) else ["UNWATCH"], ["WATCH"],
            ["EXEC", "x"], ["MULTI", "x"], ["DISCARD", "x"], ["NOSUCH", "x"], ["GET"],
            ["SELECT", self.source.choice(DATABASES)]))

    def command(self):
        source, key = self.source, self.key()
        self.newest += 1
        return source.choice((
            ["SET", key, str(source.small(9))], ["SET", key, "text", "NX"], ["GET", key],
            ["INCR", key], ["APPEND", key, "x"], ["DEL", key], ["EXISTS", key], ["TYPE", key],
            ["EXPIRE", key, "1000"], ["PERSIST", key], ["EXPIRE", key, "-1"],
            ["RENAME", key, self.key()], ["RENAMENX", key, self.key()],
            ["COPY", key, self.key()], ["COPY", key, self.key(), "REPLACE"],
            ["COPY", key, self.key(), "DB", source.choice(DATABASES), "REPLACE"],
            ["MOVE", key, source.choice(DATABASES)], ["MOVE", key, "x"],
            ["SWAPDB", source.choice(DATABASES), source.choice(DATABASES)], ["SWAPDB", "0", "99"],
            ["XADD", "s", f"{self.newest}-1", "f", "v"], ["XLEN", "s"], ["XDEL", "s", "1-1"],
            ["XTRIM", "s", "MAXLEN", str(source.small(3))], ["XRANGE", "s", "-", "+"],
            ["XGROUP", "CREATE", "s", "g", "0", "MKSTREAM"], ["XACK", "s", "g", f"{self.newest}-1"],
            ["XGROUP", "CREATECONSUMER", "s", "g", "c"],
            ["XSETID", "s", f"{self.newest}-5"], ["MGET", *KEYS], ["DBSIZE"], ["PING"],
            ["SELECT", source.choice(DATABASES)], ["ECHO"],
            ["FLUSHDB"] if source.chance(0.3) else ["PING", "x"],
            ["FLUSHALL"] if source.chance(0.2) else ["DBSIZE"], ["SAVE", "x"]))
