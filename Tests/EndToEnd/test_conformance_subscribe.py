"""MQTT 3.1.1 and 5.0 statement by statement: SUBSCRIBE, UNSUBSCRIBE, topic filters."""

import pytest

from packets import (
    DO_NOT_SEND, PUBACK, PUBLISH, PUBREC, PUBREL, SEND_IF_NEW, SUBACK, UNSUBACK, V5, V311, Client, acknowledge,
    both_versions, data, keeping, number, publish, subscribe, unsubscribe)
from wire import frame

REFUSED = {V311: 0x80, V5: 0x8F}


def violation(broker, version, packet):
    """The code of the DISCONNECT that answers a packet, or None where the connection only closes."""
    with Client(broker, version) as client:
        return client.send(packet).end()


# --- 3.8: SUBSCRIBE ---


@both_versions
def test_a_subscribe_without_a_filter(broker, version):
    """[MQTT-3.8.3-2] [MQTT311-3.8.3-3] [MQTT311-4.8.0-1] [attack 57]"""
    assert violation(broker, version, subscribe(version, 1)) == (0x82 if version == V5 else None)


@both_versions
def test_options_that_there_are_not(broker, version):
    """[MQTT-3.8.3-5] [MQTT311-3.8.3-4] [attack 57]"""
    bad = [0x03, 0x40, 0x80, 0xC0] + ([0x30] if version == V5 else [0x04, 0x08, 0x10, 0x20])
    for options in bad:
        code = violation(broker, version, subscribe(version, 1, ("a", options)))
        assert code == (None if version == V311 else 0x81 if options > 0x30 else 0x82)


@both_versions
def test_each_filter_has_its_code_in_its_place(broker, version, mine):
    """[MQTT-3.8.4-1] [MQTT-3.8.4-2] [MQTT-3.8.4-5] [MQTT-3.8.4-6] [MQTT-3.8.4-7] [MQTT-3.9.3-1] [MQTT-3.9.3-2]
    [MQTT311-3.8.4-1] [MQTT311-3.8.4-2] [MQTT311-3.8.4-4] [MQTT311-3.8.4-5] [MQTT311-3.9.3-1] [MQTT311-3.9.3-2]"""
    filters = [(mine + "/2", 2), ("bad#", 1), (mine + "/0", 0), (mine + "/1", 1), ("a/#/b", 2), (mine + "/2", 1)]
    no = REFUSED[version]
    with Client(broker, version) as client:
        client.send(subscribe(version, 0x0A0B, *filters))
        answer = client.next(SUBACK)
        assert (answer.identifier, answer.codes) == (0x0A0B, [2, no, 0, 1, no, 1])
        client.hears_nothing()
        # One after the other: the last on a filter is the one that holds.
        for topic, qos in ((mine + "/0", 0), (mine + "/1", 1), (mine + "/2", 1)):
            client.send(publish(version, topic, "x", 2, 9))
            client.next(PUBREC)
            client.send(acknowledge(PUBREL, 9))
            found = {each.kind: each for each in (client.next(), client.next())}
            assert (found[PUBLISH].topic, found[PUBLISH].qos) == (topic, qos)
            if qos:
                client.send(acknowledge(PUBACK, found[PUBLISH].identifier))


@both_versions
@pytest.mark.parametrize("granted", [0, 1, 2])
def test_messages_come_at_the_lower_qos(broker, version, mine, granted):
    """[MQTT-3.8.4-8] [MQTT311-3.8.4-6]"""
    with Client(broker, version) as client, Client(broker, version) as sender:
        assert client.subscribe((mine, granted)) == [granted]
        for qos in (0, 1, 2):
            sender.publish(mine, "", qos)
            assert client.message().qos == min(qos, granted)


@both_versions
def test_a_subscription_made_again_replaces_the_first(broker, version, mine):
    """Retained messages come again, and messages come once and at the new QoS. [MQTT-3.8.4-3] [MQTT-3.8.4-4]
    [MQTT-3.3.1-9] [MQTT311-3.8.4-3]"""
    with Client(broker, version) as client, Client(broker, version) as sender:
        sender.publish(mine + "/kept", "kept", 1, retain=True)
        for qos in (0, 2, 1):
            assert client.subscribe((mine + "/+", qos)) == [qos]
            message = client.message()
            assert (message.payload, message.retain, message.qos) == (b"kept", True, min(qos, 1))
            sender.publish(mine + "/live", "live", 2)
            message = client.message()
            assert (message.payload, message.qos) == (b"live", qos)
            client.hears_nothing()


