"""TLS: with mosquitto's clients, paho-mqtt, `openssl s_client` and Python's own, and with peers that break the rules."""

import os
import shutil
import socket
import ssl
import subprocess
import threading
import time

import paho.mqtt.client as mqtt
import pytest

from gateway import PATIENCE, run
from mosquitto import Subscriber, publish
from paho_client import PahoClient
from secure_wire import CA, FOLDER, SecureWire, context, mosquitto_options, pair, server
from websocket_wire import request
from wire import CONNECT_5, CONNECT_311, Wire, Witness, octets

PLAIN = f"""\
listener 0 127.0.0.1

listener 0 127.0.0.1
{server()}
listener 0 127.0.0.1
protocol websockets
{server()}
sys_interval 0
log_type all
connect_timeout 1
"""

MUTUAL = f"""\
listener 0 127.0.0.1

listener 0 127.0.0.1
{server()}cafile {CA}
crlfile {FOLDER}/crl.pem
require_certificate true
use_identity_as_username true

listener 0 127.0.0.1
protocol websockets
{server()}cafile {CA}
crlfile {FOLDER}/crl.pem
require_certificate true
use_identity_as_username true

sys_interval 0
log_type all
"""


@pytest.fixture
def gateway(start_gateway):
    return start_gateway(PLAIN)


@pytest.fixture
def mutual(start_gateway):
    return start_gateway(MUTUAL)


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_mosquitto_over_tls(gateway, qos):
    options = mosquitto_options()
    where = {"port": gateway.tls, "host": "localhost"}
    with Subscriber(gateway, "a/#", qos=qos, options=options, **where) as subscriber:
        for size in (1, 100, 16_384, 200_000):
            publish(gateway, "a/b", bytes(index & 0xFF for index in range(size)), qos=qos, options=options, **where)
            assert len(subscriber.message().payload) == size
        publish(gateway, "a/plain", "from the other listener", qos=qos)
        assert subscriber.message().payload == b"from the other listener"
    gateway.wait_for_line("debug: 127.0.0.1:.* is secured \\(TLSv1.3, ")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_both_versions(gateway, version):
    with SecureWire(gateway.tls, connect=CONNECT_5, version=version) as wire:
        wire.send("82 07 0001 00 0001 'a' 00")
        assert wire.packet()[0] == 0x90
        message = b"\x30\x84\x80\x03" + octets("0001 'a' 00") + bytes(49_152)
        wire.send(message)
        assert wire.packet() == message
    gateway.wait_for_line(r"is secured \(" + version.name.replace("_", "."))


@pytest.mark.parametrize("transport", ["tcp", "websockets"])
@pytest.mark.parametrize("version", [mqtt.MQTTv311, mqtt.MQTTv5], ids=["3.1.1", "5.0"])
def test_paho_with_a_certificate(mutual, transport, version):
    """The certificate's common name is the user name, over WebSocket too."""
    client = PahoClient("client", version=version, transport=transport)
    client.client.tls_set(str(CA), *map(str, pair("alice")))
    client.client.username_pw_set("mallory", "not looked at")
    client.connect(mutual.wss if transport == "websockets" else mutual.tls, host="localhost")
    assert client.subscribe("a", 1) == [1]
    for size in (0, 1, 70_000, 200_000):
        payload = bytes(index & 0xFF for index in range(size))
        client.publish("a", payload, 1)
        assert client.message().payload == payload
    mutual.wait_for_line("client from 127.0.0.1:.* is alice")
    client.disconnect()
    client.close()


REFUSED = {
    "none": "the client shows no certificate",
    "expired": "the client's certificate is not accepted: certificate has expired",
    "revoked": "the client's certificate is not accepted: certificate revoked",
    "stranger": "the client's certificate is not accepted: unable to get local issuer certificate",
    "wrong-use": "the client's certificate is not accepted: unsuitable certificate purpose",
    "nameless": "the client's certificate has no name that can be a user name",
}


@pytest.mark.parametrize("websockets", [False, True], ids=["TLS", "wss"])
@pytest.mark.parametrize("name, reason", REFUSED.items(), ids=REFUSED.keys())
def test_a_certificate_that_is_not_accepted(mutual, name, reason, websockets):
    """[attack 89]"""
    port = mutual.wss if websockets else mutual.tls
    with Witness(mutual) as witness, pytest.raises((ssl.SSLError, ConnectionError)):
        with SecureWire(port, None if name == "none" else name) as wire:
            wire.send(request() if websockets else CONNECT_311)
            assert wire.rest() == b""
            raise ConnectionResetError
    mutual.wait_for_line(f"a connection from 127.0.0.1:.* ended: TLS handshake failed, {reason}")
    assert witness


