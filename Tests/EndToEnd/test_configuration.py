"""`dormouse check`, the start with good and bad files, and the exit codes."""

import os
import re
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from gateway import CONFIGURATION, ROOT, run
from mosquitto import Subscriber, publish

DEBIAN = Path("/etc/mosquitto/mosquitto.conf")


@pytest.fixture
def check(tmp_path):
    """Runs `dormouse check` on a text; (exit code, what it says)."""

    def check(text):
        path = tmp_path / "test.conf"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        done = run("check", "--config", path)
        return done.returncode, (done.stderr + done.stdout).replace(f"{path}", "test.conf")

    return check


def test_the_file_that_ships_is_good():
    done = run("check", "--config", ROOT / "gateway.conf")
    assert done.returncode == 0 and done.stdout.endswith("gateway.conf: good\n"), done
    assert "warning" not in done.stderr and "error" not in done.stderr


def test_what_is_in_force_can_be_seen(check):
    done = run("check", "--verbose", "--config", ROOT / "gateway.conf")
    assert done.returncode == 0
    assert "1883" in done.stdout and "127.0.0.1" in done.stdout
    topics = run("topics", "--config", ROOT / "gateway.conf")
    assert topics.stdout.splitlines()[0] == "1883/udp 1 sensors/%c/temperature"


TOPICS = """listener 1883 127.0.0.1
protocol mqttsn
gateway_id 7
predefined_topic 1 sensors/%c/temperature
predefined_topic 2 a-b
predefined_topic 3 a b
predefined_topic 4 star*/slash\\
predefined_topic_for pump-* 1 sensors/%c/pressure
predefined_topic_for */ 9 über/uns
"""


def test_topics_as_a_c_header(tmp_path):
    """Firmware compiles it, warnings being errors, and finds the ids under their names [SN-6.7]."""
    (tmp_path / "gateway.conf").write_text(TOPICS)
    done = run("topics", "--c-header", "--config", tmp_path / "gateway.conf")
    assert done.returncode == 0, done
    (tmp_path / "topics.h").write_text(done.stdout)
    names = ["DORMOUSE_GATEWAY_ID", "TOPIC_SENSORS_CLIENT_TEMPERATURE", "TOPIC_A_B_2", "TOPIC_A_B_3",
             "TOPIC_STAR__SLASH_", "TOPIC_SENSORS_CLIENT_PRESSURE", "TOPIC___BER_UNS"]
    (tmp_path / "firmware.c").write_text(
        '#include "topics.h"\n#include "topics.h"\n#include <stdio.h>\n'
        + "int main(void) { printf(\"" + "%u " * len(names) + "\\n\", " + ", ".join(names) + "); return 0; }\n")
    subprocess.run(["gcc", "-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-o", tmp_path / "firmware",
                    tmp_path / "firmware.c"], check=True)
    out = subprocess.run([tmp_path / "firmware"], capture_output=True, text=True, check=True).stdout
    assert out.split() == ["7", "1", "2", "3", "4", "1", "9"]


def test_topics_of_several_listeners(tmp_path):
    path = tmp_path / "gateway.conf"
    path.write_text(TOPICS + "listener 1884 127.0.0.1\nprotocol mqttsn\npredefined_topic 5 other\n")
    lines = run("topics", "--config", path).stdout.splitlines()
    assert "1883/udp 1 sensors/%c/pressure for clients pump-*" in lines and "1884/udp 5 other" in lines
    done = run("topics", "--c-header", "--config", path)
    assert done.returncode == 2 and "--port" in done.stderr
    assert "TOPIC_OTHER 5u" in run("topics", "--c-header", "--port", "1884", "--config", path).stdout
    done = run("topics", "--c-header", "--port", "1885", "--config", path)
    assert done.returncode == 2 and "1885" in done.stderr


