"""MQTT 3.1.1 and 5.0 statement by statement: the handshakes of QoS 1 and 2, redelivery, flow control."""

import pytest

from packets import (
    PINGRESP, PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, SUBACK, V5, V311, Client, acknowledge, both_versions, keeping,
    publish, subscribe)

both_qos = pytest.mark.parametrize("qos", [1, 2])


# --- the server as sender ---


@both_versions
@both_qos
def test_a_new_message_has_an_identifier_that_is_not_in_use(broker, version, mine, qos):
    """[MQTT-2.2.1-4] [MQTT-4.3.2-1] [MQTT-4.3.2-2] [MQTT-4.3.3-1] [MQTT-4.3.3-2]
    [MQTT311-2.3.1-4] [MQTT311-4.3.2-1] [MQTT311-4.3.3-1]"""
    with Client(broker, version) as client, Client(broker, version) as sender:
        client.subscribe(mine)
        in_use = set()
        for _ in range(10):
            sender.publish(mine, "", qos)
            message = client.message(acknowledged=False)
            assert (message.qos, message.dup) == (qos, False)
            assert message.identifier not in in_use | {0}
            in_use.add(message.identifier)
            if qos == 2 and len(in_use) % 2:
                # Behind PUBREC the identifier is still in use.
                client.send(acknowledge(PUBREC, message.identifier))
                assert client.next(PUBREL).identifier == message.identifier


@both_versions
def test_what_is_unacknowledged_comes_again_in_order(broker, version, mine):
    """When the session is resumed, with the same identifiers: PUBLISH before PUBREC, PUBREL behind it.
    [MQTT-4.3.2-3] [MQTT-4.3.3-3] [MQTT-4.3.3-4] [MQTT-4.3.3-5] [MQTT-4.3.3-6] [MQTT-4.4.0-1] [MQTT-3.3.1-1]
    [MQTT-2.2.1-5] [MQTT311-2.3.1-4] [MQTT311-2.3.1-6] [MQTT311-4.3.2-1] [MQTT311-4.3.3-1] [MQTT311-4.4.0-1]
    [MQTT311-4.6.0-1] [MQTT311-4.6.0-6]"""
    with Client(broker, version, mine, **keeping(version)) as client, Client(broker, version) as sender:
        client.subscribe(mine)
        for count, qos in enumerate((1, 2, 2, 1, 1, 2)):
            sender.publish(mine, str(count), qos)
        first = [client.message(acknowledged=False) for _ in range(6)]
        # The first at each QoS is acknowledged, the second at QoS 2 half.
        client.send(acknowledge(PUBACK, first[0].identifier))
        for number, completed in ((1, True), (2, False)):
            client.send(acknowledge(PUBREC, first[number].identifier))
            assert client.next(PUBREL).identifier == first[number].identifier
            if completed:
                client.send(acknowledge(PUBCOMP, first[number].identifier))
        client.hears_nothing()
    for _ in range(2):
        with Client(broker, version, mine, **keeping(version)) as client:
            assert client.connack.present == 1
            again = [client.next() for _ in range(4)]
            client.hears_nothing()
            messages = [each for each in again if each.kind == PUBLISH]
            assert [(each.identifier, each.payload, each.qos, each.dup) for each in messages] == [
                (first[number].identifier, first[number].payload, first[number].qos, True) for number in (3, 4, 5)]
            assert [each.identifier for each in again if each.kind == PUBREL] == [first[2].identifier]


@both_versions
@both_qos
def test_what_is_acknowledged_does_not_come_again(broker, version, mine, qos):
    """[MQTT-4.4.0-1] [MQTT311-4.4.0-1]"""
    with Client(broker, version, mine, **keeping(version)) as client, Client(broker, version) as sender:
        client.subscribe(mine)
        sender.publish(mine, "once", qos)
        client.message()
        client.says_goodbye()
    with Client(broker, version, mine, **keeping(version)) as client:
        client.hears_nothing()


