"""`dormouse sn`: a device on the desk, against the gateway and against made-up ones."""

import contextlib
import os
import re
import signal
import socket
import struct
import subprocess

import pytest

from gateway import BINARY, PATIENCE
from mosquitto import Subscriber, publish
from sn_command import STUBBORN, Responder, Running, done, sn

PUBLISH, DISCONNECT = 0x0C, 0x18


@pytest.fixture
def at(gateway):
    """The options that name the gateway."""
    return ["-p", gateway.udp]


# MARK: pub


@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("payload", ["21.5", "", "ünïcode"])
def test_pub_publishes_a_message(gateway, at, qos, payload):
    with Subscriber(gateway, "a/b") as subscriber:
        done("pub", *at, "-t", "a/b", "-m", payload, "-q", qos)
        message = subscriber.message()
    assert (message.payload, message.qos, message.retain) == (payload.encode(), qos, False)


def test_pub_takes_the_message_from_where_it_is_told(gateway, at, tmp_path):
    file = tmp_path / "message"
    binary = bytes(range(256)) * 4
    file.write_bytes(binary)
    with Subscriber(gateway, "a/b") as subscriber:
        done("pub", *at, "-t", "a/b", "-n", "-q", 1)
        assert subscriber.message().payload == b""
        done("pub", *at, "-t", "a/b", "-f", file, "-q", 1)
        assert subscriber.message().payload == binary
        done("pub", *at, "-t", "a/b", "-s", "-q", 1, text=binary)
        assert subscriber.message().payload == binary
    done("pub", *at, "-t", "a/b", "-m", "kept", "-r", "-q", 1)
    with Subscriber(gateway, "a/b") as subscriber:
        assert subscriber.message().retain


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_pub_sends_each_line_over_one_connection(gateway, at, qos):
    lines = [f"line {number}".encode() for number in range(50)] + [b"\xff\x00binary"]
    with Subscriber(gateway, "a/b") as subscriber:
        # Empty lines are passed over; the last one needs no end.
        text = b"\n".join(lines[:20]) + b"\n\n\n" + b"\n".join(lines[20:])
        done("pub", *at, "-t", "a/b", "-l", "-q", qos, "-i", "liner", text=text)
        assert [message.payload for message in subscriber.messages(len(lines))] == lines
    assert sum("liner connected" in line for line in gateway.log) == 1


def test_pub_publishes_lines_as_they_come_and_ends_by_a_signal(gateway, at):
    arguments = [*at, "-t", "a/b", "-l", "-q", 1, "-i", "liner"]
    with Subscriber(gateway, "a/b") as subscriber, Running("pub", *arguments) as pub:
        for number, word in enumerate([b"one", b"two"], 1):
            pub.process.stdin.write(word + b"\n")
            pub.process.stdin.flush()
            assert subscriber.message().payload == word
            pub.wait_for("< PUBACK", number)
        assert pub.end(signal.SIGINT) == 0
        gateway.wait_for_line("liner disconnected")


def test_pub_repeats(gateway, at):
    with Subscriber(gateway, "a/b") as subscriber:
        done("pub", *at, "-t", "a/b", "-m", "x", "-q", 2, "--repeat", 3, "--repeat-delay", "0.05")
        assert [message.payload for message in subscriber.messages(3)] == [b"x"] * 3


def test_pub_by_predefined_and_short_topics_and_without_a_connection(gateway, at):
    with Subscriber(gateway, "sensors/node-9/temperature", "ab", "plant/setpoint") as subscriber:
        done("pub", *at, "-i", "node-9", "--predefined", 1, "-m", "1", "-q", 1)
        assert subscriber.message().topic == "sensors/node-9/temperature"
        done("pub", *at, "-t", "ab", "--short", "-m", "2", "-q", 1)
        assert subscriber.message().topic == "ab"
        done("pub", *at, "--predefined", 10, "-m", "3", "-q", "-1")
        assert subscriber.message().topic == "plant/setpoint"


