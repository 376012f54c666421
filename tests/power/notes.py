"""What the clients of a bus were told: the lines of power_load, and what they promise at a moment.

    MOMENT committed TOPIC PARTITION OFFSET NUMBER SEQUENCE COUNT   so many records of producer NUMBER, from OFFSET on
    MOMENT written   TOPIC PARTITION OFFSET                         wait() said so of that record
    MOMENT durable   TOPIC PARTITION OFFSET                         likewise
    MOMENT level     TOPIC PARTITION OFFSET                         the durable watermark: what lies before OFFSET
    MOMENT position  TOPIC CURSOR PARTITION OFFSET                  about to be committed
    MOMENT creating | created | deleting | deleted TOPIC            asked for; told to be done
    MOMENT replacing | ring TOPIC BYTES                             a ring of so many: asked for; told to be there
"""

import collections
import dataclasses

DONE = ('durable', 'level', 'created', 'deleted', 'ring')

Record = collections.namedtuple('Record', 'number sequence')


@dataclasses.dataclass
class Told:
    """Of one topic, since it was created."""
    state: str = 'created'
    records: dict = dataclasses.field(default_factory=dict)    # (partition, offset): Record
    durable: dict = dataclasses.field(default_factory=dict)    # partition: first offset that is not
    positions: dict = dataclasses.field(default_factory=dict)  # (cursor, partition): set of offsets
    rings: set = dataclasses.field(default_factory=set)        # the sizes its ring may have; several: replacing

    def add(self, words):
        kind, *rest = words
        if kind == 'committed':
            partition, offset, number, sequence, count = map(int, rest)
            for i in range(count):
                self.records[partition, offset + i] = Record(number, sequence + i)
        elif kind in ('durable', 'level'):
            partition, offset = map(int, rest)
            end = offset + (kind == 'durable')
            self.durable[partition] = max(self.durable.get(partition, 0), end)
        elif kind == 'position':
            cursor, partition, offset = rest
            self.positions.setdefault((cursor, int(partition)), set()).add(int(offset))
        elif kind == 'ring':
            self.rings = {int(rest[0])}
        elif kind == 'replacing':
            self.rings.add(int(rest[0]))
        elif kind != 'written':
            raise ValueError(f'no note: {words}')

    def end(self, partition):
        """Behind every offset that was told."""
        return max((offset + 1 for told, offset in self.records if told == partition), default=0)


def is_amid_replacement(told):
    """Whether some topic was getting another ring when that was all that was told."""
    return any(len(topic.rings) > 1 for topic in told.values())


class Notes:
    """The notes of all clients, each one's in a file of its own, in the order in which they were made."""

    def __init__(self, paths):
        self.lines = [parse(path.read_text()) for path in paths if path.exists()]

    def until(self, moment, promised=lambda when: True):
        """What was told by then, by topic. Of the moments that are not `promised` it counts what was visible, and what
        was begun; not what was said to be done."""
        topics = collections.defaultdict(Told)
        for lines in self.lines:
            for when, kind, topic, rest in lines:
                if when > moment:
                    break
                if kind in DONE and not promised(when):
                    continue
                if kind in ('creating', 'created', 'deleting', 'deleted'):
                    if kind == 'creating':
                        topics[topic] = Told()
                    topics[topic].state = kind
                else:
                    topics[topic].add([kind, *rest])
        return dict(topics)


def parse(text):
    whole = text[:text.rfind('\n') + 1]  # its writer may have been killed
    lines = []
    for line in whole.splitlines():
        moment, kind, topic, *rest = line.split()
        lines.append((int(moment), kind, topic, rest))
    return lines
