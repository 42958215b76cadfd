"""Disks that are full, that fail, and that cannot be written: nothing is acknowledged that is not kept, and it is said."""

import os
import re
import struct
import subprocess
import time

import pytest

from disks import FailingDisk, SmallDisk, build_faults, can_mount
from gateway import BINARY, PATIENCE
from mosquitto import Subscriber
from mqttsn_device import Datagrams
from packets import CONNACK, PUBACK, PUBLISH, V5, V311, Client, acknowledge, connect, keeping, parse, publish
from wire import Wire

CONFIGURATION = """\
persistence true
persistence_location {folder}
durability disk
sys_interval 1
listener 0 127.0.0.1
listener 0 127.0.0.1
protocol mqttsn
predefined_topic 1 kept/device
"""
BLOCKED = "error: no space for what has to be kept"
RESUMED = "notice: there is space again"
FAILED = "error: the disk failed"
QUOTA_EXCEEDED, SERVER_UNAVAILABLE_5, SERVER_UNAVAILABLE_311, CONGESTION = 0x97, 0x88, 3, 1
# How long nothing may come for silence to be silence: a commit is tried again each second.
SILENCE = 2.5


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return build_faults(tmp_path_factory.mktemp("faults"))


@pytest.fixture(scope="module")
def mounts(tmp_path_factory):
    return can_mount(tmp_path_factory.mktemp("mount"))


@pytest.fixture
def failing(tmp_path, library):
    return FailingDisk(tmp_path, library)


@pytest.fixture(params=["system calls", "file system"])
def disk(request, tmp_path, library, mounts):
    """A disk that a test can fill: one whose system calls say so, and a small one in truth."""
    if request.param == "file system" and not mounts:
        pytest.skip("this process may not mount a file system")
    made = FailingDisk(tmp_path, library) if request.param == "system calls" else SmallDisk(tmp_path)
    yield made
    made.close()


@pytest.fixture
def start(start_gateway):
    """Starts gateways whose data is on this disk, and which a test may kill."""

    def on(disk, **options):
        return start_gateway(CONFIGURATION.format(folder=disk.folder), under=disk.under, **options)

    return on


def go_away(gateway, client_id="away"):
    """A session that waits for all that is kept."""
    client = Client(gateway, V5, client_id, **keeping(V5))
    assert client.subscribe(("kept/#", 1)) == [1]
    client.says_goodbye()


def come_back(gateway, count, client_id="away"):
    """The payloads that waited; `count` of them at least, in their order."""
    client = Client(gateway, V5, client_id, **keeping(V5))
    assert client.connack.present == 1
    payloads = []
    client.socket.settimeout(PATIENCE)
    while True:
        try:
            found = client.next()
        except TimeoutError:
            break
        if found.kind == PUBLISH:
            payloads.append(int(found.payload.split()[0]))
            client.send(acknowledge(PUBACK, found.identifier))
        if len(payloads) >= count:
            # What was not acknowledged to its publisher may come too.
            client.socket.settimeout(0.3)
    client.close()
    return payloads


def check(payloads, kept):
    """Everything that was acknowledged is there, in its order."""
    assert sorted(set(payloads)) == list(dict.fromkeys(payloads)), payloads
    assert set(kept) <= set(payloads), f"lost: {sorted(set(kept) - set(payloads))}"


