"""MQTT 3.1.1 and 5.0 statement by statement: data representation, CONNECT, CONNACK, keep-alive, wills, DISCONNECT."""

import pytest

from packets import (
    CONNACK, DISCONNECT, PINGRESP, PUBACK, PUBLISH, SUBACK, UNSUBACK, V5, V311, Client, both_versions, connect, data,
    disconnect, keeping, number, parse, properties, publish, subscribe, unsubscribe, will)
from wire import Wire, frame, octets

ILL_FORMED = {"surrogate": b"\xed\xa0\x80", "overlong": b"\xc0\xaf", "cut off": b"a\xc3", "NUL": b"a\0b"}
ill_formed = pytest.mark.parametrize("text", ILL_FORMED.values(), ids=ILL_FORMED.keys())


def refusal(broker, version, packet):
    """What answers a CONNECT that is refused, before the connection closes: the CONNACK, or None."""
    with Wire(broker.tcp) as wire:
        rest = wire.send(packet).rest()
    return parse(rest, version) if rest else None


def violation(broker, version, packet):
    """The code of the DISCONNECT that answers a packet, or None where the connection only closes."""
    with Client(broker, version) as client:
        return client.send(packet).end()


def malformed(version):
    """How the server answers what cannot be read: MQTT 5 clients hear why."""
    return 0x81 if version == V5 else None


# --- 1.5: strings and numbers ---


@both_versions
@ill_formed
def test_ill_formed_text_in_connect(broker, version, text):
    """[MQTT-1.5.4-1] [MQTT-1.5.4-2] [MQTT-3.1.3-4] [MQTT-3.1.3-11] [MQTT-3.1.3-12]
    [MQTT311-1.5.3-1] [MQTT311-1.5.3-2] [MQTT311-3.1.3-4] [MQTT311-3.1.3-10] [MQTT311-3.1.3-11] [attack 16, 17]"""
    for packet in (connect(version, text), connect(version, "c", will=will(text)),
                   connect(version, "c", user=text, password="x")):
        answer = refusal(broker, version, packet)
        assert answer.code == 0x81 if version == V5 else answer is None


@both_versions
@ill_formed
def test_ill_formed_topics_and_filters(broker, version, text):
    """[MQTT-1.5.4-1] [MQTT-1.5.4-2] [MQTT-3.3.2-1] [MQTT-3.8.3-1] [MQTT-3.10.3-1] [MQTT-4.7.3-2]
    [MQTT311-1.5.3-1] [MQTT311-1.5.3-2] [MQTT311-3.3.2-1] [MQTT311-3.8.3-1] [MQTT311-3.10.3-1] [MQTT311-4.7.3-2]
    [attack 16, 17]"""
    for packet in (publish(version, text), subscribe(version, 1, (text, 0)), unsubscribe(version, 1, text)):
        assert violation(broker, version, packet) == malformed(version)


@ill_formed
def test_ill_formed_text_in_properties(broker, text):
    """[MQTT-1.5.4-1] [MQTT-1.5.7-1] [MQTT-3.3.2-13] [MQTT-3.3.2-19] [attack 16, 17]"""
    for values in ({"response_topic": text}, {"content_type": text}, {"user_property": [(text, "v")]},
                   {"user_property": [("k", text)]}):
        assert violation(broker, V5, publish(V5, "t", **values)) == 0x81


@both_versions
def test_a_byte_order_mark_is_a_character(broker, version, mine):
    """[MQTT-1.5.4-3] [MQTT311-1.5.3-3] [attack 18]"""
    marked = "\ufeff" + mine
    with Client(broker, version) as client:
        client.subscribe(marked)
        client.publish(mine, "without")
        client.send(publish(version, marked, "with"))
        message = client.message()
        assert (message.topic, message.payload) == (marked, b"with")
    with Client(broker, version, marked, **keeping(version)) as client:
        client.says_goodbye()
    # The client identifiers with and without the mark are two.
    with Client(broker, version, mine, **keeping(version)) as without:
        assert without.connack.present == 0
    with Client(broker, version, marked, **keeping(version)) as with_mark:
        assert with_mark.connack.present == 1


@pytest.mark.parametrize("packet", ["c0 80 00", "30 86 00 0001 'a' 00 'xx'", "30 06 0001 'a' 80 00 'x'"])
def test_numbers_that_are_longer_than_they_need_be(broker, packet):
    """[MQTT-1.5.5-1] [attack 2]"""
    assert violation(broker, V5, octets(packet)) == 0x81


