"""What two correct servers may answer differently: times, and the documented differences.

`Rules.equal` compares two replies that differ as bytes. Times are made comparable first: they are
part of no promise but their order of magnitude. Then the rules of the documented differences are
applied; each names its entry in differences.txt, where the reason stands. A rule is as narrow as
it can be: it says what exactly Redis answers and what Irmak has to answer instead.
"""

import os
import re
import time

from wire import NULL, NULL_ARRAY, NULL_BULK, ProtocolError, parse

FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "differences.txt")
TOLERANCE_MS = 5000
IDLE_CLASSES_MS = (45_000, 90_000, 950_000, 10 ** 10)
_ID_OF_NOW = re.compile(rb"1[789][0-9]{11}-[0-9]+")
WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
_LIBC_ID = re.compile(r"\(?( |\+[0-9]|[0-9]+-( |\+)[0-9])")
_RULES = []
_DIVERGING = set()
# Bytes that are no request, see equal_bytes: more words than 1048576; NUL in a line of a request.
_OF_BYTES = ("request-words", "nul-in-a-header")
_MANY_WORDS = re.compile(rb"\*[0-9]{7,10}\r\n")
_CHOICES = "argument(s) must be one of the following: "


def difference(name, *commands, diverges=False):
    """Declares a rule: function(words, irmak, redis) answers the two trees, changed where the
    difference named is there. `commands` are the ones it is about, none for all. When it
    `diverges`, the servers now hold different data and the segment ends."""
    def register(function):
        _RULES.append((name, commands, function))
        if diverges:
            _DIVERGING.add(name)
        return function
    return register


