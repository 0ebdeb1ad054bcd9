"""A consumer with python3-redis: reads, notes each delivery, acknowledges, notes the answer.

It works until $STOP_FILE exists. After a lost connection it first asks for its own history, as a
worker must. A pending entry of others that is idle for a second is claimed.
"""

import os
import time

import redis

STREAM, GROUP, NAME = (os.environ[k] for k in ("STREAM", "GROUP", "CONSUMER"))
JOURNAL = os.open(os.environ["JOURNAL"], os.O_WRONLY | os.O_APPEND)
COUNT = 16
IDLE_MS = 1000
BLOCK_MS = 200


def note(*words):
    """One write(2) for each line: the order of the journal is the order of events."""
    os.write(JOURNAL, (" ".join((NAME, *words)) + "\n").encode())


def work_on(client, entries):
    for identity, fields in entries:
        if fields is not None:
            note("deliver", identity, fields["number"])
    for identity, _ in entries:
        time.sleep(0.0005)
        note("acking", identity)
        note("acked", identity, str(client.xack(STREAM, GROUP, identity)))


def entries_of(reply):
    return reply[0][1] if reply else []


def consume(client):
    while True:
        note("ask")
        history = entries_of(client.xreadgroup(GROUP, NAME, {STREAM: "0"}, count=COUNT))
        if not history:
            break
        work_on(client, history)
    while not os.path.exists(os.environ["STOP_FILE"]):
        note("ask")
        work_on(client, entries_of(
            client.xreadgroup(GROUP, NAME, {STREAM: ">"}, count=COUNT, block=BLOCK_MS)))
        note("ask")
        claimed = client.execute_command("XAUTOCLAIM", STREAM, GROUP, NAME, IDLE_MS, "0-0",
                                         "COUNT", COUNT)[1]
        work_on(client, claimed)


def main():
    client = redis.Redis(port=int(os.environ["IRMAK_PORT"]), decode_responses=True)
    while not os.path.exists(os.environ["STOP_FILE"]):
        try:
            consume(client)
        except (redis.ConnectionError, redis.exceptions.BusyLoadingError) as error:
            print("again after:", error, flush=True)
            time.sleep(0.05)


main()
