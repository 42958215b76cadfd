"""SIGHUP: the configuration and the files it names are read again while everybody stays."""

from mosquitto import Subscriber, publish
from test_authentication import users  # noqa: F401
from wire import CONNECT_5, Wire


def test_a_listener_that_is_closed_to_the_nameless_stays_open_to_those_who_are_in(start_gateway, users):  # noqa: F811
    gateway = start_gateway("listener 0 127.0.0.1\n")
    with Subscriber(gateway, "a") as subscriber:
        gateway.reload(f"listener 0 127.0.0.1\nscram_file {users}\n")
        with Wire(gateway.tcp) as stranger:
            assert stranger.send(CONNECT_5).packet()[3] == 0x87
        assert subscriber.process.poll() is None
        gateway.reload("listener 0 127.0.0.1\n")
        publish(gateway, "a", "still there", qos=1)
        assert subscriber.message().payload == b"still there"
    assert not any("started anew" in line for line in gateway.log)


def test_a_file_with_a_fault_changes_nothing(start_gateway):
    gateway = start_gateway("listener 0 127.0.0.1\n")
    gateway.reload("listener 0 127.0.0.1\nallow_anonymous fasle\n")
    assert gateway.wait_for_line(r"gateway.conf:2: error: .*allow_anonymous")
    assert gateway.wait_for_line("has faults: all stays as it was")
    publish(gateway, "a", "x", qos=1)


def test_what_takes_a_new_start_is_said(start_gateway):
    gateway = start_gateway("listener 0 127.0.0.1\n")
    gateway.reload("listener 0 127.0.0.1\nmax_queued_messages 7\n")
    assert gateway.wait_for_line("take effect when the gateway is started anew")


def test_without_a_free_descriptor_it_serves_reads_again_and_lets_in_when_there_is_room(start_gateway, tmp_path):
    """[attack 48]: what is not a connection always has descriptors."""
    gateway = start_gateway(
        f"listener 0 127.0.0.1\npersistence true\npersistence_location {tmp_path / 'data'}\n",
        under=["prlimit", "--nofile=60:60"])
    wires = [Wire(gateway.tcp) for _ in range(60)]
    try:
        gateway.wait_for_line("accepting no connections for a moment")
        assert wires[0].send(CONNECT_5).packet()[3] == 0
        gateway.reload()
        assert not any("has faults" in line for line in gateway.log)
        wires[1].close()
        wires[2].close()
    finally:
        for wire in [wires[0], *wires[3:]]:
            wire.close()
    publish(gateway, "a", "x", qos=1)
