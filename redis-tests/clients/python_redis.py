"""python3-redis (Debian's 4.3.4, RESP2) against the server on $IRMAK_PORT."""

import os
import socket
import threading
import time

import redis

from cases import IS_IRMAK, PORT, UNIX, case, check, equal, eventually, raises, run


def connect(**options):
    options.setdefault("decode_responses", True)
    return redis.Redis(port=PORT, **options)


r = connect()
raw = connect(decode_responses=False)


@case
def connects():
    equal(r.ping(), True)
    equal(r.echo("hello"), "hello")
    hello = r.execute_command("HELLO", "2")
    fields = dict(zip(hello[::2], hello[1::2]))
    equal(sorted(fields), ["id", "mode", "modules", "proto", "role", "server", "version"])
    equal([fields[k] for k in ("server", "proto", "mode", "role")],
          ["redis", 2, "standalone", "master"])
    check(fields["id"] > 0)


@case
def hello_refuses_other_protocols():
    raises(redis.ResponseError, "NOPROTO unsupported protocol version",
           r.execute_command, "HELLO", "4")
    raises(redis.ResponseError, "Protocol version is not an integer or out of range",
           r.execute_command, "HELLO", "x")


@case
def hello_three_over_a_socket():
    with socket.create_connection(("127.0.0.1", PORT), timeout=10) as connection:
        stream = connection.makefile("rwb")
        stream.write(b"HELLO 3 SETNAME third\r\n")
        stream.flush()
        equal(stream.readline(), b"%7\r\n")
        seen = {}
        for _ in range(7):
            check(stream.readline().startswith(b"$"))
            name = stream.readline().strip()
            kind = stream.readline()
            if kind.startswith(b"$"):
                seen[name] = stream.readline().strip()
            else:
                seen[name] = kind.strip()
        equal(seen[b"proto"], b":3")
        equal(seen[b"modules"], b"*0")
        stream.write(b"GET missing\r\nSET a 1\r\nGET a\r\nCLIENT GETNAME\r\n")
        stream.flush()
        equal(stream.readline(), b"_\r\n")
        equal(stream.readline(), b"+OK\r\n")
        equal([stream.readline(), stream.readline()], [b"$1\r\n", b"1\r\n"])
        equal([stream.readline(), stream.readline()], [b"$5\r\n", b"third\r\n"])


@case
def connects_over_the_unix_socket():
    local = redis.Redis(unix_socket_path=UNIX, decode_responses=True)
    equal(local.set("a", "over unix"), True)
    equal(r.get("a"), "over unix")


@case
def databases_are_separate():
    other = connect(db=9)
    r.set("a", "zero")
    other.set("a", "nine")
    equal([r.get("a"), other.get("a")], ["zero", "nine"])
    equal([r.dbsize(), other.dbsize()], [1, 1])
    equal(sorted(r.info("keyspace")), ["db0", "db9"])
    other.flushdb()
    equal([r.get("a"), other.get("a")], ["zero", None])
    raises(redis.ResponseError, "DB index is out of range", r.execute_command, "SELECT", "16")


@case
def set_with_all_options():
    equal(r.set("k", "1", nx=True), True)
    equal(r.set("k", "2", nx=True), None)
    equal(r.set("m", "2", xx=True), None)
    equal(r.set("k", "3", xx=True), True)
    equal(r.set("k", "4", get=True), "3")
    equal(r.set("fresh", "4", get=True), None)
    equal(r.set("k", "5", ex=100), True)
    check(99 <= r.ttl("k") <= 100, r.ttl("k"))
    equal(r.set("k", "6", keepttl=True), True)
    check(99 <= r.ttl("k") <= 100, r.ttl("k"))
    equal(r.set("k", "7"), True)
    equal(r.ttl("k"), -1)
    equal(r.set("k", "8", px=100_000), True)
    check(99_000 < r.pttl("k") <= 100_000, r.pttl("k"))
    soon = int(time.time()) + 1000
    equal(r.set("k", "9", exat=soon), True)
    equal(r.execute_command("EXPIRETIME", "k") if not IS_IRMAK else soon, soon)
    check(998 <= r.ttl("k") <= 1000)
    equal(r.set("k", "10", pxat=soon * 1000), True)
    check(998_000 <= r.pttl("k") <= 1_000_000)
    equal(r.set("k", "11", nx=True, get=True), "10")
    equal(r.get("k"), "10")
    raises(redis.ResponseError, "syntax error", r.execute_command, "SET", "k", "1", "NX", "XX")
    raises(redis.ResponseError, "syntax error",
           r.execute_command, "SET", "k", "1", "EX", "1", "PX", "1")
    raises(redis.ResponseError, "syntax error",
           r.execute_command, "SET", "k", "1", "KEEPTTL", "EX", "1")
    raises(redis.ResponseError, "invalid expire time in 'set' command",
           r.execute_command, "SET", "k", "1", "EX", "0")
    raises(redis.ResponseError, "value is not an integer or out of range",
           r.execute_command, "SET", "k", "1", "EX", "soon")


