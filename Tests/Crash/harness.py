"""A real gateway under load, killed and restarted round after round, with clients that resume as they should."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "EndToEnd"))

from clients import Guest, Publisher, Subscriber, Watcher  # noqa: E402
from codec import V311, V5  # noqa: E402
from devices import ListeningDevice, PublishingDevice  # noqa: E402
from gateway import BINARY, CRASH, Gateway  # noqa: E402
from ledger import Ledger  # noqa: E402
from plan import ARRIVALS, FAILPOINTS, plan  # noqa: E402
from world import World  # noqa: E402

CONFIGURATION = """\
persistence true
persistence_location {folder}/data
durability {profile}
connection_messages false
sys_interval 0
max_queued_messages 0
max_queued_bytes 0
max_queued_memory_per_client {memory[0]}
max_queued_memory {memory[1]}

listener {tcp} 127.0.0.1

listener {udp} 127.0.0.1
protocol mqttsn
forwarder 127.0.0.1
retry_interval 1
retry_count 20
sleep_queue_messages 1000000
sleep_queue_bytes 60000000
"""

# How much of what waits stays in memory at the end.
MEMORY = (10_000, 100_000)
NEWCOMERS_MAX = 3
DEVICE_GUESTS_MAX = 3
# How long nothing may come, at the end, before what is missing counts as lost.
PATIENCE = 5.0


@dataclass
class Outcome:
    plan: object
    is_reached: bool = True
    acknowledged: int = 0
    deliveries: int = 0
    in_flight: int = 0
    start_seconds: float = 0.0
    complaints: int = 0


def free_ports():
    """A TCP and a UDP port that nobody has now: they must be the same after each restart."""
    ports = []
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as each:
            each.bind(("127.0.0.1", 0))
            ports.append(each.getsockname()[1])
    return ports


class Harness:
    def __init__(self, folder, seed, profile=None):
        self.folder = Path(folder)
        self.seed = seed
        self.profile = profile
        (self.folder / "data").mkdir()
        self.slow_disk = self.folder / "slow-disk.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", self.slow_disk,
                        Path(__file__).with_name("slow_disk.c"), "-ldl"], check=True)
        self.ledger = Ledger()
        self.world = World(self.folder, self.ledger)
        self.world.kill = self._kill
        self.world.has_died = self._has_died
        self.world.tcp, self.world.udp = free_ports()
        self.gateway = None
        self.is_over, self.is_killed = True, False
        self.newcomers = 0
        self._people()

    # MARK: who is there

    def _people(self):
        ledger, world, seed = self.ledger, self.world, self.seed

        def streams(publisher, place, qualities, retain=False):
            return [ledger.stream(publisher, f"{place}/{index}", qos, retain) for index, qos in enumerate(qualities)]

        self.publishers = [
            Publisher(world, "pub-311", V311, streams("pub-311", "c/a", [1, 2, 1]), seed, window=10),
            Publisher(world, "pub-5", V5, streams("pub-5", "c/b", [2, 1, 2]), seed, window=20,
                      reuses_identifiers=True),
            Publisher(world, "pub-one", V311, streams("pub-one", "c/c", [2, 1]), seed, window=1,
                      reuses_identifiers=True),
        ]
        self.feeder = Publisher(world, "feeder", V5, streams("feeder", "d/s", [1, 2]) + streams("feeder", "d/t", [1, 2]),
                                seed, window=4)
        self.keeper = Publisher(world, "keeper", V311, streams("keeper", "r", [1, 1, 1, 1], retain=True), seed, window=5)
        self.senders = [
            PublishingDevice(world, "sn-pub", seed, streams("sn-pub", "n/x", [1, 2])),
            PublishingDevice(world, "sn-pub-node", seed, streams("sn-pub-node", "n/y", [2, 1]), node=b"\x07\x01"),
        ]

        def subscriber(name, version, prefix, qos, **options):
            receiver = ledger.receiver(name, [prefix], qos)
            return Subscriber(world, name, version, f"{prefix}#", receiver, seed, **options)

        self.subscribers = [
            subscriber("sub-5", V5, "c/", 2, receive_maximum=20, delay=0.02),
            subscriber("sub-311", V311, "c/", 2),
            subscriber("sub-small", V5, "n/", 2, receive_maximum=2),
            subscriber("flap-5", V5, "c/", 1, receive_maximum=5, habit="flapping", delay=0.05),
            subscriber("flap-311", V311, "n/", 2, habit="flapping", delay=0.02),
            subscriber("away-5", V5, "c/", 2, habit="sometimes", receive_maximum=100),
            subscriber("away-311", V311, "n/", 2, habit="sometimes"),
            subscriber("away-q1", V5, "c/", 1, habit="sometimes", receive_maximum=10),
        ]
        group = ledger.receiver("group", ["c/b/"], 2, is_group=True)
        self.subscribers += [
            Subscriber(world, "share-1", V5, "$share/group/c/b/#", group, seed, receive_maximum=10, delay=0.02),
            Subscriber(world, "share-2", V5, "$share/group/c/b/#", group, seed, habit="flapping", delay=0.02),
        ]

        def listener(name, filters, qos, **options):
            prefixes = [each.rstrip("#") for each in filters]
            return ListeningDevice(world, name, seed, filters, ledger.receiver(name, prefixes, qos), **options)

        self.listeners = [
            listener("sleeper-1", ["d/s/0", "d/s/1"], 2),
            listener("sleeper-2", ["d/#"], 1),
            listener("sleeper-node", ["d/t/#"], 2, node=b"\x07\x02\x03"),
            listener("active-1", ["d/t/0", "d/t/1"], 2, is_sleeper=False),
        ]
        self.guests = []
        self.device_guests = []

    @property
    def all_publishers(self):
        return [*self.publishers, self.feeder, self.keeper]

    def _come(self, returns):
        for publisher in self.all_publishers:
            publisher.connect()
        returns = iter(returns)
        for each in self.subscribers:
            if each.habit == "always" or each.habit == "sometimes" and (not each.is_subscribed or next(returns)):
                each.connect()
        for guest in self.guests:
            guest.connect()

    # MARK: the process

    def _configuration(self, chosen):
        return CONFIGURATION.format(
            folder=self.folder, tcp=self.world.tcp, udp=self.world.udp, memory=chosen.memory if chosen else MEMORY,
            profile=chosen.profile if chosen else self.profile or "disk")

    def _under(self, chosen=None):
        """What the gateway is started with, for a round: a disk of some speed, and perhaps a failpoint."""
        if not chosen:
            return []
        values = [f"LD_PRELOAD={self.slow_disk}", f"WRITE_DELAY={chosen.write_delay}", f"SYNC_DELAY={chosen.sync_delay}"]
        if chosen.mode in FAILPOINTS:
            values += [f"DORMOUSE_CRASH={chosen.words}"]
        return ["env", *values]

    def start(self, chosen=None):
        """Starts it, for a round or for the end; how long that took, or None when it did not start."""
        began = time.monotonic()
        try:
            self.gateway = Gateway(self.folder, self._configuration(chosen), under=self._under(chosen))
        except AssertionError as error:
            self.ledger.complain("process", f"the gateway does not start: {error}")
            return None
        self.world.is_up, self.is_over, self.is_killed = True, False, False
        return time.monotonic() - began

    def start_and_kill(self, chosen, seconds):
        """A start that does not get far."""
        configuration = self.folder / "gateway.conf"
        configuration.write_text(self._configuration(chosen))
        with open(self.folder / "early.log", "ab") as log:
            process = subprocess.Popen(
                [*self._under(chosen), BINARY, "run", "--config", str(configuration)], stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, cwd=self.folder)
            time.sleep(seconds)
            process.kill()
            process.wait()

    def _kill(self):
        """SIGKILL, now."""
        self.world.is_up, self.is_killed = False, True
        os.kill(self.gateway.process.pid, signal.SIGKILL)
        self.is_over = True
        self.world.note("harness", "!", "SIGKILL")

    def _has_died(self):
        """Whether the process has ended; one that is just ending is waited for."""
        try:
            self.gateway.process.wait(0.1)
        except subprocess.TimeoutExpired:
            return False
        self.is_over = True
        self.world.note("harness", "!", "the gateway has ended by itself")
        return True

    def _is_over(self):
        if not self.is_over and self.gateway.process.poll() is not None:
            self.world.is_down()
        return self.is_over

    def stop(self):
        """SIGTERM, and the end that follows."""
        self.world.is_up, self.world.is_stopping = False, True
        self.gateway.process.terminate()
        self.world.run(15, lambda: self.gateway.process.poll() is not None)
        if self.gateway.process.poll() != 0:
            self.ledger.complain("process", f"it ended with {self.gateway.process.poll()} on SIGTERM")
            self.gateway.process.kill()
        self.is_over = True

    def _bury(self):
        """Hears what the dead have said, and keeps their log."""
        self.gateway.process.wait()
        self.gateway._reader.join(5)
        self.world.is_up = False
        self.world.trap = None
        self.world.run(2, lambda: all(getattr(client, "state", "away") == "away" for client in self.world.clients))
        self.world.is_stopping = False
        for client in list(self.world.clients):
            if isinstance(client, Watcher):
                client.close()
                self.world.clients.remove(client)
        (self.folder / f"round-{self.ledger.round:04}.log").write_text("\n".join(self.gateway.log))
        for line in self.gateway.log:
            if CRASH.search(line):
                self.ledger.complain("process", line)

    # MARK: a round

    def play(self, number):
        """One round: start, load, death. What came of it."""
        self.ledger.round = number
        chosen = plan(self.seed, number, self.profile)
        outcome = Outcome(chosen)
        before = len(self.ledger.complaints), self.ledger.accepted, self.ledger.deliveries
        for seconds in chosen.early_kills if number > 1 else ():
            self.start_and_kill(chosen, seconds)
        outcome.start_seconds = self.start(chosen)
        if outcome.start_seconds is None:
            return None
        self._load(chosen, is_first=number == 1)
        outcome.is_reached = self._die(chosen)
        outcome.in_flight = sum(len(publisher.in_flight) for publisher in self.all_publishers) \
            + sum(sender.is_busy for sender in self.senders)
        self._bury()
        outcome.complaints = len(self.ledger.complaints) - before[0]
        outcome.acknowledged = self.ledger.accepted - before[1]
        outcome.deliveries = self.ledger.deliveries - before[2]
        return outcome

    def _load(self, chosen, is_first):
        self.world.trap = chosen.mode if chosen.mode in ARRIVALS else None
        self._invite()
        self._come(chosen.returns)
        if chosen.has_newcomer and self.newcomers < NEWCOMERS_MAX and not is_first:
            self.newcomers += 1
            name = f"new-{self.newcomers}"
            receiver = self.ledger.receiver(name, ["c/b/"], 2)
            self.subscribers.append(Subscriber(self.world, name, V5, "c/b/#", receiver, self.seed))
            self.subscribers[-1].connect()
        self.watch()
        self.world.shares = dict.fromkeys(self.publishers, chosen.share) \
            | dict.fromkeys([self.feeder, self.keeper, *self.senders], 1)
        if chosen.opens_stream or chosen.mode == "REGACK":
            self._open_streams()
        self.world.is_paused = is_first
        if is_first:
            self.world.run(20, lambda: self._is_over() or all(each.has_begun for each in self.ledger.receivers))
            self.world.is_paused = False

    def _invite(self):
        """A new guest; those who have been through everything go."""
        for guest in [guest for guest in self.guests if guest.step == Guest.IS_DONE]:
            self.guests.remove(guest)
            self.world.clients.remove(guest)
        self.guests.append(Guest(self.world, f"guest-{self.ledger.round}"))
        # A device that comes, subscribes and goes to sleep meanwhile; after some rounds it is out of reach.
        name = f"device-{self.ledger.round}"
        receiver = self.ledger.receiver(name, ["d/s/"], 1)
        self.device_guests.append(ListeningDevice(self.world, name, self.seed, ["d/s/0", "d/s/#"], receiver))
        if len(self.device_guests) > DEVICE_GUESTS_MAX:
            gone = self.device_guests.pop(0)
            gone.close()
            self.world.clients.remove(gone)
            self.ledger.receivers.remove(gone.receiver)

    def _open_streams(self):
        """New topics, which devices register, and which are registered with devices."""
        number = self.ledger.round
        for publisher, place in [(self.senders[0], "n/x"), (self.senders[1], "n/y"), (self.feeder, "d/s"),
                                 (self.feeder, "d/t")]:
            topic = f"{place}/new-{number}"
            publisher.streams.append(self.ledger.stream(publisher.name, topic, 1 + number % 2))

    def watch(self):
        watcher = Watcher(self.world, f"watcher-{self.ledger.round}")
        watcher.connect()
        return watcher

    def _die(self, chosen):
        """Lets the load go on until the gateway ends; whether it did as planned."""
        world = self.world
        if chosen.mode in FAILPOINTS + ARRIVALS:
            is_reached = world.run(3, self._is_over)
        elif chosen.mode == "stop":
            is_reached = not world.run(chosen.seconds, self._is_over)
            if is_reached:
                self.stop()
        elif chosen.mode == "moment":
            # From another thread, so that it does not wait for a moment that suits the clients.
            timer = threading.Timer(chosen.seconds, self._kill)
            timer.start()
            is_reached = world.run(chosen.seconds + 5, self._is_over) and self.is_killed
            timer.cancel()
        else:
            world.run(chosen.seconds / 2, self._is_over)
            self._await_quiet()
            for publisher in self.all_publishers:
                publisher.quota = max(publisher.quota, publisher.window)
            world.trap, world.is_paused = chosen.mode, False
            is_reached = world.run(3, self._is_over)
        if chosen.mode in ("moment", "stop") and not is_reached:
            self.ledger.complain("process", f"it ended with {self.gateway.process.poll()} by itself")
        if not self.is_over:
            self._kill()
        return is_reached

    def _await_quiet(self):
        """No message is under way, if that comes soon: the next ones are a burst."""
        self.world.is_paused = True
        self.world.run(1, lambda: self._is_over() or not any(each.in_flight for each in self.all_publishers)
                       and not any(sender.is_busy for sender in self.senders))

    # MARK: the end

    def finish(self):
        """Everybody comes back, nothing new is published, and all that is owed arrives; then the books are closed."""
        self.ledger.round += 1
        if self.start() is None:
            return
        for each in self.subscribers:
            each.habit, each.delay = "always", 0
        self.world.is_paused = True
        self._come([])
        self._drain()
        self.world.run(1)
        self._look()
        self.stop()
        self._bury()
        # What was acknowledged to the end does not come again after a stop in good order.
        self.ledger.round += 1
        if self.start() is None:
            return
        repeated = self.ledger.repeated
        self._come([])
        self.world.run(1)
        self._look()
        self.stop()
        self._bury()
        if self.ledger.repeated > repeated:
            self.ledger.complain("doubled", f"{self.ledger.repeated - repeated} messages came again after a stop")
        self.ledger.settle()

    def _drain(self):
        def is_done():
            return all(each.state == "here" for each in [*self.all_publishers, *self.subscribers]) \
                and not any(each.in_flight for each in self.all_publishers) \
                and not any(sender.is_busy for sender in self.senders) and self.ledger.is_complete

        last, since = None, self.world.now()
        while not self._is_over() and not is_done():
            if (sums := (self.ledger.deliveries, self.ledger.accepted)) != last:
                last, since = sums, self.world.now()
            elif self.world.now() - since > PATIENCE:
                for each in self.all_publishers:
                    if each.in_flight:
                        self.ledger.complain("refused", f"{each.name} waits for {len(each.in_flight)} acknowledgements")
                for each in self.senders:
                    if each.is_busy:
                        self.ledger.complain("refused", f"{each.name} waits for an acknowledgement")
                break
            self.world.run(0.2)

    def _look(self):
        """The retained values, at the end exactly what was set last."""
        watcher = self.watch()
        if not self.world.run(5, lambda: watcher.is_done):
            self.ledger.complain("refused", "nobody tells the retained values")
        self.world.clients.remove(watcher)

    def close(self):
        if self.gateway and self.gateway.process.poll() is None:
            self.gateway.process.kill()
            self.gateway.process.wait()
        self.world.close()