@both_versions
@both_qos
def test_nothing_comes_again_on_the_same_connection(broker, version, mine, qos):
    """Not even when a session is asked for it by packets of all kinds. [MQTT-4.4.0-1]"""
    with Client(broker, version) as client, Client(broker, version) as sender:
        client.subscribe(mine)
        sender.publish(mine, "once", qos)
        client.message(acknowledged=False)
        client.subscribe(mine)
        client.unsubscribe(mine)
        for _ in range(3):
            client.hears_nothing()


@both_qos
def test_a_refused_message_counts_as_acknowledged(broker, mine, qos):
    """It does not come again, and its place in the window is free. [MQTT-4.4.0-2] [MQTT-3.3.4-9]"""
    options = keeping(V5) | {"receive_maximum": 1}
    with Client(broker, V5, mine, **options) as client, Client(broker, V5) as sender:
        client.subscribe(mine)
        for payload in ("refused", "next"):
            sender.publish(mine, payload, qos)
        refused = client.message(acknowledged=False)
        client.send(acknowledge(PUBACK if qos == 1 else PUBREC, refused.identifier, 0x80))
        assert client.message(acknowledged=False).payload == b"next"
        client.hears_nothing()
    with Client(broker, V5, mine, **options) as client:
        assert client.message().payload == b"next"
        client.hears_nothing()


# --- the server as receiver ---


@both_versions
@pytest.mark.parametrize("dup", [False, True])
def test_at_qos_1_an_identifier_is_new_behind_puback(broker, version, mine, dup):
    """Whatever DUP says. [MQTT-4.3.2-4] [MQTT-4.3.2-5] [MQTT311-4.3.2-2]"""
    with Client(broker, version) as client, Client(broker, version) as sender:
        client.subscribe((mine, 0))
        for payload in (b"one", b"two", b"two"):
            sender.send(publish(version, mine, payload, 1, 7, dup=dup))
            assert sender.next(PUBACK).identifier == 7
            assert client.message().payload == payload


@both_versions
@pytest.mark.parametrize("dup", [False, True])
def test_at_qos_2_an_identifier_is_the_same_message_until_pubrel(broker, version, mine, dup):
    """Also over a lost connection. [MQTT-4.3.3-8] [MQTT-4.3.3-10] [MQTT-4.3.3-11] [MQTT-4.3.3-12]
    [MQTT311-4.3.3-2]"""
    with Client(broker, version) as client:
        client.subscribe((mine, 0))
        with Client(broker, version, mine, **keeping(version)) as sender:
            for _ in range(3):
                sender.send(publish(version, mine, "once", 2, 7, dup=dup))
                assert sender.next(PUBREC).identifier == 7
        with Client(broker, version, mine, **keeping(version)) as sender:
            sender.send(publish(version, mine, "once", 2, 7, dup=True))
            assert sender.next(PUBREC).identifier == 7
            sender.send(acknowledge(PUBREL, 7))
            assert sender.next(PUBCOMP).identifier == 7
            assert client.message().payload == b"once"
            client.hears_nothing()
            # PUBREL again is answered again.
            sender.send(acknowledge(PUBREL, 7))
            answer = sender.next(PUBCOMP)
            assert (answer.identifier, answer.code) == (7, 0x92 if version == V5 else 0)
            sender.send(publish(version, mine, "a new one", 2, 7, dup=dup))
            assert sender.next(PUBREC).identifier == 7
            sender.send(acknowledge(PUBREL, 7))
            assert sender.next(PUBCOMP).identifier == 7
            assert client.message().payload == b"a new one"