class Feeder:
    """Publishes numbered messages at QoS 1, and knows which were acknowledged."""

    def __init__(self, gateway, version=V5):
        self.gateway = gateway
        self.version = version
        self.client = None
        self.kept = []
        self.number = 0

    def offer(self, patience=PATIENCE):
        """What becomes of the next message: the code of its PUBACK, or "closed" or "silent" without one."""
        try:
            if self.client is None:
                self.client = Client(self.gateway, self.version)
            self.number += 1
            self.client.socket.settimeout(patience)
            packet = publish(self.version, "kept/x", f"{self.number} ".ljust(1_000, "."), 1, self.number)
            self.client.send(packet)
            answer = parse(self.client.packet(), self.version)
        except TimeoutError:
            self.client = None
            return "silent"
        except (AssertionError, OSError):
            self.client = None
            return "closed"
        if answer.kind != PUBACK:
            self.client = None
            return "closed"
        if answer.code < 0x80:
            self.kept.append(self.number)
        return answer.code

    def until_blocked(self):
        """Publishes until there is no space; what was taken until then is in `kept`."""
        while not any(BLOCKED in line for line in self.gateway.log):
            self.offer(patience=SILENCE)
            assert self.number < 10_000

    def until_kept(self):
        """Publishes until a message is taken again."""
        end = time.monotonic() + PATIENCE
        while self.offer(patience=SILENCE) != 0:
            assert time.monotonic() < end, "nothing is taken again"
            time.sleep(0.05)


def sn_publish(gateway, qos, message_id):
    """What a connected device hears to a PUBLISH."""
    with Datagrams(gateway.udp) as device:
        device.send(b"\x0b\x04\x04\x01" + struct.pack(">H", 60) + b"dev-1")
        assert device.receive() == b"\x03\x05\x00"
        return device.ask(bytes([9, 0x0C, qos << 5 | 1]) + struct.pack(">HH", 1, message_id) + b"9 ")


def durability(gateway):
    with Subscriber(gateway, "$SYS/broker/durability") as subscriber:
        return subscriber.message().payload.decode()


def connack(gateway, version, client_id, **options):
    with Wire(gateway.tcp) as wire:
        wire.send(connect(version, client_id, **options))
        answer = parse(wire.packet(), version)
        assert answer.kind == CONNACK
        return answer.code


def test_a_full_disk_is_said_and_nothing_is_acknowledged_until_there_is_space(disk, start):
    gateway = start(disk)
    assert durability(gateway) == "disk"
    go_away(gateway)
    feeder = Feeder(gateway)
    assert [feeder.offer() for _ in range(5)] == [0] * 5
    disk.fill()
    feeder.until_blocked()

    # MQTT 5 is told, older clients have to ask again, devices hear "congestion".
    assert feeder.offer() == QUOTA_EXCEEDED
    assert Feeder(gateway, V311).offer(patience=SILENCE) in ("closed", "silent")
    assert sn_publish(gateway, 1, 7) == b"\x07\x0d\x00\x01\x00\x07" + bytes([CONGESTION])
    assert "no space" in durability(gateway)

    # Sessions that would have to be kept do not begin, the others do, and QoS 0 flows.
    assert connack(gateway, V5, "new", **keeping(V5)) == SERVER_UNAVAILABLE_5
    assert connack(gateway, V311, "new", **keeping(V311)) == SERVER_UNAVAILABLE_311
    with Subscriber(gateway, "kept/#") as subscriber, Client(gateway, V311) as publisher:
        publisher.publish("kept/now", "flows")
        assert subscriber.message().payload == b"flows"

    disk.free()
    gateway.wait_for_line(RESUMED)
    feeder.until_kept()
    assert connack(gateway, V5, "new", **keeping(V5)) == 0
    end = time.monotonic() + PATIENCE
    while durability(gateway) != "disk":
        assert time.monotonic() < end
    gateway.kill()
    check(come_back(start(disk), len(feeder.kept)), feeder.kept)


def test_what_was_acknowledged_before_the_disk_was_full_outlives_a_kill_while_it_is(disk, start):
    """The gateway starts on the full disk, and goes on when there is space."""
    gateway = start(disk)
    go_away(gateway)
    feeder = Feeder(gateway)
    assert [feeder.offer() for _ in range(20)] == [0] * 20
    disk.fill()
    feeder.until_blocked()
    gateway.kill()
    if isinstance(disk, FailingDisk):
        disk.fill(is_running=False)

    gateway = start(disk)
    again = Feeder(gateway)
    again.number = feeder.number
    again.until_blocked()
    disk.free()
    gateway.wait_for_line(RESUMED)
    again.until_kept()
    check(come_back(gateway, len(feeder.kept + again.kept)), feeder.kept + again.kept)


