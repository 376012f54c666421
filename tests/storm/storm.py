"""One storm: a bus, its roles, and a schedule of faults that are done to them; calm follows (calm.py)."""

import collections
import dataclasses
import heapq
import pathlib
import random
import subprocess
import time

from bus import PATIENCE_SECONDS
from calm import Calm
from cast import IN_MEMORY, TOPICS, Cast, cast_of, replay_of
from churn import Churn
from cramped_disk import CrampedDisk
from faults import FAULTS, schedule
from lookout import Lookout
from supervision import Supervision, now_ns

HUNT_TRIES = 12
# A look takes half a second where keeper and supervisor are not there to be asked, and meanwhile nobody resumes them.
HUNT_SECONDS = 0.5
MOMENT_SECONDS = 1
# How long somebody who could go on may be silent. Nothing that is not stuck takes a tenth of it.
SILENCE_SECONDS = 20
# A role that has written down more than that has joined, and begun.
BEGUN_BYTES = 60
RINGS = ('64KiB', '128KiB', '512KiB', '256KiB', '1MiB')


@dataclasses.dataclass
class Replay:
    """A consumer that reads a topic from the start to its end."""
    fault: object
    process: subprocess.Popen
    log: pathlib.Path
    topic: str
    written: dict = None  # how long the logs of the topic's producers were when it read its first records