# --- 2: fixed header, packet identifiers, properties ---


@both_versions
@pytest.mark.parametrize("first", [0x48, 0x58, 0x60, 0x63, 0x80, 0x83, 0xA0, 0xA3, 0xC1, 0xC2, 0xE1, 0xE8])
def test_reserved_flags(broker, version, first):
    """[MQTT-2.1.3-1] [MQTT-3.6.1-1] [MQTT-3.8.1-1] [MQTT-3.10.1-1] [MQTT-3.14.1-1] [MQTT-4.13.1-1]
    [MQTT311-2.2.2-1] [MQTT311-2.2.2-2] [MQTT311-3.6.1-1] [MQTT311-3.8.1-1] [MQTT311-3.10.1-1] [MQTT311-3.14.1-1]
    [MQTT311-4.8.0-1] [attack 13]"""
    bodies = {0x8: subscribe(version, 1, ("a", 0))[2:], 0xA: unsubscribe(version, 1, "a")[2:], 0xC: b"", 0xE: b""}
    packet = frame(first, bodies.get(first >> 4, number(1)))
    assert violation(broker, version, packet) == malformed(version)


@both_versions
def test_the_first_packet_is_connect(broker, version):
    """[MQTT-3.1.0-1] [MQTT311-3.1.0-1] [attack 3]"""
    for packet in (publish(version, "a"), subscribe(version, 1, ("a", 0)), b"\xc0\x00", disconnect(version)):
        with Wire(broker.tcp) as wire:
            assert wire.send(packet).rest() == b""


@both_versions
def test_identifiers_of_acknowledgements_are_those_of_the_packets(broker, version, mine):
    """[MQTT-2.2.1-5] [MQTT-2.2.1-6] [MQTT-3.8.4-2] [MQTT-3.10.4-5]
    [MQTT311-2.3.1-6] [MQTT311-2.3.1-7] [MQTT311-3.8.4-2] [MQTT311-3.10.4-4]"""
    with Client(broker, version) as client:
        for identifier in (1, 0x1234, 0xFFFF):
            client.send(subscribe(version, identifier, ("none/" + mine, 0)))
            assert client.next(SUBACK).identifier == identifier
            client.send(publish(version, mine, "", 1, identifier))
            assert client.next(PUBACK).identifier == identifier
            client.send(publish(version, mine, "", 2, identifier))
            answer = client.next()
            assert (answer.kind, answer.identifier) == (5, identifier)
            client.send(frame(0x62, number(identifier)))
            answer = client.next()
            assert (answer.kind, answer.identifier) == (7, identifier)
            client.send(unsubscribe(version, identifier, "none/" + mine))
            assert client.next(UNSUBACK).identifier == identifier


def test_packets_without_properties_say_so(broker, mine):
    """[MQTT-2.2.2-1]"""
    with Client(broker, V5) as client:
        client.send(subscribe(V5, 1, (mine, 0)))
        assert client.packet() == octets("90 04 0001 00 00")
        client.send(publish(V5, mine, "x"))
        assert client.packet() == publish(V5, mine, "x")
        client.send(unsubscribe(V5, 2, mine))
        assert client.packet() == octets("b0 04 0002 00 00")


# --- 3.1: CONNECT ---


@both_versions
def test_a_second_connect(broker, version):
    """[MQTT-3.1.0-2] [MQTT-4.13.1-1] [MQTT311-3.1.0-2] [MQTT311-4.8.0-1] [attack 30]"""
    assert violation(broker, version, connect(version)) == (0x82 if version == V5 else None)


@both_versions
def test_another_protocol_name(broker, version):
    """[MQTT-3.1.2-1] [MQTT311-3.1.2-1] [attack 32]"""
    for name in ("MQTX", "mqtt", "MQT", "MQTTT", ""):
        packet = frame(0x10, data(name) + connect(version)[8:])
        with Wire(broker.tcp) as wire:
            assert wire.send(packet).rest() == b""


@pytest.mark.parametrize("level", [0, 1, 2, 3, 6, 0x7F, 0x84])
def test_another_protocol_level(broker, level):
    """[MQTT-3.1.2-2] [MQTT311-3.1.2-2] [MQTT311-3.2.2-4] [MQTT311-3.2.2-5] [attack 32]"""
    packet = bytearray(connect(V311))
    packet[8] = level
    with Wire(broker.tcp) as wire:
        assert wire.send(packet).rest() == octets("20 02 00 01")