def test_a_gateway_starts_for_the_first_time_on_a_full_disk(disk, start):
    disk.fill(is_running=False)
    gateway = start(disk)
    gateway.wait_for_line(BLOCKED)
    assert connack(gateway, V5, "new", **keeping(V5)) == SERVER_UNAVAILABLE_5
    assert connack(gateway, V5, "clean") == 0
    disk.free()
    gateway.wait_for_line(RESUMED)
    go_away(gateway)
    feeder = Feeder(gateway)
    assert feeder.offer() == 0
    gateway.kill()
    check(come_back(start(disk), 1), [1])


@pytest.mark.parametrize("call", ["sync", "write"])
def test_after_an_error_of_the_disk_nothing_is_acknowledged_any_more(failing, start, call):
    """The call would succeed if it were tried again; nobody may rely on that after an fsync."""
    gateway = start(failing)
    go_away(gateway)
    feeder = Feeder(gateway)
    assert [feeder.offer() for _ in range(5)] == [0] * 5
    failing.fail_once(call)
    assert feeder.offer(patience=SILENCE) != 0
    gateway.wait_for_line(FAILED)
    answers = {feeder.offer(patience=SILENCE) for _ in range(3)}
    assert answers == {QUOTA_EXCEEDED}
    assert Feeder(gateway, V311).offer(patience=SILENCE) in ("closed", "silent")
    assert sn_publish(gateway, 1, 7) == b"\x07\x0d\x00\x01\x00\x07" + bytes([CONGESTION])
    assert "failed" in durability(gateway)
    assert len(feeder.kept) == 5
    gateway.kill()
    check(come_back(start(failing), 5), feeder.kept)


def test_a_gateway_whose_disk_has_failed_ends_in_order(failing, start):
    gateway = start(failing)
    go_away(gateway)
    failing.fail_once("sync")
    assert Feeder(gateway).offer(patience=SILENCE) != 0
    gateway.wait_for_line(FAILED)
    gateway.stop()


def refusal(folder, configuration, under=()):
    """What a gateway says that does not start."""
    path = folder / "gateway.conf"
    path.write_text(configuration)
    done = subprocess.run([*under, BINARY, "run", "--config", str(path)], capture_output=True, text=True,
                          timeout=PATIENCE, stdin=subprocess.DEVNULL)
    assert done.returncode == 1, done.stderr
    return done.stderr


def test_a_folder_that_cannot_be_made_is_an_error_at_the_start(tmp_path):
    (tmp_path / "file").touch()
    for folder in ["/proc/dormouse", tmp_path / "file"]:
        words = refusal(tmp_path, CONFIGURATION.format(folder=folder))
        assert str(folder) in words.splitlines()[-1]


def test_a_folder_that_cannot_be_written_is_an_error_at_the_start(tmp_path, mounts):
    if os.geteuid() != 0:
        folder = tmp_path / "read-only"
        folder.mkdir(mode=0o555)
        assert str(folder) in refusal(tmp_path, CONFIGURATION.format(folder=folder)).splitlines()[-1]
        return
    if not mounts:
        pytest.skip("root may write everywhere, and may not mount a file system here")
    disk = SmallDisk(tmp_path, options=",ro")
    try:
        assert str(disk.folder) in refusal(tmp_path, CONFIGURATION.format(folder=disk.folder)).splitlines()[-1]
    finally:
        disk.close()


def test_a_second_gateway_does_not_get_the_data_of_the_first(tmp_path, failing, start):
    gateway = start(failing)
    words = refusal(tmp_path, CONFIGURATION.format(folder=failing.folder))
    assert re.search("another|taken|in use", words.splitlines()[-1]), words
    go_away(gateway)
    assert Feeder(gateway).offer() == 0
