"""`dormouse sn …` as a running process, and groups of datagrams for its search."""

import os
import queue
import signal
import socket
import struct
import subprocess
import threading

from gateway import BINARY, PATIENCE

# Bad links need more than a person's patience, and sooner: nothing of it is left to luck, the seed decides.
STUBBORN = ["--retry", "0.2", "--retries", "40"]


def sn(*arguments, text=b"", timeout=4 * PATIENCE):
    """Runs `dormouse sn` to its end; output and errors are bytes."""
    return subprocess.run(
        [BINARY, "sn", *map(str, arguments)], input=text, capture_output=True, timeout=timeout,
        env=os.environ | {"SWIFT_BACKTRACE": "enable=no"})


def done(*arguments, **options):
    """As `sn`, for what must succeed; answers its output."""
    result = sn(*arguments, **options)
    assert result.returncode == 0, (arguments, result)
    return result.stdout


class Running:
    """A `dormouse sn` that goes on. It runs with -d, so that its packets say when it is ready."""

    def __init__(self, *arguments, stdout=subprocess.PIPE):
        self.process = subprocess.Popen(
            [BINARY, "sn", *map(str, arguments), "-d"], stdin=subprocess.PIPE, stdout=stdout,
            stderr=subprocess.PIPE, env=os.environ | {"SWIFT_BACKTRACE": "enable=no"})
        self.log = []
        self._lines = queue.Queue()
        self._changed = threading.Condition()
        self._threads = [threading.Thread(target=self._read, daemon=True)]
        if self.process.stdout:
            self._threads.append(threading.Thread(target=self._read_output, daemon=True))
        for thread in self._threads:
            thread.start()

    def _read(self):
        for line in self.process.stderr:
            with self._changed:
                self.log.append(line.decode().rstrip("\n"))
                self._changed.notify_all()

    def _read_output(self):
        for line in self.process.stdout:
            self._lines.put(line)

    def wait_for(self, text, count=1, timeout=4 * PATIENCE):
        """Until so many lines on standard error have the text."""
        with self._changed:
            came = self._changed.wait_for(lambda: sum(text in line for line in self.log) >= count, timeout)
        assert came, (text, self.log)
        return self

    def line(self):
        try:
            return self._lines.get(timeout=4 * PATIENCE)
        except queue.Empty:
            raise AssertionError(("nothing is printed", self.log)) from None

    def no_line(self):
        """What is printed beside what was taken; only sure at the end."""
        return self._lines.empty()

    def end(self, by=signal.SIGTERM):
        if by:
            self.process.send_signal(by)
        code = self.process.wait(PATIENCE)
        for thread in self._threads:
            thread.join(PATIENCE)
        return code

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(PATIENCE)


class Responder:
    """A made-up gateway in a multicast group on the loopback interface, or on a port of its own."""

    def __init__(self, answer, group=None):
        self.heard = []
        self._answer = answer
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.settimeout(PATIENCE)
        if group:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.socket.bind((group, 0))
            interface = socket.if_nametoindex("lo")
            membership = struct.pack("4s4si", socket.inet_aton(group), bytes(4), interface)
            self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
            self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, membership)
        else:
            self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        try:
            while True:
                data, peer = self.socket.recvfrom(2048)
                self.heard.append((data, peer))
                self._answer(self.socket, data, peer)
        except OSError:
            return

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