# Each flag that a CONNECT must not have, or not alone.
BAD_FLAGS = {"reserved": 0x01, "will QoS 1 without will": 0x08, "will QoS 2 without will": 0x10,
             "will retain without will": 0x20}


@both_versions
@pytest.mark.parametrize("flags", BAD_FLAGS.values(), ids=BAD_FLAGS.keys())
def test_connect_flags_that_must_not_be(broker, version, flags):
    """[MQTT-3.1.2-3] [MQTT-3.1.2-11] [MQTT-3.1.2-13] [MQTT-3.1.4-1]
    [MQTT311-3.1.2-3] [MQTT311-3.1.2-11] [MQTT311-3.1.2-13] [MQTT311-3.1.2-15] [MQTT311-3.1.4-1] [attack 31]"""
    answer = refusal(broker, version, connect(version, "c", flags=flags))
    assert answer.code == 0x81 if version == V5 else answer is None


@both_versions
def test_a_will_at_qos_3(broker, version):
    """[MQTT-3.1.2-12] [MQTT311-3.1.2-14] [attack 31]"""
    answer = refusal(broker, version, connect(version, "c", will=will("w", qos=3)))
    assert answer.code == 0x81 if version == V5 else answer is None


@both_versions
def test_fields_that_the_flags_promise_and_fields_that_they_do_not(broker, version):
    """[MQTT-3.1.2-9] [MQTT-3.1.2-16] [MQTT-3.1.2-17] [MQTT-3.1.2-18] [MQTT-3.1.2-19] [MQTT-3.1.4-1]
    [MQTT311-3.1.2-9] [MQTT311-3.1.2-18] [MQTT311-3.1.2-19] [MQTT311-3.1.2-20] [MQTT311-3.1.2-21] [MQTT311-3.1.4-1]"""
    whole = connect(version, "c", will=will("w"), user="u", password="p")
    cut = [frame(0x10, whole[2:-length]) for length in (3, 6, 12)]
    added = [frame(0x10, connect(version, "c")[2:] + data("u")),
             frame(0x10, connect(version, "c", user="u")[2:] + data("p"))]
    for packet in cut + added:
        answer = refusal(broker, version, packet)
        assert answer.code == 0x81 if version == V5 else answer is None


@both_versions
def test_the_fields_of_the_payload_have_an_order(broker, version, mine):
    """Identifier, will topic, will message, user, password: [MQTT-3.1.3-1] [MQTT-3.1.2-9] [MQTT-3.1.3-3]
    [MQTT311-3.1.3-1] [MQTT311-3.1.2-9] [MQTT311-3.1.3-3]"""
    with Client(broker, version) as heir:
        heir.subscribe("topic/" + mine, "message/" + mine, "user/" + mine, "password/" + mine, mine)
        fields = {"will": will("topic/" + mine, "message/" + mine), "user": "user/" + mine}
        Client(broker, version, mine, password="password/" + mine, **fields).close()
        message = heir.message()
        assert (message.topic, message.payload.decode()) == ("topic/" + mine, "message/" + mine)


@both_versions
def test_clean_start_discards_the_session(broker, version, mine):
    """[MQTT-3.1.2-4] [MQTT-3.1.4-4] [MQTT-3.2.2-2] [MQTT311-3.1.2-6] [MQTT311-3.1.4-3] [MQTT311-3.2.2-1]"""
    with Client(broker, version, mine, **keeping(version)) as client:
        client.subscribe(mine)
        client.says_goodbye()
    with Client(broker, version) as other:
        other.publish(mine, "missed", 1)
    with Client(broker, version, mine, clean=True) as client:
        assert client.connack.present == 0
        client.hears_nothing()
        # The subscription is gone too.
        client.publish(mine, "not for me")
        client.hears_nothing()
        client.says_goodbye()
    # The session of a clean start ended with its connection.
    with Client(broker, version, mine, **keeping(version)) as client:
        assert client.connack.present == 0