def test_pub_leaves_a_will_only_when_it_is_lost(gateway, at):
    will = ["--will-topic", "wills", "--will-payload", "gone", "--will-qos", 1, "--will-retain"]
    with Subscriber(gateway, "wills", "a") as subscriber:
        done("pub", *at, "-t", "a", "-m", "x", *will)
        assert subscriber.message().topic == "a"
        with Running("sub", *at, "-t", "b", "-k", 1, *will) as sub:
            sub.wait_for("< SUBACK")
            sub.end(signal.SIGKILL)
        message = subscriber.message()
    assert (message.topic, message.payload, message.qos) == ("wills", b"gone", 1)


def test_pub_sends_as_much_as_a_datagram_carries_and_no_more(gateway, at):
    with Subscriber(gateway, "a") as subscriber:
        done("pub", *at, "-t", "a", "-s", "-q", 1, text=bytes(65_498))
        assert subscriber.message().payload == bytes(65_498)
    for option in ("-s", "-l"):
        result = sn("pub", *at, "-t", "a", option, text=b"x" * 65_499)
        assert (result.returncode, b"longer than 65,498 bytes" in result.stderr) == (2, True)


# MARK: sub


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_sub_prints_what_comes(gateway, at, qos):
    with Running("sub", *at, "-t", "a/#", "-t", "b", "-q", qos, "-v", "-C", 3) as sub:
        sub.wait_for("< SUBACK", 2)
        publish(gateway, "a/1", "one", qos=qos)
        assert sub.line() == b"a/1 one\n"
        publish(gateway, "b", "two", qos=qos)
        assert sub.line() == b"b two\n"
        publish(gateway, "a/2", "", qos=qos)
        assert sub.line() == b"a/2 \n"
        assert sub.end(by=None) == 0


FORMATS = [
    (["-F", "%t|%p|%q|%r|%l|%%"], b"a/b|x\xff\n|1|1|3|%\n"),
    (["-F", r"%x %X\t\\\0\n"], b"78ff0a 78FF0A\t\\\0\n\n"),
    (["-F", "%x", "-N"], b"78ff0a"),
    (["-v"], b"a/b x\xff\n\n"),
    (["-N"], b"x\xff\n"),
    ([], b"x\xff\n\n"),
]


@pytest.mark.parametrize("options, printed", FORMATS)
def test_sub_prints_in_a_format(gateway, at, options, printed):
    publish(gateway, "a/b", b"x\xff\n", qos=1, retain=True)
    assert done("sub", *at, "-t", "a/b", "-q", 1, "-C", 1, *options) == printed


def test_sub_prints_the_time(gateway, at):
    publish(gateway, "a/b", "x", retain=True)
    assert re.fullmatch(rb"1\d{9}\.\d{9}\n", done("sub", *at, "-t", "a/b", "-C", 1, "-F", "%U"))


def test_sub_by_predefined_and_short_topics(gateway, at):
    publish(gateway, "ab", "short", retain=True)
    publish(gateway, "plant/setpoint", "predefined", retain=True)
    printed = done("sub", *at, "-t", "ab", "--short", "--predefined", 10, "-v", "-C", 2, "-q", 1)
    assert sorted(printed.splitlines()) == [b"10 predefined", b"ab short"]


def test_sub_chooses_between_retained_messages_and_others(gateway, at):
    publish(gateway, "a/1", "old", retain=True, qos=1)
    with Running("sub", *at, "-t", "a/#", "-q", 1, "-R", "-C", 1) as fresh, \
            Running("sub", *at, "-t", "a/#", "-q", 1, "--retained-only") as old:
        fresh.wait_for("< PUBLISH")
        assert old.line() == b"old\n"
        publish(gateway, "a/2", "new", qos=1)
        assert fresh.line() == b"new\n"
        assert (fresh.end(by=None), old.end(by=None)) == (0, 0)
        assert fresh.no_line() and old.no_line()


