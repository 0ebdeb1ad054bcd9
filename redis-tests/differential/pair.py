"""Two servers that are given the same steps, and where their replies part."""

import itertools
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import server
from wire import Closed, Link, REPLY_SECONDS, Silent, encode, parse, reply_end

BATCH = 100
SETTLE_SECONDS = 1.0
SILENCE_SECONDS = 0.03
CONFIGURED = ("maxmemory", "timeout")  # what a segment may leave changed


class Mismatch:
    """The step whose replies differ, and the replies, None where there was none. `index` is that
    of the step behind which this was seen: a wait ends later than it begins."""

    def __init__(self, index, step, irmak, redis, reason):
        self.index, self.step = index, step
        self.irmak, self.redis, self.reason = irmak, redis, reason

    def __str__(self):
        return (f"command {self.index}: {self.step}\n  irmak: {_shown(self.irmak)}\n"
                f"  redis: {_shown(self.redis)}\n  {self.reason}{self._first_difference()}")

    def _first_difference(self):
        """Where long replies part, as bytes: times may part before what matters."""
        if not self.irmak or not self.redis or len(self.irmak) + len(self.redis) < 400:
            return ""
        at = len(os.path.commonprefix([self.irmak, self.redis]))
        from_ = max(0, at - 40)
        return (f"\n  first at byte {at}: irmak {self.irmak[from_:at + 80]!r}\n"
                f"  {'':{15 + len(str(at))}}redis {self.redis[from_:at + 80]!r}")


def _shown(reply):
    text = "(no reply)" if reply is None else repr(bytes(reply))
    return text if len(text) < 3000 else text[:3000] + "..."


class Side:
    """One server and the connections to it."""

    def __init__(self, process, is_redis):
        self.process, self.is_redis = process, is_redis
        self.control, self.links = None, []

    def fresh(self, protocol, clients):
        """An empty server, and this many new connections."""
        self.close_links()
        try:
            self.control = Link(self.process.port)
            self.control.call("FLUSHALL")
        except (Closed, OSError):  # a command has ended it: again, for the next segment
            self.process.process.wait(REPLY_SECONDS)
            self.process.start()
            self.control = Link(self.process.port)
            self.control.call("FLUSHALL")
        for parameter in CONFIGURED:
            self.control.call("CONFIG", "SET", parameter, "0")
        self.links = [self.open(protocol) for _ in range(clients)]

    def open(self, protocol):
        link = Link(self.process.port)
        if protocol == 3:
            link.call("HELLO", "3")
        return link

    def close_links(self):
        for link in self.links + ([self.control] if self.control else []):
            link.close()
        self.control, self.links = None, []