@both_versions
def test_a_session_is_created_stored_and_resumed(broker, version, mine):
    """[MQTT-3.1.2-5] [MQTT-3.1.2-6] [MQTT-3.1.2-23] [MQTT-3.2.2-3] [MQTT-3.1.3-2] [MQTT-4.5.0-1] [MQTT-4.1.0-1]
    [MQTT311-3.1.2-4] [MQTT311-3.1.2-5] [MQTT311-3.2.2-2] [MQTT311-3.2.2-3] [MQTT311-3.1.3-2] [MQTT311-4.5.0-1]
    [MQTT311-4.1.0-1]"""
    with Client(broker, version, mine, **keeping(version)) as client:
        assert client.connack.present == 0
        client.subscribe(mine)
        client.says_goodbye()
    with Client(broker, version) as other:
        other.publish(mine, "one", 1)
        other.publish(mine, "two", 2)
    with Client(broker, version, mine + "x", **keeping(version)) as another_name:
        assert another_name.connack.present == 0
        another_name.hears_nothing()
    with Client(broker, version, mine, **keeping(version)) as client:
        assert client.connack.present == 1
        assert [client.message().payload for _ in range(2)] == [b"one", b"two"]
    with Client(broker, version, mine, **keeping(version)) as client:
        # Without DISCONNECT, too.
        assert client.connack.present == 1


@both_versions
def test_a_session_lasts_as_long_as_its_connection(broker, version, mine):
    """An expiry interval of 0, or a clean session, ends with the connection and not before.
    [MQTT-4.1.0-1] [MQTT311-4.1.0-2]"""
    with Client(broker, version, mine, clean=True) as client:
        client.subscribe(mine)
        with Client(broker, version) as other:
            for number_ in range(3):
                other.publish(mine, str(number_), number_)
        assert [client.message().payload for _ in range(3)] == [b"0", b"1", b"2"]


@both_versions
def test_retained_messages_are_no_part_of_the_session(broker, version, mine):
    """[MQTT311-3.1.2-7]"""
    with Client(broker, version, mine, clean=True) as client:
        client.publish(mine, "stays", 1, retain=True)
        client.says_goodbye()
    with Client(broker, version) as later:
        later.subscribe(mine)
        assert later.message().payload == b"stays"


# --- 3.1.2: wills ---


@both_versions
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_will_is_published_when_the_connection_is_lost(broker, version, mine, qos):
    """With its QoS and RETAIN, and once: [MQTT-3.1.2-7] [MQTT-3.1.2-8] [MQTT-3.1.2-9] [MQTT-3.1.2-10]
    [MQTT-3.1.2-12] [MQTT-3.1.2-14]
    [MQTT311-3.1.2-8] [MQTT311-3.1.2-9] [MQTT311-3.1.2-10] [MQTT311-3.1.2-14] [MQTT311-3.1.2-16]"""
    with Client(broker, version) as heir:
        heir.subscribe(mine)
        testator = Client(broker, version, mine, will=will(mine, "gone", qos), **keeping(version))
        heir.hears_nothing()
        testator.close()
        message = heir.message()
        assert (message.topic, message.payload, message.qos, message.retain) == (mine, b"gone", qos, False)
        # The session goes on without the will, and there is none when it ends.
        Client(broker, version, mine, **keeping(version)).close()
        Client(broker, version, mine, clean=True).says_goodbye()
        heir.hears_nothing()
        heir.subscribe(mine)
        heir.hears_nothing()


@both_versions
def test_a_will_may_be_retained(broker, version, mine):
    """[MQTT-3.1.2-15] [MQTT311-3.1.2-17]"""
    with Client(broker, version) as heir:
        heir.subscribe(mine)
        Client(broker, version, will=will(mine, "gone", 1, retain=True)).close()
        assert not heir.message().retain
    with Client(broker, version) as later:
        later.subscribe(mine)
        message = later.message()
        assert (message.payload, message.retain, message.qos) == (b"gone", True, 1)


@both_versions
def test_a_normal_disconnect_discards_the_will(broker, version, mine):
    """[MQTT-3.14.4-3] [MQTT-3.1.2-10] [MQTT-3.1.2-8] [MQTT311-3.14.4-3] [MQTT311-3.1.2-10]"""
    with Client(broker, version) as heir:
        heir.subscribe(mine)
        Client(broker, version, mine, will=will(mine), **keeping(version)).says_goodbye()
        # It does not come back with the session either.
        Client(broker, version, mine, **keeping(version)).close()
        Client(broker, version, mine, clean=True).says_goodbye()
        heir.hears_nothing()


@both_versions
def test_without_the_will_flag_there_is_no_will(gateway, version):
    """[MQTT311-3.1.2-12]"""
    with Client(gateway, version) as heir:
        heir.subscribe("#")
        Client(gateway, version, "testator").close()
        Client(gateway, version, "testator").says_goodbye()
        heir.hears_nothing()


