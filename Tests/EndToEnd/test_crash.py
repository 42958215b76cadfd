"""The crash harness (Tests/Crash): a short run, and what it must notice."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

HARNESS = Path(__file__).resolve().parents[1] / "Crash"
sys.path.insert(0, str(HARNESS))

from gateway import BINARY  # noqa: E402
from ledger import Ledger  # noqa: E402
from plan import FAILPOINTS, MODES, plan  # noqa: E402


def crash(*arguments, timeout=55):
    return subprocess.run([sys.executable, str(HARNESS / "crash.py"), *arguments], text=True, capture_output=True,
                          timeout=timeout, env=os.environ | {"DORMOUSE": BINARY})


def test_nothing_acknowledged_is_lost_by_kills_and_restarts():
    """A round of each kind. [attack 131]"""
    run = crash("--rounds", str(len(MODES)), "--seed", "1")
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_harness_notices_a_gateway_that_keeps_nothing(tmp_path):
    run = crash("--rounds", "3", "--seed", "1", "--durability", "none", "--folder", str(tmp_path / "run"))
    assert run.returncode == 1
    assert "session lost, or there again: 0" not in run.stdout
    assert "acknowledged and lost: 0" not in run.stdout


def test_a_seed_decides_the_plans_and_each_kind_of_death_has_its_turn():
    count = 20 * len(MODES)
    plans = [plan(7, number) for number in range(1, count + 1)]
    assert plans == [plan(7, number) for number in range(1, count + 1)]
    assert plans != [plan(8, number) for number in range(1, count + 1)]
    for start in range(0, count, len(MODES)):
        assert sorted(each.mode for each in plans[start:start + len(MODES)]) == sorted(MODES)
    assert {each.profile for each in plans} == {"disk", "process"}
    assert all(each.commit >= 1 for each in plans if each.mode in FAILPOINTS)


# The checker: what is fed to it is right, but for one thing.

QUALITIES = [(1, 1), (1, 2), (2, 1), (2, 2)]


def books(publisher_qos, subscriber_qos, count=20, **options):
    """A ledger with a receiver, after `count` messages were sent and acknowledged."""
    ledger = Ledger()
    stream = ledger.stream("publisher", "c/a/0", publisher_qos)
    receiver = ledger.receiver("subscriber", ["c/"], subscriber_qos, **options)
    receiver.begin()
    for _ in range(count):
        stream.accept(stream.send(1), 1)
    return ledger, receiver


def complaints(ledger):
    ledger.settle()
    return [complaint.kind for complaint in ledger.complaints]


@pytest.mark.parametrize("publisher_qos, subscriber_qos", QUALITIES)
def test_the_checker_is_content_when_all_is_well(publisher_qos, subscriber_qos):
    ledger, receiver = books(publisher_qos, subscriber_qos)
    for number in range(1, 21):
        receiver.take("c/a/0", number)
    assert receiver.has_all
    assert complaints(ledger) == []


@pytest.mark.parametrize("publisher_qos, subscriber_qos", QUALITIES)
@pytest.mark.parametrize("missing", [1, 7, 20])
def test_the_checker_notices_a_lost_message(publisher_qos, subscriber_qos, missing):
    ledger, receiver = books(publisher_qos, subscriber_qos)
    for number in range(1, 21):
        if number != missing:
            receiver.take("c/a/0", number)
    assert not receiver.has_all
    assert complaints(ledger) == ["lost"]
    assert f"subscriber never got c/a/0 {missing} " in str(ledger.complaints[0])


@pytest.mark.parametrize("publisher_qos, subscriber_qos", QUALITIES)
def test_the_checker_notices_a_doubled_message_at_qos_2_alone(publisher_qos, subscriber_qos):
    ledger, receiver = books(publisher_qos, subscriber_qos)
    for number in [*range(1, 21), 20]:
        receiver.take("c/a/0", number)
    assert complaints(ledger)[:1] == (["doubled"] if publisher_qos == subscriber_qos == 2 else [])
    assert ledger.repeated == (0 if publisher_qos == subscriber_qos == 2 else 1)


@pytest.mark.parametrize("publisher_qos, subscriber_qos", QUALITIES)
def test_the_checker_notices_a_reordered_message(publisher_qos, subscriber_qos):
    ledger, receiver = books(publisher_qos, subscriber_qos)
    for number in [*range(1, 11), 12, 11, *range(13, 21)]:
        receiver.take("c/a/0", number)
    assert complaints(ledger) == ["reordered"]


def test_messages_that_come_again_at_qos_1_are_in_order_when_they_came_first_in_order():
    ledger, receiver = books(1, 1)
    for number in [1, 2, 3, 2, 3, 4, 5, 1, *range(6, 21)]:
        receiver.take("c/a/0", number)
    assert complaints(ledger) == []
    assert ledger.repeated == 3


def test_a_group_has_no_order_but_loses_nothing_and_doubles_nothing():
    ledger, group = books(2, 2, is_group=True)
    for number in [2, 1, *range(3, 20), 3]:
        group.take("c/a/0", number)
    assert complaints(ledger) == ["doubled", "lost"]


def test_what_was_not_acknowledged_may_be_lost_and_what_came_before_the_subscription_too():
    ledger = Ledger()
    stream = ledger.stream("publisher", "c/a/0", 2)
    receiver = ledger.receiver("subscriber", ["c/"], 2)
    stream.accept(stream.send(1), 1)
    receiver.begin()
    stream.send(1)
    assert complaints(ledger) == []
    stream.accept(2, 2)
    assert complaints(ledger) == ["lost"]


def test_the_checker_notices_what_nobody_sent():
    ledger, receiver = books(1, 1)
    for topic, number in [("c/a/0", 21), ("c/a/0", 0), ("c/b/0", 1)]:
        receiver.take(topic, number)
    assert [complaint.kind for complaint in ledger.complaints] == ["flow"] * 3


def retained(last, accepted, deletions=()):
    ledger = Ledger()
    stream = ledger.stream("keeper", "r/0", 1, retain=True)
    for number in range(1, last + 1):
        stream.send(1, number in deletions)
        if number <= accepted:
            stream.accept(number, 1)
    return ledger


@pytest.mark.parametrize("found", [5, 6, 7])
def test_a_retained_value_may_be_newer_than_the_last_that_was_acknowledged(found):
    ledger = retained(7, 5)
    ledger.retained(ledger.look_at_retained(), {"r/0": found})
    assert not ledger.complaints


@pytest.mark.parametrize("found", [None, 1, 4])
def test_the_checker_notices_an_old_retained_value_and_none(found):
    ledger = retained(7, 5)
    ledger.retained(ledger.look_at_retained(), {} if found is None else {"r/0": found})
    assert [complaint.kind for complaint in ledger.complaints] == ["stale"]


def test_a_deleted_retained_value_does_not_come_back():
    ledger = retained(7, 5, deletions=(5,))
    ledger.retained(ledger.look_at_retained(), {})
    assert not ledger.complaints
    ledger.retained(ledger.look_at_retained(), {"r/0": 4})
    assert [complaint.kind for complaint in ledger.complaints] == ["stale"]


def test_the_checker_finds_one_fault_among_many_messages():
    """Random faults, one in each run: each is noticed, and nothing else is."""
    dice = random.Random(1)
    for _ in range(200):
        kind = dice.choice(["lost", "doubled", "reordered"])
        ledger, receiver = books(2, 2, count=50)
        numbers = list(range(1, 51))
        place = dice.randrange(49)
        match kind:
            case "lost":
                del numbers[place]
            case "doubled":
                numbers.append(numbers[place])
            case "reordered":
                numbers[place], numbers[place + 1] = numbers[place + 1], numbers[place]
        for number in numbers:
            receiver.take("c/a/0", number)
        assert complaints(ledger) == [kind]
