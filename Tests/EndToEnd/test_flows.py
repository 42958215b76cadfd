"""Fixtures/flows over real sockets, and what tshark's dissector says about their datagrams."""

import collections
import json
import subprocess

import pytest

import pcap
import sn_words
from flows import Flow, Player, all_flows
from gateway import ROOT

FLOWS = all_flows()
PLAYABLE = [flow for flow in FLOWS if flow.memory_only is None]


# The datagrams of each flow that was played.
CAPTURED = {}


def play(flow, start_gateway):
    player = Player(flow, start_gateway)
    player.play()
    CAPTURED[flow.title] = player.datagrams


@pytest.mark.parametrize("flow", PLAYABLE, ids=str)
def test_a_flow_goes_as_it_is_written(start_gateway, flow):
    play(flow, start_gateway)


def test_how_many_flows_are_played_where(capsys):
    reasons = collections.Counter(flow.memory_only for flow in FLOWS if flow.memory_only)
    with capsys.disabled():
        print(f"\n{len(FLOWS)} flows: all are played in memory (Tests/Flows), {len(PLAYABLE)} over sockets as well; "
              f"not over sockets: {len(FLOWS) - len(PLAYABLE)}")
        for reason, count in reasons.most_common():
            print(f"    {count} because {reason}")
    assert len(PLAYABLE) > len(FLOWS) * 2 / 3
    assert len({flow.title for flow in FLOWS}) == len(FLOWS)


@pytest.mark.parametrize("lines", [
    ["dev > hex 00", "dev < CONNACK"],
    ["dev > CONNECT clientID='dev'", "dev < CONNACK returnCode=congestion"],
    ["dev > CONNECT clientID='dev'"],
    ["dev > CONNECT clientID='dev'", "dev > PINGREQ", "dev < CONNACK"],
    ["app > subscribe 'a'", "app > publish 'a' 'x'", "app < 'a' 'y'"],
], ids=len)
def test_what_is_not_as_a_flow_says_is_noticed(start_gateway, monkeypatch, lines):
    monkeypatch.setattr("flows.PATIENCE", 0.5)
    with pytest.raises(AssertionError):
        Player(Flow("wrong", {"title": "wrong", "cites": [], "steps": lines}), start_gateway).play()


def packets():
    """Rows of Fixtures/mqttsn that are one message in one form only: their bytes, and what the gateway prints."""
    for path in sorted((ROOT / "Fixtures/mqttsn").glob("*.json")):
        for row in json.loads(path.read_text()):
            if "packet" in row and row.get("canonical", True) and "ENCAPSULATED" not in row["packet"]:
                if "type=reserved" not in row["packet"] and "(" not in row["hex"]:
                    yield pytest.param(row["hex"], row["packet"], id=row["name"])


@pytest.mark.parametrize("octets, printed", list(packets()))
def test_words_say_what_the_gateway_prints(octets, printed):
    data = sn_words.notation(octets)
    name, values = sn_words.decode(data)
    assert sn_words.encode(name, values) == data
    assert printed.split()[0] == name
    if " bytes" not in printed:
        assert sn_words.text(data) == printed


EMPTY_WILLS = (b"\2\x07", b"\2\x1a")
# Fields of tshark's dissector, and of a message in words.
FIELDS = {
    "mqttsn.msg.type": None, "mqttsn.msg.len": None, "mqttsn.msg.id": "msgID", "mqttsn.return.code": "returnCode",
    "mqttsn.topic.id": "topicID", "mqttsn.qos": "qos", "mqttsn.topic.id.type": "type", "mqttsn.client.id": "clientID",
    "mqttsn.keep.alive": "duration", "mqttsn.sleep.timer": "duration", "mqttsn.gw.id": "gwID", "mqttsn.dup": "dup",
    "mqttsn.retain": "retain", "mqttsn.will": "will", "mqttsn.clean.session": "cleanSession",
    "mqttsn.protocol.id": "protocolID", "mqttsn.radius": "radius",
}


def as_number(field, value):
    """A value of a message in words as the number that tshark prints."""
    if field in sn_words.FLAGS:
        return 1
    if field in sn_words.CHOICES:
        return sn_words.CHOICES[field][0].index(value)
    return int.from_bytes(sn_words.write_field(field, value), "big")


def as_printed(value):
    """What tshark prints, as a number."""
    return {"True": 1, "False": 0}[value] if value in ("True", "False") else int(value, 0)


@pytest.mark.timeout(180)
def test_the_dissector_reads_in_all_flows_what_was_meant(start_gateway, tmp_path):
    """Those that were played before this test, or else all that need no time."""
    for flow in PLAYABLE:
        if flow.title not in CAPTURED and flow.seconds == 0:
            play(flow, start_gateway)
    # The empty WILLTOPIC and WILLTOPICUPD of clients (§5.4.7, §5.4.22) are a form that the dissector does not know.
    datagrams = [each for datagrams in CAPTURED.values() for each in datagrams if each[2] not in EMPTY_WILLS]
    pcap.write(tmp_path / "flows.pcap", datagrams)
    base = ["tshark", "-r", tmp_path / "flows.pcap", "-d", "udp.port==1883,mqttsn"]

    def dissect(*options):
        done = subprocess.run([*base, *options], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    assert dissect("-Y", "_ws.malformed or _ws.expert.severity == error or not mqttsn") == []
    names = [option for field in FIELDS for option in ("-e", field)]
    lines = dissect("-T", "fields", "-E", "separator=\x1f", *names)
    assert len(lines) == len(datagrams) > 1_000
    types = set()
    compared = 0
    for line, (source, _, data) in zip(lines, datagrams):
        # What is encapsulated is printed twice over: tshark has said above that nothing of it is malformed.
        if data[1] == 0xFE:
            continue
        printed = dict(zip(FIELDS, line.split("\x1f")))
        name, values = sn_words.decode(data)
        start = 3 if data[0] == 1 else 1
        assert int(printed["mqttsn.msg.type"], 0) == data[start] and int(printed["mqttsn.msg.len"]) == len(data)
        types |= {name}
        for field, word in FIELDS.items():
            if word is None or not printed[field]:
                continue
            compared += 1
            if word == "clientID":
                meant = sn_words.unquoted(values[word])
                assert not meant.isascii() or b"\0" in meant or printed[field] == meant.decode(), sn_words.text(data)
                continue
            assert word in values or as_printed(printed[field]) == 0, f"{field} of {sn_words.text(data)}"
            if word in values and not values[word].startswith("'"):
                assert as_printed(printed[field]) == as_number(word, values[word]), f"{field}, {sn_words.text(data)}"
    assert compared > len(datagrams)
    # Whatever a gateway and a client can say is in it, but for what only some gateways do.
    assert set(sn_words.LAYOUTS) - types == {"ADVERTISE"} - types
