"""Random commands on strings and on keys: values, numbers, ranges, deadlines, names."""

from step import Step

KEYS = ("k1", "k2", "k3", "k4", "n1", "n2", "f1", "f2", "{tag}a", "{tag}b", "", "a b",
        "\x00\xff", "list?", "k[1]", "stream", "long" * 40)
VALUES = ("", "x", "text", "0", "10", "-5", "3.0", "1.5e3", "9223372036854775807",
          "-9223372036854775808", "9223372036854775808", " 7", "7 ", "0012", "\x00\x01\xff\r\n",
          "v" * 44, "w" * 45, "y" * 1500, "ab" * 30, "1e400", "nan", "inf")
FLOATS = ("0", "1", "-1", "1.5", "-0.1", "0.1", "3.0e3", "1e-5", "1e-17", "1e-18", "5e-324",
          "1e17", "1e18", "123456789.123456789", "1e300", "-1e300", "1e308", "1e4000", "1e4932",
          "1e5000", "-1e5000", "0.000000000000000001", "3.14159265358979323846", "inf", "-inf",
          "+inf", "nan", "infinity", "0x1p3", "1.", ".5", "1e", "e1", "+1.5", "-.5", "--1", "",
          " 1", "1 ", "1,5", "x", "1\x00", "9223372036854775807", "17179869184.00000000001")
PATTERNS = ("*", "k?", "k*", "?", "", "k[1-3]", "k[^1]", "k[3-1]", "[kn]1", "k\\[1\\]", "k[1",
            "*1", "{tag}*", "\\", "\\*", "k\\", "[", "[^", "**", "*?*", "a?b", "a*b", "\x00*",
            "[a-]", "k[]1]", "????????????", "long*long", "[\\]k]*")
OFFSETS = ("0", "1", "2", "3", "10", "43", "44", "100", "1499", "1500", "5000", "-1", "-2", "-3",
           "-10", "-44", "-1500", "-5000")