class Storm:
    def __init__(self, bus, seed, seconds, rate, faults=FAULTS):
        self.bus, self.seed, self.seconds, self.faults = bus, seed, seconds, faults
        self.directory = bus.root / 'storm'
        self.directory.mkdir()
        self.supervision = Supervision(bus)
        self.cast = Cast(bus, seed, self.directory, cast_of(rate))
        self.churn = Churn(bus, self.supervision)
        self.lookout = Lookout(bus, TOPICS)
        self.calm = Calm(self)
        self.pending = []  # (time, number, what is to be done then)
        self.count = 0
        self.times = collections.Counter()  # by fault: how often it was done
        self.hits = collections.Counter()  # ... in mid-operation
        self.killed = []  # (fault, pid) of those whose open claim was not seen: perhaps it was repaired
        self.lost = []  # (fault, number of the loss)
        self.refusals = []  # [from_ns, to_ns, fault]: in between the disk of IN_MEMORY may have refused
        self.altered = []  # (fault, process, when it began, whether records were not durable yet) of ring replacements
        self.replays = []  # of which it is not known yet whether somebody published meanwhile
        self.missed = set()  # what never hit as it should
        self.problems = []
        self.rings = 0
        self.disk = None  # of IN_MEMORY

    # The storm

    def run(self):
        self.supervision.launch()
        self.until(self.supervision.serves, 'ringwayd')
        for topic, words in TOPICS.items():
            self.bus.run('topic', 'create', topic, *words)
        if any(fault.action == 'fill_disk' for fault in self.faults):
            self.put_on_disk_of_its_own(IN_MEMORY)
        self.cast.is_open = True
        self.churn.start()
        try:
            self.rage(schedule(self.seed, self.seconds, self.faults))
            self.calm.come()
        finally:
            self.churn.ending.set()
            self.cast.close()
            self.churn.finish()

    def close(self):
        if self.disk is not None:
            self.disk.close()

    def put_on_disk_of_its_own(self, topic):
        uuid = self.bus.json('topic', 'describe', topic)['uuid']
        self.supervision.end(back_in_s=0)
        self.until(lambda: self.supervision.state != 'stopping', 'ringwayd to stop')
        self.disk = CrampedDisk(self.bus.state_dir / 'topics' / uuid)
        self.until(self.supervision.serves, 'ringwayd to serve again')

    def rage(self, events):
        begun = time.monotonic()
        waiting = collections.deque(events)
        postponed = []
        while waiting or postponed or time.monotonic() - begun < self.seconds:
            self.tick()
            for event in list(postponed):
                if getattr(self, event.fault.action)(event):
                    postponed.remove(event)
            if waiting and time.monotonic() - begun >= waiting[0].at:
                event = waiting.popleft()
                if not getattr(self, event.fault.action)(event):
                    postponed.append(event)  # not now: until there is somebody to do it to
            if time.monotonic() - begun > 3 * self.seconds + PATIENCE_SECONDS:
                self.problems += [f'never came about: {event.fault.name}' for event in [*postponed, *waiting]]
                break
            time.sleep(0.001)
        self.raged = time.monotonic() - begun

    def tick(self):
        self.supervision.tick()
        self.watch_replays()
        self.cast.tick()
        while self.pending and self.pending[0][0] <= time.monotonic():
            heapq.heappop(self.pending)[2]()
        if self.supervision.serves() and now_ns() - self.supervision.disturbed_ns > SILENCE_SECONDS * 1e9:
            for place in self.cast.silent(SILENCE_SECONDS):
                self.problems.append(f'hung: {place.role} {place.id}: {self.cast.last_words(place)}')
                place.grown = (place.grown[0], time.monotonic())

    def later(self, seconds, action):
        self.count += 1
        heapq.heappush(self.pending, (time.monotonic() + seconds, self.count, action))

    def until(self, condition, what):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(f'waited in vain for {what}')
            self.tick()
            time.sleep(0.002)

    def done(self, fault, hit):
        self.times[fault.name] += 1
        self.hits[fault.name] += bool(hit)
        return True

    def await_moment(self, condition):
        """Whether it comes about soon, with nothing else being done to anybody."""
        deadline = time.monotonic() + MOMENT_SECONDS
        while not condition():
            if time.monotonic() > deadline:
                return False
            self.tick()
            time.sleep(0.002)
        return True

    def hunt(self, pause, resume, found):
        """Stops somebody until it is in mid-operation, and leaves it standing. Whether it is."""
        deadline = time.monotonic() + HUNT_SECONDS
        for attempt in range(HUNT_TRIES):
            pause()
            if found():
                return True
            if time.monotonic() > deadline:
                break
            if attempt + 1 < HUNT_TRIES:
                resume()
                time.sleep(0.001)
        return False

    # Faults: each is False when it cannot be done now

    def victims(self, role, event):
        """Who could be hit now, beginning with the one that was drawn."""
        places = self.cast.of(role)
        first = event.victim % len(places)
        return [place for place in places[first:] + places[:first] if place.plays()]

    def catch(self, role, event):
        """Somebody who stands still by now, and whether in mid-operation; one after the other is looked at."""
        places = self.victims(role, event)
        deadline = time.monotonic() + HUNT_SECONDS
        for attempt in range(HUNT_TRIES):
            place = places[attempt % len(places)]
            self.cast.pause(place)
            if self.lookout.in_mid_operation(place):
                return place, True
            if time.monotonic() > deadline:
                break
            if attempt + 1 < HUNT_TRIES:
                self.cast.resume(place, place.process.pid)
                time.sleep(0.001)
        return place, False

    def kill_role(self, event, role):
        if not (places := self.victims(role, event)):
            return False
        place, hit = self.catch(role, event) if event.hunted else (places[0], False)
        if not hit and role == 'producer':
            self.killed.append((event.fault, place.process.pid))
        self.cast.kill(place, event.delay * 0.4)
        return self.done(event.fault, hit)

    def kill_producer(self, event):
        return self.kill_role(event, 'producer')

    def kill_consumer(self, event):
        return self.kill_role(event, 'consumer')

    def stop_role(self, event, role):
        if not self.victims(role, event):
            return False
        place, hit = self.catch(role, event)
        pid = place.process.pid
        self.later(event.length, lambda: self.cast.resume(place, pid))
        return self.done(event.fault, hit)

    def stop_producer(self, event):
        return self.stop_role(event, 'producer')

    def stop_consumer(self, event):
        return self.stop_role(event, 'consumer')

    def hold_too_long(self, event):
        """It stands still with records of IN_MEMORY in its hands, where producers have no patience with that."""
        places = [place for place in self.cast.of('consumer', IN_MEMORY)
                  if place.plays() and place.process.pid not in self.supervision.copying]
        if not places or not self.supervision.serves():
            return False
        place = places[event.victim % len(places)]
        pid = place.process.pid
        if not self.hunt(lambda: self.cast.pause(place), lambda: self.cast.resume(place, pid),
                         lambda: self.lookout.has_pin(place)):
            self.cast.resume(place, pid)
            return False

        hit = self.await_moment(lambda: pid in self.supervision.copying)
        self.cast.resume(place, pid)

        def leave():
            if place.plays() and place.process.pid == pid:
                self.cast.end(place, back_in_s=0)
        # It is never given anything but copies any more: after a while another one comes.
        self.later(0.2 + event.delay * 0.5, leave)
        return self.done(event.fault, hit)

    def restart_role(self, event, role):
        if not (places := self.victims(role, event)):
            return False
        place = places[0]
        size = place.log.stat().st_size
        deadline = time.monotonic() + 0.3
        while (grew := place.log.stat().st_size > size) is False and time.monotonic() < deadline:
            time.sleep(0.001)
        self.cast.end(place, event.delay * 0.4)
        return self.done(event.fault, grew)

    def restart_producer(self, event):
        return self.restart_role(event, 'producer')

    def restart_consumer(self, event):
        return self.restart_role(event, 'consumer')

    def replay(self, event):
        topic = list(TOPICS)[event.victim % len(TOPICS)]
        if not any(other.plays() for other in self.cast.of('producer') if other.topic == topic):
            return False
        place = self.cast.spawn(replay_of(topic))
        self.cast.places.append(place)
        self.replays.append(Replay(event.fault, place.process, place.log, topic))
        return self.done(event.fault, False)

    def watch_replays(self):
        """A replay hits once a producer of its topic writes something down between its first records and its end."""
        for replay in list(self.replays):
            written = {place.log: place.log.stat().st_size for place in self.cast.of('producer')
                       if place.topic == replay.topic and place.log is not None and place.log.exists()}
            if replay.process.poll() is not None:
                self.replays.remove(replay)
            elif replay.written is None:
                if replay.log.exists() and replay.log.stat().st_size > BEGUN_BYTES:
                    replay.written = written
            elif any(size > replay.written.get(log, size) for log, size in written.items()):
                self.hits[replay.fault.name] += 1
                self.replays.remove(replay)

    def kill_supervisor(self, event):
        if not self.supervision.serves():
            return False
        hit = event.hunted and self.hunt(self.supervision.pause, self.supervision.resume, self.lookout.is_behind)
        self.supervision.kill(back_in_s=event.delay * 0.6)
        self.churn.death()
        return self.done(event.fault, hit or self.lookout.is_behind())

    def kill_starting_supervisor(self, event):
        if not self.supervision.serves():
            return False
        self.supervision.kill(back_in_s=event.length * 0.1)
        self.until(lambda: self.supervision.state == 'starting', 'ringwayd to be started')
        time.sleep(event.delay * 0.03)
        self.supervision.read_log()
        hit = self.supervision.state == 'starting'
        self.supervision.kill(back_in_s=0)
        self.churn.death()
        return self.done(event.fault, hit)

    def kill_stopping_supervisor(self, event):
        if not self.supervision.serves():
            return False
        self.supervision.end(back_in_s=0)
        time.sleep(event.delay * 0.006)
        hit = self.bus.daemon.poll() is None
        if hit:
            self.supervision.kill(back_in_s=event.length * 0.3)
            self.churn.death()
        return self.done(event.fault, hit)

    def stop_supervisor(self, event):
        if not self.supervision.serves():
            return False
        self.supervision.pause()
        before = self.lookout.committed()
        pid = self.bus.daemon.pid

        def go_on(patience):
            if not self.supervision.stopped or self.bus.daemon.pid != pid:
                return
            hit = self.lookout.committed() > before
            if not hit and patience:
                self.later(0.2, lambda: go_on(patience - 1))
                return
            self.done(event.fault, hit)
            self.supervision.resume()
        self.later(event.length * 0.8, lambda: go_on(3))
        return True

    def restart_supervisor(self, event):
        if not self.supervision.serves():
            return False
        hit = self.lookout.is_behind()
        self.supervision.end(back_in_s=event.delay * 0.4)
        return self.done(event.fault, hit)

    def kill_keeper(self, event):
        if not self.supervision.has_keeper():
            return False
        self.churn.await_verb(('create', 'delete'), 0.3)
        hit = self.churn.verb in ('create', 'delete')
        if not self.supervision.kill_keeper():
            return False
        self.churn.death()
        return self.done(event.fault, hit)

    def stop_keeper(self, event):
        if not self.supervision.has_keeper() or self.supervision.keeper not in self.bus.keepers():
            return False
        self.churn.await_verb(('create', 'delete'), 0.3)
        hit = self.churn.verb in ('create', 'delete')
        pid = self.supervision.pause_keeper()
        if pid is None:
            return False
        self.later(event.length * 0.8, lambda: self.supervision.resume_keeper(pid))
        return self.done(event.fault, hit)

    def kill_keeper_and_supervisor(self, event):
        if not self.supervision.serves() or not self.supervision.has_keeper():
            return False
        order = random.Random(event.order)
        if event.hunted:
            self.await_unwritten(event)
            self.supervision.kill_with_keeper([], order, back_in_s=event.delay * 0.4)
        else:  # the keeper follows while nobody could replace it
            self.supervision.kill(back_in_s=event.delay * 0.4)
            time.sleep(event.length * 0.02)
            self.supervision.kill_keeper()
        self.churn.death()
        return self.lost_with(event.fault)

    def kill_all(self, event):
        if not self.supervision.serves() or not self.supervision.has_keeper():
            return False
        if event.hunted:
            self.await_unwritten(event)
        roles = [place for place in self.cast.places if place.alive()]
        self.supervision.kill_with_keeper([place.process.pid for place in roles], random.Random(event.order),
                                          back_in_s=event.delay * 0.4)
        for place in roles:
            self.cast.kill(place, event.length * 0.6)
        self.churn.death()
        return self.lost_with(event.fault)

    def await_unwritten(self, event):
        """Holds the supervisor until producers are ahead of it, for a moment at most."""
        self.supervision.pause()
        before = self.lookout.committed()
        deadline = time.monotonic() + 0.1 + event.length * 0.2
        while time.monotonic() < deadline and self.lookout.committed() <= before:
            pass

    def lost_with(self, fault):
        """Whether committed records went with it, storm_check will tell."""
        if not self.supervision.losses or self.supervision.losses[-1][1] is not None:
            self.problems.append(f'{fault.name}: the memory lived on')
        self.lost.append((fault, len(self.supervision.losses) - 1))
        return self.done(fault, False)

    def replace_ring(self, event):
        if not self.supervision.serves():
            return False
        behind = self.lookout.is_behind()
        topic = list(TOPICS)[event.victim % len(TOPICS)]
        self.rings += 1
        began = now_ns()
        child = self.bus.spawn('topic', 'alter', topic, '--ring', RINGS[(event.order + self.rings) % len(RINGS)],
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        self.altered.append((event.fault, child, began, behind))
        return self.done(event.fault, False)

    def fill_disk(self, event):
        """Everything that IN_MEMORY holds is written; then there is no room for more, for a while."""
        places = self.cast.of('producer', IN_MEMORY)
        refuses = self.refusals and self.refusals[-1][1] is None
        if refuses or not self.supervision.serves() or not all(place.plays() for place in places):
            return False
        pids = [place.process.pid for place in places]
        for place in places:
            self.cast.pause(place)
        begun = now_ns()
        written = any(self.lookout.is_written(IN_MEMORY) for _ in range(HUNT_TRIES))
        if written:
            self.disk.fill()
            self.supervision.disturbed_ns = now_ns()
            self.refusals.append([begun, None, event.fault])
        for place, pid in zip(places, pids):
            self.cast.resume(place, pid)
        if not written:
            return False
        suspended = self.supervision.suspended
        self.await_moment(lambda: self.supervision.suspended > suspended)
        self.later(event.length * 0.3, self.free_disk)
        return self.done(event.fault, False)

    def free_disk(self):
        self.disk.free()
        self.supervision.disturbed_ns = now_ns()
        seen = self.lookout.look(IN_MEMORY)
        if seen:
            self.await_written(sum(one['committed'] for one in seen))
        else:
            self.later(0.05, self.free_disk)

    def await_written(self, committed):
        """What had been committed when the disk had room again is in the log, or has left memory."""
        if self.lookout.written(IN_MEMORY) >= committed:
            self.refusals[-1][1] = now_ns()
        else:
            self.later(0.05, lambda: self.await_written(committed))
