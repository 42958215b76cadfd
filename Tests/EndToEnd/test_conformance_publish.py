"""MQTT 3.1.1 and 5.0 statement by statement: PUBLISH, retained messages, topic names, what travels with a message."""

import pytest

from packets import (
    NO_LOCAL, PUBACK, PUBCOMP, PUBREC, PUBREL, RETAIN_AS_PUBLISHED, SUBACK, V5, V311, Client, acknowledge,
    both_versions, connect, data, keeping, number, parse, publish, subscribe)
from wire import Wire, frame

all_qos = pytest.mark.parametrize("qos", [0, 1, 2])


def violation(broker, version, packet):
    """The code of the DISCONNECT that answers a packet, or None where the connection only closes."""
    with Client(broker, version) as client:
        return client.send(packet).end()


# --- 3.3.1: DUP, QoS, RETAIN ---


@both_versions
def test_a_message_at_qos_0_has_no_identifier(broker, version, mine):
    """On its way in and out. [MQTT-2.2.1-2] [MQTT-3.3.1-2] [MQTT-4.3.1-1]
    [MQTT311-2.3.1-5] [MQTT311-3.3.1-2] [MQTT311-4.3.1-1] [attack 53]"""
    with Client(broker, version) as client:
        client.subscribe(mine)
        # What could be an identifier is payload.
        packet = publish(version, mine, b"\x00\x07payload")
        assert client.send(packet).packet() == packet
        assert violation(broker, version, publish(version, mine, dup=True)) == (0x81 if version == V5 else None)


@both_versions
@pytest.mark.parametrize("qos", [1, 2])
def test_a_message_needs_an_identifier_above_qos_0(broker, version, qos):
    """[MQTT-2.2.1-3] [MQTT311-2.3.1-1] [attack 53]"""
    for packet in (publish(version, "t", "", qos, 0), subscribe(version, 0, ("t", 0)),
                   frame(0xA2, number(0) + (b"\0" if version == V5 else b"") + data("t"))):
        assert violation(broker, version, packet) == (0x82 if version == V5 else None)


@both_versions
@pytest.mark.parametrize("qos", [1, 2])
def test_dup_is_set_for_what_is_delivered_again_and_for_nothing_else(broker, version, mine, qos):
    """[MQTT-3.3.1-1] [MQTT-3.3.1-3] [MQTT311-3.3.1-1] [MQTT311-3.3.1-3]"""
    with Client(broker, version, mine, **keeping(version)) as client, Client(broker, version) as sender:
        client.subscribe(mine)
        sender.publish(mine, "again", qos, dup=True)
        first = client.message(acknowledged=False)
        assert not first.dup
    with Client(broker, version, mine, **keeping(version)) as client:
        again = client.message()
        assert again.dup
        assert (again.identifier, again.payload, again.qos) == (first.identifier, first.payload, qos)
        client.publish(mine + "/other", "x", qos)
        client.hears_nothing()


@both_versions
def test_both_qos_bits(broker, version):
    """[MQTT-3.3.1-4] [MQTT311-3.3.1-4] [attack 53]"""
    assert violation(broker, version, publish(version, "t", "", 3, 1)) == (0x81 if version == V5 else None)


@both_versions
@all_qos
def test_the_last_retained_message_greets_new_subscribers(broker, version, mine, qos):
    """With its QoS, and RETAIN set. [MQTT-3.3.1-5] [MQTT-3.3.1-9]
    [MQTT311-3.3.1-5] [MQTT311-3.3.1-6] [MQTT311-3.3.1-7] [MQTT311-3.3.1-8]"""
    with Client(broker, version) as sender:
        sender.publish(mine + "/a", "first", 1, retain=True)
        sender.publish(mine + "/a", "second", qos, retain=True)
        sender.publish(mine + "/b", "other", qos, retain=True)
    with Client(broker, version) as client:
        client.subscribe(mine + "/+")
        found = {message.topic: message for message in (client.message(), client.message())}
        assert [(found[mine + each].payload, found[mine + each].qos, found[mine + each].retain)
                for each in ("/a", "/b")] == [(b"second", qos, True), (b"other", qos, True)]
        client.hears_nothing()


