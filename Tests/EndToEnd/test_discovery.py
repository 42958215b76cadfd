"""Discovery in multicast groups (MQTT-SN 1.2 §6.1), on the loopback interface."""

import re
import select
import socket
import struct
import subprocess
import sys
import time

import pytest

from gateway import BINARY, PATIENCE, run
from mosquitto import Subscriber
from mqttsn_device import Datagrams
from wire import octets

GROUP = "239.192.7.7"
DEVICES = """\
listener {port} {host}
protocol mqttsn
gateway_id {gateway_id}
multicast_group {group} lo
advertise_interval 1
"""
ADVERTISE = octets("05 00 07 0001")
SEARCHGW = octets("03 01 00")
GWINFO = octets("03 02 07")
# Python does not name it.
IP_RECVTTL = 12

# A network of its own, which ends with the process: the loopback interface hands on no multicast by IPv6, so a pair of
# interfaces that are joined to each other takes its place.
NETWORK = """\
ip link set lo up && ip link add near type veth peer name far \
&& ip address add fd00::7/64 dev near nodad && ip address add fd00::9/64 dev far nodad \
&& ip link set near up && ip link set far up && exec "$@"
"""
ISOLATED = ["unshare", "--map-root-user", "--net", "sh", "-c", NETWORK, "sh"]
# Searches by the interface `far` and prints, each as it comes: where what is heard there comes from, and its bytes.
SEARCHER = """
import socket, struct, sys
group, port, far = sys.argv[1], int(sys.argv[2]), socket.if_nametoindex("far")
ear = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
ear.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
ear.bind((group, port, 0, far))
ear.setsockopt(41, socket.IPV6_JOIN_GROUP, socket.inet_pton(socket.AF_INET6, group) + struct.pack("=I", far))
ear.settimeout(10)
mouth = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
mouth.setsockopt(41, socket.IPV6_MULTICAST_IF, far)
mouth.sendto(bytes([3, 1, 0]), (group, port, 0, far))
while True:
    data, sender = ear.recvfrom(100)
    print(sender[0].split("%")[0], sender[1], data.hex(), flush=True)
"""


def discoverable(host="127.0.0.1", port=0, gateway_id=7, more=""):
    devices = DEVICES.format(host=host, port=port, gateway_id=gateway_id, group=GROUP)
    return f"sys_interval 1\nlistener 0 127.0.0.1\n{devices}{more}\n"


