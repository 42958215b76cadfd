"""Clients that people use beside mosquitto's and paho-mqtt: Paho's C programs, aiomqtt and gmqtt."""

import asyncio
import contextlib
import queue
import shutil
import subprocess
import threading

import aiomqtt
import gmqtt
import pytest

from gateway import PATIENCE

QUALITIES = pytest.mark.parametrize("qos", [0, 1, 2])


def where(gateway, options):
    """The gateway's TCP port, unless the options name an address of their own."""
    return [] if "-c" in options else ["-h", "127.0.0.1", "-p", str(gateway.tcp)]


class PahoC:
    """`paho_c_sub`, which prints length, topic and payload of each message on a line."""

    def __init__(self, gateway, topic, version, qos, *options):
        assert shutil.which("paho_c_sub"), "the package paho.mqtt.c-examples is missing"
        self.process = subprocess.Popen(
            ["stdbuf", "-oL", "paho_c_sub", "--quiet", "-t", topic, *where(gateway, options),
             "-V", version, "-q", str(qos), *options],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self._lines = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            if not line.startswith(("URL is ", "Subscribing to ")):
                self._lines.put(line.rstrip("\n"))

    def line(self):
        return self._lines.get(timeout=PATIENCE)

    def stop(self):
        self.process.terminate()
        self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)


@pytest.fixture
def paho_c(gateway):
    """Starts `paho_c_sub` and waits until it is subscribed."""
    started = []

    def start(topic, version="311", qos=0, *options):
        client = PahoC(gateway, topic, version, qos, *options)
        started.append(client)
        gateway.wait_for_line(rf"{topic.rstrip('#+/')}.* \(QoS {qos}\)")
        return client

    yield start
    for client in started:
        client.stop()


def test_paho_c_over_websocket(start_gateway):
    """Paho's C client subscribes and publishes over WebSocket [MQTT-6.0.0-2] [MQTT311-6.0.0-2]."""
    gateway = start_gateway("listener 0 127.0.0.1\nprotocol websockets\nlog_type all\n")
    address = f"ws://127.0.0.1:{gateway.websocket}/mqtt"
    reader = PahoC(gateway, "c/#", "5", 2, "-c", address)
    try:
        gateway.wait_for_line(r"c/# \(QoS 2\)")
        paho_c_pub(gateway, "c/one", "311", 1, "-c", address, "-m", "first")
        assert reader.line() == "5 c/one\tfirst"
    finally:
        reader.stop()


def paho_c_pub(gateway, topic, version, qos, *options):
    subprocess.run(
        ["paho_c_pub", "-t", topic, *where(gateway, options), "-V", version, "-q", str(qos), *options],
        stdin=subprocess.DEVNULL, check=True, timeout=PATIENCE, capture_output=True)


@QUALITIES
@pytest.mark.parametrize("version", ["31", "311", "5"])
def test_paho_c(gateway, paho_c, version, qos):
    """Paho's C client sends and receives in each version and quality."""
    reader = paho_c("c/#", version, qos)
    paho_c_pub(gateway, "c/one", version, qos, "-m", "first")
    paho_c_pub(gateway, "c/two", version, qos, "-m", "second", "-i", "another")
    assert [reader.line(), reader.line()] == ["5 c/one\tfirst", "6 c/two\tsecond"]


def test_paho_c_keeps_its_properties(gateway, paho_c, paho):
    """Message expiry and a user property of Paho's C client reach another MQTT 5 client."""
    reader = paho("reader")
    reader.subscribe("c/#", 1)
    paho_c_pub(gateway, "c/x", "5", 1, "-m", "m", "--message-expiry", "60", "--user-property", "colour", "blue")
    message = reader.message()
    assert message.properties.MessageExpiryInterval in (59, 60)
    assert message.properties.UserProperty == [("colour", "blue")]


def test_paho_c_will(gateway, paho_c, paho):
    """The will of Paho's C client goes out when the process is killed."""
    reader = paho("reader")
    reader.subscribe("will", 1)
    doomed = paho_c("anything", "311", 0, "-i", "doomed", "--will-topic", "will", "--will-payload", "gone")
    doomed.process.kill()
    assert reader.message().payload == b"gone"


@QUALITIES
def test_aiomqtt(gateway, qos):
    """aiomqtt, MQTT 5: subscribing, publishing, retained messages."""

    async def talk():
        options = {"hostname": "127.0.0.1", "port": gateway.tcp, "protocol": aiomqtt.ProtocolVersion.V5}
        async with aiomqtt.Client(identifier="aio-reader", **options) as reader:
            await reader.subscribe("aio/#", qos=qos)
            async with aiomqtt.Client(identifier="aio-writer", **options) as writer:
                for number in range(50):
                    await writer.publish(f"aio/{number}", f"value {number}", qos=qos)
                await writer.publish("aio/kept", "kept", qos=qos, retain=True)
            got = []
            async for message in reader.messages:
                got.append((str(message.topic), message.payload.decode(), message.qos))
                if len(got) == 51:
                    break
            assert got == [(f"aio/{n}", f"value {n}", qos) for n in range(50)] + [("aio/kept", "kept", qos)]
        async with aiomqtt.Client(identifier="aio-late", **options) as late:
            await late.subscribe("aio/kept", qos=qos)
            message = await anext(aiter(late.messages))
            assert (message.payload, message.retain) == (b"kept", True)

    asyncio.run(asyncio.wait_for(talk(), PATIENCE))


@contextlib.asynccontextmanager
async def gmqtt_client(gateway, name, version, **options):
    """A connected gmqtt client; `messages` gets (topic, payload, qos, properties)."""
    client = gmqtt.Client(name, **options)
    client.messages = asyncio.Queue()
    client.subscribed = asyncio.Event()
    client.on_subscribe = lambda *_arguments: client.subscribed.set()

    async def on_message(_client, topic, payload, qos, properties):
        await client.messages.put((topic, payload, qos, properties))
        return 0

    client.on_message = on_message
    await client.connect("127.0.0.1", gateway.tcp, version=version)
    yield client
    await client.disconnect()


@QUALITIES
@pytest.mark.parametrize("version", [4, 5])
def test_gmqtt(gateway, version, qos):
    """gmqtt in both versions; in MQTT 5 with properties, a subscription identifier and a topic alias."""

    async def talk():
        async with (
            gmqtt_client(gateway, "g-reader", version) as reader, gmqtt_client(gateway, "g-writer", version) as writer
        ):
            identifier = {"subscription_identifier": 7} if version == 5 else {}
            reader.subscribe(gmqtt.Subscription("g/#", qos=qos), **identifier)
            await asyncio.wait_for(reader.subscribed.wait(), PATIENCE)
            properties = {}
            if version == 5:
                properties = {"content_type": "text/plain", "user_property": [("a", "1"), ("a", "2")]}
            writer.publish("g/one", "x", qos=qos, **properties)
            topic, payload, got_qos, got = await asyncio.wait_for(reader.messages.get(), PATIENCE)
            assert (topic, payload, got_qos) == ("g/one", b"x", qos)
            if version == 5:
                assert got["content_type"] == ["text/plain"]
                assert got["user_property"] == [("a", "1"), ("a", "2")]
                assert got["subscription_identifier"] == [7]

    asyncio.run(asyncio.wait_for(talk(), 2 * PATIENCE))