@both_versions
@all_qos
def test_an_empty_retained_message_removes_the_one_before(broker, version, mine, qos):
    """And is itself a message like any other. [MQTT-3.3.1-6] [MQTT-3.3.1-7]
    [MQTT311-3.3.1-9] [MQTT311-3.3.1-10] [MQTT311-3.3.1-11]"""
    with Client(broker, version) as client, Client(broker, version) as sender:
        client.subscribe(mine)
        for payload in ("kept", ""):
            sender.publish(mine, payload, qos, retain=True)
            message = client.message()
            assert (message.payload, message.retain, message.qos) == (payload.encode(), False, qos)
    with Client(broker, version) as later:
        later.subscribe(mine)
        later.hears_nothing()


@both_versions
@pytest.mark.parametrize("payload", ["not retained", ""])
def test_a_message_without_retain_leaves_the_retained_one(broker, version, mine, payload):
    """[MQTT-3.3.1-8] [MQTT311-3.3.1-12]"""
    with Client(broker, version) as sender:
        sender.publish(mine + "/kept", "kept", 1, retain=True)
        for qos in (0, 1, 2):
            sender.publish(mine + "/kept", payload, qos)
            sender.publish(mine + "/none", payload, qos)
    with Client(broker, version) as client:
        client.subscribe(mine + "/#")
        assert client.message().payload == b"kept"
        client.hears_nothing()


@all_qos
def test_retain_as_published(broker, mine, qos):
    """[MQTT-3.3.1-12] [MQTT-3.3.1-13]"""
    with Client(broker, V5) as plain, Client(broker, V5) as keen:
        plain.subscribe((mine, qos))
        keen.subscribe((mine, qos | RETAIN_AS_PUBLISHED))
        for retain in (True, False):
            keen.send(publish(V5, mine, "x", qos and 1, 9, retain=retain))
            kinds = {}
            for _ in range(2 if qos else 1):
                found = keen.next()
                kinds[found.kind] = found
            assert kinds[3].retain == retain
            assert not plain.message().retain


# --- 3.3.2: the topic name and what travels ---


@both_versions
def test_wildcards_in_a_topic_name(broker, version):
    """[MQTT-3.3.2-2] [MQTT-4.7.0-1] [MQTT311-3.3.2-2] [MQTT311-4.7.1-1] [attack 49]"""
    for topic in ("#", "+", "a/+", "a/#", "a+b", "#a"):
        assert violation(broker, version, publish(version, topic)) == (0x81 if version == V5 else None)


@both_versions
def test_a_topic_name_has_one_character_at_least(broker, version):
    """[MQTT-4.7.3-1] [MQTT311-4.7.3-1] [attack 50]"""
    assert violation(broker, version, publish(version, "")) == (0x82 if version == V5 else None)
    with Client(broker, version) as client:
        client.subscribe("/")
        client.send(publish(version, "/", "x"))
        assert client.message().topic == "/"


@both_versions
def test_the_name_comes_first_and_matches_the_filter(broker, version, mine):
    """[MQTT-3.3.2-1] [MQTT-3.3.2-3] [MQTT311-3.3.2-1] [MQTT311-3.3.2-3]"""
    with Client(broker, version) as client, Client(broker, version) as sender:
        client.subscribe(mine + "/+/c")
        for topic in ("/b", "/b/c", "/b/c/d", "/x/c", "//c"):
            sender.publish(mine + topic, topic)
        for topic in ("/b/c", "/x/c", "//c"):
            message = client.message()
            assert (message.topic, message.payload.decode()) == (mine + topic, topic)
            assert message.raw[2:4 + len(message.topic)] == data(message.topic)
        client.hears_nothing()


@both_versions
def test_names_of_every_length_that_can_be_said(broker, version, mine):
    """Ours may have 1,024 bytes; a longer one, up to the 65,535 that its length can say, is read and refused.
    [MQTT-4.7.3-3] [MQTT311-4.7.3-3]"""
    longest = mine + "/" + "x" * (1_023 - len(mine))
    with Client(broker, version) as client:
        client.subscribe(longest)
        client.send(publish(version, longest, "x"))
        assert client.message().topic == longest
        for length in (1_025, 65_535):
            code = client.publish("x" * length, "", 1)
            assert version == V311 or code == 0x90
            assert client.subscribe("x" * length) == [0x8F if version == V5 else 0x80]


