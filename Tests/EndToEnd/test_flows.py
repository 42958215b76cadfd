"""Fixtures/flows over real sockets, and what tshark's dissector says about their datagrams."""

import collections
import json

import pytest

import sn_words
from flows import Flow, Player, all_flows
from gateway import ROOT

FLOWS = all_flows()
PLAYABLE = [flow for flow in FLOWS if flow.memory_only is None]


@pytest.mark.parametrize("flow", PLAYABLE, ids=str)
def test_a_flow_goes_as_it_is_written(start_gateway, flow):
    Player(flow, start_gateway).play()


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