@case
def strings():
    equal(r.setnx("s", "one"), True)
    equal(r.setnx("s", "two"), False)
    equal(r.getset("s", "three"), "one")
    equal(r.append("s", "!!"), 7)
    equal(r.strlen("s"), 7)
    equal(r.getrange("s", -3, -1), "e!!")
    equal(r.setrange("s", 5, "??"), 7)
    equal(r.get("s"), "three??")
    equal(r.setrange("hole", 3, "x"), 4)
    equal(raw.get("hole"), b"\0\0\0x")
    equal(r.setex("e", 100, "v"), True)
    equal(r.psetex("p", 100_000, "v"), True)
    equal(r.getex("e", persist=True), "v")
    equal(r.ttl("e"), -1)
    equal(r.getex("e", ex=50), "v")
    check(49 <= r.ttl("e") <= 50)
    equal(r.getdel("e"), "v")
    equal(r.getdel("e"), None)
    equal(r.mset({"a": "1", "b": "2"}), True)
    equal(r.mget("a", "missing", "b"), ["1", None, "2"])
    equal(r.msetnx({"b": "3", "c": "3"}), False)
    equal(r.exists("c"), 0)
    equal(r.msetnx({"c": "3", "d": "4"}), True)


@case
def numbers():
    equal(r.incr("n"), 1)
    equal(r.incrby("n", 41), 42)
    equal(r.decr("n"), 41)
    equal(r.decrby("n", 1), 40)
    equal(r.incrbyfloat("f", 10.5), 10.5)
    equal(r.incrbyfloat("f", "0.1"), 10.6)
    equal(r.incrbyfloat("f", "5.0e3"), 5010.6)
    r.set("n", str(2**63 - 1))
    raises(redis.ResponseError, "increment or decrement would overflow", r.incr, "n")
    equal(r.get("n"), str(2**63 - 1))
    r.set("n", "word")
    raises(redis.ResponseError, "value is not an integer or out of range", r.incr, "n")
    raises(redis.ResponseError, "value is not a valid float", r.incrbyfloat, "n", 1)


@case
def expiry():
    r.set("k", "v")
    equal(r.ttl("missing"), -2)
    equal(r.ttl("k"), -1)
    equal(r.expire("k", 100), True)
    equal(r.expire("k", 200, nx=True), False)
    equal(r.expire("k", 200, gt=True), True)
    equal(r.expire("k", 300, lt=True), False)
    equal(r.expire("k", 150, xx=True), True)
    check(149 <= r.ttl("k") <= 150)
    equal(r.persist("k"), True)
    equal(r.persist("k"), False)
    equal(r.pexpire("k", 100_000), True)
    equal(r.expireat("k", int(time.time()) + 500), True)
    equal(r.pexpireat("k", int(time.time() * 1000) + 500_000), True)
    check(499_000 <= r.pttl("k") <= 500_000)
    equal(r.expire("k", -1), True)
    equal(r.exists("k"), 0)
    r.set("brief", "v", px=30)
    eventually(lambda: r.get("brief") is None)
    eventually(lambda: r.dbsize() == 0)


