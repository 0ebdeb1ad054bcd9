"""redis-benchmark: every test of it that uses commands of this server; exit 0 and no error line."""

import subprocess

from cases import PORT, case, check, equal, run

TESTS = "ping_inline,ping_mbulk,set,get,incr,mset"
TEST_TITLES = 6
BENCHMARK_SECONDS = 300
KEEPALIVE_WARNING = "WARNING: Keepalive disabled."


def benchmark(*arguments):
    done = subprocess.run(
        ["redis-benchmark", "-p", str(PORT), "-c", "20", *arguments], stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=BENCHMARK_SECONDS, check=False)
    everything = done.stdout + done.stderr
    check(done.returncode == 0, "exit status", done.returncode, everything[-500:])
    everything = everything.replace(KEEPALIVE_WARNING, "")
    for sign in ("rror", "WARN", "ERR ", "WRONGTYPE", "Could not"):
        check(sign not in everything, "it prints", everything[-500:])
    return done.stdout


def rows(output):
    """The rows of --csv: name and requests per second."""
    lines = [line.split(",") for line in output.strip().split("\n")]
    equal(lines[0][0], '"test"')
    for fields in lines[1:]:
        check(float(fields[1].strip('"')) > 0, "no requests", fields)
    return [fields[0].strip('"') for fields in lines[1:]]


@case
def every_supported_test():
    output = benchmark("-n", "2000", "-t", TESTS)
    equal(output.count("requests completed in"), TEST_TITLES)


@case
def every_supported_test_pipelined():
    output = benchmark("-n", "16000", "-P", "16", "-r", "1000", "-d", "100", "-t", TESTS)
    equal(output.count("requests completed in"), TEST_TITLES)


@case
def quiet_with_comma_separated_values():
    for pipeline in ("1", "16"):
        names = rows(benchmark("-q", "--csv", "-n", "3200", "-P", pipeline, "-t", TESTS))
        equal(names, ["PING_INLINE", "PING_MBULK", "SET", "GET", "INCR", "MSET (10 keys)"])


@case
def command_line_of_xadd():
    for pipeline in ("1", "16"):
        benchmark("-q", "-n", "3200", "-P", pipeline, "XADD", "bench", "*", "field", "value")
    length = subprocess.run(["redis-cli", "-p", str(PORT), "XLEN", "bench"], capture_output=True,
                            text=True, check=True).stdout.strip()
    check(int(length) >= 6400, "entries", length)


@case
def command_line_of_group_reading():
    for words in ("XADD work * job 1", "XGROUP CREATE work group 0"):
        subprocess.run(["redis-cli", "-p", str(PORT), *words.split()], check=True,
                       stdout=subprocess.DEVNULL)
    benchmark("-q", "-n", "2000", "-P", "16", "XREADGROUP", "GROUP", "group", "me", "COUNT", "10",
              "STREAMS", "work", ">")


@case
def many_clients_and_no_keepalive():
    benchmark("-q", "-n", "2000", "-c", "200", "-t", "set,get")
    benchmark("-q", "-n", "500", "-k", "0", "-t", "get")


@case
def resp3():
    benchmark("-q", "-3", "-n", "2000", "-t", "set,get")


def empty():
    subprocess.run(["redis-cli", "-p", str(PORT), "FLUSHALL"], check=True,
                   stdout=subprocess.DEVNULL)


run("redis-benchmark", empty)
