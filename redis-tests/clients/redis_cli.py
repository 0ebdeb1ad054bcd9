"""redis-cli (Debian's 7.0.15) against the server on $IRMAK_PORT."""

import os
import pty
import select
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from cases import PORT, UNIX, case, check, equal, eventually, run
from server import Server

CLI_SECONDS = 60


def cli(*arguments, stdin=None, port=PORT, status=0):
    """Standard output of one redis-cli, without the last newline."""
    if isinstance(stdin, str):
        stdin = stdin.encode()
    done = subprocess.run(["redis-cli", "-p", str(port), *arguments], input=stdin,
                          stdin=None if stdin is not None else subprocess.DEVNULL,
                          capture_output=True, timeout=CLI_SECONDS, check=False)
    if done.returncode != status:
        raise AssertionError(f"redis-cli {arguments}: status {done.returncode}: "
                             f"{done.stdout[-300:]!r} {done.stderr[-300:]!r}")
    return done.stdout.decode("utf-8", "surrogateescape").removesuffix("\n")


def resp(*words):
    frame = b"*%d\r\n" % len(words)
    for word in words:
        word = word if isinstance(word, bytes) else str(word).encode()
        frame += b"$%d\r\n%s\r\n" % (len(word), word)
    return frame


@case
def arguments():
    equal(cli("PING"), "PONG")
    equal(cli("SET", "k", "v"), "OK")
    equal(cli("GET", "k"), "v")
    equal(cli("--no-raw", "GET", "missing"), "(nil)")
    equal(cli("--no-raw", "INCR", "n"), "(integer) 1")
    equal(cli("-x", "SET", "k", stdin="from stdin"), "OK")
    equal(cli("GET", "k"), "from stdin")
    equal(cli("-e", "INCR", "k", status=1), "")


@case
def standard_input():
    lines = "SET a 1\nINCR a\nAPPEND a \"x y\\n\"\nSTRLEN a\nGET \"no such\"\nEXISTS a 'a'\n"
    equal(cli(stdin=lines), "OK\n2\n5\n5\n\n2")
    equal(cli("--no-raw", stdin="XADD s 1-1 f v\nXRANGE s - +\nXADD s 1-1 f v\n"),
          '"1-1"\n1) 1) "1-1"\n   2) 1) "f"\n      2) "v"\n(error) ERR The ID specified in XADD is '
          'equal or smaller than the target stream top item')


@case
def transactions():
    equal(cli(stdin="MULTI\nSET a 1\nINCR a\nEXEC\nMULTI\nNOSUCH\nEXEC\nGET a\n"),
          "OK\nQUEUED\nQUEUED\nOK\n2\nOK\nERR unknown command 'NOSUCH', with args beginning with: "
          "\n\nEXECABORT Transaction discarded because of previous errors.\n\n2")


@case
def resp3_shows_maps():
    equal(cli("-3", "--no-raw", "HELLO").split("\n")[0], '1# "server" => "redis"')
    cli("XADD", "s", "1-1", "f", "v")
    equal(cli("-3", "--no-raw", "XREAD", "STREAMS", "s", "0"),
          '1# "s" => \n   1) 1) "1-1"\n      2) 1) "f"\n         2) "v"')
    equal(cli("--no-raw", "XREAD", "STREAMS", "s", "0"),
          '1) 1) "s"\n   2) 1) 1) "1-1"\n         2) 1) "f"\n            2) "v"')
    equal(cli("-3", "--no-raw", "CONFIG", "GET", "appendfsync"), '1# "appendfsync" => "always"')
    equal(cli("-3", "--json", "CONFIG", "GET", "appendfsync"), '{"appendfsync":"always"}')
    equal(cli("-3", "--no-raw", "GET", "missing"), "(nil)")


@case
def databases():
    equal(cli("-n", "3", "SET", "k", "three"), "OK")
    equal([cli("-n", "3", "GET", "k"), cli("GET", "k")], ["three", ""])
    equal(cli(stdin="SELECT 3\nGET k\nDBSIZE\n"), "OK\nthree\n1")
    equal(cli("-s", UNIX, "-n", "3", "GET", "k"), "three")


@case
def passwords():
    with Server(["--requirepass", "river"]) as server:
        equal(cli("PING", port=server.port), "NOAUTH Authentication required.\n")
        equal(cli("--no-auth-warning", "-a", "river", "SET", "k", "v", port=server.port), "OK")
        equal(cli("--no-auth-warning", "--user", "default", "--pass", "river", "GET", "k",
                  port=server.port), "v")
        equal(cli("--no-auth-warning", "-3", "-a", "river", "GET", "k", port=server.port), "v")
        equal(cli(stdin="AUTH wrong\nGET k\nAUTH river\nGET k\n", port=server.port),
              "WRONGPASS invalid username-password pair or user is disabled.\n\n"
              "NOAUTH Authentication required.\n\nOK\nv")
        equal(cli(stdin="HELLO 3 AUTH default wrong\nHELLO 2\n", port=server.port).split("\n")[0],
              "WRONGPASS invalid username-password pair or user is disabled.")
        equal(cli(stdin="HELLO 3 AUTH default river\nGET k\n", port=server.port).split("\n")[-1],
              "v")