class Pair:
    """Irmak and Redis. `rules` decides which replies are equal though their bytes are not."""

    def __init__(self, irmak_options, rules):
        self.rules = rules
        self.irmak = Side(server.Server(irmak_options), False)
        self.redis = Side(server.Server(("--appendonly", "no"), binary="redis-server"), True)
        self.sides = (self.irmak, self.redis)
        self.nonces = itertools.count()

    def __enter__(self):
        for side in self.sides:
            side.process.start()
        return self

    def __exit__(self, *_):
        for side in self.sides:
            side.close_links()
            side.process.close()

    def restart_irmak(self):
        """Stops Irmak as an operator does, and starts it on the same directory."""
        self.irmak.close_links()
        if self.irmak.process.stop() != 0:
            raise RuntimeError("Irmak did not stop cleanly:\n" + self.irmak.process.log_tail())
        self.irmak.process.start()

    # ---- pipelined: one connection, many commands for each round trip ----

    def run(self, steps, protocol, fresh=True):
        """The first mismatch, or None. Protocol 0: the steps change it themselves."""
        self.rules.diverged = False
        if fresh:
            for side in self.sides:
                side.fresh(protocol, 1)
        batch, first = [], 0
        for index, step in enumerate(steps):
            if hasattr(step, "follow"):
                found = self._batch(batch, first, protocol) or self._follow(index, step, protocol)
                batch, first = [], index + 1
            else:
                batch.append(step)
                found = None
                if len(batch) == BATCH:
                    found = self._batch(batch, first, protocol)
                    batch, first = [], index + 1
            if found or self.rules.diverged:
                return found
        return self._batch(batch, first, protocol)

    def _follow(self, index, step, protocol):
        trees = []
        for side in self.sides:
            trees.append(step.follow(lambda words, side=side: parse(
                side.links[0].call(*words), protocol)))
        if trees[0] == trees[1]:
            return None
        shown = [repr(t).encode() for t in trees]
        return Mismatch(index, step, shown[0], shown[1], "the loops answer different names")

    def _batch(self, batch, first, protocol):
        if not batch:
            return None
        nonce = f"end of batch {next(self.nonces)}"
        mark = b"$%d\r\n%s\r\n" % (len(nonce), nonce.encode())
        for side in self.sides:
            payload = b"".join(s.bytes_for(side.is_redis) for s in batch)
            side.links[0].send(payload + encode(["ECHO", nonce]))
        data, ends = [], []
        for side in self.sides:
            end = None
            try:
                received = side.links[0].read_until(mark)
            except (Closed, Silent) as failure:
                received, end = failure.received, str(failure)
            data.append(received)
            ends.append(end)
        if data[0] == data[1] and ends == [None, None]:
            return None
        return self._compare_batch(batch, first, protocol, (data, ends))

    def _compare_batch(self, batch, first, protocol, received):
        data, ends = received
        at = [0, 0]
        for offset, step in enumerate(batch):
            for _ in range(step.replies):
                replies = []
                for which in (0, 1):
                    reply = None
                    try:
                        end = reply_end(data[which], at[which])
                        reply = data[which][at[which]:end]
                        at[which] = end
                    except (ValueError, IndexError):
                        pass
                    replies.append(reply)
                if self.rules.diverged:
                    return None
                if replies[0] == replies[1]:
                    if replies[0] is None:
                        return Mismatch(first + offset, step, None, None, f"ends: {ends}")
                    continue
                if None in replies:  # what ended the server may stand anywhere in the batch
                    return Mismatch(first + len(batch) - 1, step, *replies, f"ends: {ends}")
                reason = self.rules.equal(step.words, *replies, protocol)
                if reason:
                    return Mismatch(first + offset, step, *replies, reason)
        if self.rules.diverged:
            return None
        rest = [data[0][at[0]:], data[1][at[1]:]]
        if rest != [b"", b""] or ends != [None, None]:
            return Mismatch(first + len(batch) - 1, batch[-1], *rest, f"more replies; {ends}")
        return None

    # ---- in lockstep: several connections, some of them waiting ----

    def run_waiting(self, steps, protocol, clients):
        """As run, with `clients` connections that may wait; a step of one that waits already is
        left out, so that a shorter sequence is a sequence too."""
        self.rules.diverged = False
        for side in self.sides:
            side.fresh(protocol, clients)
        waiting = {}
        for index, step in enumerate(steps):
            if step.words == ["close"]:
                self._reopen(step.client, protocol)
                waiting.pop(step.client, None)
                self._settle()
            elif step.client not in waiting:
                for side in self.sides:
                    side.links[step.client].send(step.bytes_for(side.is_redis))
                waiting[step.client] = step
            must = step.client if waiting.get(step.client) is step and step.waits else None
            found = self._take_replies(waiting, must, index, protocol)
            if found:
                return found
        return None

    def _reopen(self, client, protocol):
        for side in self.sides:
            side.links[client].close()
            side.links[client] = side.open(protocol)

    def _settle(self):
        """Until both servers have done what they were sent: requests are taken in the order in
        which they came, and replies are sent at the end of a turn of the loop."""
        for side in self.sides:
            for _ in range(2):
                side.control.call("PING")

    def _take_replies(self, waiting, must, index, protocol):
        self._settle()
        for client in sorted(waiting):
            step = waiting[client]
            for number in range(step.replies):
                seconds = REPLY_SECONDS if client == must or number else 0.0
                replies = [self._try_read(s.links[client], seconds) for s in self.sides]
                if replies[0] is None and replies[1] is not None:
                    replies[0] = self._try_read(self.irmak.links[client], SETTLE_SECONDS)
                elif replies[1] is None and replies[0] is not None:
                    replies[1] = self._try_read(self.redis.links[client], SETTLE_SECONDS)
                if replies == [None, None]:
                    if client == must or number:
                        return Mismatch(index, step, None, None, "neither answers")
                    break
                if replies[0] != replies[1]:
                    reason = self.rules.equal(step.words, replies[0] or b"", replies[1] or b"",
                                              protocol)
                    if reason:
                        return Mismatch(index, step, *replies, reason)
                if None in replies:  # documented: one waits, one does not
                    self._reopen(client, protocol)
                    self._settle()
            else:
                del waiting[client]
        return None

    @staticmethod
    def _try_read(link, seconds):
        try:
            return link.read_reply(seconds)
        except Silent:
            return None
        except Closed:
            return b"-the connection was closed\r\n"

    # ---- bytes that are no request ----

    def run_bytes(self, payload):
        """One payload on new connections: what comes back, and whether it is closed. Silence is
        waited for when it is not the same silence on both sides."""
        results = self._send_bytes(payload, SILENCE_SECONDS)
        return results if results[0] == results[1] else self._send_bytes(payload, SETTLE_SECONDS)

    def _send_bytes(self, payload, seconds):
        nonce = f"end of bytes {next(self.nonces)}"
        mark = b"$%d\r\n%s\r\n" % (len(nonce), nonce.encode())
        results = []
        for side in self.sides:
            link = Link(side.process.port)
            link.send(payload + encode(["ECHO", nonce]))
            try:
                results.append((link.read_until(mark, seconds), "goes on"))
            except Closed as failure:
                results.append((failure.received, "closed"))
            except Silent as failure:
                results.append((failure.received, "wants more"))
            link.close()
        return results
