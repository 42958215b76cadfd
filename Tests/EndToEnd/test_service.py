"""The gateway as a service of systemd: what it tells its manager, and how much of the machine its unit leaves it."""

import re
import signal
import socket
import subprocess

import pytest

from gateway import PATIENCE, ROOT

UNIT = ROOT / "deploy/dormouse.service"


@pytest.fixture
def manager(tmp_path):
    """The socket that a service manager listens on."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(PATIENCE)
        yield listening


def state(manager):
    """What was told next, as a dictionary."""
    return dict(line.split("=", 1) for line in manager.recv(4_096).decode().splitlines())


def test_it_tells_when_it_serves_reads_again_and_stops(start_gateway, manager):
    gateway = start_gateway(environment={"NOTIFY_SOCKET": manager.getsockname()})
    assert state(manager)["READY"] == "1"
    gateway.reload()
    reloading = state(manager)
    assert reloading["RELOADING"] == "1" and int(reloading["MONOTONIC_USEC"]) > 0
    assert state(manager)["READY"] == "1"
    gateway.process.send_signal(signal.SIGTERM)
    assert state(manager)["STOPPING"] == "1"


def test_it_gives_signs_of_life_as_long_as_its_loop_turns(start_gateway, manager):
    gateway = start_gateway(
        environment={"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "100000"})
    assert state(manager)["READY"] == "1"
    for _ in range(3):
        assert state(manager) == {"WATCHDOG": "1"}
    gateway.process.send_signal(signal.SIGSTOP)
    manager.settimeout(0.3)
    with pytest.raises(TimeoutError):
        while True:
            manager.recv(4_096)
    gateway.process.send_signal(signal.SIGCONT)
    manager.settimeout(PATIENCE)
    assert state(manager) == {"WATCHDOG": "1"}


def test_an_abstract_socket_will_do_and_one_without_a_reader(start_gateway):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0dormouse-test-%d" % id(manager))
        manager.settimeout(PATIENCE)
        name = "@" + manager.getsockname()[1:].decode()
        start_gateway(environment={"NOTIFY_SOCKET": name})
        assert state(manager)["READY"] == "1"
    start_gateway(environment={"NOTIFY_SOCKET": "/nowhere/at/all"})
    start_gateway(environment={"NOTIFY_SOCKET": "", "WATCHDOG_USEC": "soon"})


def test_the_unit_leaves_little_of_the_machine(tmp_path):
    outcome = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", UNIT], capture_output=True, text=True)
    level = re.search(r"Overall exposure level for dormouse.service: ([\d.]+)", outcome.stdout)
    assert level and float(level.group(1)) <= 1.5, outcome.stdout + outcome.stderr


def test_the_unit_is_well_formed(tmp_path):
    """systemd's own check; the binary need not be installed for it."""
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace("/usr/bin/dormouse", "/bin/true"))
    outcome = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", copy], capture_output=True, text=True)
    said = [line for line in outcome.stderr.splitlines() if UNIT.name in line]
    assert outcome.returncode == 0 and not said, outcome.stderr
