"""Commands about connections and the server, unknown commands, inline requests, broken bytes."""

from keyspace import KEYS
from step import Step
from wire import encode

# Commands that end the connection or its mode, and those that speak of the disk: what a snapshot
# needs and when the last one was made is each server's own (tests/scenario/snapshot.txt).
NOT_BY_CHANCE = ("shutdown", "debug", "quit", "monitor", "multi", "exec", "subscribe",
                 "save", "bgsave", "lastsave")
UNKNOWN = ("FOO", "foo", "", "GETT", "XFOO", "x" * 300, "a b", "\x00", "FOO\r\nBAR",
           "%s", "HGETALLL")
CONTAINERS = ("CLIENT", "CONFIG", "COMMAND", "XGROUP", "XINFO")
INLINE = (b"PING", b"PING x", b"ping 'a b'", b'ECHO "a\\x41\\n\\"b"', b"ECHO 'it\\'s'", b"GET",
          b"SET k1 v1", b"  GET   k1  ", b"ECHO \"\"", b"NOSUCH a b c", b"ECHO a\\x41",
          b'ECHO "\\a\\b\\t\\r"', b"SET k1 'x' NX GET", b"STRLEN k1", b"ECHO \xff\xfe",
          b"ECHO '\\n'", b'ECHO "\\xzz"', b"MGET k1 k2 k3", b"XLEN k1", b"\tPING\t")
BROKEN = (b"ECHO 'open", b'ECHO "open', b'ECHO "a"b', b"ECHO 'a'b", b'SET k "', b"*x",
          b"*-2", b"*1048577", b"*2147483648", b"*9223372036854775808", b"*", b"* 1", b"*1 ",
          b"*01", b"*+1", b"*1\r\nPING", b"*1\r\n:1", b"*1\r\n$x", b"*1\r\n$-1", b"*1\r\n$-2",
          b"*1\r\n$536870913", b"*1\r\n$9223372036854775808", b"*1\r\n$", b"*1\r\n$04\r\nPING",
          b"*1\r\n*1", b"*1\r\n+PING", b"*2\r\n$4\r\nPING\r\n*1", b"*1\r\n$4\r\nPINGxx",
          b"*-9223372036854775808", b"*1\r\n$+4", b"*0x1", b"*1\r\n\r\n", b"*1\r\n\x00")