def test_a_certificate_alone_does_not_lift_allow_anonymous(start_gateway):
    gateway = start_gateway(MUTUAL.replace("use_identity_as_username true", "allow_anonymous false"))
    with SecureWire(gateway.tls, "alice") as wire:
        assert wire.send(CONNECT_311).packet() == octets("20 02 00 05")


def test_certificates_that_are_optional(start_gateway):
    gateway = start_gateway(
        MUTUAL.replace("require_certificate true", "require_certificate optional") + "allow_anonymous true\n")
    with SecureWire(gateway.tls, connect=CONNECT_5), SecureWire(gateway.tls, "bob", connect=CONNECT_311):
        gateway.wait_for_line("is bob")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        SecureWire(gateway.tls, "expired", connect=CONNECT_311)


def test_sessions_belong_to_who_made_them(mutual):
    """[attack 39]: bob does not get what waits for alice, whatever client id he gives."""
    connect = octets("10 0f 0004 'MQTT' 04 00 003c 0003 'dev'")
    with SecureWire(mutual.tls, "alice", connect=connect):
        with SecureWire(mutual.tls, "bob") as thief:
            assert thief.send(connect).packet()[3] != 0
    with SecureWire(mutual.tls, "alice") as owner:
        assert owner.send(connect).packet() == octets("20 02 01 00")


KEYS = "pump-7:00112233445566778899aabbccddeeff\nvalve:ffeeddccbbaa99887766554433221100\n"


@pytest.fixture
def keyed(start_gateway, tmp_path):
    keys = tmp_path / "keys.psk"
    keys.write_text(KEYS)
    keys.chmod(0o600)
    return start_gateway(
        f"psk_file {keys}\nlistener 0 127.0.0.1\npsk_hint plant\nuse_identity_as_username true\n"
        f"listener 0 127.0.0.1\npsk_hint plant\n{server()}allow_anonymous true\nlog_type all\n")


def test_pre_shared_keys_with_mosquitto(keyed):
    def options(identity, key):
        return ["--psk-identity", identity, "--psk", key]

    good = options("pump-7", "00112233445566778899aabbccddeeff")
    for host, port in keyed.addresses("MQTT over TLS"):
        where = {"port": port, "host": host}
        with Subscriber(keyed, "a", options=good, **where) as subscriber:
            publish(keyed, "a", "x", options=good, **where)
            assert subscriber.message().payload == b"x"
        with pytest.raises(AssertionError):
            publish(keyed, "a", "x", options=options("pump-7", "ff" * 16), **where)
    with pytest.raises(AssertionError):
        publish(keyed, "a", "x", options=options("nobody", "ff" * 16), port=keyed.tls)
    keyed.wait_for_line("is pump-7")
    keyed.wait_for_line("TLS handshake failed, the client's identity is unknown or its key is wrong")


@pytest.mark.parametrize("suite", ["PSK-AES128-GCM-SHA256", "ECDHE-PSK-CHACHA20-POLY1305", "PSK-AES128-CCM8"])
def test_pre_shared_keys_with_openssl(keyed, suite):
    for key, is_known in [("00112233445566778899aabbccddeeff", True), ("00" * 16, False)]:
        output = s_client(
            keyed.tls, "-tls1_2", "-cipher", suite + ":@SECLEVEL=0", "-psk_identity", "pump-7", "-psk", key)
        # The wrong key shows in the server's alert, when the client has said all it has.
        assert f"Cipher is {suite}" in output and ("alert bad record mac" not in output) == is_known, output


def s_client(port, *options):
    """`openssl s_client`: everything that it prints."""
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", str(CA), "-ign_eof", *options],
        stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE)
    return (done.stdout + done.stderr).decode("utf-8", "replace")


@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
def test_old_versions(gateway, version):
    """[attack 89]"""
    output = s_client(gateway.tls, version, "-cipher", "ALL:@SECLEVEL=0")
    assert "New, (NONE)" in output
    gateway.wait_for_line("no version of TLS in common")


