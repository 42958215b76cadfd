"""Messages from mosquitto_pub to mosquitto_sub: versions, qualities of service, retained messages, wildcards, sizes."""

import random
import threading

import pytest

from mosquitto import VERSIONS, Subscriber, publish
from paho_client import PahoClient


@pytest.mark.parametrize("granted", [0, 1, 2])
@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_reaches_every_other_at_the_lower_qos(gateway, version, granted):
    with Subscriber(gateway, "plant/#", qos=granted, version=version) as subscriber:
        assert subscriber.granted == [granted]
        for sender in VERSIONS:
            for qos in (0, 1, 2):
                publish(gateway, f"plant/{sender}/{qos}", f"{sender} {qos}", qos=qos, version=sender)
                message = subscriber.message()
                assert message.topic == f"plant/{sender}/{qos}"
                assert message.payload == f"{sender} {qos}".encode()
                assert message.qos == min(qos, granted)
                assert not message.retain


@pytest.mark.parametrize("version", VERSIONS)
def test_a_retained_message_greets_new_subscribers_until_it_is_cleared(gateway, version):
    with Subscriber(gateway, "state/+", version=version) as present:
        publish(gateway, "state/door", "open", qos=1, retain=True, version=version)
        publish(gateway, "state/door", "shut", qos=1, retain=True, version=version)
        publish(gateway, "state/lamp", "on", qos=2, retain=True, version=version)
        # For a subscription that was there before, it is a message like any other [MQTT-3.3.1-12] [MQTT311-3.3.1-9].
        assert [(m.payload, m.retain) for m in present.messages(3)] == [
            (b"open", False), (b"shut", False), (b"on", False)]
    with Subscriber(gateway, "state/#", version=version) as later:
        greeted = {message.topic: message for message in later.messages(2)}
        assert (greeted["state/door"].payload, greeted["state/door"].retain, greeted["state/door"].qos) == (
            b"shut", True, 1)
        assert (greeted["state/lamp"].payload, greeted["state/lamp"].retain, greeted["state/lamp"].qos) == (
            b"on", True, 2)
    publish(gateway, "state/door", retain=True, version=version)
    with Subscriber(gateway, "state/door", "state/lamp", version=version) as last:
        assert last.message().topic == "state/lamp"
        publish(gateway, "state/door", "afterwards")
        assert last.message().payload == b"afterwards"


@pytest.mark.parametrize("topic_filter, matching, other", [
    ("a/+/c", ["a/b/c", "a//c", "a/+c/c"], ["a/c", "a/b/c/d", "a/b"]),
    ("a/#", ["a", "a/", "a/b", "a/b/c/d"], ["b", "ab", "A"]),
    ("+/b", ["a/b", "/b"], ["b", "a/b/", "$a/b"]),
    ("#", ["a", "/", "a/b/c"], ["$a", "$private/x"]),
    ("+", ["a", "b"], ["/", "/a", "$a"]),
    ("/+", ["/a", "/"], ["a", "a/b"]),
    ("$private/+", ["$private/x"], ["private/x", "$private"]),
    ("a/b", ["a/b"], ["a/B", "a/b/", "/a/b"]),
    ("grüße/+", ["grüße/ü"], ["gru\u0308ße/ü", "grusse/ü"]),
])
def test_wildcards(gateway, topic_filter, matching, other):
    with Subscriber(gateway, topic_filter, "end of test") as subscriber:
        for topic in other + matching:
            # $-topics are the server's: that a client's message there goes nowhere is as good as no match.
            publish(gateway, topic.replace("+", "plus"), topic)
        publish(gateway, "end of test", "end")
        expected = [topic.replace("+", "plus") for topic in matching if not topic.startswith("$")]
        got = [message.topic for message in subscriber.messages(len(expected))]
        assert got == expected
        assert subscriber.message().topic == "end of test" or topic_filter == "#"


