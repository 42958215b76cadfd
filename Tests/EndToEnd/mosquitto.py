"""mosquitto_pub and mosquitto_sub, as a user has them."""

import itertools
import queue
import signal
import subprocess
import threading
from dataclasses import dataclass

from gateway import PATIENCE

VERSIONS = ["mqttv31", "mqttv311", "mqttv5"]

# What mosquitto_sub prints of a message: tab-separated, payload in hexadecimal, so that no payload breaks a line.
FORMAT = "\t".join(["MESSAGE", "%t", "%q", "%r", "%x", "%C", "%D", "%E", "%F", "%P", "%R", "%S"])
COUNTER = itertools.count(1)


@dataclass
class Message:
    topic: str
    qos: int
    retain: bool
    payload: bytes
    content_type: str = ""
    correlation_data: str = ""
    expiry: str = ""
    payload_format: str = ""
    user_properties: str = ""
    response_topic: str = ""
    identifiers: str = ""

    @staticmethod
    def parse(line):
        _, topic, qos, retain, payload, *properties = line.split("\t")
        return Message(topic, int(qos), retain == "1", bytes.fromhex(payload), *properties)


def publish(gateway, topic, payload=None, *, qos=0, retain=False, version="mqttv311", options=(), text=None, **where):
    """Runs mosquitto_pub to its end; without a payload the message is empty, `text` goes to its input line by line."""
    command = [
        "mosquitto_pub", "-h", where.get("host", "127.0.0.1"), "-p", str(where.get("port") or gateway.tcp),
        "-V", version, "-t", topic, "-q", str(qos), *options]
    if text is not None:
        command += ["-l"]
    elif payload is None:
        command += ["-n"]
    elif isinstance(payload, bytes):
        command += ["-s"]
        text = payload
    else:
        command += ["-m", payload]
    if retain:
        command += ["-r"]
    if version == "mqttv31" and "-i" not in options:
        command += ["-i", f"pub-{next(COUNTER)}"]
    if isinstance(text, str):
        text = text.encode()
    done = subprocess.run(command, input=text or b"", capture_output=True, timeout=3 * PATIENCE)
    output = (done.stdout + done.stderr).decode("utf-8", "replace")
    assert done.returncode == 0, f"{command} ended with {done.returncode}: {output}"
    return output


class Subscriber:
    """A running mosquitto_sub; it is ready when its subscription is acknowledged."""

    def __init__(self, gateway, *filters, qos=2, version="mqttv311", client_id=None, options=(), **where):
        client_id = client_id or f"sub-{next(COUNTER)}"
        command = [
            "stdbuf", "-oL", "mosquitto_sub", "-d", "-h", where.get("host", "127.0.0.1"),
            "-p", str(where.get("port") or gateway.tcp), "-V", version, "-q", str(qos), "-i", client_id,
            "-F", FORMAT, *options]
        for topic_filter in filters:
            command += ["-t", topic_filter]
        self.client_id = client_id
        self._messages = queue.Queue()
        self._subscribed = threading.Event()
        self.lines = []
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        assert self._subscribed.wait(PATIENCE), "\n".join(self.lines)
        assert any(line.startswith("Subscribed") for line in self.lines), "\n".join(self.lines)

    def _read(self):
        for line in self.process.stdout:
            # What a killed client leaves behind may end in the middle of a line.
            is_whole = line.endswith(b"\n")
            line = line.decode("utf-8", "replace").rstrip("\n")
            if line.startswith("MESSAGE\t") and is_whole:
                self._messages.put(Message.parse(line))
            else:
                self.lines.append(line)
            if line.startswith("Subscribed"):
                self._subscribed.set()
        self._subscribed.set()

    def message(self, timeout=PATIENCE):
        """The next message."""
        try:
            return self._messages.get(timeout=timeout)
        except queue.Empty:
            raise AssertionError("no message came:\n" + "\n".join(self.lines)) from None

    def messages(self, count):
        return [self.message() for _ in range(count)]

    @property
    def granted(self):
        """The QoS granted for each filter."""
        line = next(line for line in self.lines if line.startswith("Subscribed"))
        return [int(code) for code in line.split(":")[2].split(",")]

    def kill(self):
        """As kill -9: the client cannot say goodbye."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(PATIENCE)

    def wait_for_end(self):
        """Waits until the client ends by itself; its exit code."""
        return self.process.wait(PATIENCE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.kill()
        self._reader.join(PATIENCE)
        self.process.stdout.close()


def offline_session(gateway, client_id, *filters, qos=2, version="mqttv311", options=()):
    """Leaves a session without a connection behind."""
    options = ["-c", "-E", *options]
    with Subscriber(gateway, *filters, qos=qos, version=version, client_id=client_id, options=options) as client:
        assert client.wait_for_end() == 0