class Keyspace:
    """Makes the steps of a segment; `strings` or `keys` chooses what most of them are about."""

    def __init__(self, source, commands):
        self.source = source
        self.makers = [
            (8, self.set), (6, self.get), (3, self.getex), (4, self.set_with_deadline),
            (4, self.several), (4, self.integers), (6, self.floats), (4, self.ranges),
            (4, self.append), (8, self.expire), (5, self.time_left), (4, self.exists),
            (3, self.delete), (3, self.rename), (3, self.names), (1, self.scan_error),
            (2, self.whole), (1, self.lcs) if "lcs" in commands else (0, self.get),
        ]

    def steps(self, count):
        yield Step(["XADD", "stream", "1-1", "f", "v"])
        weights = [m[0] for m in self.makers]
        makers = [m[1] for m in self.makers]
        for maker in self.source.random.choices(makers, weights, k=count):
            words = maker()
            if self.source.chance(0.05) and words[0].lower() not in ("flushall", "randomkey"):
                words = self.source.mutate(words)
            words[0] = self.source.case(words[0])
            yield Step(words)

    def key(self):
        return self.source.choice(KEYS)

    def value(self):
        return self.source.choice(VALUES)

    def option_case(self, words):
        return [self.source.case(w) for w in words]

    def deadline(self):
        """EX, PX, EXAT or PXAT and its time."""
        source = self.source
        word = source.choice(("EX", "PX", "EXAT", "PXAT"))
        time = {"EX": source.seconds_left, "PX": source.milliseconds_left,
                "EXAT": source.unix_seconds, "PXAT": source.unix_milliseconds}[word]()
        return [source.case(word), time]

    def set(self):
        source = self.source
        words = ["SET", self.key(), self.value()]
        options = []
        for option, probability in (("NX", 0.15), ("XX", 0.15), ("GET", 0.2), ("KEEPTTL", 0.1),
                                    ("NX", 0.03), ("BAD", 0.01), ("PERSIST", 0.01)):
            if source.chance(probability):
                options.append([source.case(option)])
        for probability in (0.25, 0.03):
            if source.chance(probability):
                options.append(self.deadline())
        source.random.shuffle(options)
        for option in options:
            words += option
        return words

    def get(self):
        name = self.source.choice(("GET", "GET", "GET", "STRLEN", "GETDEL", "TYPE"))
        return [name, self.key()]

    def getex(self):
        source = self.source
        words = ["GETEX", self.key()]
        if source.chance(0.7):
            words += self.deadline()
        if source.chance(0.2):
            words.append(source.choice(("PERSIST", "persist", "KEEPTTL", "NX", "GET", "BAD")))
        return words

    def set_with_deadline(self):
        source, key = self.source, self.key()
        return source.choice((
            ["SETEX", key, source.seconds_left(), self.value()],
            ["PSETEX", key, source.milliseconds_left(), self.value()],
            ["SETNX", key, self.value()], ["GETSET", key, self.value()]))

    def several(self):
        source = self.source
        name = source.choice(("MSET", "MSETNX", "MGET", "MGET"))
        words = [name]
        for _ in range(source.random.randint(1, 5)):
            words.append(self.key())
            if name != "MGET":
                words.append(self.value())
        return words

    def integers(self):
        source = self.source
        key = source.choice(("n1", "n2", "n1", "n2", self.key()))
        r = source.random.random()
        if r < 0.25:
            return ["SET", key, source.edge()]
        if r < 0.5:
            return [source.choice(("INCR", "DECR")), key]
        return [source.choice(("INCRBY", "DECRBY")), key,
                source.edge() if source.chance(0.7) else str(source.random.randint(-99, 99))]

    def floats(self):
        source = self.source
        key = source.choice(("f1", "f2", "f1", "f2", self.key()))
        r = source.random.random()
        if r < 0.2:
            return ["SET", key, source.choice(FLOATS)]
        if r < 0.35:
            return ["GET", key]
        if r < 0.6:
            number = source.random.uniform(-1, 1) * 10 ** source.random.randint(-17, 17)
            return ["INCRBYFLOAT", key, repr(number)]
        return ["INCRBYFLOAT", key, source.choice(FLOATS)]

    def offset(self):
        return self.source.edge() if self.source.chance(0.25) else self.source.choice(OFFSETS)

    def ranges(self):
        source, key = self.source, self.key()
        if source.chance(0.6):
            name = source.choice(("GETRANGE", "GETRANGE", "SUBSTR"))
            return [name, key, self.offset(), self.offset()]
        value = source.choice(("", "x", "middle", "\x00"))
        return ["SETRANGE", key, self.offset(), value]

    def append(self):
        key = self.key()
        if self.source.chance(0.2):
            return ["DEL", key]
        return ["APPEND", key, self.value()]

    def expire(self):
        source = self.source
        name = source.choice(("EXPIRE", "PEXPIRE", "EXPIREAT", "PEXPIREAT"))
        time = {"EXPIRE": source.seconds_left, "PEXPIRE": source.milliseconds_left,
                "EXPIREAT": source.unix_seconds, "PEXPIREAT": source.unix_milliseconds}[name]()
        words = [name, self.key(), time]
        for probability in (0.5, 0.08, 0.02):
            if source.chance(probability):
                words.append(source.case(source.choice(("NX", "XX", "GT", "LT"))))
        if source.chance(0.02):
            words.append("BAD")
        return words

    def time_left(self):
        name = self.source.choice(("TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME", "PERSIST"))
        return [name, self.key()]

    def _keys(self):
        return [self.key() for _ in range(self.source.random.randint(1, 4))]

    def exists(self):
        return [self.source.choice(("EXISTS", "TOUCH", "TYPE", "DBSIZE"))] + (self._keys()
                if self.source.chance(0.8) else [])

    def delete(self):
        words = [self.source.choice(("DEL", "UNLINK"))] + self._keys()
        return words if "stream" not in words or self.source.chance(0.1) else ["EXISTS", "stream"]

    def rename(self):
        return [self.source.choice(("RENAME", "RENAMENX")), self.key(), self.key()]

    def names(self):
        source = self.source
        if source.chance(0.6):
            return ["KEYS", source.choice(PATTERNS)]
        words = ["SCAN", "0", "COUNT", "100000"]
        if source.chance(0.6):
            words += [source.case("MATCH"), source.choice(PATTERNS)]
        if source.chance(0.3):
            words += ["TYPE", source.choice(("string", "stream", "STRING", "hash", "nosuch", ""))]
        return words

    def scan_error(self):
        return self.source.choice((
            ["SCAN"], ["SCAN", "x"], ["SCAN", "-1"], ["SCAN", "0", "COUNT"],
            ["SCAN", "18446744073709551616"], ["SCAN", " 0"], ["SCAN", "0", "COUNT", "0"],
            ["SCAN", "0", "COUNT", "-1"], ["SCAN", "0", "COUNT", "x"], ["SCAN", "0", "MATCH"],
            ["SCAN", "0", "TYPE"], ["SCAN", "0", "NOSUCH", "x"], ["SCAN", "0", "0"], ["SCAN", ""],
            ["SCAN", "0", "COUNT", "9223372036854775808"]))

    def whole(self):
        return self.source.choice((
            ["DBSIZE"], ["RANDOMKEY"], ["FLUSHDB"], ["FLUSHALL", "ASYNC"], ["FLUSHDB", "sync"],
            ["FLUSHALL", "BAD"], ["FLUSHDB", "SYNC", "x"], ["RANDOMKEY", "x"], ["DBSIZE", "x"],
            ["XADD", "stream", "*", "f"], ["XLEN", self.key()], ["KEYS"], ["KEYS", "a", "b"]))

    def lcs(self):
        source = self.source
        words = ["LCS", self.key(), self.key()]
        for option in (["LEN"], ["IDX"], ["MINMATCHLEN", source.count()], ["WITHMATCHLEN"],
                       ["BAD"]):
            if source.chance(0.3 if option != ["BAD"] else 0.03):
                words += [source.case(option[0])] + option[1:]
        return words


