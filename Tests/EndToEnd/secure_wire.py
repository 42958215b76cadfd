"""TLS for tests: the certificates of Fixtures/tls, and connections that speak in bytes below TLS or above it."""

import ssl

from gateway import ROOT
from wire import Wire

FOLDER = ROOT / "Fixtures/tls"
CA = FOLDER / "ca.pem"


def server(name="server"):
    """The directives of a server's certificate."""
    return f"certfile {FOLDER}/{name}.pem\nkeyfile {FOLDER}/{name}.key.pem\n"


def pair(name):
    """A client's certificate and key, as paths."""
    return FOLDER / f"{name}.pem", FOLDER / f"{name}.key.pem"


def mosquitto_options(certificate=None, authority=CA, version=None):
    """What mosquitto_pub and mosquitto_sub take."""
    options = ["--cafile", str(authority)]
    if certificate:
        options += ["--cert", str(pair(certificate)[0]), "--key", str(pair(certificate)[1])]
    return options + (["--tls-version", version] if version else [])


def context(certificate=None, version=None):
    """Python's side of it."""
    context = ssl.create_default_context(cafile=CA)
    if certificate:
        context.load_cert_chain(*pair(certificate))
    if version:
        context.minimum_version = context.maximum_version = version
    return context


class SecureWire(Wire):
    """A TLS connection that speaks in bytes of MQTT; an end without close_notify raises."""

    def __init__(self, port, certificate=None, connect=None, version=None):
        super().__init__(port)
        self.socket = context(certificate, version).wrap_socket(
            self.socket, server_hostname="localhost", suppress_ragged_eofs=False)
        if connect:
            self.send(connect)
            answer = self.packet()
            assert answer[0] == 0x20 and answer[3] == 0, f"CONNACK {answer.hex(' ')}"