@all_qos
def test_properties_of_a_message_reach_all_subscribers_unaltered(broker, mine, qos):
    """[MQTT-3.3.2-4] [MQTT-3.3.2-15] [MQTT-3.3.2-16] [MQTT-3.3.2-17] [MQTT-3.3.2-18] [MQTT-3.3.2-20]"""
    sent = {"payload_format_indicator": 1, "content_type": "text/plain; charset=utf-8", "response_topic": "r/ü",
            "correlation_data": bytes(range(256)), "user_property": [("b", "1"), ("a", "2"), ("b", "1"), ("", "ß")]}
    with Client(broker, V5) as first, Client(broker, V5) as second, Client(broker, V5) as sender:
        for client, name in ((first, mine), (second, mine + "/#")):
            client.subscribe(name)
        sender.publish(mine, "payload", qos, retain=True, **sent)
        sender.publish(mine, "payload", qos, payload_format_indicator=0)
        with Client(broker, V5) as later:
            later.subscribe(mine)
            for client in (first, second, later):
                message = client.message()
                assert (message.payload, message.properties) == (b"payload", sent)
        for client in (first, second):
            assert client.message().properties in ({}, {"payload_format_indicator": 0})


def test_the_response_topic_has_no_wildcard(broker):
    """[MQTT-3.3.2-14] [attack 26]"""
    for topic in ("#", "a/+"):
        assert violation(broker, V5, publish(V5, "t", response_topic=topic)) == 0x82


def test_every_alias_up_to_the_maximum(broker, mine):
    """[MQTT-3.3.2-12] [MQTT-3.3.2-9] [MQTT-3.3.2-8] [attack 52]"""
    with Client(broker, V5) as client:
        maximum = client.connack.properties["topic_alias_maximum"]
        assert maximum > 0
        client.subscribe(mine + "/#", qos=0)
        aliases = range(1, maximum + 1)
        for alias in aliases:
            client.send(publish(V5, f"{mine}/{alias}", "by name", topic_alias=alias))
            assert client.message().topic == f"{mine}/{alias}"
        for alias in aliases:
            client.send(publish(V5, "", "by alias", alias % 3 and 1, alias, topic_alias=alias))
            kinds = {found.kind: found for found in (client.next() for _ in range(1 + bool(alias % 3)))}
            assert (kinds[3].topic, kinds[3].payload) == (f"{mine}/{alias}", b"by alias")
    for alias in (0, maximum + 1):
        assert violation(broker, V5, publish(V5, mine, topic_alias=alias)) == 0x94


def test_aliases_end_with_their_connection(broker, mine):
    """[MQTT-3.3.2-7] [attack 52]"""
    with Client(broker, V5, mine, **keeping(V5)) as client:
        client.publish(mine, "x", topic_alias=1)
    with Client(broker, V5, mine, **keeping(V5)) as client:
        assert client.connack.present == 1
        assert client.send(publish(V5, "", "x", topic_alias=1)).end() == 0x82


def test_a_client_without_alias_maximum_gets_no_alias(broker, mine):
    """[MQTT-3.1.2-27] [MQTT-3.1.2-26] [MQTT-3.3.2-11]"""
    for options, maximum in (({}, 0), ({"topic_alias_maximum": 0}, 0), ({"topic_alias_maximum": 2}, 2)):
        with Client(broker, V5, **options) as client, Client(broker, V5) as sender:
            client.subscribe(mine + "/#")
            for _ in range(3):
                for topic in "abcd":
                    sender.publish(f"{mine}/{topic}", "x", 1)
                    alias = client.message().properties.get("topic_alias", 0)
                    assert 0 <= alias <= maximum


# --- 3.3.4: actions ---


@both_versions
def test_a_message_is_answered_as_its_qos_asks(broker, version, mine):
    """[MQTT-3.3.4-1] [MQTT-4.3.2-4] [MQTT-4.3.3-8] [MQTT-4.3.3-11] [MQTT-3.4.2-1] [MQTT-3.5.2-1] [MQTT-3.7.2-1]
    [MQTT311-3.3.4-1]"""
    with Client(broker, version) as client:
        client.send(publish(version, mine))
        client.hears_nothing()
        for qos, kind in ((1, PUBACK), (2, PUBREC)):
            client.send(publish(version, mine, "", qos, 5))
            answer = client.next(kind)
            # Nobody listens: MQTT 5 has a word for it.
            assert answer.identifier == 5 and answer.code in ((0, 0x10) if version == V5 else (0,))
        client.send(acknowledge(PUBREL, 5))
        answer = client.next(PUBCOMP)
        assert (answer.identifier, answer.code) == (5, 0)


