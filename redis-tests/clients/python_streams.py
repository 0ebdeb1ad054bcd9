"""Streams of Redis 8 by raw command, for which python3-redis 4.3.4 has no methods: what a library
passes on, real sockets, real time, threads that wait."""

import threading
import time

import redis

from cases import PORT, case, check, equal, eventually, raises, run


def connect():
    connection = redis.Redis(port=PORT, decode_responses=True)
    connection.response_callbacks.clear()
    return connection


r = connect()
call = r.execute_command


class Waiting:
    """A command that waits on a connection of its own."""

    def __init__(self, *words):
        self.connection = connect()
        self.id = self.connection.execute_command("CLIENT", "ID")
        self.reply = None
        self.thread = threading.Thread(target=self._run, args=words)
        self.thread.start()
        eventually(self.is_blocked)

    def _run(self, *words):
        try:
            self.reply = self.connection.execute_command(*words)
        except redis.ResponseError as error:
            self.reply = error

    def is_blocked(self):
        return f"id={self.id} " in call("CLIENT", "LIST", "ID", self.id) and \
            "flags=b" in call("CLIENT", "LIST", "ID", self.id)

    def answer(self):
        self.thread.join(20)
        check(not self.thread.is_alive(), "it still waits")
        return self.reply


@case
def a_message_is_stored_once():
    first = call("XADD", "s", "IDMP", "p", "m1", "*", "a", "1")
    equal(call("XADD", "s", "IDMP", "p", "m1", "*", "a", "1"), first)
    made = call("XADD", "s", "IDMPAUTO", "p", "*", "a", "1", "b", "2")
    equal(call("XADD", "s", "IDMPAUTO", "p", "*", "b", "2", "a", "1"), made)
    equal(call("XLEN", "s"), 2)
    fields = call("XINFO", "STREAM", "s")
    facts = dict(zip(fields[::2], fields[1::2]))
    equal([facts[name] for name in ("idmp-duration", "idmp-maxsize", "pids-tracked",
                                    "iids-tracked", "iids-added", "iids-duplicates")],
          [100, 100, 1, 2, 2, 2])
    equal(call("XCFGSET", "s", "IDMP-DURATION", "1"), "OK")
    forgotten = call("XADD", "s", "IDMP", "p", "m1", "*", "a", "1")
    check(forgotten != first)
    time.sleep(1.05)
    check(call("XADD", "s", "IDMP", "p", "m1", "*", "a", "1") != forgotten)


@case
def defaults_are_configured():
    raises(redis.ResponseError, "CONFIG SET failed", call, "CONFIG", "SET",
           "stream-idmp-maxsize", "0")
    equal(call("CONFIG", "SET", "stream-idmp-maxsize", "1"), "OK")
    try:
        first = call("XADD", "s", "IDMP", "p", "m1", "*", "a", "1")
        call("XADD", "s", "IDMP", "p", "m2", "*", "a", "1")
        check(call("XADD", "s", "IDMP", "p", "m1", "*", "a", "1") != first)
    finally:
        call("CONFIG", "SET", "stream-idmp-maxsize", "100")


@case
def a_claim_waits_for_time():
    call("XADD", "s", "1-1", "a", "1")
    call("XGROUP", "CREATE", "s", "g", "0")
    call("XREADGROUP", "GROUP", "g", "dead", "STREAMS", "s", ">")
    started = time.monotonic()
    waiting = Waiting("XREADGROUP", "GROUP", "g", "c", "BLOCK", "20000", "CLAIM", "300",
                      "STREAMS", "s", ">")
    (name, ((entry_id, fields, idle_ms, deliveries),)), = waiting.answer()
    check(0.25 < time.monotonic() - started < 15)
    equal((name, entry_id, fields, deliveries), ("s", "1-1", ["a", "1"], 1))
    check(idle_ms >= 300)


@case
def what_is_given_back_wakes_one():
    call("XADD", "s", "1-1", "a", "1")
    call("XGROUP", "CREATE", "s", "g", "0")
    call("XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", ">")
    waiting = [Waiting("XREADGROUP", "GROUP", "g", f"w{i}", "BLOCK", "20000", "CLAIM", "3600000",
                       "STREAMS", "s", ">") for i in range(5)]
    equal(call("XNACK", "s", "g", "FAIL", "IDS", 1, "1-1"), 1)
    equal(waiting[0].answer(), [["s", [["1-1", ["a", "1"], -1, 1]]]])
    equal([w.is_blocked() for w in waiting[1:]], [True] * 4)
    for w in waiting[1:]:
        equal(call("CLIENT", "UNBLOCK", w.id), 1)
        equal(w.answer(), None)


@case
def unblock_with_an_error():
    waiting = Waiting("XREAD", "BLOCK", "0", "STREAMS", "s", "$")
    equal(call("CLIENT", "UNBLOCK", waiting.id, "ERROR"), 1)
    equal(str(waiting.answer()), "UNBLOCKED client unblocked via CLIENT UNBLOCK")
    equal(call("CLIENT", "UNBLOCK", waiting.id), 0)


@case
def one_entry_wakes_one_of_many():
    call("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM")
    waiting = [Waiting("XREADGROUP", "GROUP", "g", f"w{i}", "BLOCK", "20000", "STREAMS", "s", ">")
               for i in range(20)]
    for i, w in enumerate(waiting):
        call("XADD", "s", f"{i + 1}-0", "a", "1")
        equal(w.answer(), [["s", [[f"{i + 1}-0", ["a", "1"]]]]])


@case
def removal_knows_references():
    for i in (1, 2, 3):
        call("XADD", "s", f"{i}-0", "a", i)
    for group in ("g", "h"):
        call("XGROUP", "CREATE", "s", group, "0")
        call("XREADGROUP", "GROUP", group, "c", "STREAMS", "s", ">")
    equal(call("XACKDEL", "s", "g", "ACKED", "IDS", 2, "1-0", "9-0"), [2, -1])
    equal(call("XACKDEL", "s", "h", "ACKED", "IDS", 1, "1-0"), [1])
    equal(call("XDELEX", "s", "ACKED", "IDS", 1, "2-0"), [2])
    equal(call("XDELEX", "s", "DELREF", "IDS", 1, "2-0"), [1])
    equal(call("XPENDING", "s", "g")[0], 1)
    equal(call("XTRIM", "s", "MAXLEN", "0", "ACKED"), 0)
    equal(call("XTRIM", "s", "MAXLEN", "0", "DELREF"), 1)
    equal([call("XPENDING", "s", group)[0] for group in ("g", "h")], [0, 0])


@case
def limits_of_one_reply():
    for key in ("s", "t"):
        for i in range(1, 101):
            call("XADD", key, f"{i}-0", "f", "x" * 99)
    def count(*options):
        reply = call("XREAD", *options, "STREAMS", "s", "t", "0", "0")
        return [len(entries) for _, entries in reply]
    equal(count(), [100, 100])
    equal(count("MAXCOUNT", 130), [100, 30])
    equal(count("COUNT", 80, "MAXCOUNT", 130), [80, 50])
    equal(count("MAXSIZE", 1000), [10])
    equal(count("MAXSIZE", 1), [1])
    equal(count("MAXSIZE", 15000), [100, 50])


run("python3-redis-streams", r.flushall)
