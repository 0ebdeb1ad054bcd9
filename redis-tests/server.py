"""Start, kill and stop the server under test.

The binary is $IRMAK_SERVER (default build/irmak-server). Every server gets a free port of the
loopback and a directory of its own; only processes that were started here are ever stopped.

As a program:  server.py [--option value ...] -- COMMAND ...
starts a server with those options, runs COMMAND with IRMAK_PORT, IRMAK_UNIX and IRMAK_FLAVOUR
(irmak or redis) in its environment, stops the server, and exits as COMMAND did.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
START_ATTEMPTS = 5
START_SECONDS = 30.0
STOP_SECONDS = 30.0
POLL_SECONDS = 0.01


def server_binary():
    path = os.environ.get("IRMAK_SERVER", os.path.join(ROOT, "build", "irmak-server"))
    found = shutil.which(path)
    if found is None:
        sys.exit(f"no server at {path}: build it with make, or set IRMAK_SERVER")
    return os.path.abspath(found)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def send_command(port, *words, timeout=5.0):
    """The first line of the reply to one command, over a connection of its own."""
    frame = f"*{len(words)}\r\n" + "".join(f"${len(w)}\r\n{w}\r\n" for w in words)
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as connection:
        connection.sendall(frame.encode())
        reply = b""
        while not reply.endswith(b"\r\n"):
            part = connection.recv(65536)
            if not part:
                break
            reply += part
    return reply.decode("utf-8", "replace")


class Server:
    """One server process and its directory. `directory` None: a temporary one, removed by close;
    `binary` None: the server under test."""

    def __init__(self, options=(), directory=None, prefix=(), binary=None):
        self.options = list(options)
        self.owns_directory = directory is None
        self.directory = directory or tempfile.mkdtemp(prefix="irmak-test-")
        self.prefix = list(prefix)
        self.binary = binary or server_binary()
        self.unix_socket = os.path.join(self.directory, "server.sock")
        self.log_path = os.path.join(self.directory, "stderr.log")
        self.port = None
        self.process = None
        self.poll_seconds = POLL_SECONDS

    def start(self):
        """Starts on the port of the last start, or on a free one. Returns self."""
        attempts = 1 if self.port else START_ATTEMPTS
        for _ in range(attempts):
            port = self.port or free_port()
            if self._launch(port):
                self.port = port
                return self
        raise RuntimeError("the server does not start:\n" + self.log_tail())

    def _launch(self, port):
        command = self.prefix + [
            self.binary, "--port", str(port), "--bind", "127.0.0.1", "--dir", self.directory,
            "--unixsocket", self.unix_socket, "--appendonly", "yes", "--appendfsync", "always",
            "--save", ""] + self.options
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                return False
            try:
                reply = send_command(port, "PING")
                if reply.startswith(("+PONG", "-NOAUTH")) and self.process.poll() is None:
                    return True
            except OSError:
                pass
            time.sleep(self.poll_seconds)
        self.kill()
        return False

    def kill(self):
        """SIGKILL, and wait until the process is gone."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        """SIGTERM; the exit status."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()
        return self.process.returncode

    def cpu_seconds(self):
        """User and system time that the process has used."""
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def log_tail(self, size=2000):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return log.read()[-size:]

    def flavour(self):
        """'irmak' or 'redis': where they differ by design, a test expects what the server is."""
        return server_flavour()

    def close(self):
        if self.process is not None:
            self.stop()
        if self.owns_directory:
            shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()


def server_flavour():
    version = subprocess.run([server_binary(), "--version"], capture_output=True, text=True,
                             check=False).stdout
    return "redis" if version.startswith("Redis server") else "irmak"


def main(arguments):
    if "--" not in arguments:
        sys.exit(__doc__)
    cut = arguments.index("--")
    with Server(arguments[:cut]) as server:
        environment = dict(os.environ, IRMAK_PORT=str(server.port),
                           IRMAK_UNIX=server.unix_socket, IRMAK_FLAVOUR=server_flavour())
        status = subprocess.run(arguments[cut + 1:], env=environment, check=False).returncode
        if server.process.poll() is not None:
            print(f"not ok server it ended by itself, status {server.process.returncode}")
            print(server.log_tail(), file=sys.stderr)
            status = 1
        elif status != 0:
            print(server.log_tail(), file=sys.stderr)
        elif server.stop() != 0:
            print(f"not ok server SIGTERM ended it with status {server.process.returncode}")
            status = 1
    sys.exit(status)


if __name__ == "__main__":
    main(sys.argv[1:])
