"""Access rules (`acl_file`) and who devices are, over real sockets, with changes of the rules by SIGHUP."""

import time
from types import SimpleNamespace

import pytest

import sn_words
from gateway import run
from mqttsn_device import Datagrams
from packets import Client, V5, both_versions, connect, keeping, parse, will
from wire import Wire

GUARD = "topic deny secret/#\ntopic readwrite #\ntopic read $SYS/#\n"
OPEN = "topic readwrite #\ntopic read $SYS/#\n"
CLOSED = "topic read nothing\n"
NOT_AUTHORIZED = 0x87

CONFIGURATION = """\
per_listener_settings true
listener 0 127.0.0.1

listener 0 127.0.0.1
acl_file {rules}

listener 0 127.0.0.1
protocol mqttsn
acl_file {rules}
predefined_topic 1 secret/predefined
predefined_topic 2 open/predefined
allow_anonymous_publish true
{more}
sys_interval 1
"""


class World(SimpleNamespace):
    """A gateway with an open listener (`insider`) and two under rules: for `outsider`s, and for devices."""

    def insider(self, client_id="", **options):
        return Client(SimpleNamespace(tcp=self.ports[0]), client_id=client_id, **options)

    def outsider(self, client_id="", version=V5, **options):
        return Client(SimpleNamespace(tcp=self.ports[1]), version, client_id, **options)

    def change(self, rules):
        self.rules.write_text(rules)
        self.gateway.reload()


@pytest.fixture
def start(start_gateway, tmp_path):
    def start(rules=GUARD, more="", **files):
        path = tmp_path / "rules.acl"
        path.write_text(rules)
        for name, text in files.items():
            (tmp_path / name).write_text(text)
        text = CONFIGURATION.format(rules=path, more=more.format(folder=tmp_path))
        gateway = start_gateway(text)
        ports = [port for _, port in gateway.addresses("MQTT over TCP")]
        return World(gateway=gateway, ports=ports, rules=path, configuration=text)

    return start


@pytest.fixture
def world(start):
    return start()


def words(text):
    return sn_words.encode(*sn_words.parse(text))


def device(world, client_id="dev"):
    datagrams = Datagrams(world.gateway.udp)
    assert datagrams.ask(words(f"CONNECT cleanSession duration=60s clientID='{client_id}'")) == words("CONNACK")
    return datagrams


# ----- Messages -----------------------------------------------------------------------------------------------------


@both_versions
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_publish_without_the_right_goes_nowhere(world, version, qos):
    """[attack 64] Not to those who are here and not into what is retained; MQTT 5 is told so [M-23]."""
    reader = world.insider()
    reader.subscribe("#")
    writer = world.outsider(version=version)
    code = writer.publish("secret/a", "no", qos, retain=True)
    assert code == (NOT_AUTHORIZED if version == V5 and qos else None if qos == 0 else 0)
    writer.publish("open/a", "yes", qos)
    assert reader.message().payload == b"yes"
    later = world.insider()
    later.subscribe("secret/#")
    later.hears_nothing()


def test_each_delivery_is_asked_about(world):
    """[attack 64] [attack 76] A wide filter is granted and brings what is allowed, live and retained [M-24]."""
    writer = world.insider()
    writer.publish("secret/retained", "no", 1, retain=True)
    writer.publish("open/retained", "yes", 1, retain=True)
    reader = world.outsider()
    assert reader.subscribe("#", "secret/#", "secret/a", "+/a", qos=1) == [1, NOT_AUTHORIZED, NOT_AUTHORIZED, 1]
    assert reader.message().topic == "open/retained"
    writer.publish("secret/a", "no", 1)
    writer.publish("open/b", "yes", 1)
    assert reader.message().topic == "open/b"
    reader.hears_nothing()


def test_a_shared_subscription_is_its_filter_for_the_rules(world):
    """[attack 81] Neither by its name nor by its turn does a member get what it may not have."""
    outsider = world.outsider()
    assert outsider.subscribe("$share/x/secret/#", "$share/x/#", qos=1) == [NOT_AUTHORIZED, 1]
    insider = world.insider()
    assert insider.subscribe("$share/x/#", qos=1) == [1]
    writer = world.insider()
    for number in range(6):
        writer.publish(f"secret/{number}", "", 1)
    assert [insider.message().topic for _ in range(6)] == [f"secret/{number}" for number in range(6)]
    outsider.hears_nothing()


def test_composed_and_decomposed_names_are_different_in_rules(start):
    """[attack 19]"""
    world = start("topic deny caf\u00e9/#\ntopic readwrite #\n")
    writer = world.outsider()
    assert writer.publish("caf\u00e9/a", "", 1) == NOT_AUTHORIZED
    assert writer.publish("cafe\u0301/a", "", 1) in (0, 0x10)


