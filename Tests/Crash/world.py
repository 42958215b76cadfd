"""What all clients of the harness share: one thread, one selector, one gateway that may be gone at any moment."""

import selectors
import time
from pathlib import Path


class World:
    def __init__(self, folder, ledger, host="127.0.0.1"):
        self.selector = selectors.DefaultSelector()
        self.ledger = ledger
        self.host = host
        self.tcp = self.udp = 0
        self.clients = []
        # No publisher begins anything new.
        self.is_paused = True
        # The acknowledgement whose coming kills the gateway, and what kills it.
        self.trap = None
        self.kill = lambda: None
        # Whether the gateway is meant to run: what happens to clients while it is not is nobody's fault.
        self.is_up = False
        # It was told to stop.
        self.is_stopping = False
        # Whether the process has ended by itself.
        self.has_died = lambda: False
        # Rises with whatever is heard.
        self.heard = 0
        # Publishers, and how many messages each may begin every 20 ms.
        self.shares = {}
        self._next_shares = 0.0
        self._began = time.monotonic()
        self._log = Path(folder, "events.log").open("w")
        ledger.on_complaint = lambda complaint: self.note("harness", "!", str(complaint))

    def now(self):
        return time.monotonic() - self._began

    def note(self, who, direction, words):
        self._log.write(f"{self.now():.4f} {self.ledger.round} {who} {direction} {words}\n")

    def is_down(self):
        """Whether the gateway is gone, on purpose or by itself: asked when a connection ends."""
        if self.is_up and self.has_died():
            self.is_up = False
        return not self.is_up

    def acknowledged(self, kind):
        """An acknowledgement has come: the gateway may be killed on it."""
        self.heard += 1
        if self.trap == kind:
            self.trap = None
            self.kill()

    def run(self, seconds, until=lambda: False):
        """Lets the clients live for a time; True if `until` came true meanwhile."""
        end = self.now() + seconds
        while not until():
            now = self.now()
            if now >= end:
                return False
            self._share(now)
            for client in self.clients:
                client.tick(now)
            for key, _ in self.selector.select(min(0.005, end - now)):
                key.data.readable()
        return True

    def _share(self, now):
        if now >= self._next_shares:
            self._next_shares = now + 0.02
            for publisher, count in self.shares.items():
                publisher.quota = min(publisher.quota + count, 10 * count + 10)

    def close(self):
        for client in self.clients:
            client.close()
        self.selector.close()
        self._log.close()
