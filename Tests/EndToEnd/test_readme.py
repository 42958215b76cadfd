"""Every command in README.md does what the README says, on a gateway that the README's own `make run` started.

The ports are those printed there, so all of it happens in a network namespace of its own: whatever else runs on this
machine keeps its ports.
"""

import os
import re
import shlex
import signal
import subprocess
import threading

import pytest

from gateway import PATIENCE, ROOT

README = (ROOT / "README.md").read_text()
# Made for people at a terminal, not for a test inside `make test`: their targets must be there.
NOT_RUN_HERE = {"make test": "test", "make crash": "crash", "make bench": "bench"}


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


COMMANDS = [line for block in blocks("sh") for line in block.splitlines()]


class Namespace:
    """A network namespace with nothing but a loopback interface."""

    def __init__(self):
        self.process = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", "ip link set lo up && echo up && exec cat"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "up\n":
            pytest.fail("no network namespace; this test needs root: " + self.process.stderr.read())

    def start(self, command, **options):
        # `make test` itself is a make: its settings are not for the one below.
        settings = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")
        environment = {name: value for name, value in os.environ.items() if name not in settings}
        return subprocess.Popen(
            ["nsenter", f"--net=/proc/{self.process.pid}/ns/net", "bash", "-c", command], cwd=ROOT, env=environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, start_new_session=True, **options)

    def close(self):
        self.process.communicate("")


@pytest.fixture(scope="module")
def namespace():
    namespace = Namespace()
    yield namespace
    namespace.close()


@pytest.fixture(scope="module")
def running(namespace):
    """`make run`, once it is ready; its lines."""
    process = namespace.start("make run", stderr=subprocess.STDOUT)
    lines = []
    ready = threading.Event()

    def read():
        for line in process.stdout:
            lines.append(line)
            if "notice: durability" in line:
                ready.set()
        ready.set()

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    ready.wait(60)
    yield lines
    # As Ctrl-C in a terminal: the signal reaches make and the gateway.
    os.killpg(process.pid, signal.SIGINT)
    process.wait(PATIENCE)
    reader.join(PATIENCE)
    assert any("notice: stopped" in line for line in lines), "".join(lines)


# Building again is quick when nothing changed, but not as quick as the other tests.
@pytest.mark.timeout(120)
def test_the_first_command_starts_the_gateway(running):
    assert COMMANDS[0] == "make run"
    said = "".join(running)
    assert "listening on 127.0.0.1:1883 (MQTT over TCP)" in said, said
    assert "listening on 127.0.0.1:1883 (MQTT-SN over UDP)" in said, said


@pytest.mark.timeout(120)
def test_all_other_commands_work_as_printed(running, namespace):
    shown = blocks("text")
    ran = []
    for command in COMMANDS[1:]:
        if command in NOT_RUN_HERE:
            continue
        process = namespace.start(command, stderr=subprocess.PIPE)
        output, errors = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, f"{command}: {errors}"
        assert not errors, f"{command}: {errors}"
        if command.startswith("mosquitto_sub"):
            assert output == shown.pop(0)
        ran.append(shlex.split(command)[0])
    assert not shown, "what is shown in the README belongs to a command"
    assert "mosquitto_sub" in ran and ".build/release/dormouse" in ran


def test_the_commands_that_are_not_run_are_targets_of_the_makefile():
    makefile = (ROOT / "Makefile").read_text()
    mentioned = {line for line in COMMANDS if line.startswith("make ")} | set(re.findall(r"`(make [a-z-]+)`", README))
    assert NOT_RUN_HERE.keys() <= mentioned
    for command in mentioned:
        assert re.search(rf"^{command.split()[1]}:", makefile, re.MULTILINE), command


def test_every_command_is_known_to_this_test():
    assert len(COMMANDS) >= 8
    for command in COMMANDS:
        assert command.split()[0] in ("make", "mosquitto_sub", ".build/release/dormouse"), command


def test_the_files_and_modules_that_are_named_exist():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists() or "://" in target, target
    table = README[README.index("## Where things are"):]
    rows = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    for name in re.findall(r"`(\w+)`", " ".join(rows)):
        assert (ROOT / "Sources" / name).is_dir() or (ROOT / name).is_dir(), name
    modules = {path.name for path in (ROOT / "Sources").iterdir() if path.is_dir()}
    assert modules <= set(re.findall(r"`(\w+)`", table)), "a module is missing from the table"
