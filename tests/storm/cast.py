"""The producers and consumers of a storm: each place in it is taken by one process after the other."""

import dataclasses
import os
import pathlib
import signal
import subprocess
import time

from bus import process_state, wait_until


@dataclasses.dataclass
class Place:
    """Who plays here: `role` is producer or consumer, `words` the options that stay."""

    role: str
    topic: str
    words: dict
    lasting: bool = True  # is taken again when its process has gone
    process: subprocess.Popen = None
    id: int = 0
    log: pathlib.Path = None
    begun: float = 0
    back_at: float = 0  # when it may be taken again
    stopped: bool = False
    leaving: bool = False
    grown: tuple = (0, 0.0)  # size of the log, and when it was seen to grow

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def plays(self):
        return self.alive() and not self.stopped and not self.leaving and self.log.exists() and \
            self.log.stat().st_size > 60 and time.monotonic() - self.begun > 0.05


# What goes on in memory only while its disk refuses (cramped_disk.py).
IN_MEMORY = 'memory'
# Three kinds of topics: a small ring and small files, so that all of it laps and rolls, and no patience with who stands
# still; one as everybody has it; and one that waits for neither its disk nor its consumers: no ring may stay with who
# holds records in it, who is given copies.
TOPICS = {
    'storm': ('--partitions', '4', '--ring', '256KiB', '--segment', '4MiB', '--when-stopped', 'fence',
              '--stopped-after', '200ms', '--pin-budget', '200ms'),
    'plain': (),
    IN_MEMORY: ('--ring', '64KiB', '--segment', '256KiB', '--when-disk-fails', 'memory', '--when-pinned', 'copy',
                '--pin-budget', '100ms', '--retired-max', '4KiB', '--when-stopped', 'fence', '--stopped-after', '200ms'),
}


def cast_of(rate):
    """Rates are bytes per second."""
    def consumer(topic, start, cursor='-', pace=0, until='never', lasting=True):
        return Place('consumer', topic, {'from': start, 'cursor': cursor, 'pace': pace, 'until': until}, lasting)
    return [
        *(Place('producer', 'storm', {'rate': rate}) for _ in range(3)),
        Place('producer', 'plain', {'rate': rate}),
        Place('producer', IN_MEMORY, {'rate': rate}),
        consumer('storm', 'start'),
        consumer('storm', 'end'),
        consumer('storm', 'cursor', 'billing'),
        consumer('storm', 'cursor', 'slow', pace=rate * 2),  # of three times as much: it reads from the log
        consumer('plain', 'end'),
        consumer('plain', 'cursor', 'audit'),
        consumer(IN_MEMORY, 'end'),
        consumer(IN_MEMORY, 'cursor', 'kept'),
    ]


def replay_of(topic):
    return Place('consumer', topic, {'from': 'start', 'cursor': '-', 'pace': 0, 'until': 'end'}, lasting=False)


class Cast:
    def __init__(self, bus, seed, directory, places):
        self.bus, self.seed, self.directory, self.places = bus, seed, directory, places
        (directory / 'errors').mkdir()
        self.ids = {'producer': 0, 'consumer': 0}
        self.problems = []
        self.is_open = False  # from when on places are taken

    def of(self, role, topic=None):
        return [place for place in self.places if place.role == role and topic in (None, place.topic)]

    def spawn(self, place):
        self.ids[place.role] += 1
        place.id = self.ids[place.role]
        place.log = self.directory / f'{place.role}-{place.id:06}.log'
        place.begun = time.monotonic()
        place.stopped = place.leaving = False
        place.grown = (0, place.begun)
        words = {'id': place.id, 'seed': self.seed * 1_000_003 + place.id, 'topic': place.topic,
                 'socket': self.bus.socket, 'log': place.log, **place.words}
        if place.role == 'consumer':
            words['ends'] = self.ends(place.topic)
        program = os.environ['STORM_' + place.role.upper()]
        with open(self.errors(place), 'ab') as errors:
            place.process = subprocess.Popen([program, *(str(part) for name, value in words.items()
                                                         for part in ('--' + name, value))], env=self.bus.env,
                                             stdin=subprocess.DEVNULL, stdout=errors, stderr=errors)
        return place

    def ends(self, topic):
        """The file that says where the topic ends, once that is so."""
        return self.directory / 'errors' / f'{topic}.ends'

    def errors(self, place):
        return self.directory / 'errors' / place.log.name

    def last_words(self, place):
        return self.errors(place).read_text(errors='replace')[-400:].strip()

    def tick(self):
        """Sees who ended, and has free places taken."""
        now = time.monotonic()
        for place in list(self.places):
            if place.process is not None and place.process.poll() is not None:
                if place.process.returncode != 0:
                    self.problems.append(f'{place.role} {place.id} ended with {place.process.returncode}: '
                                         f'{self.last_words(place)}')
                place.process = None
                if not place.lasting:
                    self.places.remove(place)
            if self.is_open and place.process is None and place.lasting and now >= place.back_at:
                self.spawn(place)

    def kill(self, place, back_in_s):
        place.process.kill()
        place.process.wait()
        place.process = None
        place.back_at = time.monotonic() + back_in_s

    def end(self, place, back_in_s):
        place.leaving = True
        place.process.send_signal(signal.SIGTERM)
        place.back_at = time.monotonic() + back_in_s

    def pause(self, place):
        place.process.send_signal(signal.SIGSTOP)
        wait_until(lambda: process_state(place.process.pid) in 'TZ', 'a role to stand still')
        place.stopped = True

    def resume(self, place, pid):
        if place.process is not None and place.process.pid == pid:
            place.process.send_signal(signal.SIGCONT)
            place.stopped = False

    def silent(self, patience_s):
        """Who should have something to write down, and did not for that long."""
        now = time.monotonic()
        found = []
        for place in self.places:
            if place.process is None or place.stopped:
                place.grown = (place.grown[0], now)
                continue
            size = place.log.stat().st_size if place.log.exists() else 0
            if size != place.grown[0]:
                place.grown = (size, now)
            elif now - place.grown[1] > patience_s:
                found.append(place)
        return found

    def close(self):
        for place in self.places:
            if place.process is not None:
                place.process.kill()
                place.process.wait()
