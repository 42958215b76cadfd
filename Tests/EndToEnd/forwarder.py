"""A forwarder of MQTT-SN 1.2 §5.5: devices that do not know the gateway's address, and a gateway that sees only one."""

import select
import socket
import threading


class Forwarder:
    """Wraps what its devices send, and unwraps what the gateway sends them.

    `port(node)` is where the device with this Wireless Node Id finds its forwarder. Each node has one device at a time,
    whoever spoke last. `up` and `down` keep all wrapped datagrams.
    """

    def __init__(self, gateway, control=0):
        self.gateway = gateway
        self.control = control
        self.up = []
        self.down = []
        self.faults = []
        self._nodes = {}
        self._devices = {}
        self._lock = threading.Lock()
        self._to_gateway = self._open()
        self._wake_up, self._woken = socket.socketpair()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @staticmethod
    def _open():
        opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        opened.bind(("127.0.0.1", 0))
        return opened

    def port(self, node):
        with self._lock:
            if node not in self._nodes:
                self._nodes[node] = self._open()
                self._wake_up.send(b"x")
            return self._nodes[node].getsockname()[1]

    def restart(self):
        """Goes on at another port of the same address."""
        with self._lock:
            old, self._to_gateway = self._to_gateway, self._open()
            self._wake_up.send(b"x")
        old.close()

    def _run(self):
        while True:
            with self._lock:
                sockets = {each: node for node, each in self._nodes.items()}
                to_gateway = self._to_gateway
            try:
                ready, _, _ = select.select([self._woken, to_gateway, *sockets], [], [])
                for each in ready:
                    if each is self._woken:
                        if self._woken.recv(100).count(b"."):
                            return
                    elif each is to_gateway:
                        self._down(to_gateway.recv(65536))
                    else:
                        message, self._devices[sockets[each]] = each.recvfrom(65536)
                        self._up(sockets[each], message)
            except OSError:
                # Closed by `restart` in the middle of it.
                continue

    def _up(self, node, message):
        wrapped = bytes([3 + len(node), 0xFE, self.control]) + node + message
        self.up.append(wrapped)
        self._to_gateway.sendto(wrapped, ("127.0.0.1", self.gateway.udp))

    def _down(self, wrapped):
        self.down.append(wrapped)
        length, kind, control = wrapped[:3]
        node, message = wrapped[3:length], wrapped[length:]
        if kind != 0xFE or control != 0 or node not in self._devices or not message:
            self.faults.append(wrapped)
        else:
            self._nodes[node].sendto(message, self._devices[node])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._wake_up.send(b".")
        self._thread.join()
        for each in [self._to_gateway, self._wake_up, self._woken, *self._nodes.values()]:
            each.close()
        assert not self.faults, [each.hex(" ") for each in self.faults]