@both_versions
def test_replacing_a_subscription_loses_nothing(broker, version, mine):
    """[MQTT-3.8.4-4] [MQTT311-3.8.4-3]"""
    with Client(broker, version) as client, Client(broker, version) as sender:
        client.subscribe((mine, 1))
        for count in range(15):
            sender.publish(mine, str(count), 1)
            client.send(subscribe(version, 100 + count, (mine, 1 + count % 2)))
        packets = [client.next() for _ in range(30)]
        assert [int(each.payload) for each in packets if each.kind == PUBLISH] == list(range(15))
        assert [each.identifier for each in packets if each.kind == SUBACK] == list(range(100, 115))


def test_retain_handling(broker, mine):
    """[MQTT-3.3.1-9] [MQTT-3.3.1-10] [MQTT-3.3.1-11] [MQTT-3.8.4-4]"""
    with Client(broker, V5) as client:
        client.publish(mine, "kept", 1, retain=True)

        def greeted(options):
            client.subscribe((mine, options))
            client.send(publish(V5, mine, "mark"))
            payloads = [client.message().payload]
            while payloads[-1] != b"mark":
                payloads.append(client.message().payload)
            return payloads[:-1]

        assert greeted(DO_NOT_SEND) == []
        assert greeted(SEND_IF_NEW) == []
        assert greeted(0) == [b"kept"]
        client.unsubscribe(mine)
        assert greeted(SEND_IF_NEW) == [b"kept"]
        assert greeted(SEND_IF_NEW) == []


# --- 3.10: UNSUBSCRIBE ---


@both_versions
def test_an_unsubscribe_without_a_filter(broker, version):
    """[MQTT-3.10.3-2] [MQTT311-3.10.3-2] [MQTT311-4.8.0-1]"""
    assert violation(broker, version, unsubscribe(version, 1)) == (0x82 if version == V5 else None)


@both_versions
def test_filters_are_compared_character_by_character(broker, version, mine):
    """[MQTT-3.10.4-1] [MQTT-3.10.4-2] [MQTT-3.10.4-4] [MQTT-3.10.4-5] [MQTT-3.11.3-1] [MQTT-3.11.3-2]
    [MQTT311-3.10.4-1] [MQTT311-3.10.4-2] [MQTT311-3.10.4-4] [MQTT311-3.10.4-5]"""
    with Client(broker, version) as client, Client(broker, version) as sender:
        client.subscribe(mine + "/+", mine + "/ü")
        # None of these is a filter of the client's, whatever it matches.
        others = [mine + "/#", mine + "/a", mine, mine + "/+/", mine.upper() + "/+", mine + "/u\u0308"]
        assert client.unsubscribe(*others) == ([0x11] * 6 if version == V5 else [])
        sender.publish(mine + "/a", "still")
        assert client.message().payload == b"still"
        assert client.unsubscribe(mine, mine + "/+", mine) == ([0x11, 0, 0x11] if version == V5 else [])
        sender.publish(mine + "/a", "no more")
        sender.publish(mine + "/ü", "the other subscription")
        assert client.message().payload == b"the other subscription"
        client.hears_nothing()


@both_versions
@pytest.mark.parametrize("qos", [1, 2])
def test_a_delivery_that_began_is_completed_behind_unsubscribe(broker, version, mine, qos):
    """Also when the client has to come back for it. [MQTT-3.10.4-2] [MQTT-3.10.4-3]
    [MQTT311-3.10.4-2] [MQTT311-3.10.4-3]"""
    with Client(broker, version, mine, **keeping(version)) as client, Client(broker, version) as sender:
        client.subscribe(mine)
        sender.publish(mine, "begun", qos)
        begun = client.message(acknowledged=False)
        client.unsubscribe(mine)
        sender.publish(mine, "after", qos)
        client.hears_nothing()
    with Client(broker, version, mine, **keeping(version)) as client:
        again = client.message()
        assert (again.identifier, again.payload, again.dup) == (begun.identifier, b"begun", True)
        client.hears_nothing()