@case
def keys():
    r.mset({f"user:{i}": str(i) for i in range(10)})
    r.set("other", "1")
    r.xadd("stream", {"a": "b"})
    equal(sorted(r.keys("user:[0-3]")), ["user:0", "user:1", "user:2", "user:3"])
    equal(len(r.keys("*")), 12)
    equal(r.exists("user:1", "user:1", "missing"), 2)
    equal([r.type("stream"), r.type("other"), r.type("missing")], ["stream", "string", "none"])
    equal(r.delete("user:1", "missing", "user:2"), 2)
    equal(r.unlink("user:3"), 1)
    equal(r.rename("user:4", "renamed"), True)
    equal(r.get("renamed"), "4")
    equal(r.renamenx("user:5", "renamed"), False)
    equal(r.renamenx("user:5", "user:55"), True)
    raises(redis.ResponseError, "no such key", r.rename, "missing", "x")
    check(r.randomkey() in r.keys("*"))
    equal(r.flushall(), True)
    equal([r.dbsize(), r.randomkey()], [0, None])


@case
def scan_sees_every_key_once_settled():
    with r.pipeline(transaction=False) as pipe:
        for i in range(5000):
            pipe.set(f"{'even' if i % 2 == 0 else 'odd'}:{i}", i)
        pipe.execute()
    r.xadd("stream", {"a": "b"})
    equal(len(set(r.scan_iter(count=100))), 5001)
    equal(set(r.scan_iter(match="even:*", count=1000)), {f"even:{i}" for i in range(0, 5000, 2)})
    equal(list(r.scan_iter(_type="stream", count=1000)), ["stream"])
    kept = {f"odd:{i}" for i in range(1, 5000, 2)}
    cursor, seen, deleted = 0, set(), iter([f"even:{i}" for i in range(0, 5000, 2)])
    while True:
        cursor, part = r.scan(cursor, count=50)
        seen.update(part)
        for key, _ in zip(deleted, range(40)):
            r.delete(key)
        if cursor == 0:
            break
    check(kept <= seen, "a key that was always there was missed", len(kept - seen))
    raises(redis.ResponseError, "invalid cursor", r.execute_command, "SCAN", "x")


@case
def transactions():
    with r.pipeline(transaction=True) as pipe:
        equal(pipe.set("a", "1").incr("a").xadd("s", {"f": "v"}, id="1-1").execute(),
              [True, 2, "1-1"])
    with r.pipeline() as pipe:
        pipe.set("a", "text").incr("a").set("b", "2")
        raises(redis.ResponseError, "Command # 2 (INCRBY a 1) of pipeline caused error",
               pipe.execute)
    equal(r.mget("a", "b"), ["text", "2"])
    with r.pipeline() as pipe:
        pipe.watch("b")
        r.set("b", "3")
        pipe.multi()
        pipe.set("b", "4")
        raises(redis.WatchError, "Watched variable changed", pipe.execute)
    equal(r.get("b"), "3")
    equal(r.transaction(lambda pipe: (pipe.multi(), pipe.incr("b")), "b"), [4])
    equal([r.copy("b", "c"), r.move("c", 9), r.swapdb(0, 9)], [True, True, True])
    equal(r.get("c"), "4")


@case
def pipelines():
    with r.pipeline(transaction=False) as pipe:
        for i in range(10_000):
            pipe.set(f"p:{i}", i)
            pipe.get(f"p:{i}")
        replies = pipe.execute()
    equal(len(replies), 20_000)
    check(all(replies[2 * i] is True and replies[2 * i + 1] == str(i) for i in range(10_000)))
    pipe = r.pipeline(transaction=False)
    pipe.set("word", "w").incr("word").get("word")
    replies = pipe.execute(raise_on_error=False)
    equal([replies[0], type(replies[1]), replies[2]], [True, redis.ResponseError, "w"])


@case
def errors_have_the_types_of_the_library():
    r.set("s", "v")
    r.xadd("x", {"a": "b"})
    wrong = "WRONGTYPE Operation against a key holding the wrong kind of value"
    raises(redis.ResponseError, wrong, r.xadd, "s", {"a": "b"})
    raises(redis.ResponseError, wrong, r.get, "x")
    raises(redis.ResponseError, wrong, r.incr, "x")
    raises(redis.ResponseError, "unknown command 'NOSUCH', with args beginning with: 'a' 'b' ",
           r.execute_command, "NOSUCH", "a", "b")
    raises(redis.ResponseError, "wrong number of arguments for 'get' command",
           r.execute_command, "GET")
    raises(redis.ResponseError, "unknown subcommand 'NOSUCH'. Try CLIENT HELP.",
           r.execute_command, "CLIENT", "NOSUCH")
    raises(redis.ResponseError, "wrong number of arguments for 'client|setname' command",
           r.execute_command, "CLIENT", "SETNAME")
    raises(redis.ResponseError, "AUTH <password> called without any password configured for the "
           "default user. Are you sure your configuration is correct?", connect(password="x").ping)