@pytest.mark.parametrize("text", ["", "# nothing\n", "listener 0\n", CONFIGURATION, "listener 1883 ::1\nmax_qos 1\n"])
def test_good_files(check, text):
    code, said = check(text)
    assert code == 0 and said.endswith("test.conf: good\n"), said


@pytest.mark.parametrize("text, line, words", [
    ("listener 1883\nlistner 1884\n", 2, ['"listner"', "listener"]),
    ("max_keepaliv 10\n", 1, ['"max_keepaliv"', "max_keepalive"]),
    ("listener 1883 127.0.0.1\nprotocol mqttsm\n", 2, ["mqttsm", "mqttsn"]),
    ("\n\nlistener 99999\n", 3, ["99999", "65535"]),
    ("listener abc\n", 1, ["abc"]),
    ("listener 1883 localhorst\n", 1, ["localhorst"]),
    ("max_packet_size much\n", 1, ["max_packet_size", "much"]),
    ("max_packet_size 99999999999999999999\n", 1, ["max_packet_size"]),
    ("allow_anonymous maybe\n", 1, ["allow_anonymous", "maybe", "true", "false"]),
    ("listener 1883 127.0.0.1\npredefined_topic 1 a\n", 2, ["predefined_topic"]),
    ("password_file /etc/passwords\n", 1, ["/etc/passwords", "cannot read"]),
    ("include_dir /nowhere/at/all\n", 1, ["/nowhere/at/all"]),
    (b"listener 1883 \xff\xfe\n", 1, ["UTF-8"]),
])
def test_bad_files(check, text, line, words):
    code, said = check(text)
    assert code == 2, said
    error = next(entry for entry in said.splitlines() if "error" in entry)
    assert error.startswith(f"test.conf:{line}: error: "), said
    for word in words:
        assert word in error, said


def test_every_fault_is_named_at_once(check):
    code, said = check("max_qos 3\nlistner 1\nallow_anonymous 7\n")
    assert code == 2
    assert re.findall(r"test.conf:(\d): error", said) == ["1", "2", "3"]
    assert "3 errors" in said


def test_what_comes_later_is_named_with_its_line(check):
    code, said = check("listener 1883 127.0.0.1\nlog_facility 5\nmemory_limit 1000000\n")
    assert code == 0
    assert re.findall(r"test.conf:(\d): warning: \"(\w+)\" is not supported yet", said) == [
        ("2", "log_facility"), ("3", "memory_limit")]


def test_a_bad_file_starts_nothing(tmp_path):
    path = tmp_path / "gateway.conf"
    path.write_text("listener 0\nbogus 1\n")
    done = run("run", "--config", path)
    assert done.returncode == 2
    assert f"{path}:2: error" in done.stderr and "listening" not in done.stderr


def test_debians_mosquitto_conf():
    if not DEBIAN.exists():
        pytest.fail(f"{DEBIAN} is not there: `make test` installs the package mosquitto")
    done = run("check", "--config", DEBIAN)
    assert done.returncode == 0, done.stderr
    assert re.findall(r"mosquitto.conf:\d+: warning: \"([\w ]+)\"", done.stderr) == ["log_dest file"]


def test_debians_mosquitto_conf_starts_the_gateway(start_gateway, tmp_path):
    # Its port is 1883, which may be in use here: the one thing that is changed, beside the folders of mosquitto's own.
    text = DEBIAN.read_text().replace("/run/mosquitto/mosquitto.pid", str(tmp_path / "pid"))
    text = text.replace("/var/lib/mosquitto/", str(tmp_path / "data"))
    gateway = start_gateway(text + "\nlistener 0 127.0.0.1\n")
    with Subscriber(gateway, "a") as subscriber:
        publish(gateway, "a", "x")
        assert subscriber.message().payload == b"x"
    # A client was served, so the start is over and the id is written.
    assert (tmp_path / "pid").read_text().strip() == str(gateway.process.pid)
    gateway.stop()
    assert not (tmp_path / "pid").exists()


