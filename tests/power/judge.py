"""Holds what was found after a loss of power against what was told before it. Uses nothing of Ringway."""

import dataclasses

from notes import Record

LETTERS = 'abcdefghijklmnopqrstuvwxyz' * 2


def record_of(number, sequence):
    """The text of a record, as power_load.cpp makes it."""
    mixed = number * 104_729 + sequence * 7_919
    letters = 9_000 + mixed % 3_000 if sequence % 101 == 100 else mixed % 1_500
    step = 1 + mixed % 25
    runs = []
    for run in range(letters // 26 + 1):
        begin = (mixed + 26 * run + run * step) % 26
        runs.append(LETTERS[begin:begin + 26])
    return f'{number} {sequence} ' + ''.join(runs)[:letters]


class Intact:
    """Says which record a text is, or None when not every byte is right; each is looked at once."""

    def __init__(self):
        self.known = {}

    def __call__(self, text):
        if text not in self.known:
            self.known[text] = self.look(text)
        return self.known[text]

    @staticmethod
    def look(text):
        number, _, rest = text.partition(' ')
        sequence, _, _ = rest.partition(' ')
        if not (number.isdecimal() and sequence.isdecimal()):
            return None
        record = Record(int(number), int(sequence))
        return record if record_of(*record) == text else None


intact = Intact()


@dataclasses.dataclass
class Found:
    """What is there after the loss, once new records were published."""
    topics: dict = dataclasses.field(default_factory=dict)  # name: Log, of those that give any
    rows: dict = dataclasses.field(default_factory=dict)    # catalog: name: uuid
    directories: set = dataclasses.field(default_factory=set)  # names under topics/


@dataclasses.dataclass
class Log:
    records: list = dataclasses.field(default_factory=list)  # (partition, offset, text), as read
    gaps: list = dataclasses.field(default_factory=list)     # (partition, from, to)
    positions: dict = dataclasses.field(default_factory=dict)  # (cursor, partition): offset in the catalog
    partitions: int = 1
    ring_bytes: int = 0


@dataclasses.dataclass
class Revival:
    """What was published into every topic behind the loss, and is durable: so many records of that producer."""
    number: int
    count: int


def judge(told, found, revival, promises_nothing=(), buried=()):
    """Every rule that is broken, a line each. What was told of the topics in `promises_nothing` was no promise. What an
    earlier loss took, which was its right, stands in `buried`: (topic, partition, offset) of each."""
    complaints = judge_catalog(told, found)
    for name, log in found.topics.items():
        gone = {(partition, offset) for topic, partition, offset in buried if topic == name}
        complaints += [f'{name}: {complaint}' for complaint in
                       judge_log(told.get(name), log, revival, name in promises_nothing, gone)]
    return complaints


def lost(told, found):
    """What was told and is not there: (topic, partition, offset) of each."""
    return {(name, *place) for name, topic in told.items() if name in found.topics
            for place in topic.records.keys() - {record[:2] for record in found.topics[name].records}}


def judge_catalog(told, found):
    complaints = []
    for name, topic in told.items():
        if topic.state == 'created' and name not in found.rows:
            complaints.append(f'{name}: was created, and is gone')
        if topic.state == 'deleted' and name in found.rows:
            complaints.append(f'{name}: was deleted, and is back')
    for name in found.rows:
        if name not in told:
            complaints.append(f'{name}: nobody made it')
        if name not in found.topics:
            complaints.append(f'{name}: is in the catalog, and nothing is read from it')
    for uuid in sorted(found.directories ^ set(found.rows.values())):
        where = 'without a row in the catalog' if uuid in found.directories else 'without its directory'
        complaints.append(f'topics/{uuid}: {where}')
    return complaints


def judge_log(told, log, revival, promises_nothing, buried):
    complaints = []
    there, seen, newest, last_offset = {}, {}, {}, {}
    fresh = []
    for partition, offset, text in log.records:
        place = f'partition {partition} offset {offset}'
        record = intact(text)
        if record is None:
            complaints.append(f'{place}: torn: {text[:60]!r}')
            continue
        if offset <= last_offset.get(partition, -1):
            complaints.append(f'{place}: read behind offset {last_offset[partition]}')
        last_offset[partition] = offset
        if record in seen:
            complaints.append(f'{place}: doubled: {record} is also at {seen[record]}')
        seen[record] = (partition, offset)
        if record.sequence < newest.get((partition, record.number), -1):
            complaints.append(f'{place}: out of order: {record}')
        newest[partition, record.number] = record.sequence
        there[partition, offset] = record
        if record.number == revival.number:
            fresh.append((partition, offset))
    if len(fresh) != revival.count:
        complaints.append(f'{len(fresh)} of {revival.count} records that were published behind the loss')
    if told is None:
        return complaints

    if told.rings and log.ring_bytes not in told.rings:
        complaints.append(f'a ring of {log.ring_bytes} bytes, where {sorted(told.rings)} were told')
    for place, record in told.records.items():
        partition, offset = place
        if place in there and there[place] != record:
            complaints.append(f'partition {partition} offset {offset}: given twice: {record}, then {there[place]}')
        if place in there and place in buried:
            complaints.append(f'partition {partition} offset {offset}: was lost, and is back')
        promised = offset < told.durable.get(partition, 0) and not promises_nothing and place not in buried
        if place not in there and promised:
            complaints.append(f'partition {partition} offset {offset}: lost: durable was {told.durable[partition]}')
    ends = [told.end(partition) for partition in range(log.partitions)]
    for partition, offset in fresh:
        if offset < ends[partition]:
            complaints.append(f'partition {partition} offset {offset}: a new record among those of before, which end '
                              f'at {ends[partition]}')
        # What was lost is named to whoever reads past it.
        kept = max((o for p, o in there if p == partition and o < offset), default=None)
        if kept is not None and ends[partition] > kept + 1 and not any(
                p == partition and begin <= ends[partition] - 1 < end for p, begin, end in log.gaps):
            complaints.append(f'partition {partition}: offsets {kept + 1} to {ends[partition] - 1} are gone without a '
                              f'gap')
    for (cursor, partition), offset in log.positions.items():
        announced = told.positions.get((cursor, partition), set())
        if offset not in announced:
            complaints.append(f'cursor {cursor} partition {partition}: stands at {offset}, where nobody put it')
    return complaints