def test_a_client_id_with_wildcards_widens_no_pattern(start):
    """[attack 84] As CVE-2017-7650 of mosquitto."""
    world = start("pattern readwrite own/%c/#\npattern read %c\n")
    writer = world.insider()
    for name in ("#", "+", "+/x", "a/b", "$SYS"):
        reader = world.outsider(name)
        codes = reader.subscribe("#", "own/#", f"own/{name.replace('#', 'h').replace('+', 'p')}/#")
        # Below `own` a name that begins with $ is a name like others.
        assert name == "$SYS" or codes == [NOT_AUTHORIZED] * 3
        writer.publish("own/a/b", "no", 1)
        writer.publish("own/x/y", "no", 1)
        reader.hears_nothing()
    good = world.outsider("good")
    assert good.subscribe("own/#", qos=1) == [1]
    writer.publish("own/other/a", "no", 1)
    writer.publish("own/good/a", "yes", 1)
    assert good.message().topic == "own/good/a"


# ----- Changes ------------------------------------------------------------------------------------------------------


def test_other_rules_hold_for_those_who_are_here(world):
    """[attack 41] What they publish, what they are sent, and what they subscribed to; nothing of it ends."""
    insider, reader, outsider = world.insider(), world.insider(), world.outsider()
    reader.subscribe("#", qos=1)
    outsider.subscribe("open/#", qos=1)
    world.change(CLOSED)
    assert outsider.publish("open/a", "no", 1) == NOT_AUTHORIZED
    insider.publish("open/b", "mine", 1)
    assert reader.message().payload == b"mine"
    outsider.hears_nothing()
    world.change(GUARD)
    insider.publish("open/c", "again", 1)
    assert outsider.message().payload == b"again"


def test_rules_with_a_fault_change_nothing(world):
    outsider = world.outsider()
    world.change("topic reads everything here\n")
    assert any("rules.acl:1: " in line for line in world.gateway.log)
    assert outsider.publish("secret/a", "", 1) == NOT_AUTHORIZED
    assert outsider.publish("open/a", "", 1) in (0, 0x10)


def test_what_waited_is_checked_again(world):
    """[attack 41] [attack 76] What was queued under other rules is not replayed [M-27]."""
    reader = world.outsider("reader", **keeping(V5))
    reader.subscribe("open/#", qos=1)
    reader.close()
    writer = world.insider()
    writer.publish("open/was", "no", 1)
    world.change("topic deny open/was\n" + GUARD)
    writer.publish("open/is", "yes", 1)
    again = world.outsider("reader", **keeping(V5))
    assert again.connack.present == 1
    assert again.message().topic == "open/is"
    again.hears_nothing()


def test_what_was_retained_by_who_lost_the_right(world):
    """[attack 75] It is kept and not delivered [M-26]."""
    writer = world.outsider("writer")
    writer.publish("open/a", "old", 1, retain=True)
    world.change("topic deny open/a\n" + GUARD)
    reader = world.insider()
    reader.subscribe("open/#", qos=1)
    reader.hears_nothing()
    world.change(GUARD)
    later = world.insider()
    later.subscribe("open/#", qos=1)
    assert later.message().payload == b"old"


def test_a_will_is_checked_at_connect_and_when_it_is_published(world):
    """[attack 77] [attack 126] At once, after its delay, and under the rules that hold then."""
    port = SimpleNamespace(tcp=world.ports[1])
    with Wire(port.tcp) as refused:
        refused.send(connect(V5, "w", will=will("secret/w")))
        assert parse(refused.packet(), V5).code == NOT_AUTHORIZED
    reader = world.insider()
    reader.subscribe("#", qos=1)
    clients = [world.outsider(f"c{delay}", **keeping(V5), will=will(f"open/{delay}", "no", will_delay_interval=delay))
               for delay in (0, 1)]
    clients[1].close()
    world.change(CLOSED)
    clients[0].close()
    time.sleep(1.2)
    reader.hears_nothing()


# ----- Devices ------------------------------------------------------------------------------------------------------


def test_devices_are_under_the_rules_by_every_kind_of_topic(world):
    """[attack 113] [D-122] Registered, predefined, short: REGACK and PUBACK 0x03, SUBACK 0x03."""
    node = device(world)
    assert node.ask(words("REGISTER msgID=1 topicName='secret/a'")) == words(
        "REGACK topicID=0 msgID=1 returnCode=notSupported")
    assert node.ask(words("REGISTER msgID=2 topicName='open/a'")) == words("REGACK topicID=3 msgID=2")
    assert node.ask(words("PUBLISH qos=1 type=predefined topicID=1 msgID=3 data='x'")) == words(
        "PUBACK topicID=1 msgID=3 returnCode=notSupported")
    assert node.ask(words("SUBSCRIBE qos=1 msgID=4 topicName='secret/#'")) == words(
        "SUBACK topicID=0 msgID=4 returnCode=notSupported")
    assert node.ask(words("SUBSCRIBE qos=1 msgID=5 type=predefined topicID=1")) == words(
        "SUBACK topicID=0 msgID=5 returnCode=notSupported")
    reader = world.insider()
    reader.subscribe("#", qos=1)
    assert node.ask(words("PUBLISH qos=1 type=predefined topicID=2 msgID=6 data='x'")) == words(
        "PUBACK topicID=2 msgID=6")
    assert reader.message().topic == "open/predefined"
    # What was registered while it was allowed is asked about with each PUBLISH.
    world.change("topic deny open/a\ntopic deny ab\n" + GUARD)
    assert node.ask(words("PUBLISH qos=1 topicID=3 msgID=7 data='x'")) == words(
        "PUBACK topicID=3 msgID=7 returnCode=notSupported")
    short = int.from_bytes(b"ab", "big")
    assert node.ask(words(f"PUBLISH qos=1 type=short topicID={short} msgID=8 data='x'")) == words(
        f"PUBACK topicID={short} msgID=8 returnCode=notSupported")
    reader.hears_nothing()


