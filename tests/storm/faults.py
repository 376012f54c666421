"""What a storm does to whom, how often, and when: all of it drawn from one seed before anything happens.

A fault names the method of Storm that does it. "In mid-operation" is counted only where the storm saw it; what it
looked for stands in `evidence`.
"""

import dataclasses
import random


@dataclasses.dataclass(frozen=True)
class Fault:
    name: str
    action: str
    per_minute: float
    evidence: str


FAULTS = (
    Fault('producer killed', 'kill_producer', 14, 'its claim was open'),
    Fault('producer stopped', 'stop_producer', 8, 'its claim was open'),
    Fault('producer ended and started again', 'restart_producer', 4, 'it was publishing'),
    Fault('consumer killed', 'kill_consumer', 10, 'it held records in place'),
    Fault('consumer stopped', 'stop_consumer', 6, 'it held records in place'),
    Fault('consumer ended and started again', 'restart_consumer', 4, 'it was reading'),
    Fault('consumer held for too long', 'hold_too_long', 4, 'it was given copies'),
    Fault('replay from the start', 'replay', 4, 'a producer was publishing'),
    Fault('supervisor killed', 'kill_supervisor', 8, 'committed was ahead of durable'),
    Fault('supervisor killed while it starts', 'kill_starting_supervisor', 4, 'it did not serve yet'),
    Fault('supervisor killed while it stops', 'kill_stopping_supervisor', 4, 'it was draining'),
    Fault('supervisor stopped', 'stop_supervisor', 4, 'records were committed meanwhile'),
    Fault('supervisor ended and started again', 'restart_supervisor', 5, 'committed was ahead of durable'),
    Fault('keeper killed', 'kill_keeper', 6, 'a topic was being made or deleted'),
    Fault('keeper stopped', 'stop_keeper', 4, 'a topic was being made or deleted'),
    Fault('keeper and supervisor killed', 'kill_keeper_and_supervisor', 6, 'committed records were lost'),
    Fault('all killed', 'kill_all', 3, 'committed records were lost'),
    Fault('ring replaced', 'replace_ring', 6, 'records were not durable yet, and it was'),
    Fault('disk full', 'fill_disk', 4, 'records left memory meanwhile'),
)


@dataclasses.dataclass(frozen=True)
class Event:
    at: float  # seconds since the storm began
    fault: Fault
    victim: int  # of so many, by remainder
    hunted: bool  # the moment is looked for, not only met
    length: float  # 0..1: how long it stands still
    delay: float  # 0..1: until it comes back, or is hit again
    order: int


def schedule(seed, seconds, faults=FAULTS):
    """The same seed and length: the same events."""
    stream = random.Random(seed)
    events = []
    for fault in faults:
        for _ in range(max(4, round(fault.per_minute * seconds / 60))):
            events.append(Event(at=stream.uniform(0.5, seconds), fault=fault, victim=stream.randrange(1 << 16),
                                hunted=stream.random() < 0.6, length=stream.random(), delay=stream.random(),
                                order=stream.randrange(1 << 16)))
    return sorted(events, key=lambda event: event.at)