def documented():
    """The entries of differences.txt: name -> reason."""
    entries, name = {}, None
    with open(FILE, encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("#") or not line.strip():
                continue
            if not line[0].isspace():
                name = line.strip()
                entries[name] = ""
            else:
                entries[name] += line.strip() + " "
    return entries


class Rules:
    """Compares replies, and counts which differences were met."""

    def __init__(self):
        self.met = {name: 0 for name in [rule[0] for rule in _RULES] + list(_OF_BYTES)}
        self.diverged = False

    def check_file(self):
        """What is wrong between the file and the rules, or None."""
        entries = documented()
        for name in self.met:
            if name not in entries:
                return f"the rule {name} is not in differences.txt"
        for name, reason in entries.items():
            if name not in self.met:
                return f"{name} in differences.txt has no rule"
            if len(reason) < 20:
                return f"{name} in differences.txt has no reason"
        return None

    def equal(self, words, irmak, redis, protocol):
        """None, or what is wrong. The replies are bytes; empty when there is none."""
        try:
            a = parse(irmak, protocol) if irmak else None
        except ProtocolError as error:
            return f"Irmak's reply is not RESP{protocol or ''}: {error}"
        b = parse(redis, protocol) if redis else None
        return self.equal_trees(words, a, b)

    def equal_trees(self, words, a, b):
        """The same for trees."""
        if a is not None and b is not None:
            a, b = without_times(words, a, b)
        if a == b:
            return None
        name = words[0].lower() if words else ""
        for entry, commands, rule in _RULES:
            if commands and name not in commands:
                continue
            changed = rule(words, a, b)
            if changed != (a, b):
                self.met[entry] += 1
                self.diverged |= entry in _DIVERGING
                a, b = changed
                if a == b:
                    return None
        return "the replies differ"  # pair.Mismatch shows where

    def equal_bytes(self, payload, irmak, redis):
        """Whether what came back for bytes that are no request is equal, or documented."""
        if irmak == redis:
            return True
        name = None
        if _MANY_WORDS.search(payload) and b"invalid multibulk length" in irmak[0]:
            name = "request-words"
        elif b"\x00" in payload and redis[1] == "wants more":
            name = "nul-in-a-header"
        if name:
            self.met[name] += 1
        return name is not None


# ---- times ----

def without_times(words, a, b):
    """Both trees with times replaced by what must be equal about them."""
    name = words[0].lower() if words else ""
    if name in ("ttl", "pttl", "expiretime", "pexpiretime"):
        unit = 1 if name in ("pttl", "pexpiretime") else 1000
        if a[0] == b[0] == ":" and min(a[1], b[1]) > 0:
            if abs(a[1] - b[1]) * unit <= TOLERANCE_MS:
                return b, b
        return a, b
    if name == "time" and a[0] == b[0] == "*":
        return tuple(("*", tuple((k, v.isdigit()) for k, v in t[1])) for t in (a, b))
    if name == "client" and len(words) == 2 and words[1].lower() == "id":
        return (a[0], ""), (b[0], "")
    if name == "randomkey":
        return a[:1] + (a[1] is None,), b[:1] + (b[1] is None,)
    if _names_without_order(words) and a[0] == b[0] == "*":
        return ("*", tuple(sorted(a[1]))), ("*", tuple(sorted(b[1])))
    if name == "scan":
        a, b = _sorted_scan(a), _sorted_scan(b)
        if a[0] == b[0] == "*" and not (words[1] == "0" and a[1][0] == b[1][0] == ("$", b"0")):
            return b, b  # parts of two loops; whole ones are compared by ScanLoop
        return a, b
    if name == "hello":
        return _identity(a), _identity(b)
    if name == "xpending" and len(words) > 3:
        return _pending_idle(a), _pending_idle(b)
    if name == "xinfo":
        now_ms = int(time.time() * 1000)
        a, b = _information(a, now_ms), _information(b, now_ms)
    return _ids_of_now(a), _ids_of_now(b)


def _names_without_order(words):
    return words[0].lower() == "keys" or [w.lower() for w in words[:2]] == ["command", "list"]


def _ids_of_now(tree):
    kind, value = tree
    if kind in "*%~>" and value is not None:
        return kind, tuple(_ids_of_now(item) for item in value)
    if kind == "$" and value is not None and _ID_OF_NOW.fullmatch(value):
        return kind, b"an ID of now"
    return tree


def _sorted_scan(tree):
    if tree[0] != "*" or len(tree[1]) != 2:
        return tree
    return "*", (tree[1][0], ("*", tuple(sorted(tree[1][1][1]))))


def _identity(tree):
    """HELLO: who answers is not compared, only that it is said."""
    if tree[0] not in "*%" or tree[1] is None:
        return tree
    items = list(tree[1])
    for i in range(0, len(items), 2):
        if items[i][1] in (b"server", b"version", b"id", b"modules"):
            items[i + 1] = (items[i + 1][0], items[i][1])
    return tree[0], tuple(items)


def _idle_class(ms):
    return "idle", sum(ms >= limit for limit in IDLE_CLASSES_MS)


def _pending_idle(tree):
    if tree[0] != "*" or tree[1] is None:
        return tree
    rows = []
    for row in tree[1]:
        if row[0] == "*" and len(row[1]) == 4:
            row = ("*", (_ids_of_now(row[1][0]), row[1][1], _idle_class(row[1][2][1]), row[1][3]))
        rows.append(row)
    return "*", tuple(rows)


def _fields(tree):
    """[(name, value)...] of a map, or of an array that begins with a name; else None."""
    kind, items = tree
    if kind not in "*%" or not items or len(items) % 2 or items[0][0] != "$":
        return None
    if items[0][1] not in (b"name", b"length"):
        return None
    return [(items[i][1], items[i + 1]) for i in range(0, len(items), 2)]


def _from_fields(kind, fields):
    return kind, tuple(item for name, value in fields for item in (("$", name), value))


def _information(tree, now_ms):
    """XINFO: idle times by class, points of time by how long ago they are."""
    fields = _fields(tree)
    if fields is None:
        if tree[0] == "*" and tree[1] is not None:
            return "*", tuple(_information(item, now_ms) for item in tree[1])
        return tree
    changed = []
    for name, value in fields:
        if name in (b"idle", b"inactive"):
            value = _idle_class(value[1]) if value[1] >= 0 else value
        elif name in (b"seen-time", b"active-time"):
            value = _idle_class(now_ms - value[1]) if value[1] >= 0 else value
        elif name in (b"pending", b"pel") and value[0] == "*":
            value = ("*", tuple(_pending_time(row, now_ms) for row in value[1]))
        elif name in (b"groups", b"consumers") and value[0] == "*":
            value = ("*", tuple(_information(item, now_ms) for item in value[1]))
        changed.append((name, value))
    return _from_fields(tree[0], changed)


def _pending_time(row, now_ms):
    items = list(row[1])
    items[-2] = _idle_class(now_ms - items[-2][1])
    return row[0], tuple(items)


# ---- documented differences ----

def _error(tree):
    return tree[1].decode("latin-1") if tree is not None and tree[0] == "-" else None


def _texts(name, commands, pairs):
    """A rule: where Redis answers the first text of a pair, Irmak answers the second."""
    @difference(name, *commands)
    def _rule(_words, a, b):
        for old, new in pairs:
            if _error(b) == old and _error(a) == new:
                return b, b
        return a, b


_texts("unbalanced-text", ("xread", "xreadgroup"), (
    ("ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified.",
     "ERR Unbalanced 'xread' list of streams: for each stream key an ID, '+', or '$' must be "
     "specified."),
    ("ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified.",
     "ERR Unbalanced 'xreadgroup' list of streams: for each stream key an ID or '>' must be "
     "specified.")))


def _map_fields(tree, change):
    """The tree with `change` applied to the fields of every XINFO map in it."""
    if tree is None:
        return tree
    fields = _fields(tree)
    if fields is None:
        if tree[0] == "*" and tree[1] is not None:
            return "*", tuple(_map_fields(item, change) for item in tree[1])
        return tree
    nested = []
    for name, value in change(fields):
        if name in (b"groups", b"consumers") and value[0] == "*":
            value = ("*", tuple(_map_fields(item, change) for item in value[1]))
        nested.append((name, value))
    return _from_fields(tree[0], nested)


def _without(*names):
    return lambda fields: [f for f in fields if f[0] not in names]


@difference("radix-tree", "xinfo")
def _radix_tree(_words, a, b):
    change = _without(b"radix-tree-keys", b"radix-tree-nodes")
    return _map_fields(a, change), _map_fields(b, change)


@difference("lag-exact", "xinfo")
def _lag_exact(_words, a, b):
    change = _without(b"lag", b"entries-read")
    return _map_fields(a, change), _map_fields(b, change)


@difference("xinfo-newer-fields", "xinfo")
def _newer_fields(_words, a, b):
    newer = _without(b"inactive", b"active-time", b"nacked-count", b"idmp-duration",
                     b"idmp-maxsize", b"pids-tracked", b"iids-tracked", b"iids-added",
                     b"iids-duplicates")
    return _map_fields(a, newer), b


# ---- waiting ----

def _no_group(words):
    """The errors that XREADGROUP answers for its keys when it is run again."""
    streams = next(i for i in range(4, len(words)) if words[i].lower() == "streams")
    keys = words[streams + 1:streams + 1 + (len(words) - streams - 1) // 2]
    return {f"NOGROUP No such key '{key}' or consumer group '{words[2]}' in XREADGROUP with GROUP "
            "option" for key in keys}


@difference("wait-ends-by-running-again", "xreadgroup")
def _run_again(words, a, b):
    if _error(b) == "UNBLOCKED the stream key no longer exists":
        if _error(a) in _no_group(words) | {WRONG_TYPE}:
            return b, b
    if _error(b) == "NOGROUP the consumer group this client was blocked on no longer exists":
        if _error(a) in _no_group(words):
            return b, b
    return a, b


@difference("woken-by-nothing", "xread")
def _woken_by_nothing(_words, a, b):
    if a is not None or b is None or b[0] not in "*%" or not b[1]:
        return a, b
    pairs = zip(b[1][::2], b[1][1::2]) if b[0] == "%" else [pair[1] for pair in b[1]]
    return (b, b) if all(entries == ("*", ()) for _, entries in pairs) else (a, b)


# ---- strings, keys, connections ----

@difference("scan-cursor", "scan")
def _scan_cursor(words, a, b):
    strict = len(words) > 1 and not words[1].isdigit()
    return (b, b) if strict and _error(a) == "ERR invalid cursor" else (a, b)


@difference("expired-are-counted", "dbsize")
def _expired_are_counted(_words, a, b):
    return (b, b) if a[0] == b[0] == ":" and 0 <= a[1] < b[1] <= a[1] + 5 else (a, b)


@difference("getrange-end", "getrange", "substr")
def _getrange_end(words, a, b):
    """Redis 7.0 answers the first byte when the end lies before the string."""
    before = len(words) == 4 and words[3].startswith("-")
    return (b, b) if before and a == ("$", b"") and b[0] == "$" and len(b[1]) == 1 else (a, b)


@difference("glob-of-nothing", "keys", "scan")
def _glob_of_nothing(words, a, b):
    """Irmak: the pattern ** matches the empty name, as * does."""
    if not any(set(w) == {"*"} and len(w) > 1 for w in words):
        return a, b

    def without_empty(tree):
        return tree[0], tuple(t for t in tree[1] if t != ("$", b""))
    if words[0].lower() == "keys":
        return without_empty(a), b
    return ("*", (a[1][0], without_empty(a[1][1]))), b


@difference("help-texts")
def _help(words, a, b):
    if len(words) == 2 and words[1].lower() == "help" and a[0] == b[0] == "*":
        if a[1][0] == b[1][0] and all(kind == "+" for kind, _ in a[1]):
            return b, b
    return a, b


@difference("quoted-words")
def _quoted(words, a, b):
    """NUL and what is very long, where an error quotes the words of the client."""
    if _error(a) and _error(b) and any("\0" in w or len(w) > 128 for w in words):
        if _error(a)[:8] == _error(b)[:8]:
            return b, b
    return a, b


@difference("command-table", "command")
def _command_table(words, a, b):
    """Flags, categories and key specifications: those of the newer Redis."""
    name = words[1].lower() if len(words) == 3 else ""
    if _error(a) and _error(b) == f"ERR wrong number of arguments for 'command|{name}' command":
        return b, b
    if _error(a) == "ERR Invalid arguments specified for command" and len(words) > 2:
        if words[1].lower().startswith("getkeys") and words[2].lower().startswith("xread"):
            return b, b
    if len(words) > 2 and words[1].lower() == "getkeysandflags":
        return _without_flags(a), _without_flags(b)
    if len(words) > 2 and words[1].lower() == "info" and a[0] == b[0] == "*":
        return _names_and_arity(a), _names_and_arity(b)
    return a, b


def _without_flags(tree):
    if tree[0] != "*":
        return tree
    return "*", tuple(("*", row[1][:1]) for row in tree[1])


def _names_and_arity(tree):
    """Of each command, and of its subcommands: name, arity, first key, last key, step."""
    rows = []
    for row in tree[1]:
        if row[0] == "*" and row[1] is not None:
            first = 0 if row[1][0][1].startswith(b"command|getkeys") else 1
            row = ("*", row[1][:1 + first] + row[1][3:6])
        rows.append(row)
    return "*", tuple(rows)


@difference("id-sign", "xrange", "xrevrange", "xpending", "xautoclaim")
def _id_sign(words, a, b):
    if _error(a) == "ERR Invalid stream ID specified as stream command argument":
        if any(_LIBC_ID.match(w) for w in words[2:]):
            return b, b
    return a, b


@difference("config-at-start", "config")
def _config_at_start(words, a, b):
    if _error(a) and _error(b) and words[1].lower() == "set":
        if _error(a).endswith(" - can't set immutable config"):
            return b, b
    return a, b


@difference("config-get-name", "config")
def _config_name(words, a, b):
    """CONFIG GET of a name: Redis 7.0 answers the name as the client wrote it."""
    if len(words) > 2 and words[1].lower() == "get" and a[0] == b[0] and a[0] in "*%":
        return tuple((t[0], tuple((kind, value.lower()) for kind, value in t[1])) for t in (a, b))
    return a, b


@difference("config-empty-size", "config", diverges=True)
def _config_size(words, a, b):
    refused = (_error(a) or "").endswith("argument must be a memory value")
    return (b, b) if refused and "" in words and b == ("+", b"OK") else (a, b)


@difference("last-entry-id", "xread", "xreadgroup")
def _last_entry(words, a, b):
    invalid = "ERR Invalid stream ID specified as stream command argument"
    if _error(b) != invalid or "+" not in words:
        return a, b
    if words[0].lower() == "xread":
        return (b, b) if _error(a) in (None, WRONG_TYPE) else (a, b)
    return (b, b) if (_error(a) or "").startswith("ERR The + ID is meaningless in") else (a, b)


@difference("hello-at-once", "hello", diverges=True)
def _hello(words, a, b):
    """Redis 7.0 does each option as it reads it, newer ones when all are read."""
    return (b, b) if _error(a) and _error(b) and len(words) > 4 else (a, b)


@difference("xsetid-below-deleted", "xsetid", diverges=True)
def _xsetid(_words, a, b):
    text = "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id"
    refused = (_error(b) or "").startswith("ERR The ")
    return (b, b) if _error(a) == text and (refused or b == ("+", b"OK")) else (a, b)


@difference("config-choices", "config")
def _config_choices(words, a, b):
    """The values that a parameter can have, listed in an error."""
    if words[1].lower() == "set" and _error(a) and _error(b):
        if _error(a).split(_CHOICES)[0] == _error(b).split(_CHOICES)[0] != _error(b):
            return b, b
    return a, b
