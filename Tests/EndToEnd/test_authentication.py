"""Enhanced authentication: SCRAM-SHA-256 with the client's side by scramp, over packets as bytes (MQTT 5.0 §4.12)."""

import os
import pty
import stat
import subprocess

import pytest
import scramp

from gateway import BINARY, PATIENCE, run
from wire import Wire, frame, octets

METHOD = b"SCRAM-SHA-256"


def passwd(path, user, password, *options):
    """`dormouse passwd --scram`, with the password on standard input."""
    return subprocess.run(
        [BINARY, "passwd", "--scram", *options, path, user], input=password + "\n", text=True, capture_output=True,
        timeout=PATIENCE)


@pytest.fixture
def users(tmp_path):
    path = tmp_path / "users.scram"
    for user, password in (("alice", "wonder land"), ("bob,=", "builder"), ("zoë", "pencil")):
        outcome = passwd(path, user, password, "--iterations", "4096")
        assert outcome.returncode == 0, outcome.stderr
    return path


@pytest.fixture
def gateway(start_gateway, users):
    """A gateway that lets only its users in."""
    return start_gateway(f"listener 0 127.0.0.1\nscram_file {users}\n")


def text(data):
    return len(data).to_bytes(2, "big") + data


def properties(data, extra=b""):
    section = b"\x15" + text(METHOD) + (b"\x16" + text(data.encode()) if data else b"") + extra
    assert len(section) < 128
    return bytes([len(section)]) + section


def connect(data, client_id, clean=True, extra=b""):
    head = octets("0004 'MQTT' 05") + (b"\x02" if clean else b"\0") + octets("003c")
    return frame(0x10, head + properties(data, extra) + text(client_id.encode()))


def auth(code, data):
    section = b"\x15" + text(METHOD) + b"\x16" + text(data.encode())
    length = len(section)
    size = bytes([length]) if length < 128 else bytes([length & 0x7F | 0x80, length >> 7])
    return frame(0xF0, bytes([code]) + size + section)


def parse(packet):
    """(first byte, reason, properties by id) of a CONNACK, AUTH or DISCONNECT."""
    body = packet[2:] if packet[1] < 0x80 else packet[3:]
    if packet[0] == 0x20:
        body = body[1:]
    if not body:
        return packet[0], 0, {}
    reason, body = body[0], body[1:]
    if not body:
        return packet[0], reason, {}
    body = body[1:] if body[0] < 0x80 else body[2:]
    found = {}
    sizes = {0x11: 4, 0x21: 2, 0x24: 1, 0x25: 1, 0x27: 4, 0x22: 2, 0x28: 1, 0x29: 1, 0x2A: 1, 0x13: 2}
    while body:
        identifier, body = body[0], body[1:]
        size = sizes.get(identifier)
        if size is None:
            size, body = int.from_bytes(body[:2], "big"), body[2:]
        found[identifier], body = body[:size], body[size:]
    return packet[0], reason, found


class Scram:
    """A connection whose client speaks SCRAM by way of scramp."""

    def __init__(self, gateway, user, password, client_id="node", **options):
        self.wire = Wire(gateway.tcp)
        self.client = scramp.ScramClient(["SCRAM-SHA-256"], user, password)
        self.wire.send(connect(self.client.get_client_first(), client_id, **options))
        self.challenge()
        self.final = parse(self.answer())
        self.reason = self.final[1]
        if self.reason == 0:
            # The server shows that it knows the user too.
            self.client.set_server_final(self.final[2][0x16].decode())
            assert self.final[2][0x15] == METHOD

    def challenge(self):
        kind, reason, found = parse(self.wire.packet())
        assert (kind, reason, found[0x15]) == (0xF0, 0x18, METHOD)
        self.client.set_server_first(found[0x16].decode())

    def answer(self):
        self.wire.send(auth(0x18, self.client.get_client_final()))
        return self.wire.packet()

    def again(self, user, password):
        """Authenticates once more; what the server says in the end."""
        self.client = scramp.ScramClient(["SCRAM-SHA-256"], user, password)
        self.wire.send(auth(0x19, self.client.get_client_first()))
        self.challenge()
        return parse(self.answer())

    def is_served(self):
        self.wire.send("c0 00")
        return self.wire.packet() == octets("d0 00")


def test_users_of_another_implementation_come_in(gateway):
    for user, password in (("alice", "wonder land"), ("bob,=", "builder"), ("zoë", "pencil")):
        client = Scram(gateway, user, password, client_id=f"node-{len(user)}{password[0]}")
        assert client.final[:2] == (0x20, 0)
        assert client.is_served()
    assert "wonder" not in "\n".join(gateway.log)
    gateway.wait_for_line(r"is alice$")


@pytest.mark.parametrize("user, password", [("alice", "wonderland"), ("nobody", "wonder land"), ("bob", "builder")])
def test_a_wrong_password_and_an_unknown_user_look_the_same(gateway, user, password):
    client = Scram(gateway, user, password)
    assert client.final[:2] == (0x20, 0x87) and 0x16 not in client.final[2]
    assert client.wire.rest() == b""


def test_others_are_refused(gateway):
    for packet, code in (
            ("10 0d 0004 'MQTT' 05 02 003c 00 0000", 0x87), ("10 0c 0004 'MQTT' 04 02 003c 0000", 5),
            ("10 18 0004 'MQTT' 04 c2 003c 0000 0005 'alice' 0003 'abc'", 4)):
        with Wire(gateway.tcp) as wire:
            assert wire.send(packet).packet()[3] == code
            assert wire.rest() == b""