class Connection:
    """Makes the steps of a segment on one connection."""

    def __init__(self, source, commands):
        self.source = source
        self.commands = commands
        self.makers = [
            (4, self.hello), (3, self.auth), (4, self.select), (3, self.ping), (4, self.client),
            (3, self.config), (4, self.command), (5, self.unknown), (4, self.subcommand),
            (5, self.arity), (5, self.data), (1, self.reset),
            (1, self.wait), (1, self.slow),
        ]

    def steps(self, count):
        weights = [m[0] for m in self.makers]
        makers = [m[1] for m in self.makers]
        for _ in range(count):
            if self.source.chance(0.15):
                yield self.inline()
            elif self.source.chance(0.03):
                yield self.replies_off()
            else:
                maker = self.source.random.choices(makers, weights)[0]
                words = maker()
                if self.source.chance(0.05) and maker not in (self.hello, self.data):
                    words = words + [self.source.choice(("x", "", "1"))]
                if is_safe(words):
                    yield Step([self.source.case(words[0])] + words[1:])

    def hello(self):
        source = self.source
        words = ["HELLO"]
        if source.chance(0.9):
            words.append(source.choice(("2", "3", "2", "3", "1", "4", "x", "", "03", "-2",
                                        "9223372036854775808")))
        # A good name comes last: Redis 7.0 takes it though an option behind it is refused.
        for option in (["AUTH", "default", "x"], ["AUTH", "nosuch", "x"], ["BAD"],
                       ["AUTH", "default"],
                       source.choice((["SETNAME", "a b"], ["SETNAME", "name"], ["SETNAME"]))):
            if source.chance(0.08):
                words += [source.case(option[0])] + option[1:]
        return words

    def auth(self):
        return ["AUTH"] + self.source.choice((["x"], ["default", "x"], ["nosuch", "x"], [],
                                              ["a", "b", "c"], ["", ""], ["default", ""]))

    def select(self):
        if self.source.chance(0.7):
            return ["SELECT", self.source.choice(("0", "0", "0", "1", "15"))]
        return ["SELECT", self.source.edge()]

    def ping(self):
        return self.source.choice((["PING"], ["PING", "x"], ["PING", ""], ["PING", "a", "b"],
                                   ["ECHO", "x"], ["ECHO", "\x00\r\n"], ["ECHO"], ["TIME"],
                                   ["ECHO", "a", "b"], ["TIME", "x"]))

    def client(self):
        name = self.source.choice(("name", "", "a b", "a\n", "\x7f", "\xe9", "x" * 100, "-"))
        return ["CLIENT"] + self.source.choice((
            ["SETNAME", name], ["GETNAME"], ["ID"], ["SETNAME"], ["GETNAME", "x"], ["ID", "x"],
            ["REPLY"], ["REPLY", "BAD"], ["REPLY", "ON"], ["NO-EVICT", "BAD"], ["NO-EVICT"],
            ["NO-EVICT", "off"], ["LIST", "TYPE"], ["LIST", "TYPE", "nosuch"], ["LIST", "ID"],
            ["LIST", "ID", "x"], ["LIST", "ID", "0"], ["LIST", "BAD"], ["LIST", "ID", "-1"],
            ["LIST", "TYPE", "pubsub"], ["LIST", "TYPE", "replica"], ["LIST", "ID", "999999999"],
            ["KILL"], ["KILL", "1.1.1.1:1"], ["KILL", "x"], ["KILL", "ID", "x"],
            ["KILL", "ID", "0"], ["KILL", "ID", "-1"], ["KILL", "ID", "999999999"],
            ["KILL", "TYPE", "nosuch"], ["KILL", "TYPE", "pubsub"], ["KILL", "ADDR", "1.1.1.1:1"],
            ["KILL", "LADDR", "1.1.1.1:1"], ["KILL", "SKIPME", "maybe"], ["KILL", "USER", "nosuch"],
            ["KILL", "SKIPME", "yes", "ID", "999999999"], ["KILL", "BAD", "x"], ["KILL", "ID"],
            ["INFO", "x"], ["LIST", "TYPE", "normal", "x"]))

    def wait(self):
        return ["WAIT"] + self.source.choice((["0", "0"], ["-1", "0"], ["x", "0"], ["0", "x"],
                                              ["1", "1"], ["1", "-1"], ["0"], ["0", "0", "0"],
                                              ["9223372036854775808", "0"]))

    def slow(self):
        return self.source.choice((
            ["SLOWLOG", "LEN"], ["SLOWLOG", "GET"], ["SLOWLOG", "GET", "-1"],
            ["SLOWLOG", "GET", "-2"], ["SLOWLOG", "GET", "x"], ["SLOWLOG", "GET", "1", "2"],
            ["SLOWLOG", "RESET"], ["SLOWLOG", "RESET", "x"], ["SLOWLOG", "LEN", "x"],
            ["LATENCY", "LATEST"], ["LATENCY", "LATEST", "x"], ["LATENCY", "RESET"],
            ["LATENCY", "RESET", "nosuch"], ["LATENCY", "HISTORY", "command"],
            ["LATENCY", "HISTORY"], ["LATENCY", "HISTORY", "nosuch"],
            ["LATENCY", "GRAPH", "nosuch"], ["LATENCY", "GRAPH"], ["LATENCY", "DOCTOR", "x"],
            ["LATENCY", "HISTOGRAM", "nosuch"], ["CONFIG", "GET", "latency-tracking-info*"],
            ["CONFIG", "SET", "slowlog-max-len", "x"], ["CONFIG", "GET", "slowlog-max-len"],
            ["CONFIG", "SET", "slowlog-log-slower-than", "x"],
            ["CONFIG", "GET", "slowlog-log-slower-than"],
            ["CONFIG", "SET", "latency-monitor-threshold", "-1"],
            ["CONFIG", "GET", "latency-tracking"], ["CONFIG", "SET", "latency-tracking", "x"]))

    def config(self):
        return ["CONFIG"] + self.source.choice((
            ["GET"], ["GET", "nosuch"], ["GET", "maxmemory"], ["GET", "MAXMEMORY"],
            ["GET", "maxmemory", "nosuch"], ["GET", "timeout", "timeout"], ["SET"],
            ["GET", "maxmemory-policy"], ["GET", "time*ut"], ["SET", "nosuch", "1"],
            ["SET", "timeout"], ["SET", "timeout", "x"], ["SET", "timeout", "-1"],
            ["SET", "timeout", "0"], ["SET", "maxmemory", "x"], ["SET", "maxmemory", "-1"],
            ["SET", "timeout", "0", "timeout", "0"], ["SET", "timeout", "0", "nosuch", "1"],
            ["SET", "timeout", "0", "maxmemory"], ["SET", "appendfsync", "nosuch"],
            ["SET", "port", "x"], ["SET", "databases", "3"], ["SET", "maxmemory-policy", "x"],
            ["SET", "timeout", "9999999999999"], ["RESETSTAT"], ["RESETSTAT", "x"],
            ["REWRITE", "x"], ["GET", "stream-node-max-entries"], ["GET", "requirepass"],
            ["SET", "stream-node-max-entries", "-1"], ["SET", "appendonly", "maybe"],
            ["SET", "tcp-keepalive", "300"], ["SET", "loglevel", "nosuch"], ["REWRITE"]))

    def command(self):
        key = self.source.choice(KEYS)
        return ["COMMAND"] + self.source.choice((
            ["GETKEYS"], ["GETKEYS", "GET"], ["GETKEYS", "GET", key], ["GETKEYS", "NOSUCH", "x"],
            ["GETKEYS", "MSET", "a", "b", "c", "d"], ["GETKEYS", "PING"], ["GETKEYS", "DEL", "a"],
            ["GETKEYS", "XREAD", "COUNT", "1", "STREAMS", "a", "b", "0", "0"],
            ["GETKEYS", "XREADGROUP", "GROUP", "g", "c", "STREAMS", "a", ">"],
            ["GETKEYS", "XREAD", "STREAMS", "a"], ["GETKEYS", "RENAME", "a", "b"],
            ["GETKEYS", "XGROUP", "CREATE", "k", "g", "0"], ["GETKEYS", "XGROUP", "k"],
            ["GETKEYSANDFLAGS", "SET", "k", "v"], ["GETKEYSANDFLAGS", "GET"],
            ["GETKEYSANDFLAGS", "GET", "k"], ["GETKEYSANDFLAGS", "RENAME", "a", "b"],
            ["GETKEYSANDFLAGS", "XADD", "k", "*", "f", "v"], ["GETKEYSANDFLAGS", "PING"],
            ["GETKEYSANDFLAGS", "XREAD", "STREAMS", "a", "0"], ["COUNT", "x"],
            ["INFO", "nosuch"], ["INFO", "get"], ["INFO", "GET", "nosuch", "xadd"],
            ["INFO", "config|get"], ["INFO", "config|nosuch"], ["INFO", "get|x"], ["INFO", "xlen"],
            ["DOCS", "nosuch"], ["LIST", "FILTERBY"], ["LIST", "FILTERBY", "BAD", "x"],
            ["LIST", "FILTERBY", "PATTERN", "nosuch*"], ["LIST", "FILTERBY", "MODULE", "nosuch"],
            ["LIST", "FILTERBY", "ACLCAT", "nosuch"], ["LIST", "x"],
            ["INFO", self.source.choice(sorted(self.commands))],
            ["LIST", "FILTERBY", "PATTERN", "xgr*"], ["LIST", "FILTERBY", "PATTERN", "XINFO|*"]))

    def unknown(self):
        return [self.source.choice(UNKNOWN)] + [
            self.source.choice(("a", "b c", "", "\r\n", "'", "\xff", "w" * 100, "x" * 130))
            for _ in range(self.source.small(6))]

    def subcommand(self):
        name = self.source.choice(CONTAINERS)
        if self.source.chance(0.15):
            return [name]
        return [name, self.source.choice(("NOSUCH", "nosuch", "", "a b", "y" * 200, "\r\n", "|"))
                ] + ["x"] * self.source.small(4)

    def arity(self):
        name = self.source.choice(sorted(self.commands))
        if name in NOT_BY_CHANCE:
            name = "get"
        return [name] + ["x"] * self.source.choice((0, 0, 1, 2, 3, 12))

    def data(self):
        key = self.source.choice(KEYS)
        return self.source.choice((["SET", key, "v"], ["GET", key], ["DBSIZE"], ["DEL", key],
                                   ["MGET", key, "k1"], ["KEYS", "*"], ["XRANGE", key, "-", "+"],
                                   ["XADD", "xs", "*", "f", "v"], ["XINFO", "STREAM", "xs"],
                                   ["XREAD", "STREAMS", "xs", "0"], ["XREAD", "STREAMS", "no", "0"],
                                   ["FLUSHDB"], ["FLUSHALL"], ["EXISTS", key]))

    def reset(self):
        return ["RESET"] + (["x"] if self.source.chance(0.1) else [])

    def inline(self):
        line = self.source.choice(INLINE + (b"", b"   "))
        end = self.source.choice((b"\r\n", b"\n"))
        if self.source.chance(0.1):
            line = self.source.choice((b"*0", b"*-1"))
            end = b"\r\n"
        words = line.decode("latin-1").split() or ["empty"]
        return Step(words, line + end, replies=0 if line.strip() in (b"", b"*0", b"*-1") else 1)

    def replies_off(self):
        hidden = b"".join(encode(self.data()) for _ in range(self.source.small(4)))
        if self.source.chance(0.5):
            return Step(["CLIENT", "REPLY", "OFF"], encode(["CLIENT", "REPLY", "OFF"]) + hidden +
                        encode(["CLIENT", "REPLY", "ON"]))
        return Step(["CLIENT", "REPLY", "SKIP"], encode(["CLIENT", "REPLY", "SKIP"]) +
                    encode(["GET", "k1"]), replies=0)