@both_versions
def test_overlapping_subscriptions_give_the_highest_qos(broker, version, mine):
    """One copy, with every identifier. [MQTT-3.3.4-2] [MQTT-3.3.4-3] [MQTT-3.3.4-4] [MQTT311-3.3.5-1]"""
    with Client(broker, version) as client, Client(broker, version) as sender:
        filters = {mine + "/b": 0, mine + "/+": 2, mine + "/#": 1}
        for identifier, (name, qos) in enumerate(filters.items(), 1):
            values = {"subscription_identifier": identifier} if version == V5 else {}
            client.subscribe((name, qos), **values)
        for qos in (0, 1, 2):
            sender.publish(mine + "/b", str(qos), qos)
            message = client.message()
            assert (message.qos, message.payload) == (qos, str(qos).encode())
            assert sorted(message.properties.get("subscription_identifier", [])) == ([1, 2, 3] if version == V5 else [])
            client.hears_nothing()


def test_only_subscriptions_with_an_identifier_send_one(broker, mine):
    """[MQTT-3.3.4-3] [MQTT-3.3.4-4]"""
    with Client(broker, V5) as client, Client(broker, V5) as sender:
        client.subscribe(mine + "/a", mine + "/b", subscription_identifier=268_435_455)
        client.subscribe(mine + "/+")
        sender.publish(mine + "/a")
        assert client.message().properties == {"subscription_identifier": [268_435_455]}
        sender.publish(mine + "/c")
        assert client.message().properties == {}
        # A subscription made again without an identifier has none.
        client.subscribe(mine + "/a")
        sender.publish(mine + "/a")
        assert client.message().properties == {}


def test_identifiers_options_and_properties_wait_with_a_message(broker, mine):
    """For a client that is away, and with retained messages. [MQTT-3.3.4-3] [MQTT-3.3.4-4] [MQTT-3.3.1-13]
    [MQTT-3.3.2-17] [MQTT-3.3.2-18]"""
    pairs = [("b", "1"), ("a", "2"), ("b", "1")]
    with Client(broker, V5, mine, **keeping(V5)) as client:
        client.subscribe((mine, 1 | RETAIN_AS_PUBLISHED), subscription_identifier=7)
        client.subscribe((mine + "/#", 2), subscription_identifier=8)
    with Client(broker, V5) as sender:
        sender.publish(mine, "x", 2, retain=True, user_property=pairs)
    with Client(broker, V5, mine, **keeping(V5)) as client:
        message = client.message()
        assert (message.qos, message.retain, message.properties["user_property"]) == (2, True, pairs)
        assert sorted(message.properties["subscription_identifier"]) == [7, 8]
        client.subscribe(mine, subscription_identifier=9)
        message = client.message()
        assert message.retain
        assert message.properties == {"user_property": pairs, "subscription_identifier": [9]}


def test_a_subscription_identifier_from_a_client(broker):
    """[MQTT-3.3.4-6] [attack 25]"""
    assert violation(broker, V5, publish(V5, "t", subscription_identifier=1)) == 0x82


def test_more_messages_than_the_servers_receive_maximum(broker, mine):
    """As many are taken, one more is not. [MQTT-3.3.4-7] [attack 67]"""
    with Client(broker, V5) as client:
        maximum = client.connack.properties["receive_maximum"]
        for identifier in range(1, maximum + 1):
            client.send(publish(V5, mine, "", 2, identifier))
            assert client.next(PUBREC).identifier == identifier
        assert client.send(publish(V5, mine, "", 2, maximum + 1)).end() == 0x93