@pytest.mark.parametrize("arguments", [
    ["bogus"], ["run", "--bogus"], ["run", "extra"], ["check", "--config"], ["decode"], ["decode", "xyz"],
    ["check", "--config", "/nowhere/at/all.conf"], ["run", "--config", "/nowhere/at/all.conf"],
    ["run", "--config", "/"],
])
def test_wrong_usage(arguments):
    done = run(*arguments)
    assert done.returncode == 2, done
    assert done.stderr and not done.stdout


def test_without_a_configuration(tmp_path):
    if Path("/etc/dormouse/gateway.conf").exists():
        pytest.fail("this test needs a machine without /etc/dormouse/gateway.conf")
    done = run("run", cwd=tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1 and "gateway.conf" in done.stderr and "-c FILE" in done.stderr


def test_run_is_the_default_and_the_default_file_is_here(tmp_path):
    (tmp_path / "gateway.conf").write_text("listner 1\n")
    done = run(cwd=tmp_path)
    assert done.returncode == 2 and "./gateway.conf:1: error" in done.stderr


@pytest.mark.parametrize("protocol, kind", [("mqtt", socket.SOCK_STREAM), ("mqttsn", socket.SOCK_DGRAM)])
def test_a_port_in_use(tmp_path, protocol, kind):
    with socket.socket(socket.AF_INET, kind) as other:
        other.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            other.listen()
        port = other.getsockname()[1]
        path = tmp_path / "gateway.conf"
        path.write_text(f"listener {port} 127.0.0.1\nprotocol {protocol}\nlog_type error\n")
        done = run("run", "--config", path)
    assert done.returncode == 1, done
    assert len(done.stderr.splitlines()) == 1
    assert f"127.0.0.1:{port}" in done.stderr and "in use" in done.stderr.lower()


def test_a_second_gateway_on_the_same_port(gateway, tmp_path):
    path = tmp_path / "second.conf"
    path.write_text(f"listener {gateway.tcp} 127.0.0.1\n")
    assert run("run", "--config", path).returncode == 1
    publish(gateway, "a", "still served", qos=1)


def test_an_address_that_is_not_ours(tmp_path):
    path = tmp_path / "gateway.conf"
    path.write_text("listener 0 192.0.2.1\nallow_anonymous true\n")
    done = run("run", "--config", path)
    assert done.returncode == 1 and "192.0.2.1" in done.stderr


def test_a_listener_that_others_reach_must_say_who_may_come(check):
    code, said = check("listener 1883 0.0.0.0\n")
    assert code == 2 and "allow_anonymous" in said
    assert check("listener 1883 0.0.0.0\nallow_anonymous true\n")[0] == 0


def test_without_an_address_only_this_machine_is_served(start_gateway):
    gateway = start_gateway("listener 0\n")
    assert {host for host, _ in gateway.addresses("MQTT over TCP")} <= {"127.0.0.1", "::1"}


def test_what_it_prints_at_its_start(gateway):
    said = "\n".join(gateway.log)
    for words in ("dormouse 0.", "on 127.0.0.1:", "MQTT over TCP", "MQTT-SN over UDP", "durability none"):
        assert words in said


def test_connection_messages_can_be_turned_off(start_gateway):
    gateway = start_gateway("listener 0 127.0.0.1\nconnection_messages false\n")
    publish(gateway, "a", "x", options=["-i", "unseen"])
    gateway.reload()
    assert not any("unseen" in line for line in gateway.log)


def test_max_connections(start_gateway):
    gateway = start_gateway("listener 0 127.0.0.1\nmax_connections 2\n")
    with Subscriber(gateway, "a"), Subscriber(gateway, "a"):
        third = subprocess.run(
            ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(gateway.tcp), "-t", "a", "-m", "x"], capture_output=True)
        assert third.returncode != 0
        gateway.wait_for_line("turned away")
    # Both are gone when their ends are logged.
    for _ in range(2):
        gateway.wait_for_line("ended")