def is_safe(words):
    """False for what stops the server, and for what documents one server and not the other."""
    name = words[0].lower()
    if name in ("command", "info", "lolwut", "memory", "latency", "slowlog", "acl"):
        return len(words) > 1 and name == "command" and words[1].lower() != "x"
    return not (name == "client" and len(words) == 2 and words[1].lower() in ("info", "list"))


class Broken:
    """Bytes that are no request: each on a connection of its own, which the server must close
    after the same words, or keep."""

    def __init__(self, source):
        self.source = source

    def cases(self, count):
        for case in BROKEN:
            yield case + b"\r\n"
            yield encode(["PING"]) + case + b"\r\n"
        while count > 0:
            count -= 1
            data = bytearray()
            for _ in range(self.source.random.randint(1, 3)):
                data += encode(self.source.choice((["PING"], ["ECHO", "abc"], ["GET", "k"],
                                                   ["MGET", "a", "b"], ["XLEN", "s"])))
            for _ in range(self.source.random.randint(1, 3)):
                at = self.source.random.randrange(len(data))
                kind = self.source.random.random()
                if kind < 0.4:
                    data[at] = self.source.choice(b"*$:+-09 1\r\n\x00x\xff")
                elif kind < 0.7:
                    del data[at]
                else:
                    data.insert(at, self.source.choice(b"*$-0123\r\n \x00"))
            yield bytes(data)
