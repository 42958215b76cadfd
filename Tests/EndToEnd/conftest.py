"""What all tests share: gateways that stop with their test, and whose log stands beside a failure."""

import itertools
import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from gateway import BINARY, CONFIGURATION, Gateway  # noqa: E402
from mqttsn_device import Device  # noqa: E402
from paho_client import PahoClient  # noqa: E402

GATEWAYS = pytest.StashKey[list]()
WORDS = itertools.count(1)


def pytest_sessionstart(session):
    if not os.access(BINARY, os.X_OK):
        pytest.exit(f"{BINARY} is not there: `make build` builds it", returncode=2)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.failed:
        for gateway in item.stash.get(GATEWAYS, []):
            report.sections.append((f"log of {gateway.path}", "\n".join(gateway.log[-200:])))
    return report


@pytest.fixture
def start_gateway(request, tmp_path):
    """Starts gateways; each is stopped at the end of the test and must end in good order."""
    gateways = request.node.stash.setdefault(GATEWAYS, [])

    def start(configuration=CONFIGURATION, **options):
        folder = tmp_path / f"gateway-{len(gateways)}"
        folder.mkdir()
        gateway = Gateway(folder, configuration, **options)
        gateways.append(gateway)
        return gateway

    yield start
    for gateway in gateways:
        gateway.stop()


@pytest.fixture
def gateway(start_gateway):
    """A gateway with MQTT on `gateway.tcp` and MQTT-SN on `gateway.udp`."""
    return start_gateway()


@pytest.fixture
def device(gateway):
    """Makes devices that go with their test."""
    devices = []

    def make(client_id="dev-1", to=None, **options):
        devices.append(Device(to or gateway, client_id, **options))
        return devices[-1]

    yield make
    for each in devices:
        each.close()


@pytest.fixture(scope="session")
def broker(tmp_path_factory):
    """One gateway for all tests that only talk to it, under topics and client ids of their own."""
    gateway = Gateway(tmp_path_factory.mktemp("broker"), "sys_interval 0\nlistener 0 127.0.0.1\n")
    yield gateway
    gateway.stop()


@pytest.fixture
def mine():
    """A word that no other test uses, for topics and client ids."""
    return f"mine{next(WORDS)}"


@pytest.fixture
def paho(gateway):
    """Connects paho-mqtt clients that go with their test."""
    clients = []

    def connect(client_id="", to=None, **options):
        client = PahoClient(client_id, **options)
        clients.append(client)
        client.connect((to or gateway).tcp)
        return client

    yield connect
    for client in clients:
        client.close()