def test_sub_comes_back_to_its_session(gateway, at):
    session = ["-i", "keeper", "-c", "-t", "a/b", "-q", 1]
    assert done("sub", *at, *session, "-E") == b""
    for number in range(5):
        publish(gateway, "a/b", str(number), qos=1)
    # Whoever takes two leaves the others.
    assert done("sub", *at, *session, "-C", 2) == b"0\n1\n"
    assert done("sub", *at, *session, "-C", 3) == b"2\n3\n4\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("command", [["sub"], ["sleep", "-D", "60"]])
def test_a_signal_ends_a_device_with_disconnect(gateway, at, command, number):
    with Running(*command, *at, "-i", "ender", "-t", "a") as device:
        device.wait_for("< SUBACK")
        if command[0] == "sleep":
            device.wait_for("< DISCONNECT")
        assert device.end(number) == 0
        assert any(line.endswith("> DISCONNECT") for line in device.log)
    gateway.wait_for_line("ender disconnected")


def test_a_closed_pipe_ends_sub_quietly(gateway, at):
    reader, writer = os.pipe()
    with Running("sub", *at, "-i", "piper", "-t", "a", stdout=writer) as sub:
        os.close(writer)
        sub.wait_for("< SUBACK")
        os.close(reader)
        assert sub.process.wait(PATIENCE) == 0
        assert not any("error" in line.lower() for line in sub.log)
    gateway.wait_for_line("piper disconnected")


def test_sub_connects_again_when_the_gateway_comes_back(start_gateway):
    first = start_gateway()
    port = first.udp
    with Running("sub", "-p", port, "-t", "a", "-k", 1, "--retry", "0.2", "--retries", 2) as sub:
        sub.wait_for("< SUBACK")
        first.stop()
        second = start_gateway(f"listener 0 127.0.0.1\nlistener {port} 127.0.0.1\nprotocol mqttsn\n")
        sub.wait_for("< SUBACK", 2)
        publish(second, "a", "again")
        assert sub.line() == b"again\n"


# MARK: sleep


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_sleep_takes_what_has_come_at_each_wake(gateway, at, qos):
    device = ["-t", "a/#", "-q", qos, "-v", "-D", 20, "--wake", "0.5"]
    with Running("sleep", *at, *device, "--wakes", 4) as sleeper:
        sleeper.wait_for("< DISCONNECT")
        for number in range(3):
            publish(gateway, f"a/{number}", "x", qos=qos)
        assert [sleeper.line() for _ in range(3)] == [f"a/{number} x\n".encode() for number in range(3)]
        assert sleeper.end(by=None) == 0
        pings = [line for line in sleeper.log if "PINGREQ clientID=" in line or "< PINGRESP" in line]
        assert len(pings) == 8
        # Nothing comes while it sleeps.
        log = "\n".join(line.split(" ", 1)[1] for line in sleeper.log)
        assert not re.search("< PINGRESP\n< PUBLISH", log)
    gateway.wait_for_line("sleeps for 20 s")


def test_sleep_ends_by_count_and_by_time(gateway, at):
    publish(gateway, "a", "x", retain=True, qos=1)
    assert done("sleep", *at, "-t", "a", "-q", 1, "-D", 5, "--wake", "0.2", "-C", 1) == b"x\n"
    assert done("sleep", *at, "-t", "a", "-q", 1, "-D", 5, "-W", "0.5") in (b"", b"x\n")


def test_sleep_goes_on_without_subscribing_again(gateway, at):
    done("sub", *at, "-i", "keeper", "-c", "-t", "a", "-q", 1, "-E")
    publish(gateway, "a", "x", qos=1)
    with Running("sleep", *at, "-i", "keeper", "-c", "-D", 20, "--wake", "0.3", "-C", 1) as sleeper:
        assert sleeper.line() == b"x\n"
        assert sleeper.end(by=None) == 0
        assert not any("SUBSCRIBE" in line for line in sleeper.log)