@case
def pipe_mode():
    count = 20_000
    load = b"".join(resp("SET", f"key:{i}", i) for i in range(count))
    last = cli("--pipe", stdin=load).split("\n")[-1]
    equal(last, f"errors: 0, replies: {count}")
    equal([cli("DBSIZE"), cli("GET", "key:19999")], [str(count), "19999"])
    mixed = (resp("SET", "w", "word") + resp("INCR", "w")
             + resp("XADD", "s", "*", b"\0\r\n", b"\xff"))
    out = cli("--pipe", stdin=mixed, status=1)
    equal(out.split("\n")[-1], "errors: 1, replies: 3")
    equal(cli("--pipe", stdin="SET inline 1\r\nINCR inline\r\n").split("\n")[-1],
          "errors: 0, replies: 2")
    equal(cli("GET", "inline"), "2")


@case
def interactive_with_hints():
    """On a terminal redis-cli asks COMMAND DOCS and INFO, then shows a prompt."""
    master, slave = pty.openpty()
    process = subprocess.Popen(["redis-cli", "-p", str(PORT)], stdin=slave, stdout=slave,
                               stderr=slave, env=dict(os.environ, TERM="dumb", HOME="/nonexistent"))
    os.close(slave)
    seen = b""

    def read_until(text):
        nonlocal seen
        deadline = time.monotonic() + CLI_SECONDS
        while text not in seen:
            check(time.monotonic() < deadline, "no prompt", text, seen[-300:])
            if select.select([master], [], [], 0.2)[0]:
                seen += os.read(master, 65536)

    try:
        read_until(f"127.0.0.1:{PORT}> ".encode())
        os.write(master, b"XADD s 5-5 f v\n")
        read_until(b'"5-5"')
        os.write(master, b"SELECT 2\n")
        read_until(f"127.0.0.1:{PORT}[2]> ".encode())
        os.write(master, b"help xadd\n")
        read_until(b"summary:")
        os.write(master, b"quit\n")
        equal(process.wait(CLI_SECONDS), 0)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        os.close(master)


@case
def command_docs():
    docs = cli("COMMAND", "DOCS", "get", "xadd")
    check("summary" in docs and "since" in docs and "group" in docs, docs[:200])
    check(cli("COMMAND", "INFO", "get").startswith("get\n2\n"), cli("COMMAND", "INFO", "get"))
    equal(cli("COMMAND", "GETKEYS", "XREAD", "COUNT", "1", "STREAMS", "a", "b", "0", "0"), "a\nb")
    listed = cli("COMMAND", "LIST").split("\n")
    check("set" in listed and "xautoclaim" in listed, listed)
    equal(cli("COMMAND", "COUNT"), str(sum("|" not in name for name in listed)))


@case
def repeat_and_formats():
    equal(cli("-r", "5", "INCR", "n"), "1\n2\n3\n4\n5")
    equal(cli("--csv", "MGET", "n", "none"), '"5",NULL')
    equal(cli("--json", "MGET", "n", "none"), '["5",null]')


@case
def scan_and_big_keys():
    cli("--pipe", stdin=b"".join(resp("SET", f"key:{i}", "x" * (i % 50)) for i in range(2000)))
    equal(len(set(cli("--scan", "--pattern", "key:*").split("\n"))), 2000)
    equal(len(cli("--scan", "--pattern", "key:1?").split("\n")), 10)


@case
def streams_with_a_group():
    script = """XGROUP CREATE s g $ MKSTREAM
XADD s 1-0 i 1
XADD s 2-0 i 2
XREADGROUP GROUP g a COUNT 1 STREAMS s >
XACK s g 1-0
XREADGROUP GROUP g a STREAMS s >
XPENDING s g
XCLAIM s g b 0 2-0 JUSTID
XAUTOCLAIM s g c 0 0 JUSTID
XINFO GROUPS s
"""
    equal(cli(stdin=script).split("\n"), [
        "OK", "1-0", "2-0", "s", "1-0", "i", "1", "1", "s", "2-0", "i", "2",
        "1", "2-0", "2-0", "a", "1", "2-0", "0-0", "2-0", "",
        "name", "g", "consumers", "3", "pending", "1", "last-delivered-id", "2-0",
        "entries-read", "2", "lag", "0"])


@case
def blocked_reader():
    reader = subprocess.Popen(["redis-cli", "-p", str(PORT), "XREAD", "BLOCK", "20000", "STREAMS",
                               "s", "$"], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    try:
        eventually(lambda: "flags=b" in cli("CLIENT", "LIST"))
        cli("XADD", "s", "3-3", "f", "v")
        equal(reader.communicate(timeout=CLI_SECONDS)[0], b"s\n3-3\nf\nv\n")
    finally:
        if reader.poll() is None:
            reader.kill()
            reader.wait()


@case
def large_value():
    value = "abcdefghij" * 1_048_576
    equal(cli("-x", "SET", "large", stdin=value), "OK")
    check(cli("GET", "large") == value, "10 MB came back changed")


@case
def information():
    text = cli("INFO", "server")
    for field in ("redis_version", "redis_mode", "tcp_port", "process_id", "run_id"):
        check(f"{field}:" in text, "INFO server lacks " + field)
    check(cli("CLIENT", "LIST").startswith("id="))
    equal(cli("CONFIG", "SET", "timeout", "77"), "OK")
    equal(cli("CONFIG", "GET", "timeout"), "timeout\n77")
    equal(cli("CONFIG", "SET", "timeout", "0"), "OK")


run("redis-cli", lambda: cli("FLUSHALL"))
