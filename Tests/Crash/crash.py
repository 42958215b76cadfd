#!/usr/bin/env python3
"""Kills the gateway under load, again and again, and counts what was acknowledged and lost (`make crash`).

A real process with its database, publishers at QoS 1 and 2 over MQTT 3.1.1, 5.0 and MQTT-SN, subscribers that are here,
away or come and go, a shared subscription, retained topics, devices that sleep and devices that are active, two of them
behind a forwarder. Each round ends it by SIGKILL, at a random moment, on the first acknowledgement of a burst or around
a commit, or in good order; then it is started again, and everybody resumes. At the end all must have arrived.

The exit code is 0 when nothing is wrong, 1 when a promise was broken.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from shutil import rmtree

from harness import Harness
from ledger import KINDS
from plan import MODES


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--durability", choices=["disk", "process", "none"],
                        help="the profile of all rounds; without it, disk and process as the seed has it")
    parser.add_argument("--keep", action="store_true", help="keep the folder with logs and database")
    parser.add_argument("--folder", help="an empty folder to work in; without it, a temporary one")
    return parser.parse_args()


def line(number, outcome):
    plan = outcome.plan
    words = plan.words if outcome.is_reached else f"{plan.words} (not reached, killed)"
    early = f" after {len(plan.early_kills)} killed starts" if plan.early_kills and number > 1 else ""
    return (f"round {number:3}: {words}, {plan.profile} in {plan.sync_delay / 1_000:.0f} ms, started in {outcome.start_seconds * 1_000:.0f} ms{early}: "
            f"{outcome.acknowledged} acknowledged, {outcome.deliveries} delivered, {outcome.in_flight} in flight at the end"
            + (f", {outcome.complaints} COMPLAINTS" if outcome.complaints else ""))


def table(outcomes):
    """What the rounds did, by the way they ended."""
    rows = [("gateway ended by", "rounds", "as planned", "acknowledged", "delivered", "in flight", "start ms (max)")]
    for mode in [*MODES, None]:
        some = [each for each in outcomes if mode in (None, each.plan.mode)]
        if some:
            starts = [each.start_seconds * 1_000 for each in some]
            rows.append((
                mode or "all", len(some), sum(each.is_reached for each in some),
                sum(each.acknowledged for each in some), sum(each.deliveries for each in some),
                sum(each.in_flight for each in some), f"{statistics.median(starts):.0f} ({max(starts):.0f})"))
    return [f"| {' | '.join(map(str, row))} |" for row in [rows[0], ["---"] * len(rows[0]), *rows[1:]]]


def summary(harness, outcomes):
    ledger = harness.ledger
    counts = Counter(complaint.kind for complaint in ledger.complaints)
    lines = table(outcomes)
    by_devices = sum(stream.accepted_count for sender in harness.senders for stream in sender.streams)
    to_devices = sum(each.receiver.delivered for each in harness.listeners)
    lines += ["", f"{ledger.sent} messages sent, {ledger.accepted} acknowledged ({by_devices} by devices), "
              f"{ledger.deliveries} delivered ({to_devices} to devices), {ledger.repeated} of them repeated at QoS 1; "
              f"{ledger.resumptions} sessions resumed, {sum(each.wakes for each in harness.listeners)} wakes, "
              f"{ledger.retained_looks} looks at retained values"]
    return lines + [f"{words}: {counts[kind]}" for kind, words in KINDS.items()]


def main():
    options = arguments()
    folder = Path(options.folder or tempfile.mkdtemp(prefix="dormouse-crash-"))
    folder.mkdir(exist_ok=True)
    began = time.monotonic()
    harness = Harness(folder, options.seed, options.durability)
    outcomes = []
    try:
        for number in range(1, options.rounds + 1):
            outcome = harness.play(number)
            if outcome is None:
                break
            outcomes.append(outcome)
            print(line(number, outcome), flush=True)
        else:
            harness.finish()
    finally:
        harness.close()
    print("", *summary(harness, outcomes), sep="\n")
    complaints = harness.ledger.complaints
    for complaint in complaints[:20]:
        print(complaint)
    verdict = f"{len(complaints)} COMPLAINTS" if complaints else "nothing lost, nothing doubled"
    print(f"crash: {len(outcomes)} rounds with seed {options.seed} in {time.monotonic() - began:.0f} s: {verdict}")
    if complaints:
        profile = f" DURABILITY={options.durability}" if options.durability else ""
        print(f"again: make crash ROUNDS={options.rounds} SEED={options.seed}{profile}; events, logs and database: {folder}")
    elif not options.keep and not options.folder:
        rmtree(folder)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