@case
def stream_entries():
    first = r.xadd("x", {"a": "1", "b": "2"})
    check(first.endswith("-0"), first)
    r.delete("x")
    equal(r.xadd("x", {"n": "1"}, id="1-1"), "1-1")
    equal(r.xadd("x", {"n": "2"}, id="1-*"), "1-2")
    equal(r.xadd("x", {"n": "3"}, id="2"), "2-0")
    raises(redis.ResponseError, "The ID specified in XADD is equal or smaller than the target "
           "stream top item", r.xadd, "x", {"n": "4"}, id="2-0")
    raises(redis.ResponseError, "The ID specified in XADD must be greater than 0-0",
           r.xadd, "x", {"n": "4"}, id="0-0")
    equal(r.xadd("none", {"n": "4"}, nomkstream=True), None)
    equal(r.exists("none"), 0)
    equal(r.xlen("x"), 3)
    equal(r.xrange("x"), [("1-1", {"n": "1"}), ("1-2", {"n": "2"}), ("2-0", {"n": "3"})])
    equal(r.xrange("x", min="(1-1", count=1), [("1-2", {"n": "2"})])
    equal(r.xrevrange("x", max="1"), [("1-2", {"n": "2"}), ("1-1", {"n": "1"})])
    equal(r.xread({"x": "1-1"}, count=1), [["x", [("1-2", {"n": "2"})]]])
    equal(r.xread({"x": "2-0"}), [])
    if IS_IRMAK:
        equal(r.xread({"x": "+"}), [["x", [("2-0", {"n": "3"})]]])
    equal(r.xdel("x", "1-2", "9-9"), 1)
    equal(r.xlen("x"), 2)


@case
def stream_trimming():
    with r.pipeline(transaction=False) as pipe:
        for i in range(1, 1001):
            pipe.xadd("x", {"i": i}, id=f"{i}-0")
        pipe.execute()
    equal(r.xtrim("x", maxlen=900, approximate=False), 100)
    equal(r.xtrim("x", minid="201-0", approximate=False), 100)
    equal(r.xrange("x", count=1), [("201-0", {"i": "201"})])
    removed = r.xtrim("x", maxlen=100, approximate=True)
    check(0 <= removed <= 700, removed)
    equal(r.xlen("x"), 800 - removed)
    r.xadd("x", {"i": "last"}, id="2000-0", maxlen=10, approximate=False)
    equal(r.xlen("x"), 10)
    r.xadd("x", {"i": "last"}, id="2001-0", minid="2000-0", approximate=False)
    equal(r.xlen("x"), 2)
    raises(redis.ResponseError, "syntax error, LIMIT cannot be used without the special ~ option",
           r.execute_command, "XTRIM", "x", "MAXLEN", "=", "1", "LIMIT", "5")


@case
def stream_blocking_read():
    started = time.monotonic()
    equal(r.xread({"x": "$"}, block=50), [])
    check(time.monotonic() - started >= 0.045, "BLOCK 50 ended early")
    got = []
    reader = threading.Thread(target=lambda: got.extend(
        connect().xread({"x": "$", "y": "0-0"}, block=20_000)))
    reader.start()
    eventually(lambda: any(c["flags"].startswith("b") for c in r.client_list()))
    r.xadd("x", {"woken": "yes"}, id="5-5")
    reader.join(20)
    equal(got, [["x", [("5-5", {"woken": "yes"})]]])


def fill(count):
    for i in range(1, count + 1):
        r.xadd("x", {"i": i}, id=f"{i}-0")