@both_versions
def test_a_violation_publishes_the_will(broker, version, mine):
    """[MQTT-3.1.2-8] [MQTT311-3.1.2-8]"""
    with Client(broker, version) as heir:
        heir.subscribe(mine)
        with Client(broker, version, will=will(mine)) as testator:
            testator.send(b"\x00\x00").end()
        assert heir.message().payload == b"gone"


@pytest.mark.parametrize("code", [0x04, 0x80])
def test_another_disconnect_publishes_the_will(broker, mine, code):
    """[MQTT-3.1.2-8]"""
    with Client(broker, V5) as heir:
        heir.subscribe(mine)
        Client(broker, V5, will=will(mine)).says_goodbye(code)
        assert heir.message().payload == b"gone"


def test_the_end_of_the_session_publishes_a_delayed_will(broker, mine):
    """[MQTT-3.1.2-8]"""
    with Client(broker, V5) as heir:
        heir.subscribe(mine)
        Client(broker, V5, mine, will=will(mine, will_delay_interval=1_000)).close()
        # The session ended with its connection, however long the delay.
        assert heir.message().payload == b"gone"
        Client(broker, V5, mine, will=will(mine, will_delay_interval=1_000), **keeping(V5)).close()
        heir.hears_nothing()
        # A clean start ends the session that was.
        with Client(broker, V5, mine, clean=True):
            assert heir.message().payload == b"gone"


def test_a_clean_start_over_a_living_connection_publishes_a_delayed_will(broker, mine):
    """Since it ends the session. [MQTT-3.1.2-8] [MQTT-3.1.2-4]"""
    with Client(broker, V5) as heir:
        heir.subscribe(mine)
        first = Client(broker, V5, mine, will=will(mine, will_delay_interval=1_000), **keeping(V5))
        with Client(broker, V5, mine, clean=True):
            assert first.end() == 0x8E
            assert heir.message().payload == b"gone"


def test_a_client_that_is_back_before_the_delay_has_no_will(broker, mine):
    """[MQTT-3.1.3-9] [MQTT-3.1.2-8]"""
    with Client(broker, V5) as heir:
        heir.subscribe(mine)
        Client(broker, V5, mine, will=will(mine, will_delay_interval=1_000), **keeping(V5)).close()
        with Client(broker, V5, mine, **keeping(V5)) as back:
            assert back.connack.present == 1
            back.says_goodbye()
        with Client(broker, V5, mine, clean=True):
            heir.hears_nothing()


def test_the_properties_of_a_will_travel_with_it_in_order(broker, mine):
    """[MQTT-3.1.3-10] [MQTT-3.1.2-9]"""
    sent = {"payload_format_indicator": 1, "content_type": "text/plain", "response_topic": "r",
            "correlation_data": b"\0\1", "user_property": [("b", "1"), ("a", "2"), ("b", "1"), ("", "")]}
    with Client(broker, V5) as heir:
        heir.subscribe(mine)
        Client(broker, V5, will=will(mine, **sent)).close()
        assert heir.message().properties == sent


# --- 3.1.3: client identifiers; 3.1.4: actions ---


@both_versions
@pytest.mark.parametrize("name", [
    "a", "Z", "0", "0123456789abcdefghijklm", "nopqrstuvwxyzABCDEFGHIJ", "KLMNOPQRSTUVWXYZ"])
def test_identifiers_of_letters_and_digits(broker, version, name):
    """[MQTT-3.1.3-5] [MQTT-3.1.4-5] [MQTT-3.2.0-1] [MQTT311-3.1.3-5] [MQTT311-3.1.4-4] [MQTT311-3.2.0-1]"""
    with Client(broker, version, name) as client:
        assert (client.connack.code, client.connack.present, client.connack.flags) == (0, 0, 0)
        client.ping()


@both_versions
def test_an_empty_identifier_is_replaced_by_a_unique_one(broker, version, mine):
    """Each of two such clients has a session of its own. [MQTT-3.1.3-6] [MQTT311-3.1.3-6]"""
    with Client(broker, version, "") as first, Client(broker, version, "") as second:
        for client, topic in ((first, mine + "/1"), (second, mine + "/2")):
            client.subscribe(topic)
        first.publish(mine + "/2", "for the second", 1)
        assert second.message().payload == b"for the second"
        first.ping()


