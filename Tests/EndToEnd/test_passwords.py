"""Passwords in CONNECT: mosquitto's files and clients, ours and theirs, and who guesses."""

import getpass
import shutil
import socket
import subprocess
import time

import pytest

from gateway import BINARY, PATIENCE, run
from mosquitto import Subscriber, publish
from wire import CONNECT_5, Wire, Witness, frame, octets

ALICE = ["-u", "alice", "-P", "wonder land"]


def mosquitto_passwd(path, user, password, *options):
    subprocess.run(["mosquitto_passwd", *options, "-b", path, user, password], check=True, capture_output=True)


def passwd(path, user, password, *options):
    outcome = subprocess.run(
        [BINARY, "passwd", *options, path, user], input=password + "\n", text=True, capture_output=True, timeout=PATIENCE)
    assert outcome.returncode == 0, outcome.stderr


@pytest.fixture
def users(tmp_path):
    """alice by mosquitto's own tool, carol by its old kind of hash, dave by ours, erin for SCRAM."""
    path = tmp_path / "users"
    mosquitto_passwd(path, "alice", "wonder land", "-c")
    mosquitto_passwd(path, "carol", "secret", "-H", "sha512")
    path.chmod(0o600)
    passwd(path, "dave", "zoë's")
    passwd(path, "erin", "pencil", "--scram", "--iterations", "4096")
    return path


@pytest.fixture
def gateway(start_gateway, users):
    return start_gateway(f"listener 0 127.0.0.1\npassword_file {users}\n")


def attempt(gateway, user=None, password=None, version="mqttv311"):
    options = (["-u", user] if user is not None else []) + (["-P", password] if password is not None else [])
    return subprocess.run(
        ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(gateway.tcp), "-V", version, "-t", "a", "-m", "x", "-q", "1",
         *options], capture_output=True, text=True, timeout=PATIENCE)


@pytest.mark.parametrize("version", ["mqttv31", "mqttv311", "mqttv5"])
def test_who_is_in_the_file_comes_in(gateway, version):
    for user, password in (("alice", "wonder land"), ("carol", "secret"), ("dave", "zoë's"), ("erin", "pencil")):
        outcome = attempt(gateway, user, password, version)
        assert outcome.returncode == 0, (user, outcome.stderr)


@pytest.mark.parametrize("version", ["mqttv31", "mqttv311", "mqttv5"])
def test_nobody_else_does(gateway, version):
    """[attack 90]: a wrong password and an unknown name get one answer."""
    answers = {attempt(gateway, user, password, version).stderr
               for user, password in (("alice", "wrong"), ("alice", ""), ("nobody", "wonder land"), ("carol", "Secret"))}
    assert len(answers) == 1 and answers.pop()
    assert attempt(gateway, version=version).returncode != 0
    assert not any("wonder" in line or "Secret" in line for line in gateway.log), "a password is in the log"


def test_nothing_of_a_session_is_touched_before(gateway):
    """[attack 37]: a wrong password with a clean start neither ends the session nor its client."""
    with Subscriber(gateway, "a", client_id="victim", options=ALICE) as subscriber:
        for _ in range(3):
            outcome = subprocess.run(
                ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(gateway.tcp), "-i", "victim", "-t", "a", "-m", "evil",
                 "-u", "alice", "-P", "wrong"], capture_output=True)
            assert outcome.returncode != 0
        publish(gateway, "a", "good", qos=1, options=ALICE)
        assert subscriber.message().payload == b"good"


def test_a_session_is_its_users(gateway):
    """[attack 39]: another user does not get it."""
    with Subscriber(gateway, "a", client_id="mine", options=ALICE) as subscriber:
        outcome = subprocess.run(
            ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(gateway.tcp), "-i", "mine", "-t", "a", "-m", "evil",
             "-u", "carol", "-P", "secret"], capture_output=True)
        assert outcome.returncode != 0
        publish(gateway, "a", "good", qos=1, options=ALICE)
        assert subscriber.message().payload == b"good"


def test_the_files_of_our_tool_are_mosquittos(tmp_path, users):
    """mosquitto itself lets our user in."""
    broker = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    path = tmp_path / "ours"
    passwd(path, "dave", "builder")
    path.chmod(0o644)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    configuration = tmp_path / "mosquitto.conf"
    configuration.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous false\npassword_file {path}\nuser {getpass.getuser()}\n")
    process = subprocess.Popen([broker, "-c", configuration], stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + PATIENCE
        while True:
            outcome = subprocess.run(
                ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(port), "-t", "a", "-m", "x", "-u", "dave", "-P", "builder"],
                capture_output=True)
            if outcome.returncode == 0 or time.monotonic() > end:
                break
            time.sleep(0.05)
        assert outcome.returncode == 0, outcome.stderr
    finally:
        process.terminate()
        process.wait()


def test_who_guesses_keeps_nobody_waiting(start_gateway, tmp_path):
    """Hundreds of dear checks at once: who is in is served, and what is too much hears that the server is busy."""
    path = tmp_path / "users"
    passwd(path, "alice", "wonder land", "--iterations", "200000")
    gateway = start_gateway(f"allow_anonymous true\nlistener 0 127.0.0.1\npassword_file {path}\n")
    connect = frame(0x10, octets("0004 'MQTT' 05 c2 003c 00 0000 0005 'alice' 0005 'wrong'"))
    with Witness(gateway) as witness:
        wires = [Wire(gateway.tcp) for _ in range(300)]
        for wire in wires:
            wire.send(connect)
        longest = 0
        for _ in range(20):
            begin = time.monotonic()
            assert witness.is_served()
            longest = max(longest, time.monotonic() - begin)
        assert longest < 0.5, longest
        codes = []
        for wire in wires[:3] + wires[-3:]:
            answer = wire.rest()
            codes.append(answer[3] if len(answer) > 3 else None)
        # The last ones find the desk full; of those who wait some are out of time.
        assert 0x89 in codes and all(code in (0x86, 0x89, None) for code in codes), codes
        for wire in wires:
            wire.close()


def test_a_reload_ends_who_is_no_user_any_more(gateway, users):
    others = ["-u", "carol", "-P", "secret"]
    with Subscriber(gateway, "a", options=ALICE) as alice, Subscriber(gateway, "a", options=others) as carol:
        assert run("passwd", "-D", users, "alice").returncode == 0
        gateway.reload()
        # It comes again by itself, and is refused.
        assert alice.process.wait(PATIENCE) != 0
        assert carol.process.poll() is None
        assert attempt(gateway, "alice", "wonder land").returncode != 0
        assert attempt(gateway, "carol", "secret").returncode == 0


def test_a_file_with_a_fault_opens_nothing(start_gateway, tmp_path):
    path = tmp_path / "users"
    path.write_text("alice:secret\n")
    configuration = tmp_path / "g.conf"
    configuration.write_text(f"listener 0 127.0.0.1\npassword_file {path}\n")
    outcome = run("check", "-c", configuration)
    assert outcome.returncode == 2 and f"{path}:1: error" in outcome.stderr and "in clear" in outcome.stderr