def test_overlapping_subscriptions_of_one_client_get_every_message(gateway):
    with Subscriber(gateway, "a/b", "a/+", "a/#", "end") as subscriber:
        publish(gateway, "a/b", "x", qos=1)
        publish(gateway, "end", "y")
        # The standard leaves open whether copies are sent (3.1.1 §3.3.5); there must be one at least.
        topics = [subscriber.message().topic]
        while topics[-1] != "end":
            topics.append(subscriber.message().topic)
        assert 1 <= topics.count("a/b") <= 3


def test_figures_under_sys(gateway):
    with Subscriber(gateway, "$SYS/broker/+", "$SYS/broker/+/+", "$SYS/broker/sn/devices") as subscriber:
        seen = {}
        wanted = {
            "$SYS/broker/version", "$SYS/broker/uptime", "$SYS/broker/clients/connected",
            "$SYS/broker/messages/received", "$SYS/broker/messages/sent", "$SYS/broker/sn/devices"}
        while not wanted <= seen.keys() or seen["$SYS/broker/clients/connected"] != b"1":
            message = subscriber.message()
            seen[message.topic] = message.payload
    assert seen["$SYS/broker/version"].startswith(b"dormouse ")
    assert seen["$SYS/broker/sn/devices"] == b"0"


@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("version", VERSIONS)
def test_a_payload_of_200_kibibytes(gateway, version, qos):
    payload = random.Random(qos).randbytes(200 << 10)
    with Subscriber(gateway, "firmware", version=version) as subscriber:
        publish(gateway, "firmware", payload, qos=qos, version=version)
        message = subscriber.message()
        assert message.payload == payload
        assert message.qos == qos


def test_an_empty_payload_and_one_of_every_byte(gateway):
    with Subscriber(gateway, "bytes") as subscriber:
        publish(gateway, "bytes", qos=1)
        publish(gateway, "bytes", bytes(range(256)), qos=2)
        assert [message.payload for message in subscriber.messages(2)] == [b"", bytes(range(256))]


@pytest.mark.parametrize("qos, count", [(0, 4_000), (1, 4_000), (2, 4_000)])
@pytest.mark.parametrize("version", ["mqttv311", "mqttv5"])
def test_many_messages_arrive_in_order(start_gateway, version, qos, count):
    # mosquitto_sub is slower than mosquitto_pub: what waits for it is not to reach the limit of the queue.
    gateway = start_gateway("max_queued_messages 0\nlistener 0 127.0.0.1\n")
    with Subscriber(gateway, "stream", version=version) as subscriber:
        publish(gateway, "stream", text="".join(f"{n}\n" for n in range(count)), qos=qos, version=version)
        assert [int(message.payload) for message in subscriber.messages(count)] == list(range(count))


def test_two_hundred_clients_at_once(gateway):
    clients = [PahoClient(f"client-{n}") for n in range(200)]
    threads = [threading.Thread(target=client.connect, args=[gateway.tcp]) for client in clients]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for number, client in enumerate(clients):
            assert client.subscribe([("everybody", 1), (f"to/{number}", 2)]) == [1, 2]
        publish(gateway, "everybody", "hello", qos=1)
        for client in clients:
            assert client.message().payload == b"hello"
        # And each to its neighbour, all at once.
        for number, client in enumerate(clients):
            client.client.publish(f"to/{(number + 1) % 200}", str(number), 2)
        for number, client in enumerate(clients):
            assert client.message().payload == str((number - 1) % 200).encode()
    finally:
        for client in clients:
            client.close()


def test_mosquitto_over_ipv6(start_gateway):
    gateway = start_gateway("listener 0 ::1\n")
    assert gateway.addresses("MQTT over TCP")[0][0] == "::1"
    with Subscriber(gateway, "six", host="::1") as subscriber:
        publish(gateway, "six", "hello", qos=2, host="::1")
        assert subscriber.message().payload == b"hello"