# MARK: bad links


LOSSES = ["--loss", 30, "--duplicate", 20, "--delay", "0-30", "--seed", 4, *STUBBORN]


def test_pub_gets_through_a_bad_link_exactly_once(gateway, at):
    lines = [str(number).encode() for number in range(30)]
    with Subscriber(gateway, "a/b", "end", qos=2) as subscriber:
        done("pub", *at, "-t", "a/b", "-l", "-q", 2, *LOSSES, text=b"\n".join(lines))
        publish(gateway, "end", "end", qos=2)
        assert [message.payload for message in subscriber.messages(len(lines))] == lines
        assert subscriber.message().topic == "end"


def test_sub_hears_all_through_a_bad_link(start_gateway):
    gateway = start_gateway(
        "listener 0 127.0.0.1\nlistener 0 127.0.0.1\nprotocol mqttsn\nretry_interval 1\nretry_count 20\n")
    numbers = [str(number) for number in range(10)]
    with Running("sub", "-p", gateway.udp, "-t", "a/b", "-q", 1, "-C", len(numbers), *LOSSES[:2], *LOSSES[6:]) as sub:
        sub.wait_for("< SUBACK")
        publish(gateway, "a/b", qos=1, text="\n".join(numbers))
        heard = [int(sub.line()) for _ in numbers]
        assert sub.end(by=None) == 0
    # QoS 1: at least once, in order.
    assert heard == sorted(heard) and heard[0] == 0


def test_search_asks_again_through_a_bad_link(gateway, at):
    result = sn("search", *at, "--loss", 50, "--seed", 3, "-W", 60, "-d")
    assert result.returncode == 0
    assert b"(lost)" in result.stderr


def test_one_seed_is_one_course_of_losses(gateway, at):
    def lost():
        result = sn(
            "pub", *at, "-t", "ab", "--short", "-m", "x", "-q", -1, "--repeat", 50, "--loss", 50, "--seed", 9, "-d")
        assert result.returncode == 0, result
        return ["(lost)" in line for line in result.stderr.decode().splitlines() if "PUBLISH" in line]

    first = lost()
    assert len(first) == 50 and 10 < sum(first) < 40
    assert lost() == first


def test_everything_lost_is_no_gateway(gateway, at):
    result = sn("pub", *at, "-t", "a", "-m", "x", "--loss", 100, "--retry", "0.1")
    assert result.returncode == 1
    assert b"no answer from 127.0.0.1" in result.stderr


def test_delays_are_kept_up_to_the_end(gateway, at):
    with Subscriber(gateway, "plant/setpoint") as subscriber:
        done("pub", *at, "--predefined", 10, "-q", -1, "-m", "late", "--delay", 300)
        assert subscriber.message().payload == b"late"


# MARK: search


def test_search_finds_the_gateway(gateway, at):
    assert done("search", *at) == f"gateway 7 at 127.0.0.1:{gateway.udp}\n".encode()


def test_search_repeats_at_growing_intervals():
    with Responder(lambda *_: None) as silent:
        result = sn("search", "-p", silent.port, "-W", "3.5")
        assert (result.returncode, result.stdout) == (1, b"")
        assert b"no gateway answered" in result.stderr
        assert [data for data, _ in silent.heard] == [b"\x03\x01\x01"] * 3


GROUP = "239.255.77.7"


def test_search_in_a_group_hears_gateways_there_and_clients_that_know_one():
    def answer(sock, data, peer):
        if data != b"\x03\x01\x05":
            return
        sock.sendto(b"\x03\x02\x08", peer)
        sock.sendto(b"\x03\x02\x09", (GROUP, sock.getsockname()[1]))
        sock.sendto(b"\x09\x02\x0a" + bytes([192, 0, 2, 1]) + struct.pack(">H", 1883), peer)
        sock.sendto(b"\x05\x00\x0b" + struct.pack(">H", 900), (GROUP, sock.getsockname()[1]))

    with Responder(answer, GROUP) as responder:
        printed = done("search", "--group", GROUP, "-p", responder.port, "--interface", "lo", "--radius", 5, "-W", 10,
                       "-C", 4)
    lines = printed.decode().splitlines()
    assert len(lines) == 4
    assert any(line.startswith("gateway 10 at 192.0.2.1:1883, says the client at ") for line in lines)
    assert any(line.startswith("gateway 11 at ") and line.endswith(", advertised every 900 s") for line in lines)
    assert any(line.startswith("gateway 8 at ") for line in lines)
    assert any(line.startswith("gateway 9 at ") for line in lines)


