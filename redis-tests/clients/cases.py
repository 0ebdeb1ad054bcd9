"""The cases of one client: each is a function; the line `ok NAME` or `not ok NAME reason`."""

import os
import sys
import time
import traceback

PORT = int(os.environ.get("IRMAK_PORT", "0"))
UNIX = os.environ.get("IRMAK_UNIX", "")
IS_IRMAK = os.environ.get("IRMAK_FLAVOUR", "irmak") == "irmak"

_cases = []


def case(function):
    """Registers a case; cases run in the order of the file."""
    _cases.append(function)
    return function


def check(condition, *details):
    """A case fails here, saying what it saw."""
    if not condition:
        raise AssertionError(" ".join(repr(d) for d in details) or "condition is false")


def equal(seen, expected):
    if seen != expected:
        raise AssertionError(f"saw {str(seen)[:400]!r}, expected {str(expected)[:400]!r}")


def raises(kind, text, call, *arguments, **options):
    """The call must fail with exactly this exception type; its message starts with the text."""
    try:
        value = call(*arguments, **options)
    except Exception as error:  # the type is what is under test
        if type(error) is not kind or not str(error).startswith(text):
            raise AssertionError(
                f"{type(error).__name__}: {error}; expected {kind.__name__}: {text}") from error
        return
    raise AssertionError(f"no error but {value!r}; expected {kind.__name__}: {text}")


def eventually(condition, seconds=10.0):
    """Waits until the condition holds; a case fails when it never does."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("never became true: " + condition.__name__)
        time.sleep(0.005)


def run(prefix, before):
    """Runs every case after `before()`. Exits 1 if one failed. Arguments choose cases by name."""
    failures = 0
    wanted = sys.argv[1:]
    for function in _cases:
        name = function.__name__
        if wanted and name not in wanted:
            continue
        try:
            before()
            function()
            print(f"ok {prefix} {name}", flush=True)
        except Exception as error:  # every failure becomes a line
            failures += 1
            reason = " ".join(str(error).split()) or type(error).__name__
            print(f"not ok {prefix} {name} {type(error).__name__}: {reason[:600]}", flush=True)
            traceback.print_exc()
    sys.exit(1 if failures else 0)