def test_a_session_belongs_to_who_authenticated(gateway):
    """[attack 39] Another user does not get it, whatever it says; its owner does."""
    lasting = octets("11 00000e10")
    alice = Scram(gateway, "alice", "wonder land", client_id="hers", extra=lasting)
    alice.wire.send("82 08 0001 00 0002 'in' 01")
    assert alice.wire.packet() == octets("90 04 0001 00 01")
    for clean in (False, True):
        thief = Scram(gateway, "bob,=", "builder", client_id="hers", clean=clean)
        assert thief.final[:2] == (0x20, 0x87)
    assert alice.is_served()
    alice.wire.close()
    assert Scram(gateway, "bob,=", "builder", client_id="hers").reason == 0x87
    back = Scram(gateway, "alice", "wonder land", client_id="hers", clean=False)
    assert back.reason == 0
    back.wire.send("32 09 0002 'in' 0005 00 'hi'")
    assert {back.wire.packet()[0], back.wire.packet()[0]} == {0x40, 0x32}


def test_a_wrong_password_touches_nothing(gateway):
    """[attack 37] Not even with Clean Start under the victim's id."""
    alice = Scram(gateway, "alice", "wonder land", client_id="hers")
    assert Scram(gateway, "alice", "guess", client_id="hers").reason == 0x87
    assert alice.is_served()


def test_reauthentication(gateway):
    client = Scram(gateway, "alice", "wonder land")
    kind, reason, found = client.again("alice", "wonder land")
    assert (kind, reason, found[0x15]) == (0xF0, 0, METHOD)
    client.client.set_server_final(found[0x16].decode())
    assert client.is_served()


@pytest.mark.parametrize("user, password", [("alice", "guess"), ("bob,=", "builder")])
def test_reauthentication_that_fails(gateway, user, password):
    client = Scram(gateway, "alice", "wonder land")
    assert client.again(user, password)[:2] == (0xE0, 0x87)
    assert client.wire.rest() == b""


def test_passwd_keeps_what_else_is_in_the_file(tmp_path):
    path = tmp_path / "users"
    path.write_text("# our users\n")
    path.chmod(0o640)
    assert passwd(path, "alice", "one").returncode == 0
    assert passwd(path, "bob", "two").returncode == 0
    before = path.read_text().splitlines()
    assert before[0] == "# our users" and before[1].startswith("alice:SCRAM-SHA-256$10000:")
    assert passwd(path, "alice", "three").returncode == 0
    after = path.read_text().splitlines()
    assert (after[0], after[2]) == (before[0], before[2]) and after[1] != before[1]
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert run("passwd", "--scram", "-D", path, "alice").returncode == 0
    assert path.read_text().splitlines() == [before[0], before[2]]
    assert sorted(tmp_path.iterdir()) == [path]


def test_passwd_makes_a_file_that_only_its_owner_reads(tmp_path):
    path, link = tmp_path / "users", tmp_path / "link"
    link.symlink_to(path)
    assert passwd(link, "alice", "x").returncode == 0
    assert link.is_symlink() or not path.exists()
    assert stat.S_IMODE(os.stat(link).st_mode) == 0o600
    # mosquitto's and PostgreSQL's kind of verifier: the same password never has the same one twice.
    first = link.read_text()
    assert passwd(link, "alice", "x").returncode == 0
    assert link.read_text() != first


@pytest.mark.parametrize("arguments, said", [
    (["users", "alice"], "no password"), (["--scram", "users", "a:b"], "colon"),
    (["--scram", "users", ""], "1 to 256 bytes"), (["--scram", "--iterations", "4095", "users", "alice"], "4096"),
    (["--scram", "-D", "users", "alice"], "no user"), (["--scram", "users", "alice"], "no password"),
    (["--scram", "bad", "alice"], "bad:1: "),
])
def test_passwd_says_what_is_wrong(tmp_path, arguments, said):
    (tmp_path / "bad").write_text("listener 1883\n")
    outcome = run("passwd", *arguments, cwd=tmp_path)
    assert outcome.returncode == 2 and said in outcome.stderr, outcome.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["bad"]


@pytest.mark.parametrize("second, code", [("right", 0), ("wrong", 2)])
def test_passwd_asks_twice_at_a_terminal_and_does_not_show(tmp_path, second, code):
    master, slave = pty.openpty()
    path = tmp_path / "users"
    process = subprocess.Popen(
        [BINARY, "passwd", "--scram", path, "alice"], stdin=slave, stderr=subprocess.PIPE, text=True)
    assert process.stderr.read(len("Password for alice: ")) == "Password for alice: "
    os.write(master, b"right\n")
    assert process.stderr.read(len("\nThe same again: ")) == "\nThe same again: "
    os.write(master, second.encode() + b"\n")
    assert process.wait(PATIENCE) == code
    os.set_blocking(master, False)
    try:
        assert b"right" not in os.read(master, 4096)
    except BlockingIOError:
        pass
    assert path.exists() == (code == 0)


def test_check_tells_the_line_of_a_faulty_user(tmp_path, users):
    users.write_text(users.read_text() + "carol:SCRAM-SHA-256$1:x\n")
    (tmp_path / "gateway.conf").write_text(f"listener 0 127.0.0.1\nscram_file {users}\n")
    outcome = run("check", "-c", tmp_path / "gateway.conf")
    assert outcome.returncode == 2 and f"{users}:4: error: " in outcome.stderr
