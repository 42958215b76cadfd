"""What happens in each round: decided by the seed alone."""

import random
from dataclasses import dataclass

# How the gateway ends: at any moment; on the first acknowledgement of a burst; on the first of these answers to somebody
# who comes; by a failpoint around a commit; and in good order, which must not be worse than the others.
BURSTS = ("PUBACK", "PUBREC", "PUBCOMP")
ARRIVALS = ("CONNACK", "SUBACK", "SN CONNACK", "SN SUBACK", "SN DISCONNECT", "REGACK")
FAILPOINTS = ("before-commit", "after-commit", "after-report")
MODES = ["moment", *BURSTS, *ARRIVALS, *FAILPOINTS, "stop"]
PROFILES = ("disk", "process")


@dataclass(frozen=True)
class Plan:
    mode: str
    profile: str
    # How long the load lasts before something happens.
    seconds: float
    # The commit at which the failpoint strikes.
    commit: int
    # Starts that are killed before the one that counts, each after so many seconds.
    early_kills: tuple
    # Whether those who are here only sometimes are here, and whether a newcomer subscribes.
    returns: tuple
    has_newcomer: bool
    opens_stream: bool
    # How long the disk takes for a write and for a sync, in microseconds; 0 is as fast as it is.
    write_delay: int
    sync_delay: int
    # How much of what waits stays in memory, in bytes: for one client and for all.
    memory: tuple
    # How many messages a publisher may begin every 20 ms.
    share: int

    @property
    def words(self):
        return f"{self.mode}:{self.commit}" if self.mode in FAILPOINTS else self.mode


def plan(seed, number, profile=None):
    """The plan of a round; rounds count from 1. Each mode has its turn before any comes again."""
    block = random.Random(f"{seed}/block/{(number - 1) // len(MODES)}")
    modes = block.sample(MODES, len(MODES))
    dice = random.Random(f"{seed}/round/{number}")
    chosen = dice.choice(PROFILES)
    return Plan(
        mode=modes[(number - 1) % len(MODES)], profile=profile or chosen, seconds=dice.uniform(0.05, 0.9),
        # From the first commits, of clients that come back, to those under full load.
        commit=int(2 ** dice.uniform(0, 7)),
        early_kills=tuple(dice.uniform(0.0, 0.06) for _ in range(dice.choice([0, 0, 0, 1, 2]))),
        returns=tuple(dice.random() < 0.25 for _ in range(4)), has_newcomer=dice.random() < 0.4,
        opens_stream=dice.random() < 0.5,
        write_delay=dice.choice([0, 0, 100, 1_000]), sync_delay=dice.choice([0, 2_000, 10_000, 30_000]),
        memory=dice.choice([(1 << 20, 64 << 20), (1_000, 20_000), (0, 0)]), share=dice.choice([2, 8, 30]))