def test_search_that_listens_asks_nothing():
    with Responder(lambda *_: None, GROUP) as responder:
        place = ["--group", GROUP, "-p", responder.port, "--interface", "lo"]
        with Running("search", *place, "--listen", "-C", 1) as search:
            # Nothing says that it has joined, so ADVERTISE comes until it is heard.
            while search.process.poll() is None and search.no_line():
                responder.socket.sendto(b"\x05\x00\x0b\x00\x3c", (GROUP, responder.port))
                with contextlib.suppress(subprocess.TimeoutExpired):
                    search.process.wait(0.05)
            assert search.line().endswith(b", advertised every 60 s\n")
            assert search.end(by=None) == 0
        assert not any(data[1] == 0x01 for data, _ in responder.heard)


# MARK: errors


@pytest.mark.parametrize("arguments, words", [
    (["pub", "-t", "a"], b"-m, -n, -s, -l and -f"),
    (["pub", "-t", "a", "-m", "x", "-l"], b"-m, -n, -s, -l and -f"),
    (["pub", "-m", "x"], b"-t and --predefined"),
    (["pub", "-t", "a/+", "-m", "x"], b"no topic to publish to"),
    (["pub", "-t", "a", "-m", "x", "-q", "3"], b"QoS"),
    (["pub", "-t", "a", "-m", "x", "-q", "-1"], b"--predefined, or --short"),
    (["pub", "-t", "a", "-m", "x", "-c"], b"-i"),
    (["pub", "-t", "a", "-m", "x", "-i", "a", "-I", "b"], b"-i and -I"),
    (["pub", "-t", "a", "-m", "x", "--will-payload", "b"], b"--will-topic"),
    (["pub", "-t", "a", "-m", "x", "--loss", "101"], b"percent"),
    (["pub", "-t", "a", "-m", "x", "--delay", "5-1"], b"5-1"),
    (["pub", "-t", "a", "-m", "x", "--retry", "nan"], b"nan"),
    (["pub", "--predefined", "0", "-m", "x"], b"1 to 65534"),
    (["sub"], b"-t or --predefined"),
    (["sub", "-t", "a/#/b"], b"no topic to subscribe to"),
    (["sub", "-t", "a", "-F", "%k"], b"no format"),
    (["sub", "-t", "a", "-C", "0"], b"-C"),
    (["sleep", "-t", "a"], b"duration"),
    (["sleep", "-t", "a", "-D", "0"], b"1 to 65535"),
    (["sleep", "-t", "a", "-D", "5", "--wake", "6"], b"--wake"),
    (["sleep", "-D", "5"], b"-t or --predefined"),
    (["search", "--listen"], b"--group"),
    (["search", "--group", "127.0.0.1"], b"no multicast group"),
    (["search", "--group", GROUP, "--interface", "none0"], b"no interface"),
])
def test_wrong_usage_is_told(arguments, words):
    result = sn(*arguments)
    assert (result.returncode, result.stdout) == (2, b"")
    assert words in result.stderr


@pytest.mark.parametrize("command", [["pub", "-t", "a", "-m", "x"], ["sub", "-t", "a"], ["search"]])
def test_nobody_listening_is_told(command):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    result = sn(*command, "-p", port)
    assert result.returncode == 1
    assert result.stderr.count(b"\n") == 1 and b"nobody listens at" in result.stderr
    result = sn(*command, "-p", port, "--quiet")
    assert (result.returncode, result.stderr) == (1, b"")