@case
def stream_group_life():
    equal(r.xgroup_create("x", "g", id="0", mkstream=True), True)
    raises(redis.ResponseError, "BUSYGROUP Consumer Group name already exists",
           r.xgroup_create, "x", "g")
    raises(redis.ResponseError, "NOGROUP No such key 'x' or consumer group 'none' in XREADGROUP "
           "with GROUP option", r.xreadgroup, "none", "c", {"x": ">"})
    raises(redis.ResponseError, "The XGROUP subcommand requires the key to exist.",
           r.xgroup_create, "missing", "g")
    fill(10)
    got = r.xreadgroup("g", "alice", {"x": ">"}, count=4)
    equal([e[0] for e in got[0][1]], ["1-0", "2-0", "3-0", "4-0"])
    equal([e[0] for e in r.xreadgroup("g", "bob", {"x": ">"}, count=4)[0][1]],
          ["5-0", "6-0", "7-0", "8-0"])
    equal(r.xack("x", "g", "1-0", "2-0", "9-0"), 2)
    equal(r.xack("x", "g", "1-0"), 0)
    equal(r.xpending("x", "g"), {"pending": 6, "min": "3-0", "max": "8-0", "consumers": [
        {"name": "alice", "pending": 2}, {"name": "bob", "pending": 4}]})
    rows = r.xpending_range("x", "g", "-", "+", 3, consumername="bob")
    equal([(p["message_id"], p["consumer"], p["times_delivered"]) for p in rows],
          [("5-0", "bob", 1), ("6-0", "bob", 1), ("7-0", "bob", 1)])
    equal(r.xpending_range("x", "g", "-", "+", 3, idle=1_000_000), [])
    equal([e[0] for e in r.xreadgroup("g", "alice", {"x": "0"})[0][1]], ["3-0", "4-0"])
    equal(r.xreadgroup("g", "alice", {"x": "4-0"}), [["x", []]])
    equal(r.xreadgroup("g", "alice", {"x": ">"}, noack=True)[0][1],
          [("9-0", {"i": "9"}), ("10-0", {"i": "10"})])
    equal(r.xpending("x", "g")["pending"], 6)
    equal(r.xreadgroup("g", "alice", {"x": ">"}), [])
    equal(r.xgroup_setid("x", "g", "8-0"), True)
    equal([e[0] for e in r.xreadgroup("g", "carol", {"x": ">"})[0][1]], ["9-0", "10-0"])
    equal(r.xgroup_createconsumer("x", "g", "dave"), 1)
    equal(r.xgroup_createconsumer("x", "g", "dave"), 0)
    equal(r.xgroup_delconsumer("x", "g", "bob"), 4)
    equal(r.xpending("x", "g")["pending"], 4)
    equal(r.xgroup_destroy("x", "g"), True)
    equal(r.xgroup_destroy("x", "g"), False)


@case
def stream_claims():
    fill(6)
    r.xgroup_create("x", "g", id="0")
    r.xreadgroup("g", "alice", {"x": ">"}, count=6)
    equal(r.xclaim("x", "g", "bob", 3_600_000, ["1-0"]), [])
    equal(r.xclaim("x", "g", "bob", 0, ["1-0"]), [("1-0", {"i": "1"})])
    equal(r.xclaim("x", "g", "bob", 0, ["2-0"], justid=True), ["2-0"])
    equal(r.xclaim("x", "g", "bob", 0, ["3-0"], idle=50_000, retrycount=7), [("3-0", {"i": "3"})])
    rows = r.xpending_range("x", "g", "-", "+", 10, consumername="bob")
    equal([(p["message_id"], p["times_delivered"]) for p in rows],
          [("1-0", 2), ("2-0", 1), ("3-0", 7)])
    check(rows[2]["time_since_delivered"] >= 50_000, rows)
    r.xdel("x", "4-0")
    reply = r.execute_command("XAUTOCLAIM", "x", "g", "carol", "0", "0-0", "COUNT", "2")
    equal([reply[0], [e[0] for e in reply[1]], reply[2]], ["3-0", ["1-0", "2-0"], []])
    reply = r.execute_command("XAUTOCLAIM", "x", "g", "carol", "0", "3-0")
    equal([reply[0], [e[0] for e in reply[1]], reply[2]],
          ["0-0", ["3-0", "5-0", "6-0"], ["4-0"]])
    equal(r.xautoclaim("x", "g", "dave", 0, "5-0", count=1, justid=True), ["5-0"])
    raises(redis.ResponseError, "Invalid min-idle-time argument for XCLAIM",
           r.execute_command, "XCLAIM", "x", "g", "bob", "soon", "1-0")
    raises(redis.ResponseError, "COUNT must be > 0",
           r.execute_command, "XAUTOCLAIM", "x", "g", "c", "0", "0", "COUNT", "0")