def test_compression_early_data_tickets_and_renegotiation(gateway):
    """[attack 89]"""
    output = s_client(gateway.tls, "-tls1_3")
    assert "Max Early Data" not in output and "New Session Ticket" not in output and "Compression: NONE" in output
    # `R` asks for another handshake, which is refused.
    with subprocess.Popen(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{gateway.tls}", "-tls1_2"], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as client:
        client.stdin.write(b"R\n")
        client.stdin.flush()
        output = client.stdout.read().decode()
    assert "Compression: NONE" in output and "RENEGOTIATING" in output and "no renegotiation" in output


def test_application_protocols(gateway):
    """[M-110]"""
    assert "ALPN protocol: mqtt" in s_client(gateway.tls, "-alpn", "h2,mqtt")
    assert "no application protocol" in s_client(gateway.tls, "-alpn", "h2,http/1.1")
    assert "No ALPN negotiated" in s_client(gateway.tls)
    assert "ALPN protocol: http/1.1" in s_client(gateway.wss, "-alpn", "http/1.1")
    assert "no application protocol" in s_client(gateway.wss, "-alpn", "mqtt")


def test_several_certificates_by_name(start_gateway):
    """[attack 89] [M-112]"""
    gateway = start_gateway(f"listener 0 127.0.0.1\n{server()}{server('other')}connect_timeout 1\n")
    for name, subject in [("localhost", "localhost"), ("other.example", "other.example"),
                          ("x.plant.example", "other.example"), ("x" * 60 + ".'\"%00.example", "localhost")]:
        assert f"subject=CN = {subject}" in s_client(gateway.tls, "-servername", name)
    assert "subject=CN = localhost" in s_client(gateway.tls, "-noservername")


def test_plain_bytes_on_a_secured_port_and_the_reverse(gateway):
    """[attack 89] Each ends at once, and not with connect_timeout."""
    hello = bytes.fromhex("16030100f8010000f40303") + bytes(300)
    with Witness(gateway) as witness:
        for port in (gateway.tls, gateway.wss):
            for data in (CONNECT_311, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", bytes(10)):
                with Wire(port) as wire:
                    begin = time.monotonic()
                    assert wire.send(data).rest() == b""
                    assert time.monotonic() - begin < 0.5
        gateway.wait_for_line("ended: TLS handshake failed, the client speaks no TLS")
        with Wire(gateway.tcp) as wire:
            begin = time.monotonic()
            assert wire.send(hello).rest() == b""
            assert time.monotonic() - begin < 0.5
        assert witness.is_served()


def test_a_handshake_that_stalls(gateway):
    """[attack 89] Handshake and CONNECT have connect_timeout together."""
    with Wire(gateway.tls) as silent, Wire(gateway.tls) as begun, SecureWire(gateway.tls) as shaken:
        begin = time.monotonic()
        begun.send(bytes.fromhex("16030100f8010000f40303"))
        assert silent.rest() == b""
        assert begun.rest() == b""
        assert shaken.rest() == b""
        assert 0.5 < time.monotonic() - begin < 4


def test_a_will_goes_out_when_the_stream_is_cut_and_not_after_disconnect(gateway):
    connect = octets("10 13 0004 'MQTT' 04 06 003c 0000 0001 'w' 0002 'go'")
    with Wire(gateway.tcp, connect=CONNECT_311) as watcher:
        watcher.send("82 06 0001 0001 'w' 00")
        assert watcher.packet()[0] == 0x90
        with SecureWire(gateway.tls, connect=connect) as client:
            client.send("e0 00")
            assert client.rest() == b""
        with SecureWire(gateway.tls, connect=connect) as client:
            os.close(client.socket.detach())
        assert watcher.packet() == octets("30 05 0001 'w' 'go'")


def test_the_end_is_said(start_gateway):
    """close_notify, before the gateway goes, and after DISCONNECT of a client."""
    gateway = start_gateway(PLAIN)
    with SecureWire(gateway.tls, connect=CONNECT_5) as wire:
        gateway.stop()
        assert wire.packet()[0] == 0xE0
        assert wire.rest() == b""


def test_a_reader_that_pauses_loses_nothing(start_gateway):
    """Records that the system does not take wait, and what they hold comes in order."""
    gateway = start_gateway(PLAIN + "max_queued_bytes 64000000\nmax_queued_messages 10000\n")
    count = 2_000
    with SecureWire(gateway.tls, connect=CONNECT_311) as reader, SecureWire(gateway.tls, connect=CONNECT_311) as writer:
        reader.send("82 06 0001 0001 'a' 01")
        assert reader.packet()[0] == 0x90

        def write():
            for number in range(count):
                payload = number.to_bytes(4, "big") + bytes(8_000)
                writer.send(b"\x32" + (len(payload) + 5 & 0x7F | 0x80).to_bytes(1, "big")
                            + (len(payload) + 5 >> 7).to_bytes(1, "big") + octets("0001 'a' 0001") + payload)
                assert writer.packet()[0] == 0x40

        thread = threading.Thread(target=write)
        thread.start()
        time.sleep(1)
        heard = []
        while len(heard) < count:
            packet = reader.packet()
            heard.append(int.from_bytes(packet[8:12], "big"))
            reader.send(b"\x40\x02" + packet[6:8])
            if len(heard) % 200 == 0:
                time.sleep(0.05)
        thread.join()
        assert heard == sorted(heard) and len(set(heard)) == len(heard)


def test_a_flood_of_handshakes_does_not_keep_others_waiting(gateway):
    """[attack 89]"""
    stop = threading.Event()

    def flood():
        while not stop.is_set():
            try:
                with socket.create_connection(("127.0.0.1", gateway.tls), PATIENCE) as plain:
                    outgoing, incoming = ssl.MemoryBIO(), ssl.MemoryBIO()
                    client = context().wrap_bio(incoming, outgoing, server_hostname="localhost")
                    try:
                        client.do_handshake()
                    except ssl.SSLWantReadError:
                        plain.sendall(outgoing.read())
            except OSError:
                pass

    threads = [threading.Thread(target=flood) for _ in range(8)]
    with Witness(gateway) as witness:
        for thread in threads:
            thread.start()
        try:
            longest = 0
            for _ in range(100):
                begin = time.monotonic()
                assert witness.is_served()
                longest = max(longest, time.monotonic() - begin)
            with SecureWire(gateway.tls, connect=CONNECT_311):
                pass
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        assert longest < 2


def test_reload_of_certificates_and_revocation(start_gateway, tmp_path):
    """Who is there stays, under the certificate it came by; who comes meets the new ones."""
    for name in ("server.pem", "server.key.pem"):
        shutil.copy(FOLDER / name, tmp_path / name)
    configuration = (
        f"listener 0 127.0.0.1\ncertfile {tmp_path}/server.pem\nkeyfile {tmp_path}/server.key.pem\ncafile {CA}\n"
        "require_certificate true\nuse_identity_as_username true\n")
    gateway = start_gateway(configuration)
    with SecureWire(gateway.tls, "revoked", connect=CONNECT_311) as early:
        assert "subject=CN = localhost" in s_client(gateway.tls)
        for end in (".pem", ".key.pem"):
            shutil.copy(FOLDER / f"other{end}", tmp_path / f"server{end}")
        gateway.reload(configuration + f"crlfile {FOLDER}/crl.pem\n")
        assert "subject=CN = other.example" in s_client(gateway.tls)
        with pytest.raises((ssl.SSLError, ConnectionError)):
            SecureWire(gateway.tls, "revoked", connect=CONNECT_311)
        early.send("c0 00")
        assert early.packet() == octets("d0 00")
        # A key that does not fit changes nothing.
        shutil.copy(FOLDER / "bob.key.pem", tmp_path / "server.key.pem")
        gateway.reload()
        gateway.wait_for_line("the private key belongs to another certificate")
        assert "subject=CN = other.example" in s_client(gateway.tls)


def test_a_certificate_that_has_ended_is_told(start_gateway):
    gateway = start_gateway(f"listener 0 127.0.0.1\n{server('ended')}")
    assert gateway.wait_for_line("a certificate of listener 0 has ended")


def test_check_names_file_and_line(tmp_path):
    """`dormouse check` finds what the gateway could not start with."""
    path = tmp_path / "gateway.conf"
    shutil.copy(FOLDER / "server.key.pem", tmp_path / "open.key.pem")
    (tmp_path / "open.key.pem").chmod(0o644)
    cases = {
        f"certfile {FOLDER}/none.pem\nkeyfile {FOLDER}/server.key.pem\n": (2, "no such file"),
        f"certfile {FOLDER}/server.pem\nkeyfile {FOLDER}/bob.key.pem\n": (3, "belongs to another certificate"),
        f"certfile {FOLDER}/server.pem\nkeyfile {FOLDER}/encrypted.key.pem\n": (3, "passphrase"),
        f"certfile {FOLDER}/server.pem\n": (2, "needs a `keyfile`"),
        f"{server()}cafile {FOLDER}/server.key.pem\nrequire_certificate true\n": (4, "holds no certificates"),
        f"{server()}ciphers NULL\n": (4, "cipher suite"),
        f"certfile {FOLDER}/server.pem\nkeyfile {tmp_path}/open.key.pem\n": (3, "everybody on this machine can read"),
    }
    for text, (line, words) in cases.items():
        path.write_text("listener 8883 127.0.0.1\n" + text)
        output = run("check", "-c", path)
        lines = (output.stdout + output.stderr).lower().splitlines()
        assert any(f"gateway.conf:{line}: " in each and words in each for each in lines), lines