def test_too_few_messages_in_time_are_told(gateway, at):
    publish(gateway, "a", "x", retain=True)
    result = sn("sub", *at, "-t", "a", "-C", 2, "-W", "0.5")
    assert (result.returncode, result.stdout) == (1, b"x\n")
    assert b"only 1 of 2 messages" in result.stderr
    with Responder(lambda *_: None) as silent:
        result = sn("sub", "-p", silent.port, "-t", "a", "-W", "0.5")
    assert (result.returncode, b"no answer from" in result.stderr) == (1, True)
    assert done("sub", *at, "-t", "a", "-W", "0.5") == b"x\n"


def test_what_the_gateway_refuses_is_told(gateway, at):
    result = sn("pub", *at, "--predefined", 999, "-m", "x", "-q", 1)
    assert (result.returncode, b"predefined_topic" in result.stderr) == (1, True)
    result = sn("sub", *at, "--predefined", 999)
    assert (result.returncode, b"predefined topic 999" in result.stderr) == (1, True)
    # Said even then.
    assert b"> DISCONNECT" in sn("sub", *at, "--predefined", 999, "-d").stderr


def test_debug_says_each_packet_in_words(gateway, at):
    result = sn("pub", *at, "-i", "talker", "-t", "a/b", "-m", "x", "-q", 1, "-d")
    words = [line.split(" ", 1)[1] for line in result.stderr.decode().splitlines()]
    assert [re.sub(r"0x\w+|\d+", "N", word) for word in words] == [
        "> CONNECT protocolID=N duration=Ns cleanSession clientID='talker'", "< CONNACK returnCode=accepted",
        "> REGISTER topicID=N msgID=N topicName='a/b'", "< REGACK topicID=N msgID=N returnCode=accepted",
        "> PUBLISH qos=N type=normal topicID=N msgID=N data=N bytes",
        "< PUBACK topicID=N msgID=N returnCode=accepted", "> DISCONNECT", "< DISCONNECT"]


def test_ids_may_have_a_prefix(gateway, at):
    done("pub", *at, "-I", "node-", "-t", "a", "-n")
    gateway.wait_for_line(r"node-\d+ connected")


# MARK: standard input and output that are closed or full


def in_shell(line, gateway):
    """Runs a line of the shell, in which $SN is `dormouse sn` and $PORT the gateway's."""
    return subprocess.run(
        ["bash", "-c", line], capture_output=True, timeout=PATIENCE,
        env=os.environ | {"SN": f"{BINARY} sn", "PORT": str(gateway.udp), "SWIFT_BACKTRACE": "enable=no"})


def test_pub_without_standard_input_ends_with_a_word(gateway):
    result = in_shell("$SN pub -p $PORT -t a/b -l <&-", gateway)
    assert (result.returncode, b"cannot read the message" in result.stderr) == (1, True)


def test_sub_without_standard_output_says_so_and_sends_no_message_to_the_gateway(gateway, at):
    # What is printed must not go where the socket is: this payload would be a SUBSCRIBE.
    done("pub", *at, "-t", "a/b", "-m", "\x0a\x12\x20__else", "-r", "-q", 1)
    result = in_shell("$SN sub -p $PORT -t a/b -N -C 1 -i mute >&-", gateway)
    assert (result.returncode, b"cannot write the message" in result.stderr) == (1, True)


def test_sub_says_that_a_message_cannot_be_written(gateway, at, tmp_path):
    done("pub", *at, "-t", "a/b", "-m", "kept", "-r", "-q", 1)
    # A limit on the size of files stands for a disk that is full.
    result = in_shell(f"trap '' XFSZ; ulimit -f 0; $SN sub -p $PORT -t a/b -C 1 >{tmp_path}/messages", gateway)
    assert (result.returncode, b"File too large" in result.stderr) == (1, True)