class Member:
    """A socket in a group, as a device has one: it hears the group and can speak to it."""

    def __init__(self, port, host="127.0.0.1"):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.setsockopt(socket.IPPROTO_IP, IP_RECVTTL, 1)
        self.socket.bind((GROUP, port))
        lo = struct.pack("=4s4si", socket.inet_aton(GROUP), bytes(4), socket.if_nametoindex("lo"))
        self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, lo)
        self.speaker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.speaker.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, lo)
        self.speaker.bind((host, 0))
        self.port = port

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
        self.speaker.close()

    def say(self, packet):
        """Speaks to the group from a port of its own."""
        self.speaker.sendto(packet, (GROUP, self.port))

    def answers_at_home(self):
        """Whether anything came to the address that speaks."""
        return bool(select.select([self.speaker], [], [], 0)[0])

    def hear(self, timeout=PATIENCE):
        """The next datagram of the group: bytes, sender, time to live."""
        self.socket.settimeout(timeout)
        data, control, _, sender = self.socket.recvmsg(1500, 100)
        return data, sender, struct.unpack("=i", control[0][2])[0]

    def wait_for(self, packet):
        """The next datagram with these bytes: sender, time to live."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            data, sender, hops = self.hear()
            if data == packet:
                return sender, hops
        raise AssertionError(f"nobody said {packet.hex()}")


def test_advertises_each_interval(start_gateway):
    """[SN-5.4.1] [SN-6.1] [D-67]"""
    gateway = start_gateway(discoverable())
    gateway.wait_for_line(f"in the multicast group {GROUP}:{gateway.udp} on lo")
    with Member(gateway.udp) as member:
        for _ in range(3):
            sender, hops = member.wait_for(ADVERTISE)
            assert sender == ("127.0.0.1", gateway.udp)
            assert hops == 1


def test_a_search_in_the_group_is_answered_there(start_gateway):
    """[SN-5.4.3] [D-41] [D-66]"""
    gateway = start_gateway(discoverable())
    with Member(gateway.udp) as member:
        member.say(SEARCHGW)
        sender, _ = member.wait_for(GWINFO)
        assert sender == ("127.0.0.1", gateway.udp)
        assert not member.answers_at_home()


def test_a_search_at_the_gateway_is_answered_to_the_asker(start_gateway):
    """[D-41]"""
    gateway = start_gateway(discoverable())
    with Datagrams(gateway.udp) as device:
        assert device.ask(SEARCHGW) == GWINFO


@pytest.mark.parametrize("radius, hops", [(0, 5), (2, 2), (9, 5)])
def test_the_radius_of_the_search_is_that_of_the_answer(start_gateway, radius, hops):
    """[SN-5.3.9] [D-66]"""
    gateway = start_gateway(discoverable(more="multicast_hops 5"))
    with Member(gateway.udp) as member:
        member.say(bytes([3, 1, radius]))
        assert member.wait_for(GWINFO)[1] == hops
        assert member.wait_for(ADVERTISE)[1] == 5


def test_many_searches_cost_one_answer(start_gateway):
    """[D-66] [attack 117]"""
    gateway = start_gateway(discoverable())
    with Member(gateway.udp) as member:
        member.wait_for(ADVERTISE)
        for _ in range(50):
            member.say(SEARCHGW)
        heard = []
        while not heard or heard[-1] != ADVERTISE:
            heard.append(member.hear()[0])
        assert heard.count(GWINFO) <= 1
        assert heard.count(SEARCHGW) == 50


def test_nothing_else_is_taken_from_a_group(start_gateway):
    """[D-65]"""
    gateway = start_gateway(discoverable())
    with Member(gateway.udp) as member:
        member.say(octets("0a 04 04 01 003c 'dev1'"))
        member.say(octets("02 16"))
        member.say(SEARCHGW)
        member.wait_for(GWINFO)
        assert not member.answers_at_home()
    assert not any("dev1" in line for line in gateway.log)


def test_gateways_that_share_an_id_are_told_apart_in_the_log(start_gateway):
    """[D-68]"""
    first = start_gateway(discoverable())
    second = start_gateway(discoverable("127.0.0.2", first.udp))
    first.wait_for_line(rf"the gateway at 127\.0\.0\.2:{first.udp} has our gateway_id, 7")
    second.wait_for_line(rf"the gateway at 127\.0\.0\.1:{first.udp} has our gateway_id, 7")


def test_other_gateways_are_counted(start_gateway):
    """[D-68]"""
    first = start_gateway(discoverable())
    start_gateway(discoverable("127.0.0.2", first.udp, gateway_id=8))
    with Subscriber(first, "$SYS/broker/sn/discovery/advertisements heard") as figures:
        while int(figures.message().payload) < 2:
            pass
    assert not any("gateway_id" in line for line in first.log)


def test_nothing_is_heard_of_a_gateway_that_has_stopped(start_gateway):
    """[SN-6.1]"""
    gateway = start_gateway(discoverable(more=""))
    with Member(gateway.udp) as member:
        member.wait_for(ADVERTISE)
        gateway.stop()
        member.say(SEARCHGW)
        assert member.wait_for(SEARCHGW)
        member.socket.settimeout(0)
        with pytest.raises(BlockingIOError):
            member.socket.recv(100)


def test_an_interface_that_is_not_there(tmp_path):
    """[attack 130]"""
    path = tmp_path / "gateway.conf"
    path.write_text(discoverable().replace(f"{GROUP} lo", f"{GROUP} nosuch0"))
    outcome = run("run", "--config", path)
    assert outcome.returncode == 1
    assert "nosuch0" in outcome.stderr and "no interface of this machine has that name" in outcome.stderr


def test_a_group_that_cannot_be_joined(tmp_path):
    """Where no interface is named and the system knows none for the group [D-92] [attack 130]"""
    if subprocess.run([*ISOLATED, "true"], capture_output=True).returncode != 0:
        pytest.skip("this machine allows no network of our own")
    path = tmp_path / "gateway.conf"
    path.write_text(
        "listener 1883 127.0.0.1\nlistener 1884 0.0.0.0\nprotocol mqttsn\nallow_anonymous true\n"
        "multicast_group 239.192.7.7\n")
    # No interface there but the loopback speaks IPv4.
    outcome = subprocess.run(
        [*ISOLATED, BINARY, "run", "--config", path], capture_output=True, text=True, timeout=PATIENCE)
    assert outcome.returncode == 1, outcome.stderr
    assert "joining the multicast group 239.192.7.7:1884: No such device" in outcome.stderr
    assert "name an interface" in outcome.stderr


def test_an_interface_that_goes_and_comes_again(start_gateway):
    """[D-92] [attack 130]"""
    if subprocess.run([*ISOLATED, "true"], capture_output=True).returncode != 0:
        pytest.skip("this machine allows no network of our own")
    gateway = start_gateway(
        "listener 1883 127.0.0.1\nallow_anonymous true\nlistener 1884 fd00::7\nprotocol mqttsn\ngateway_id 7\n"
        "multicast_group ff02::5a near\nadvertise_interval 1\n", under=ISOLATED)
    inside = ["nsenter", "-t", str(gateway.process.pid), "--user", "--net", "--preserve-credentials"]
    before = re.search(r"group (\S+) on", gateway.wait_for_line("in the multicast group"))[1]
    subprocess.run([*inside, "ip", "link", "del", "near"], check=True)
    gateway.wait_for_line(r"warning: nothing is heard or said in the multicast group .* on near: ")
    subprocess.run([*inside, "sh", "-c", NETWORK.replace('exec "$@"', "true")], check=True)
    gateway.wait_for_line(rf"notice: in the multicast group (?!{re.escape(before)})\S+ on near")
    searcher = subprocess.Popen(
        [*inside, sys.executable, "-c", SEARCHER, "ff02::5a", "1884"], stdout=subprocess.PIPE, text=True)
    try:
        missing = {packet.hex() for packet in (ADVERTISE, GWINFO)}
        while missing:
            line = searcher.stdout.readline()
            assert line, f"not heard: {missing}"
            missing.discard(line.split()[2])
    finally:
        searcher.kill()
        searcher.wait()
    assert sum("nothing is heard or said" in line for line in gateway.log) == 1
    assert sum("in the multicast group" in line and "notice" in line for line in gateway.log) == 2


@pytest.mark.parametrize("group", ["ff02::5a", "ff05::5a"])
def test_ipv6(start_gateway, group):
    """[SN-6.1] [D-69]"""
    if subprocess.run([*ISOLATED, "true"], capture_output=True).returncode != 0:
        pytest.skip("this machine allows no network of our own")
    gateway = start_gateway(
        "listener 1883 127.0.0.1\nallow_anonymous true\n"
        f"listener 1884 fd00::7\nprotocol mqttsn\ngateway_id 7\nmulticast_group {group} near\nadvertise_interval 1\n",
        under=ISOLATED)
    inside = ["nsenter", "-t", str(gateway.process.pid), "--user", "--net", "--preserve-credentials"]
    searcher = subprocess.Popen(
        [*inside, sys.executable, "-c", SEARCHER, group, "1884"], stdout=subprocess.PIPE, text=True)
    try:
        missing = {f"fd00::7 1884 {packet.hex()}" for packet in (ADVERTISE, GWINFO)}
        while missing:
            line = searcher.stdout.readline()
            assert line, f"not heard: {missing}"
            missing.discard(line.strip())
    finally:
        searcher.kill()
        searcher.wait()