def test_an_assigned_identifier_is_told_and_is_the_clients_own(broker, mine):
    """[MQTT-3.1.3-7] [MQTT-3.2.2-16]"""
    with Client(broker, V5, "", **keeping(V5)) as client, Client(broker, V5, "") as other:
        names = [each.connack.properties["assigned_client_identifier"] for each in (client, other)]
        assert names[0] and names[1] and names[0] != names[1]
        client.subscribe(mine)
        client.says_goodbye()
    with Client(broker, V5, names[0], **keeping(V5)) as back:
        assert back.connack.present == 1 and "assigned_client_identifier" not in back.connack.properties
        back.send(publish(V5, mine, "still subscribed"))
        assert back.message().payload == b"still subscribed"


@both_versions
def test_an_identifier_that_is_refused(broker, version):
    """Ours may have 256 bytes. [MQTT-3.1.3-8] [MQTT-3.1.4-2] [MQTT-3.2.2-6] [MQTT-3.2.2-7] [MQTT-3.2.2-8]
    [MQTT-4.13.2-1]
    [MQTT311-3.1.3-9] [MQTT311-3.2.2-4] [MQTT311-3.2.2-5] [attack 35]"""
    with Client(broker, version, "x" * 256) as longest:
        longest.ping()
    answer = refusal(broker, version, connect(version, "x" * 257))
    assert (answer.kind, answer.present, answer.code) == (CONNACK, 0, 0x85 if version == V5 else 2)


def test_a_session_needs_an_identifier_before_mqtt_5(broker):
    """[MQTT311-3.1.3-7] [MQTT311-3.1.3-8] [MQTT311-3.2.2-4] [MQTT311-3.2.2-5] [attack 34]"""
    answer = refusal(broker, V311, connect(V311, "", clean=False))
    assert (answer.present, answer.code) == (0, 2)


@both_versions
def test_a_connect_that_does_not_match_its_format(broker, version):
    """[MQTT-3.1.4-1] [MQTT311-3.1.4-1] [MQTT311-3.2.2-6]"""
    whole = connect(version, "c")
    for packet in (frame(0x10, whole[2:-1]), frame(0x10, whole[2:] + b"x")):
        answer = refusal(broker, version, packet)
        assert answer.code == 0x81 if version == V5 else answer is None


@both_versions
def test_a_connect_that_may_not_be(start_gateway, version):
    """A listener that wants everybody named, where nobody can be. [MQTT-3.1.4-2] [MQTT-3.2.2-6] [MQTT-3.2.2-7]
    [MQTT311-3.2.2-4] [MQTT311-3.2.2-5]"""
    gateway = start_gateway("listener 0 127.0.0.1\nallow_anonymous false\n")
    answer = refusal(gateway, version, connect(version, "c"))
    assert (answer.present, answer.code) == (0, 0x87 if version == V5 else 5)


@both_versions
def test_a_client_that_comes_twice(broker, version, mine):
    """[MQTT-3.1.4-3] [MQTT-4.13.2-1] [MQTT311-3.1.4-2] [attack 38]"""
    first = Client(broker, version, mine, **keeping(version))
    with Client(broker, version, mine, **keeping(version)) as second:
        assert first.end() == (0x8E if version == V5 else None)
        assert second.connack.present == 1
        second.ping()


@both_versions
def test_nothing_behind_a_rejected_connect_is_processed(broker, version, mine):
    """[MQTT-3.1.4-6] [MQTT311-3.1.4-5] [MQTT-3.14.0-1] [MQTT-3.2.0-1] [MQTT311-3.2.0-1] [attack 36]"""
    with Client(broker, version) as witness:
        witness.subscribe(mine)
        behind = publish(version, mine, "smuggled", 1, 1, retain=True) + subscribe(version, 2, ("#", 0)) + b"\xc0\x00"
        # There is one answer, CONNACK, and no DISCONNECT.
        answer = refusal(broker, version, connect(version, "x" * 257) + behind)
        assert answer.kind == CONNACK
        witness.hears_nothing()
        witness.subscribe(mine)
        witness.hears_nothing()


# --- 3.2: CONNACK ---


@both_versions
def test_connack_comes_first_and_once(broker, version, mine):
    """Also before what a session has waiting. [MQTT-3.2.0-1] [MQTT-3.2.0-2] [MQTT-3.2.2-1] [MQTT311-3.2.0-1]"""
    with Client(broker, version, mine, **keeping(version)) as client:
        client.subscribe(mine)
        client.says_goodbye()
    with Client(broker, version) as other:
        other.publish(mine, "waits", 1)
    with Wire(broker.tcp) as wire:
        wire.send(connect(version, mine, **keeping(version)) + b"\xc0\x00" + disconnect(version))
        kinds, rest = [], wire.rest()
        while rest:
            length = rest[1] + 2
            kinds.append(parse(rest[:length], version).kind)
            rest = rest[length:]
    assert kinds[0] == CONNACK and kinds.count(CONNACK) == 1 and set(kinds) == {CONNACK, PUBLISH, PINGRESP}