@case
def stream_information():
    fill(5)
    r.xgroup_create("x", "g", id="0")
    r.xreadgroup("g", "alice", {"x": ">"}, count=2)
    r.xdel("x", "5-0")
    stream = r.xinfo_stream("x")
    equal([stream[k] for k in ("length", "last-generated-id", "max-deleted-entry-id",
                               "entries-added", "groups")], [4, "5-0", "5-0", 5, 1])
    equal([stream["first-entry"], stream["last-entry"]],
          [("1-0", {"i": "1"}), ("4-0", {"i": "4"})])
    group = r.xinfo_groups("x")[0]
    equal([group[k] for k in ("name", "consumers", "pending", "last-delivered-id",
                              "entries-read")], ["g", 1, 2, "2-0", 2])
    if IS_IRMAK:
        equal(group["lag"], 2)
    consumer = r.xinfo_consumers("x", "g")[0]
    equal([consumer["name"], consumer["pending"]], ["alice", 2])
    check(consumer["idle"] >= 0)
    full = r.xinfo_stream("x", full=True)
    equal([full["length"], len(full["entries"]), len(full["groups"])], [4, 4, 1])
    raises(redis.ResponseError, "no such key", r.xinfo_stream, "missing")
    raises(redis.ResponseError, "no such key", r.xinfo_groups, "missing")
    raises(redis.ResponseError, "NOGROUP No such consumer group 'none' for key name 'x'",
           r.xinfo_consumers, "x", "none")


@case
def stream_group_blocking():
    r.xgroup_create("x", "g", id="$", mkstream=True)
    got = {}

    def consume(name):
        got[name] = connect().xreadgroup("g", name, {"x": ">"}, count=1, block=500)

    readers = [threading.Thread(target=consume, args=(name,)) for name in ("alice", "bob")]
    for reader in readers:
        reader.start()
    eventually(lambda: sum(c["flags"].startswith("b") for c in r.client_list()) == 2)
    r.xadd("x", {"only": "one"}, id="1-1")
    for reader in readers:
        reader.join(20)
    equal(sorted(len(reply) for reply in got.values()), [0, 1])
    equal(r.xpending("x", "g")["pending"], 1)


@case
def large_values():
    value = os.urandom(10 * 1024 * 1024)
    equal(raw.set("large", value), True)
    equal(raw.strlen("large"), len(value))
    check(raw.get("large") == value, "10 MB came back changed")
    check(raw.getrange("large", 5_000_000, 5_000_999) == value[5_000_000:5_001_000])
    equal(raw.append("large", b"end"), len(value) + 3)
    check(raw.mget("large", "large")[1] == value + b"end")
    raw.xadd("x", {b"blob": value}, id="1-1")
    check(raw.xrange("x") == [(b"1-1", {b"blob": value})], "10 MB entry came back changed")


@case
def bytes_are_bytes():
    every = bytes(range(256)) + b"\r\n$5\r\n*1\r\n\0"
    equal(raw.set(every, every), True)
    equal(raw.get(every), every)
    equal(raw.keys("*"), [every])
    equal(raw.scan(0, count=1000)[1], [every])
    raw.set("", b"")
    equal(raw.get(""), b"")
    raw.xadd(b"x\0y", {every: every, b"": b""}, id="1-1")
    equal(raw.xrange(b"x\0y"), [(b"1-1", {every: every, b"": b""})])
    raw.xgroup_create(b"x\0y", every, id="0")
    equal(raw.xreadgroup(every, every, {b"x\0y": ">"})[0][1][0][0], b"1-1")
    equal(raw.xinfo_consumers(b"x\0y", every)[0]["name"], every)


@case
def many_connections():
    connections = [connect() for _ in range(300)]
    for number, connection in enumerate(connections):
        connection.set(f"c:{number}", number)
    equal(r.dbsize(), 300)
    check(r.info("clients")["connected_clients"] >= 300)
    equal([c.get(f"c:{n}") for n, c in enumerate(connections)], [str(n) for n in range(300)])
    for connection in connections:
        connection.connection_pool.disconnect()
    eventually(lambda: r.info("clients")["connected_clients"] < 100)