def test_what_was_refused_or_acknowledged_is_no_part_of_the_quota(broker, mine):
    """[MQTT-3.3.4-7] [MQTT-4.3.3-9]"""
    with Client(broker, V5) as client:
        maximum = client.connack.properties["receive_maximum"]
        for identifier in range(1, maximum):
            client.send(publish(V5, mine, "", 2, identifier))
            assert client.next(PUBREC).code < 0x80
        for identifier in range(maximum, 3 * maximum):
            client.send(publish(V5, "$SYS/" + mine, "", 2, identifier))
            assert client.next(PUBREC).code == 0x87
            client.send(publish(V5, mine, "", 1, identifier))
            assert client.next(PUBACK).code < 0x80
        client.send(publish(V5, mine, "", 2, maximum))
        assert client.next(PUBREC).code < 0x80


@both_versions
def test_a_message_that_is_not_allowed(broker, version, mine):
    """It goes nowhere; before MQTT 5 it is acknowledged as any other. [MQTT-3.4.2-1] [MQTT-3.5.2-1]
    [MQTT311-3.3.5-2]"""
    with Client(broker, version) as client:
        client.subscribe("$SYS/" + mine)
        for qos in (1, 2):
            assert client.publish("$SYS/" + mine, "forged", qos) == (0x87 if version == V5 else 0)
        client.hears_nothing()


# --- 4.5 and 4.6: sessions and order ---


@both_versions
@all_qos
def test_messages_of_a_topic_keep_their_order(broker, version, mine, qos):
    """[MQTT-4.6.0-5] [MQTT-4.6.0-6] [MQTT311-4.6.0-5] [MQTT311-4.6.0-6]"""
    with Client(broker, version) as client, Client(broker, version) as sender:
        client.subscribe(mine + "/#", mine + "/a")
        for count in range(60):
            sender.send(publish(version, f"{mine}/{'ab'[count % 2]}", str(count), qos and 1, count + 1))
            if qos:
                sender.next(PUBACK)
        sender.ping()
        found = [client.message() for _ in range(60)]
        for topic in "ab":
            payloads = [int(each.payload) for each in found if each.topic.endswith(topic)]
            assert payloads == sorted(payloads) and len(payloads) == 30


@both_versions
def test_messages_that_waited_keep_their_order(broker, version, mine):
    """[MQTT-4.6.0-5] [MQTT-4.5.0-1] [MQTT311-4.6.0-6] [MQTT311-4.5.0-1]"""
    with Client(broker, version, mine, **keeping(version)) as client:
        client.subscribe(mine)
    with Client(broker, version) as sender:
        for count in range(50):
            sender.publish(mine, str(count), 1 + count % 2)
    with Client(broker, version, mine, **keeping(version)) as client:
        found = [client.message(acknowledged=False) for _ in range(20)]
        assert [int(each.payload) for each in found] == list(range(20))
        for each in found:
            if each.qos == 1:
                client.send(acknowledge(PUBACK, each.identifier))
        found += [client.message(acknowledged=False) for _ in range(10)]
        assert [int(each.payload) for each in found] == list(range(30))


# --- 4.2: the transport ---


@both_versions
def test_packets_in_any_pieces(broker, version, mine):
    """Byte by byte and all at once: the stream is the same. [MQTT-4.2.0-1] [MQTT311-7.1.1-1] [attack 11]"""
    session = (connect(version, mine) + subscribe(version, 1, (mine, 1)) + publish(version, mine, "one", 1, 2)
               + publish(version, mine, "two") + b"\xc0\x00" + b"\xe0\x00")
    heard = []
    for pieces in ([session], [session[at:at + 1] for at in range(len(session))]):
        with Wire(broker.tcp) as wire:
            for piece in pieces:
                wire.send(piece)
            heard.append(wire.rest())
    assert heard[0] == heard[1] and heard[0].endswith(b"\xd0\x00")


@both_versions
def test_a_client_gets_its_own_messages_unless_it_asks_not_to(broker, version, mine):
    """[MQTT-3.8.3-3]"""
    with Client(broker, version) as client, Client(broker, version) as other:
        client.subscribe((mine, 1))
        client.send(publish(version, mine, "own"))
        assert client.message().payload == b"own"
        if version == V5:
            client.send(subscribe(V5, 7, (mine, 1 | NO_LOCAL)))
            client.next(SUBACK)
            client.send(publish(V5, mine, "own"))
            other.publish(mine, "other's")
            assert client.message().payload == b"other's"
            client.hears_nothing()