def test_at_qos_2_an_identifier_is_new_behind_a_refusal(broker, mine):
    """[MQTT-4.3.3-9] [MQTT-3.5.2-1]"""
    with Client(broker, V5) as client, Client(broker, V5) as sender:
        client.subscribe((mine, 0))
        sender.send(publish(V5, "$SYS/" + mine, "refused", 2, 7))
        answer = sender.next(PUBREC)
        assert (answer.identifier, answer.code) == (7, 0x87)
        sender.send(publish(V5, mine, "taken", 2, 7))
        answer = sender.next(PUBREC)
        assert (answer.identifier, answer.code) == (7, 0)
        sender.send(acknowledge(PUBREL, 7))
        assert sender.next(PUBCOMP).code == 0
        assert client.message().payload == b"taken"


def test_the_codes_of_the_acknowledgements(broker, mine):
    """[MQTT-3.4.2-1] [MQTT-3.5.2-1] [MQTT-3.6.2-1] [MQTT-3.7.2-1]"""
    with Client(broker, V5) as client:
        client.send(acknowledge(PUBREL, 9))
        assert client.next(PUBCOMP).code == 0x92
        client.send(acknowledge(PUBREC, 9))
        assert client.next(PUBREL).code == 0x92
        client.send(publish(V5, mine, "", 1, 1))
        assert client.next(PUBACK).code == 0x10
    for kind in (PUBACK, PUBREC, PUBREL, PUBCOMP):
        for code in (0x01, 0x18, 0x7F, 0x82):
            with Client(broker, V5) as client:
                assert client.send(acknowledge(kind, 1, code)).end() == 0x82


# --- 4.9: flow control ---


@both_qos
def test_the_window_is_the_clients_receive_maximum(broker, mine, qos):
    """[MQTT-3.3.4-9] [MQTT-4.9.0-1] [MQTT-4.9.0-2]"""
    with Client(broker, V5, receive_maximum=3) as client, Client(broker, V5) as sender:
        client.subscribe(mine)
        for count in range(8):
            sender.publish(mine, str(count), qos)
        window = [client.message(acknowledged=False) for _ in range(3)]
        client.hears_nothing()
        for count in range(3, 8):
            message = window.pop(0)
            if qos == 2:
                client.send(acknowledge(PUBREC, message.identifier))
                assert client.next(PUBREL).identifier == message.identifier
                # Only PUBCOMP gives the place back.
                client.hears_nothing()
            client.send(acknowledge(PUBACK if qos == 1 else PUBCOMP, message.identifier))
            window.append(client.message(acknowledged=False))
            assert window[-1].payload == str(count).encode()
            client.hears_nothing()


@both_versions
def test_the_window_of_a_client_that_names_none(broker, version, mine):
    """It is bounded, and what does not fit waits. [MQTT-4.9.0-1]"""
    with Client(broker, version) as client, Client(broker, version) as sender:
        client.subscribe(mine)
        for count in range(100):
            sender.publish(mine, str(count), 1)
        found = []
        while len(found) < 100:
            found.append(client.message())
        assert [int(each.payload) for each in found] == list(range(100))


@both_versions
@both_qos
def test_a_used_up_quota_delays_nothing_else(broker, version, mine, qos):
    """[MQTT-3.3.4-10] [MQTT-4.9.0-3] [MQTT-4.9.0-2]"""
    options = {"receive_maximum": 1} if version == V5 else {}
    with Client(broker, version, **options) as client, Client(broker, version) as sender:
        client.subscribe(mine)
        sender.send(b"".join(publish(version, mine, "x", 1, 1 + count) for count in range(30)))
        for _ in range(30):
            sender.next(PUBACK)
        found = [client.message(acknowledged=False) for _ in range(1 if version == V5 else 20)]
        assert found[0].qos == 1
        # All packets but PUBLISH above QoS 0 are answered, and messages at QoS 0 come.
        client.send(subscribe(version, 500, (mine + "/0", 0)))
        assert client.next(SUBACK).identifier == 500
        sender.publish(mine + "/0", "at once", 0)
        assert client.message().payload == b"at once"
        assert client.publish(mine + "/other", "", qos) in (0, 0x10)
        client.unsubscribe(mine)
        client.send(b"\xc0\x00")
        client.next(PINGRESP)
