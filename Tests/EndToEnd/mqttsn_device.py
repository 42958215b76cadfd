"""The client of the package mqtt-sn-12, as a device that can be waited for.

The library asks for nothing that it does not need: its `polling` takes one packet, hands a PUBLISH to its listener, and
leaves QoS 1 and 2 unacknowledged (it compares the QoS with a shifted constant), and its REGACK fails for message ids
above 0x7FFF (it packs them with a sign). What is missing is sent here, with the library's own packets where they work.
"""

import select
import socket
import struct

from mqttsn12.client.MqttSnClient import MqttSnClient, MqttSnListener
from mqttsn12.MqttSnConstants import MqttSnConstants
from mqttsn12.packets import PingReqPacket, PubCompPacket, PublishPacket, PubRecPacket, PubRelPacket

from gateway import PATIENCE


class Device(MqttSnClient, MqttSnListener):
    def __init__(self, gateway, client_id, *, host="127.0.0.1", port=None, clean=True, will=None, keep_alive=60,
                 connect=True):
        super().__init__()
        # With it the system may give two devices the same port, and the gateway takes them for one.
        self.reuse_address = False
        self.set_client_id(client_id)
        self.set_clean_session(clean)
        self.set_keep_alive(keep_alive)
        self.set_timeout(PATIENCE)
        if will:
            self.set_will(*will)
        self.arrived = []
        self.received_types = []
        self._publish = None
        self.open_inet(host, port or gateway.udp)
        if connect:
            self.send_connect()

    def open_socket(self, address, port):
        """As the library's, but for IPv6, which it does not know."""
        super().open_socket(address, port)
        if ":" in address:
            self.datagram_socket.close()
            self.datagram_socket = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)

    def send_regack(self, topic_id, message_id):
        self.send_packet(struct.pack(">BBHHB", 7, MqttSnConstants.TYPE_REGACK, topic_id, message_id, 0))

    def subscribe(self, topic, qos=1):
        """By name, short name or, for a number, by predefined id."""
        if isinstance(topic, int):
            self.send_subscribe_predefined(topic, qos, self)
        else:
            self.send_subscribe(topic, qos, self)

    def expect(self, topic_filter):
        """Listens for a subscription that the session has already."""
        self.add_mqtt_sn_callback(topic_filter, self)

    def message_arrived(self, message):
        self.arrived.append(message)

    def receive_packet(self, blocking):
        data = super().receive_packet(blocking)
        if data:
            kind = data[3] if data[0] == 1 else data[1]
            self.received_types.append(kind)
            if kind == MqttSnConstants.TYPE_PUBLISH:
                self._publish = PublishPacket()
                self._publish.decode(data)
        return data

    def polling(self):
        self._publish = None
        super().polling()
        if self._publish:
            self._acknowledge(self._publish)

    def _acknowledge(self, publish):
        if publish.get_qos() == 1:
            self.send_puback(publish, MqttSnConstants.ACCEPTED)
        elif publish.get_qos() == 2:
            pubrec = PubRecPacket()
            pubrec.set_message_id(publish.get_message_id())
            self.send_packet(pubrec.encode())
            pubrel = PubRelPacket()
            pubrel.decode(self.wait_for(True, MqttSnConstants.TYPE_PUBREL))
            assert pubrel.get_message_id() == publish.get_message_id()
            pubcomp = PubCompPacket()
            pubcomp.set_message_id(publish.get_message_id())
            self.send_packet(pubcomp.encode())

    def poll(self, timeout=PATIENCE):
        """Waits for one datagram and lets the library handle it."""
        ready, _, _ = select.select([self.datagram_socket], [], [], timeout)
        assert ready, f"{self.client_id} hears nothing"
        self.polling()

    def message(self):
        """The next message, with what comes before it (REGISTER) answered."""
        while not self.arrived:
            self.poll()
        return self.arrived.pop(0)

    def messages(self, count):
        return [self.message() for _ in range(count)]

    def wake(self):
        """PINGREQ with the client id, and everything up to PINGRESP: what a sleeping device does."""
        ping = PingReqPacket()
        ping.client_id = self.client_id
        self.send_packet(ping.encode())
        del self.received_types[:]
        while MqttSnConstants.TYPE_PINGRESP not in self.received_types:
            self.poll()
        messages, self.arrived = self.arrived, []
        return messages

    def vanish(self):
        """Closes the socket: the device is out of reach from here on."""
        self.datagram_socket.close()

    def leave(self):
        self.send_disconnect()
        self.close()


class Datagrams:
    """A UDP socket that hears only the address it talks to."""

    def __init__(self, port, host="127.0.0.1"):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.settimeout(PATIENCE)
        self.socket.connect((host, port))

    def send(self, data):
        self.socket.send(data)

    def receive(self):
        return self.socket.recv(65536)

    def ask(self, data):
        self.send(data)
        return self.receive()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
