"""The gateway as a process: started on free ports in a folder of its own, and ended as an operator would end it."""

import os
import re
import signal
import subprocess
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BINARY = os.environ.get("DORMOUSE", str(ROOT / ".build/release/dormouse"))

# Whatever these tests wait for comes within milliseconds; the limit only decides how soon a failure is noticed.
PATIENCE = 15

CONFIGURATION = """\
listener 0 127.0.0.1

listener 0 127.0.0.1
protocol mqttsn
gateway_id 7
allow_anonymous_publish true
predefined_topic 1 sensors/%c/temperature
predefined_topic 2 sensors/%c/command
predefined_topic 10 plant/setpoint

sys_interval 1
log_type all
"""

LISTENING = re.compile(r"listening on (\S+):(\d+) \((MQTT over [A-Za-z ]+|MQTT-SN over D?[A-Z]+)\)")
READY = re.compile(r"notice: durability ")
CRASH = re.compile(r"Fatal error|Crash|Backtrace|Sanitizer|overflow in")


class Gateway:
    """One running gateway. `ports` has the addresses it listens on, by protocol, in the order of the configuration."""

    def __init__(self, folder, configuration=CONFIGURATION, under=(), environment={}):
        """`under` is a command that starts the gateway, such as `prlimit --nofile=400`."""
        self.folder = Path(folder)
        self.path = self.folder / "gateway.conf"
        self.path.write_text(configuration)
        self.log = []
        self._changed = threading.Condition()
        self._ended = False
        self._is_killed = False
        self.process = subprocess.Popen(
            [*under, BINARY, "run", "--config", str(self.path)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, cwd=folder, env=os.environ | {"SWIFT_BACKTRACE": "enable=no"} | environment)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.wait_for_line(READY)
        self.listening = [LISTENING.search(line).groups() for line in self.log if LISTENING.search(line)]

    def _read(self):
        # Closed at its end: hundreds of gateways' pipes would leave paho-mqtt's select() no number below 1,024.
        with self.process.stderr as lines:
            for line in lines:
                with self._changed:
                    self.log.append(line.decode("utf-8", "replace").rstrip("\n"))
                    self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def wait_for_line(self, pattern, timeout=PATIENCE):
        """The first log line that the pattern is found in, now or later."""
        pattern = re.compile(pattern)

        def found():
            return next((line for line in self.log if pattern.search(line)), None)

        with self._changed:
            self._changed.wait_for(lambda: found() or self._ended, timeout)
            line = found()
        assert line, f"no log line has {pattern.pattern!r}:\n" + "\n".join(self.log)
        return line

    def reload(self, configuration=None):
        """Sends SIGHUP, with another configuration in the file if one is given, and waits until it was read."""
        if configuration is not None:
            self.path.write_text(configuration)
        with self._changed:
            before = sum("was read again" in line for line in self.log)
        self.process.send_signal(signal.SIGHUP)
        with self._changed:
            done = self._changed.wait_for(
                lambda: sum("was read again" in line for line in self.log) > before or self._ended, PATIENCE)
        assert done and self.is_alive, "\n".join(self.log)

    def addresses(self, protocol):
        """(host, port) of each listener for `MQTT over TCP` or `MQTT-SN over UDP`."""
        return [(host.strip("[]"), int(port)) for host, port, kind in self.listening if kind == protocol]

    @property
    def tcp(self):
        """The port of the first MQTT listener."""
        return self.addresses("MQTT over TCP")[0][1]

    @property
    def tls(self):
        """The port of the first MQTT listener with TLS."""
        return self.addresses("MQTT over TLS")[0][1]

    @property
    def wss(self):
        """The port of the first WebSocket listener with TLS."""
        return self.addresses("MQTT over WebSocket and TLS")[0][1]

    @property
    def websocket(self):
        """The port of the first WebSocket listener."""
        return self.addresses("MQTT over WebSocket")[0][1]

    @property
    def udp(self):
        """The port of the first MQTT-SN listener."""
        return self.addresses("MQTT-SN over UDP")[0][1]

    @property
    def is_alive(self):
        return self.process.poll() is None

    def resident_kilobytes(self):
        """What the process has in memory now."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status).group(1))

    def processor_seconds(self):
        """The time that the process has spent on a processor."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self, by=signal.SIGTERM):
        """Ends the gateway by a signal and checks that it went in good order."""
        if self.is_alive:
            self.process.send_signal(by)
        self.finish()

    def kill(self):
        """Ends the gateway as a power cut would."""
        self.process.kill()
        self.process.wait()
        self._is_killed = True

    def finish(self):
        """Waits for the end, after a signal: the exit code must be 0."""
        if self._is_killed:
            return
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("the gateway does not end on a signal") from None
        self._reader.join(PATIENCE)
        assert code == 0, f"the gateway ended with {code}"
        crashes = [line for line in self.log if CRASH.search(line)]
        assert not crashes, crashes


def run(*arguments, cwd=None, timeout=PATIENCE):
    """Runs `dormouse` with these arguments to its end."""
    return subprocess.run(
        [BINARY, *map(str, arguments)], cwd=cwd, timeout=timeout, text=True, capture_output=True,
        stdin=subprocess.DEVNULL, env=os.environ | {"SWIFT_BACKTRACE": "enable=no"})