def test_a_listener_with_a_highest_qos(start_gateway, mine):
    """[MQTT-3.2.2-9] [MQTT-3.2.2-10] [MQTT-3.2.2-11] [MQTT-3.2.2-12]"""
    gateway = start_gateway("listener 0 127.0.0.1\nmax_qos 1\n")
    with Client(gateway, V5) as client:
        assert client.connack.properties["maximum_qos"] == 1
        assert client.subscribe((mine, 0), (mine, 1), (mine, 2)) == [0, 1, 1]
        assert client.send(publish(V5, mine, "", 2, 1)).end() == 0x9B
    assert refusal(gateway, V5, connect(V5, "c", will=will(mine, qos=2))).code == 0x9B


def test_a_listener_without_retained_messages(start_gateway, mine):
    """[MQTT-3.2.2-13] [MQTT-3.2.2-14]"""
    gateway = start_gateway("listener 0 127.0.0.1\nretain_available false\n")
    with Client(gateway, V5) as client:
        assert client.connack.properties["retain_available"] == 0
        assert client.send(publish(V5, mine, "", retain=True)).end() == 0x9A
    assert refusal(gateway, V5, connect(V5, "c", will=will(mine, retain=True))).code == 0x9A


def test_a_packet_above_the_servers_maximum(start_gateway):
    """[MQTT-3.2.2-15] [attack 7]"""
    gateway = start_gateway("max_packet_size 1000\nlistener 0 127.0.0.1\n")
    with Client(gateway, V5) as client:
        assert client.connack.properties["maximum_packet_size"] == 1_000
        assert client.publish("t", bytes(1_000 - 9), 1) == 0x10
        assert client.send(publish(V5, "t", bytes(1_000 - 8), 1, 1)).end() == 0x95


@both_versions
def test_a_keep_alive_of_the_client_holds(broker, version):
    """[MQTT-3.1.2-22] [MQTT-3.2.2-22] [MQTT311-3.1.2-24] [attack 47]"""
    with Client(broker, version, keep_alive=1) as client:
        assert version == V311 or "server_keep_alive" not in client.connack.properties
        assert client.end() == (0x8D if version == V5 else None)


def test_a_keep_alive_of_the_server_is_told_and_kept(start_gateway):
    """[MQTT-3.1.2-22] [MQTT-3.2.2-21] [MQTT-3.1.2-21] [attack 45]"""
    gateway = start_gateway("max_keepalive 1\nlistener 0 127.0.0.1\n")
    with Client(gateway, V5, keep_alive=60) as client:
        assert client.connack.properties["server_keep_alive"] == 1
        assert client.end() == 0x8D


@both_versions
def test_a_ping_is_answered(broker, version):
    """[MQTT-3.12.4-1] [MQTT311-3.12.4-1]"""
    with Client(broker, version) as client:
        for _ in range(3):
            assert client.send(b"\xc0\x00").packet() == b"\xd0\x00"


# --- 3.1.2.11: what the client asks of the server ---


def test_response_information_is_not_sent_to_who_does_not_want_it(broker):
    """[MQTT-3.1.2-28]"""
    for asking in ({}, {"request_response_information": 0}):
        with Client(broker, V5, **asking) as client:
            assert "response_information" not in client.connack.properties


ONLY_WITH_PROBLEM_INFORMATION = {"reason_string", "user_property"}


def test_without_problem_information_answers_say_the_code_alone(broker, mine):
    """[MQTT-3.1.2-29]"""
    with Client(broker, V5, request_problem_information=0) as client:
        client.send(publish(V5, "$SYS/x", "", 1, 1) + publish(V5, "$SYS/x", "", 2, 2)
                    + frame(0x62, number(9)) + frame(0x50, number(9))
                    + subscribe(V5, 3, ("a#", 0)) + unsubscribe(V5, 4, mine, "a#"))
        answers = [client.next() for _ in range(6)]
        assert sorted(answer.kind for answer in answers) == [4, 5, 6, 7, SUBACK, UNSUBACK]
        assert not [answer for answer in answers if answer.properties.keys() & ONLY_WITH_PROBLEM_INFORMATION]
        # What a PUBLISH carries is the sender's and stays.
        client.subscribe(mine)
        client.send(publish(V5, mine, user_property=[("k", "v")]))
        assert client.message().properties == {"user_property": [("k", "v")]}