class ManyKeys:
    """Hundreds of keys, so that SCAN needs many calls; its loops are compared as sets."""

    def __init__(self, source, _commands):
        self.source = source

    def steps(self, count):
        source = self.source
        names = [f"key:{n}" for n in range(600)]
        for i in range(count):
            r = source.random.random()
            if r < 0.55:
                yield Step(["SET", source.choice(names), str(i)])
            elif r < 0.6:
                yield Step(["XADD", source.choice(names), "*", "f", "v"])
            elif r < 0.85:
                yield Step(["DEL"] + source.random.sample(names, 3))
            elif r < 0.9:
                yield Step(["RENAME", source.choice(names), source.choice(names)])
            elif r < 0.93:
                yield Step(["KEYS", source.choice(("*", "key:1*", "key:?", "key:[2-4]5*"))])
            elif r < 0.95:
                yield Step(["DBSIZE"])
            elif r < 0.96:
                yield ScanLoop(source)
            else:
                yield Step(["EXISTS"] + source.random.sample(names, 5))


class ScanLoop(Step):
    """SCAN until the cursor is 0 again. Cursors differ, the names may not."""

    def __init__(self, source):
        words = ["SCAN", "0"]
        if source.chance(0.7):
            counts = ("1", "7", "10", "100", "1000", "9223372036854775807")
            words += ["COUNT", source.choice(counts)]
        if source.chance(0.4):
            words += ["MATCH", source.choice(("*", "key:1*", "nosuch*", "key:[2-4]?"))]
        if source.chance(0.4):
            words += ["TYPE", source.choice(("string", "stream"))]
        super().__init__(words)

    def follow(self, ask):
        """Runs the loop; `ask` sends words and answers the tree. The tree of all names, sorted."""
        names, words = set(), list(self.words)
        for _ in range(100000):
            kind, items = ask(words)
            if kind != "*" or len(items) != 2:
                return (kind, items)
            names.update(items[1][1])
            words[1] = items[0][1].decode("latin-1")
            if words[1] == "0":
                return ("*", tuple(sorted(names)))
        return ("-", b"the loop does not end")