@both_versions
def test_many_filters_in_one_unsubscribe(broker, version, mine):
    """[MQTT-3.10.4-6] [MQTT-3.11.3-1] [MQTT311-3.10.4-6]"""
    with Client(broker, version) as client, Client(broker, version) as sender:
        topics = [f"{mine}/{count}" for count in range(4)]
        client.subscribe(*topics)
        client.send(unsubscribe(version, 0x0A0B, topics[0], topics[2], topics[0], topics[3]))
        answer = client.next(UNSUBACK)
        assert answer.identifier == 0x0A0B and answer.codes == ([0, 0, 0x11, 0] if version == V5 else [])
        for topic in topics:
            sender.publish(topic, topic)
        assert client.message().topic == topics[1]
        client.hears_nothing()


# --- 4.7: topic filters ---


BAD_FILTERS = ["a#", "a/#/b", "#/", "#a", "a/b#", "+a", "a+", "a/+b/c", "a/b+", "++"]


@both_versions
@pytest.mark.parametrize("name", BAD_FILTERS)
def test_wildcards_stand_alone(broker, version, name):
    """[MQTT-4.7.1-1] [MQTT-4.7.1-2] [MQTT311-4.7.1-2] [MQTT311-4.7.1-3] [attack 58]"""
    with Client(broker, version) as client:
        assert client.subscribe(name) == [REFUSED[version]]


@both_versions
def test_a_filter_has_one_character_at_least(broker, version):
    """[MQTT-4.7.3-1] [MQTT311-4.7.3-1]"""
    with Client(broker, version) as client:
        client.send(frame(0x82, number(1) + (b"\0" if version == V5 else b"") + data("") + b"\0"))
        assert client.next(SUBACK).codes == [REFUSED[version]]


# A filter below a level of one's own, the names that it matches, and names that it does not.
MATCHES = [
    ("/+/c", ["/b/c", "//c"], ["/c", "/b/c/d", "/b"]),
    ("/#", ["", "/", "/b", "/b/c"], ["x", "x/b"]),
    ("/+", ["/", "/b"], ["", "/b/c"]),
    ("/+/+", ["/b/c", "//"], ["/b", "/b/c/d"]),
    ("/b", ["/b"], ["/B", "/b/", "/bb"]),
    ("/+/#", ["/b", "/b/c"], [""]),
]


@both_versions
@pytest.mark.parametrize("name, matching, others", MATCHES, ids=[each[0] for each in MATCHES])
def test_what_filters_match(broker, version, mine, name, matching, others):
    """[MQTT-4.7.1-1] [MQTT-4.7.1-2] [MQTT-3.3.2-3] [MQTT311-4.7.1-2] [MQTT311-4.7.1-3] [MQTT311-3.3.2-3]"""
    with Client(broker, version) as client, Client(broker, version) as sender:
        assert client.subscribe(mine + name) == [2]
        for topic in others + matching:
            sender.publish(mine + topic)
        assert [client.message().topic for _ in matching] == [mine + topic for topic in matching]
        client.hears_nothing()


@both_versions
def test_wildcards_do_not_match_dollar_topics(gateway, version):
    """[MQTT-4.7.2-1] [MQTT311-4.7.2-1] [attack 54]"""
    with Client(gateway, version) as client, Client(gateway, version) as named:
        client.subscribe("#", "+/broker/version", "+/#", "+/broker/+")
        # The version is retained there, and the rest comes each second.
        named.subscribe("$SYS/broker/version")
        assert named.message().topic == "$SYS/broker/version"
        client.hears_nothing()


@both_versions
def test_names_are_neither_normalized_nor_changed(broker, version, mine):
    """[MQTT-4.7.3-4] [MQTT311-4.7.3-4] [attack 19]"""
    names = ["ü", "u\u0308", "\u212b", "\u00c5", "a ", "A ", " a", "\u200b", "\ufffd", "a%20"]
    for name in names:
        with Client(broker, version) as client:
            client.subscribe(f"{mine}/{name}")
            for other in names:
                client.send(publish(version, f"{mine}/{other}", other))
            message = client.message()
            assert (message.topic, message.payload.decode()) == (f"{mine}/{name}", name)
            client.hears_nothing()