def test_a_message_too_large_for_the_client_counts_as_sent(broker, mine):
    """[MQTT-3.1.2-24] [MQTT-3.1.2-25] [attack 7]"""
    with Client(broker, V5, maximum_packet_size=100, receive_maximum=1) as client, Client(broker, V5) as sender:
        client.subscribe(mine)
        overhead = len(publish(V5, mine, "", 1, 1))
        for qos in (0, 1, 2):
            overhead = len(publish(V5, mine, "", qos, 1))
            assert sender.publish(mine, bytes(101 - overhead), qos) in (None, 0)
            sender.publish(mine, bytes(100 - overhead), qos)
            # The window of one message is not used up by what was not sent.
            assert len(client.message().raw) == 100
        client.hears_nothing()


def test_a_message_too_large_for_a_client_that_comes_back(broker, mine):
    """In flight, waiting or retained: it counts as delivered. [MQTT-3.1.2-24] [MQTT-3.1.2-25]"""
    options = keeping(V5) | {"receive_maximum": 1}
    with Client(broker, V5, mine, **options) as client, Client(broker, V5) as sender:
        client.subscribe(mine)
        for payload in (bytes(200), "small", bytes(200), "smaller"):
            sender.publish(mine, payload, 2, retain=len(payload) == 200)
        assert len(client.message(acknowledged=False).payload) == 200
    with Client(broker, V5, mine, maximum_packet_size=100, **options) as client:
        assert [client.message().payload for _ in range(2)] == [b"small", b"smaller"]
        client.subscribe(mine)
        client.hears_nothing()


def test_a_maximum_packet_size_below_every_answer(broker, mine):
    """What does not fit is not sent, CONNACK included. [MQTT-3.1.2-24] [MQTT-3.2.2-19] [MQTT-3.2.2-20]"""
    with Wire(broker.tcp) as wire:
        rest = wire.send(connect(V5, mine, maximum_packet_size=4)).rest()
        assert len(rest) <= 4


# --- 3.14: DISCONNECT ---


@both_versions
def test_the_server_closes_behind_disconnect(broker, version, mine):
    """Of both sides. [MQTT-3.14.4-1] [MQTT-3.14.4-2] [MQTT311-3.14.4-1] [MQTT311-3.14.4-2]"""
    with Client(broker, version) as witness:
        witness.subscribe(mine)
        with Client(broker, version) as client:
            client.send(disconnect(version) + publish(version, mine, "behind"))
            assert client.rest() == b""
        witness.hears_nothing()
    if version == V5:
        with Client(broker, version) as client:
            client.subscribe(mine)
            client.send(b"\x00\x00" + publish(version, mine, "behind"))
            rest = client.rest()
            # DISCONNECT is the last thing that is said.
            assert parse(rest, version).kind == DISCONNECT


def test_the_server_names_a_reason_and_no_session_expiry(broker, mine):
    """[MQTT-3.14.2-1] [MQTT-3.14.2-2] [MQTT-3.14.0-1]"""
    faults = {b"\x00\x00": 0x82, octets("c1 00"): 0x81, publish(V5, "t", topic_alias=0): 0x94,
              disconnect(V5, 0, session_expiry_interval=5): 0x82}
    for packet, code in faults.items():
        with Client(broker, V5) as client:
            found = parse(client.send(packet).rest(), V5)
            assert (found.kind, found.code) == (DISCONNECT, code)
            assert "session_expiry_interval" not in found.properties


def test_a_disconnect_reason_that_is_none(broker):
    """[MQTT-3.14.2-1]"""
    for code in (0x01, 0x02, 0x18, 0x7F, 0xFF):
        assert violation(broker, V5, disconnect(V5, code)) == 0x82


def test_a_connack_has_no_more_properties_than_the_client_takes(broker):
    """[MQTT-3.2.2-19] [MQTT-3.2.2-20]"""
    assert len(properties(V5, {})) == 1
    for maximum in range(5, 40):
        with Wire(broker.tcp) as wire:
            rest = wire.send(connect(V5, "x" * 257, maximum_packet_size=maximum)).rest()
            assert len(rest) <= maximum
            assert not rest or parse(rest, V5).code == 0x85
