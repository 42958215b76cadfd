"""WebSocket in bytes: a client that can also do everything wrong."""

import base64
import os
import socket

from gateway import PATIENCE

KEY = base64.b64encode(bytes(range(16))).decode()
HEADERS = {
    "Host": "127.0.0.1", "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": KEY,
    "Sec-WebSocket-Version": "13", "Sec-WebSocket-Protocol": "mqtt"}


def request(line="GET /mqtt HTTP/1.1", **changed):
    """A handshake; a field is changed by its name with underscores, or left out by None."""
    fields = HEADERS | {name.replace("_", "-"): value for name, value in changed.items()}
    lines = [line] + [f"{name}: {value}" for name, value in fields.items() if value is not None]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def frame(opcode, payload=b"", final=True, masked=True):
    """A frame as a client sends it."""
    head = bytes([(0x80 if final else 0) | opcode])
    length = len(payload)
    flag = 0x80 if masked else 0
    if length < 126:
        head += bytes([flag | length])
    elif length < 65536:
        head += bytes([flag | 126]) + length.to_bytes(2, "big")
    else:
        head += bytes([flag | 127]) + length.to_bytes(8, "big")
    if not masked:
        return head + payload
    mask = os.urandom(4)
    return head + mask + bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))


class WebSocketWire:
    """A TCP connection to a WebSocket listener; open unless `opened` is false."""

    def __init__(self, port, opened=True, host="127.0.0.1", connect=None, **fields):
        self.socket = socket.create_connection((host, port), PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""
        if not opened:
            return
        self.send(request(**fields))
        self.answer = self.head()
        assert self.answer.startswith("HTTP/1.1 101 "), self.answer
        if connect:
            self.send(frame(2, connect))
            opcode, payload = self.frame()
            assert opcode == 2 and payload[0] == 0x20 and payload[3] == 0, payload.hex(" ")

    def send(self, data):
        self.socket.sendall(data)
        return self

    def head(self):
        """The head of an HTTP answer."""
        while b"\r\n\r\n" not in self._buffer:
            self._more()
        head, self._buffer = self._buffer.split(b"\r\n\r\n", 1)
        return head.decode()

    def frame(self):
        """The next frame: its opcode and payload. A server's frames are whole and have no mask."""
        first, second = self._take(2)
        assert first & 0xF0 == 0x80 and second < 0x80, (first, second)
        length = second
        if second == 126:
            length = int.from_bytes(self._take(2), "big")
            assert length > 125
        assert second != 127, "a frame of more than 64 KiB"
        return first & 0x0F, self._take(length)

    def close_code(self):
        """The code of the Close frame that comes, behind whatever messages, and nothing comes after it."""
        while True:
            opcode, payload = self.frame()
            if opcode == 8:
                break
        try:
            self.send(frame(8, payload))
        except (BrokenPipeError, ConnectionResetError):
            pass  # The other side has seen enough.
        assert self.rest() == b""
        return int.from_bytes(payload[:2], "big")

    def rest(self):
        """All that comes until the other side closes; a reset is a close too."""
        rest, self._buffer = self._buffer, b""
        try:
            while data := self.socket.recv(65536):
                rest += data
        except ConnectionResetError:
            pass
        return rest

    def _take(self, count):
        while len(self._buffer) < count:
            self._more()
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        return taken

    def _more(self):
        data = self.socket.recv(65536)
        assert data, f"closed, after {self._buffer.hex(' ') or 'nothing more'}"
        self._buffer += data

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
