"""The same `acl_file` for mosquitto and for this gateway: what clients may publish and receive is the same, and what
this gateway takes for rules, mosquitto does too.

Rules, client ids and topics are random and few, so that rules meet. Stated differences are left out of the comparison:
client ids with wildcards or slashes [M-25], and what SUBSCRIBE answers [M-24].
"""

import random
import socket
import subprocess
import time
from types import SimpleNamespace

import pytest

from gateway import PATIENCE, run
from packets import PUBLISH, V311, Client, publish

LEVELS = ["a", "b", "+", "c1", "x y", "%c", "n%c", "$SYS", ""]
NAMES = ["a", "b", "c1", "nc1", "x y", "d"]
TOPICS = sorted({"/".join(name) for first in NAMES for second in NAMES[:4] for third in NAMES[:2]
                 for name in ([first], [first, second], [first, second, third], ["", first])})
CLIENTS = ["c1", "d", "x y"]


def rules(chance):
    lines = []
    for _ in range(chance.randint(1, 8)):
        keyword = chance.choice(["topic", "topic", "pattern"])
        access = chance.choice(["read ", "write ", "readwrite ", "deny ", "read ", "write "])
        levels = [chance.choice(LEVELS) for _ in range(chance.randint(1, 3))]
        if chance.random() < 0.4:
            levels[-1] = "#"
        filter_ = "/".join(levels)
        if not filter_.strip():
            continue
        lines.append(chance.choice(["", "", " "]) + keyword + chance.choice([" ", "  "]) + access + filter_
                     + chance.choice(["", " ", "\r"]))
    return "\n".join(lines + ["topic write never"]) + "\n"


@pytest.fixture
def mosquitto(tmp_path):
    """Starts the real one on a free port."""
    running = []

    def start(path, port):
        file = tmp_path / f"mosquitto-{port}.conf"
        file.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nacl_file {path}\nuser root\n")
        process = subprocess.Popen(["mosquitto", "-c", file], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        running.append(process)
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            try:
                return Client(SimpleNamespace(tcp=port), V311, "probe").close()
            except OSError:
                assert process.poll() is None, process.stderr.read()
                time.sleep(0.02)
        raise AssertionError("mosquitto does not start")

    yield start
    for process in running:
        process.terminate()
        process.wait(PATIENCE)
        process.stderr.close()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def verdicts(port):
    """What each client receives of what each has published to each topic."""
    place = SimpleNamespace(tcp=port)
    clients = {name: Client(place, V311, name) for name in CLIENTS}
    for client in clients.values():
        # Where the gateway refuses it, nothing could come by it.
        client.subscribe("#", qos=0)
    heard = {name: set() for name in CLIENTS}
    for writer in CLIENTS:
        for topic in TOPICS:
            clients[writer].send(publish(V311, topic, writer))
    # Once each writer's ping is answered, all that it sent has been handed on, before the answers to the next pings.
    for _ in range(2):
        for name, client in clients.items():
            client.send(b"\xc0\x00")
            while (found := client.next()).kind == PUBLISH:
                heard[name].add((found.topic, found.payload.decode()))
    for client in clients.values():
        client.close()
    return heard


@pytest.mark.parametrize("seed", range(12))
def test_what_reaches_whom_is_what_mosquitto_lets_through(start_gateway, mosquitto, tmp_path, seed):
    path = tmp_path / "rules.acl"
    path.write_bytes(rules(random.Random(seed)).encode())
    path.chmod(0o644)
    gateway = start_gateway(f"listener 0 127.0.0.1\nacl_file {path}\nsys_interval 0\n")
    port = free_port()
    mosquitto(path, port)
    theirs, ours = verdicts(port), verdicts(gateway.tcp)
    assert ours == theirs, path.read_text()


PIECES = ["topic", "pattern", "user", " ", " ", " ", "  ", "\t", "read", "write", "readwrite", "deny", "a", "#", "+", "/",
          "/#", "%c", "%u", "\r", "x y", "\u00eb", "$SYS/"]


def odd_line(chance):
    if chance.random() < 0.5:
        return chance.choice(["topic ", "pattern ", "user "]) + "".join(
            chance.choice(PIECES) for _ in range(chance.randint(0, 5)))
    return "".join(chance.choice(PIECES) for _ in range(chance.randint(0, 6)))


def test_what_is_taken_for_rules_mosquitto_takes_too(tmp_path):
    """Single lines of any kind. That mosquitto takes more is no fault: it is counted, so that the test shows both."""
    chance = random.Random(1)
    both = stricter = refused = 0
    file, rules_file, theirs = tmp_path / "gateway.conf", tmp_path / "rules.acl", tmp_path / "mosquitto.conf"
    file.write_text(f"listener 1883 127.0.0.1\nacl_file {rules_file}\n")
    # A port that cannot be had ends mosquitto right behind the reading of its rules.
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        theirs.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nuser root\nacl_file {rules_file}\n")
        for _ in range(150):
            line = odd_line(chance)
            rules_file.write_bytes(b"topic read fine\n" + line.encode() + b"\n")
            ours = run("check", "-c", file).returncode == 0
            said = subprocess.run(["mosquitto", "-c", theirs], capture_output=True, timeout=PATIENCE, text=True)
            is_theirs = "Error opening acl file" not in said.stderr
            assert is_theirs or not ours, (line, said.stderr)
            both += ours and is_theirs
            stricter += is_theirs and not ours
            refused += not is_theirs
    assert both >= 20 and refused >= 20 and stricter <= 5, (both, stricter, refused)
