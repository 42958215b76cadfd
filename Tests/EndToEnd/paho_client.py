"""paho-mqtt with its callbacks turned into things to wait for."""

import queue
import threading

import paho.mqtt.client as mqtt

from gateway import PATIENCE


class PahoClient:
    """One client. `connack` is (flags, reason code, properties), `disconnected` holds the reason once it is."""

    def __init__(self, client_id="", *, version=mqtt.MQTTv5, clean=True, properties=None, will=None, keepalive=60,
                 transport="tcp"):
        options = {} if version == mqtt.MQTTv5 else {"clean_session": clean}
        self.client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2, client_id, protocol=version, transport=transport, reconnect_on_failure=False,
            **options)
        self.version = version
        self.clean = clean
        self.keepalive = keepalive
        self.connect_properties = properties
        if will:
            self.client.will_set(**will)
        self.connack = None
        self.reason = None
        self.disconnect_properties = None
        self._connected = threading.Event()
        self._disconnected = threading.Event()
        self._messages = queue.Queue()
        self._acknowledged = {}
        self._changed = threading.Condition()
        self.client.on_connect = self._on_connect
        self.client.on_disconnect = self._on_disconnect
        self.client.on_message = lambda _client, _userdata, message: self._messages.put(message)
        self.client.on_subscribe = lambda _client, _userdata, mid, codes, _properties: self._resolve(mid, codes)
        self.client.on_unsubscribe = lambda _client, _userdata, mid, codes, _properties: self._resolve(mid, codes)
        self.client.on_publish = lambda _client, _userdata, mid, code, _properties: self._resolve(mid, code)

    def connect(self, port, host="127.0.0.1", accepted=True):
        options = {}
        if self.version == mqtt.MQTTv5:
            options = {"clean_start": self.clean, "properties": self.connect_properties}
        self.client.connect(host, port, self.keepalive, **options)
        self.client.loop_start()
        assert self._connected.wait(PATIENCE), "no CONNACK came"
        if accepted:
            assert not self.connack[1].is_failure, self.connack
        return self

    def subscribe(self, *arguments, **options):
        """Subscribes; the reason codes of SUBACK."""
        code, mid = self.client.subscribe(*arguments, **options)
        assert code == mqtt.MQTT_ERR_SUCCESS
        return [code.value for code in self._await(mid)]

    def unsubscribe(self, topics):
        code, mid = self.client.unsubscribe(topics)
        assert code == mqtt.MQTT_ERR_SUCCESS
        return [code.value for code in self._await(mid)]

    def publish(self, topic, payload=None, qos=0, retain=False, properties=None):
        """Publishes and waits until it is acknowledged; the reason code."""
        info = self.client.publish(topic, payload, qos, retain, properties)
        assert info.rc == mqtt.MQTT_ERR_SUCCESS
        return self._await(info.mid).value

    def message(self, timeout=PATIENCE):
        try:
            return self._messages.get(timeout=timeout)
        except queue.Empty:
            raise AssertionError("no message came") from None

    def messages(self, count):
        return [self.message() for _ in range(count)]

    def wait_for_disconnect(self, timeout=PATIENCE):
        """Waits until the broker ends the connection; its reason code."""
        assert self._disconnected.wait(timeout), "the connection is still there"
        return self.reason.value

    def disconnect(self, **options):
        self.client.disconnect(**options)
        assert self._disconnected.wait(PATIENCE)

    def drop(self):
        """Closes the socket without DISCONNECT."""
        self.client.socket().shutdown(2)
        assert self._disconnected.wait(PATIENCE)

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()

    def _on_connect(self, _client, _userdata, flags, reason_code, properties):
        self.connack = (flags, reason_code, properties)
        self._connected.set()

    def _on_disconnect(self, _client, _userdata, _flags, reason_code, properties):
        self.reason = reason_code
        self.disconnect_properties = properties
        self._disconnected.set()

    def _resolve(self, mid, value):
        with self._changed:
            self._acknowledged[mid] = value
            self._changed.notify_all()

    def _await(self, mid):
        with self._changed:
            assert self._changed.wait_for(lambda: mid in self._acknowledged, PATIENCE), f"no answer to {mid}"
            return self._acknowledged.pop(mid)
