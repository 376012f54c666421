"""What follows a storm: everybody goes on and comes to the end, and all of it is replayed from the log alone."""

import heapq
import os
import pathlib
import signal
import time

from bus import PATIENCE_SECONDS, process_state
from cast import TOPICS, replay_of


class Calm:
    def __init__(self, storm):
        self.storm = storm
        self.must_end = []  # consumers that are asked to go on up to the end
        self.last = []  # those that replayed the log alone
        self.log_bytes = 0

    def come(self):
        for place in self.storm.cast.places:
            if place.alive():
                place.process.send_signal(signal.SIGCONT)
                place.stopped = False
        while self.storm.pending:
            heapq.heappop(self.storm.pending)[2]()
            self.storm.supervision.tick()
        supervision = self.storm.supervision
        self.storm.until(lambda: supervision.serves() and supervision.has_keeper(), 'ringwayd to serve again')
        self.storm.churn.ending.set()
        self.storm.until(lambda: not self.storm.churn.thread.is_alive(), 'the churn to end')
        lasting = [place for place in self.storm.cast.places if place.lasting]
        self.storm.until(lambda: all(place.alive() for place in lasting), 'every place to be taken')
        self.storm.until(lambda: all(place.plays() or place.leaving for place in lasting), 'every role to join')
        self.finish('producer', signal.SIGTERM)
        for topic in TOPICS:
            ends = self.storm.cast.ends(topic)
            ends.with_suffix('.new').write_text(''.join(f'{one["partition"]} {one["committed"]}\n'
                                                        for one in self.storm.lookout.look(topic)))
            ends.with_suffix('.new').rename(ends)
        self.follow([place for place in self.storm.cast.of('consumer') if place.words['until'] != 'end'])
        self.replay_all()
        # Once more, from the log alone.
        supervision.end(back_in_s=0)
        ended = self.storm.bus.daemon
        self.storm.until(lambda: supervision.state == 'serving', 'ringwayd after its last stop')
        if ended.returncode != 0:
            self.storm.problems.append(f'the last orderly stop ended with {ended.returncode}')
        self.last = self.replay_all()
        for fault, child, began, behind in self.storm.altered:
            calm = self.storm.supervision.disturbed_ns < began
            if child.wait(PATIENCE_SECONDS) == 0:
                self.storm.hits[fault.name] += behind
            elif calm:
                self.storm.problems.append(f'ringway topic alter: {child.stderr.read()[-300:]}')
        self.look_around()

    def finish(self, role, number):
        """Asks all of them to end, and waits until they did."""
        for place in self.storm.cast.of(role):
            place.lasting = False
            if place.alive() and not place.leaving and place.words.get('until') != 'end':
                place.process.send_signal(number)
            place.leaving = True
        deadline = time.monotonic() + PATIENCE_SECONDS
        while asked := [place for place in self.storm.cast.of(role) if place.process is not None]:
            if time.monotonic() > deadline:
                for place in asked:
                    self.storm.problems.append(f'hung: {place.role} {place.id} of {place.topic} in state '
                                         f'{process_state(place.process.pid)}: {self.storm.cast.last_words(place)}')
                    self.storm.cast.kill(place, 0)
                return
            self.storm.tick()
            time.sleep(0.005)

    def follow(self, places):
        """They read on until they have everything."""
        self.must_end += [place.id for place in places if place.alive() and not place.leaving]
        self.finish('consumer', signal.SIGUSR1)

    def replay_all(self):
        places = [self.storm.cast.spawn(replay_of(topic)) for topic in TOPICS]
        self.storm.cast.places += places
        self.follow(places)
        return [place.id for place in places]

    def look_around(self):
        """The bus is as if nothing had happened."""
        status = self.storm.bus.json('status', status=None)
        if status['state'] != 'serving':
            self.storm.problems.append(f'status: {status["degraded"]}')
        names = [row['topic'] for row in self.storm.bus.json('topic', 'list')]
        if sorted(names) != sorted(TOPICS):
            self.storm.problems.append(f'topics left: {names}')
        directories = os.listdir(self.storm.bus.state_dir / 'topics')
        if len(directories) != len(TOPICS):
            self.storm.problems.append(f'directories left of topics: {directories}')
        for topic in TOPICS:
            verified = self.storm.bus.run_for_status('log', 'verify', topic)
            if verified != 0:
                self.storm.problems.append(f'log verify {topic}: exit status {verified}')
        self.log_bytes = sum(path.stat().st_size for path in pathlib.Path(self.storm.bus.state_dir).rglob('*.log'))