@case
def clients():
    named = connect(client_name="worker-1", single_connection_client=True)
    equal(named.client_getname(), "worker-1")
    identity = named.client_id()
    check(isinstance(identity, int) and identity > 0)
    equal([named.client_info()["id"], named.client_info()["name"]], [identity, "worker-1"])
    row = [c for c in r.client_list() if c["name"] == "worker-1"][0]
    equal([row["id"], row["db"], row["cmd"]], [str(identity), "0", "client|info"])
    for field in ("addr", "laddr", "fd", "age", "idle", "flags", "qbuf", "obl", "omem", "resp"):
        check(field in row or (field == "resp"), "CLIENT LIST lacks " + field)
    equal(len(r.client_list(client_id=[str(identity)])), 1)
    equal(r.client_kill_filter(_id=identity), 1)
    raises(redis.ResponseError, "No such client", r.client_kill, "127.0.0.1:1")
    eventually(lambda: not any(c["name"] == "worker-1" for c in r.client_list()))
    raises(redis.ResponseError, "Client names cannot contain spaces, newlines or special "
           "characters.", r.client_setname, "two words")
    equal(r.execute_command("CLIENT NO-EVICT", "on"), "OK")


@case
def configuration():
    equal(r.config_get("maxclients").keys(), {"maxclients"})
    equal(r.config_get("appendfsync"), {"appendfsync": "always"})
    before = r.config_get("timeout")["timeout"]
    equal(r.config_set("timeout", 1234), True)
    equal(r.config_get("time*out"), {"timeout": "1234"})
    r.config_set("timeout", before)
    raises(redis.ResponseError, "Unknown option or number of arguments for CONFIG SET - 'nosuch'",
           r.config_set, "nosuch", 1)
    raises(redis.ResponseError, "CONFIG SET failed (possibly related to argument 'timeout')",
           r.config_set, "timeout", "soon")
    equal(r.config_resetstat(), True)


@case
def information():
    everything = r.info()
    for field in ("redis_version", "redis_mode", "tcp_port", "run_id", "uptime_in_seconds",
                  "process_id", "os", "arch_bits", "connected_clients", "blocked_clients",
                  "used_memory", "used_memory_human", "used_memory_rss", "maxmemory",
                  "maxmemory_policy", "loading", "total_connections_received",
                  "total_commands_processed", "instantaneous_ops_per_sec", "keyspace_hits",
                  "keyspace_misses", "expired_keys"):
        check(field in everything, "INFO lacks " + field)
    equal([everything["tcp_port"], everything["redis_mode"], everything["loading"]],
          [PORT, "standalone", 0])
    equal(len(everything["run_id"]), 40)
    if IS_IRMAK:
        check("irmak_version" in everything, "INFO lacks irmak_version")
    r.set("k", "v", ex=100)
    equal(r.info("keyspace")["db0"]["keys"], 1)
    equal(r.info("keyspace")["db0"]["expires"], 1)
    check("cmdstat_set" in r.info("commandstats"))
    seconds, microseconds = r.time()
    check(abs(seconds - time.time()) < 5 and 0 <= microseconds < 1_000_000)


@case
def commands_describe_themselves():
    table = r.command()
    for name in ("get", "set", "xadd", "xreadgroup", "client", "info"):
        check(name in table, "COMMAND lacks " + name)
    equal([table["get"]["arity"], table["get"]["first_key_pos"]], [2, 1])
    equal(r.command_count(), len(table))
    equal(r.command_getkeys("XREADGROUP", "GROUP", "g", "c", "STREAMS", "a", "b", ">", ">"),
          ["a", "b"])
    equal(r.command_getkeys("MSET", "a", "1", "b", "2"), ["a", "b"])


@case
def reset_and_quit():
    connection = connect(single_connection_client=True, client_name="gone")
    connection.execute_command("SELECT", 5)
    equal(connection.execute_command("RESET"), "RESET")
    equal(connection.client_getname(), None)
    equal(connection.client_info()["db"], 0)
    equal(connection.execute_command("QUIT"), True)


run("python3-redis", lambda: r.flushall())