@pytest.mark.parametrize("arguments, words", [
    (["decode", "0a 04 04 01 003c 64657631"], ["CONNECT", "dev1"]),
    (["decode", "--protocol", "mqtt311", "30 05 00 01 61 68 69"], ["publish"]),
])
def test_decode(arguments, words):
    done = run(*arguments)
    assert done.returncode == 0, done
    for word in words:
        assert word.lower() in done.stdout.lower()


def test_decode_of_what_is_malformed():
    assert run("decode", "05 04").returncode == 1


def test_version_and_help():
    assert re.fullmatch(r"dormouse \d+\.\d+\.\d+\n", run("--version").stdout)
    done = run("--help")
    assert done.returncode == 0 and "check" in done.stdout


FIXTURES = sorted((ROOT / "Fixtures/configuration").glob("*.conf"))


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_the_parsers_fixtures_have_their_exit_code(path):
    """What must be said about each is tested with the parser; here it is the answer of the command."""
    is_refused = b"# expect: error" in path.read_bytes()
    done = run("check", "--config", path.name, cwd=path.parent)
    assert done.returncode == (2 if is_refused else 0), done.stderr
    assert (done.stdout == f"{path.name}: good\n") != is_refused


def irregular(folder, kind):
    """A path to something that is no regular file, and what the gateway calls it."""
    path = folder / "irregular.conf"
    if kind == "FIFO":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(str(path))
    elif kind == "directory":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero")
    return path, f"it is a {kind}, not a regular file"


IRREGULAR = pytest.mark.parametrize("kind", ["FIFO", "socket", "directory", "device"])


@IRREGULAR
@pytest.mark.parametrize("command", ["check", "run"])
def test_a_configuration_that_is_no_regular_file(tmp_path, command, kind):
    path, words = irregular(tmp_path, kind)
    done = run(command, "--config", path)
    assert done.returncode == 2 and str(path) in done.stderr and words in done.stderr, done


@IRREGULAR
@pytest.mark.parametrize("directive", ["scram_file", "include_dir"])
def test_a_file_of_the_configuration_that_is_no_regular_file(tmp_path, check, directive, kind):
    folder = tmp_path / "included"
    folder.mkdir()
    path, words = irregular(folder, kind)
    code, said = check(f"listener 0 127.0.0.1\n{directive} {path if directive == 'scram_file' else folder}\n")
    # The path may be longer than what a message shows of a value.
    assert code == 2 and f'test.conf:2: error: cannot read "{str(path)[:20]}' in said and words in said, said


@IRREGULAR
def test_a_pid_file_that_is_no_regular_file(tmp_path, kind):
    path, words = irregular(tmp_path, kind)
    configuration = tmp_path / "gateway.conf"
    configuration.write_text(f"listener 0 127.0.0.1\npid_file {path}\n")
    done = run("run", "--config", configuration)
    assert done.returncode == 1 and f"cannot write pid_file {path}: " in done.stderr, done
    # A directory cannot be opened for writing: the system says so itself.
    assert words in done.stderr or kind == "directory" and "directory" in done.stderr, done
    assert path.exists()


def test_a_pid_file_that_is_there_is_replaced(start_gateway, tmp_path):
    path = tmp_path / "pid"
    path.write_text("12345678901234567890\n")
    gateway = start_gateway(f"listener 0 127.0.0.1\npid_file {path}\n")
    publish(gateway, "a", "x")
    assert path.read_text() == f"{gateway.process.pid}\n"


def test_a_configuration_of_a_gigabyte(tmp_path):
    path = tmp_path / "large.conf"
    with path.open("wb") as file:
        file.truncate(1 << 30)
    done = run("check", "--config", path)
    assert done.returncode == 2 and "larger than 16777216 bytes" in done.stderr, done