def test_a_device_s_will_without_the_right(world):
    """[attack 126] CONNECT is refused when the will has come."""
    node = Datagrams(world.gateway.udp)
    assert node.ask(words("CONNECT will cleanSession duration=60s clientID='dev'")) == words("WILLTOPICREQ")
    assert node.ask(words("WILLTOPIC qos=1 topic='secret/w'")) == words("WILLMSGREQ")
    assert node.ask(words("WILLMSG message='gone'")) == words("CONNACK returnCode=notSupported")


def test_strangers_at_qos_minus_1_have_a_user_of_their_own(start):
    """[attack 115]"""
    world = start("topic readwrite never\nuser wind\ntopic write open/predefined\n", "anonymous_publish_user wind")
    reader = world.insider()
    reader.subscribe("#", qos=1)
    with Datagrams(world.gateway.udp) as stranger:
        stranger.send(words("PUBLISH qos=-1 type=predefined topicID=1 data='no'"))
        stranger.send(words("PUBLISH qos=-1 type=predefined topicID=2 data='yes'"))
        found = reader.message()
    assert (found.topic, found.payload) == ("open/predefined", b"yes")


LISTED = """\
allow_anonymous false
device_file {folder}/devices
allow_clients pump-* valve-*
"""


def test_a_list_says_which_devices_come_and_who_they_are(start):
    """A device is refused that the list or the patterns do not have; the others are under their users' rules."""
    rules = "user pumps\ntopic write pumps/#\nuser valves\ntopic write valves/#\n"
    world = start(rules, LISTED, devices="pump-* pumps\nvalve-1 valves\nother x\n")
    for name in ("valve-2", "other", "nobody"):
        node = Datagrams(world.gateway.udp)
        refusal = node.ask(words(f"CONNECT cleanSession duration=60s clientID='{name}'"))
        assert refusal == words("CONNACK returnCode=notSupported")
    for name, mine, others in (("pump-1", "pumps", "valves"), ("valve-1", "valves", "pumps")):
        node = device(world, name)
        assert node.ask(words(f"REGISTER msgID=1 topicName='{mine}/a'")) == words("REGACK topicID=3 msgID=1")
        assert node.ask(words(f"REGISTER msgID=2 topicName='{others}/a'")) == words(
            "REGACK topicID=0 msgID=2 returnCode=notSupported")
    # Their sessions are their users': nobody of MQTT gets one.
    with Wire(world.ports[0]) as thief:
        thief.send(connect(V5, "pump-1"))
        assert parse(thief.packet(), V5).code == NOT_AUTHORIZED
    world.gateway.wait_for_line("device valve-2 refused at .*: its listener does not take the client id")


def test_outside_of_the_networks_nobody_is_answered(start):
    world = start(more="allow_networks 10.0.0.0/8")
    with Datagrams(world.gateway.udp) as stranger:
        for message in ("SEARCHGW radius=1", "CONNECT cleanSession duration=60s clientID='dev'", "PINGREQ"):
            stranger.send(words(message))
        world.gateway.wait_for_line("ignored: it is in none of the listener's allow_networks")
        stranger.socket.settimeout(0.3)
        with pytest.raises(TimeoutError):
            stranger.receive()
        world.gateway.reload(world.configuration.replace("10.0.0.0/8", "127.0.0.0/8"))
        stranger.send(words("CONNECT cleanSession duration=60s clientID='dev'"))
        stranger.socket.settimeout(15)
        assert stranger.receive() == words("CONNACK")


# ----- The file -----------------------------------------------------------------------------------------------------


def test_check_names_the_lines_that_are_no_rules(tmp_path):
    rules = tmp_path / "rules.acl"
    rules.write_text("topic read a\nuser\ntopic reads a b\n")
    file = tmp_path / "gateway.conf"
    file.write_text(f"listener 1883 127.0.0.1\nacl_file {rules}\n")
    outcome = run("check", "-c", file)
    assert outcome.returncode == 2
    assert f"{rules}:2: error: " in outcome.stdout + outcome.stderr
    assert f"{rules}:3: error: " in outcome.stdout + outcome.stderr
