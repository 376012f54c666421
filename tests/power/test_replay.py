"""Power is lost at the device: every write and flush of a real run is recorded, and the disk is built anew as it was at
any point of the record, also with some sectors only of what no flush had made safe."""

import collections
import concurrent.futures
import contextlib
import dataclasses
import os
import pathlib
import random
import shutil
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from bus import Bus
from disk import Mounted, RecordedDisk, Replay, Scratch, skip_unless_mountable
from judge import judge
from load import CONFIG, PROMISES_NOTHING, REVIVER, Load, judge_verified, revive, verify_logs
from notes import is_amid_replacement
from recorder import MOMENT

LONG = 'RINGWAY_TEST_LONG' in os.environ
SEED = int(os.environ.get('RINGWAY_TEST_SEED') or random.SystemRandom().randrange(1 << 31))
LOAD_SECONDS = 0.8  # of each life
WORKERS = 2


@dataclasses.dataclass(frozen=True)
class Point:
    """One way to lose power: so many entries of the recording took place. Of those behind the last flush the medium has
    all (as behind a flush, where there are none), some sectors, or nothing."""
    entries: int
    kind: str  # flush, all, some, nothing

    def __str__(self):
        return f'{self.kind} at entry {self.entries}'


class Losses:
    """The cases, for each kind of file system. One recording serves them all."""

    @classmethod
    def setUpClass(cls):
        cls.scratch = Scratch(2500)
        cls.addClassCleanup(cls.scratch.close)
        skip_unless_mountable(cls.scratch, cls.kind)
        cls.random = random.Random(f'{SEED} {cls.kind}')
        cls.disk, cls.notes = cls.record()

    @classmethod
    def record(cls):
        """A few lives of a bus: the disk they were recorded on, and the notes of its clients."""
        disk = RecordedDisk(cls.scratch.path / 'recorded', cls.kind)
        notes = cls.scratch.path / 'notes'
        notes.mkdir()
        with contextlib.closing(disk):
            load = Load(disk.mounted.path / 'state', notes, disk.moment, cls.random.random())
            with contextlib.closing(load):
                try:
                    cls.live(load)
                finally:
                    load.kill_everything()
        return disk, load.read_notes()

    @staticmethod
    def live(load):
        load.bus.start()
        load.create_topics()
        load.live(LOAD_SECONDS)
        load.end_clients()
        if load.bus.stop() != 0:
            raise AssertionError(f'no orderly stop: {load.bus.log.read_text()[-3000:]}')
        load.bus.start()
        load.live(LOAD_SECONDS)
        load.end_clients('churn')
        load.bus.restart()
        time.sleep(LOAD_SECONDS)
        load.check_alive()

    def choose(self, replay):
        """Every flush, and points between with all and with some of what was written since; a sample of them."""
        flushes = [Point(index + 1, 'flush') for index in replay.flushes]
        between = [Point(index, kind) for index in range(1, len(replay.entries) + 1) for kind in ('all', 'some')
                   if index - replay.last_flush(index) > 1]
        if LONG:
            return flushes + between
        return self.sample(flushes, self.points // 3) + self.sample(between, self.points * 2 // 3)

    def sample(self, points, count):
        return self.random.sample(points, min(len(points), count))

    def lose(self, replay, points, safe=Replay.last_flush):
        """What is wrong behind a loss at each of these points, a line each. `safe` says how many entries the disk kept
        for certain, of those that took place."""
        complaints = []
        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            looks = collections.deque()
            for number, point in enumerate(sorted(points, key=lambda point: point.entries)):
                if len(looks) > WORKERS:
                    complaints += looks.popleft().result()
                place = self.scratch.path / f'point-{number}'
                place.mkdir()
                replay.go_to(safe(replay, point.entries))
                until = replay.at if point.kind == 'nothing' else point.entries
                replay.image(place / 'image', until, f'{SEED} {point}' if point.kind == 'some' else None)
                looks.append(pool.submit(self.look, place, point, self.notes.until(point.entries), number))
            for look in looks:
                complaints += look.result()
        return complaints

    def look(self, place, point, told, number):
        """What is wrong with one image, now that a bus serves on it."""
        try:
            with contextlib.closing(Mounted(self.kind, place / 'image', place / 'mounted')), \
                    contextlib.closing(Bus(CONFIG, state_dir=place / 'mounted' / 'state')) as bus:
                try:
                    complaints = self.look_at(bus, place, told, number)
                finally:
                    bus.kill()
                    bus.kill_keeper()
        except Exception as error:
            complaints = [f'{error}']
        finally:
            shutil.rmtree(place)
        return [f'{point}: {complaint}' for complaint in complaints]

    def look_at(self, bus, place, told, number):
        (place / 'moment').write_bytes(bytes(MOMENT.size))
        there = {name for name, topic in told.items() if topic.state == 'created'}
        verified, complaints = verify_logs(bus, there)
        bus.start()
        found, revival = revive(bus, place / 'revived', place / 'moment', REVIVER + number)
        complaints += judge(told, found, revival, PROMISES_NOTHING) + judge_verified(verified, found)
        if not complaints:
            complaints += verify_logs(bus, there)[1]
            bus.run('status')
        return complaints

    def test_nothing_durable_is_lost_or_torn_whatever_reached_the_medium(self):
        replay = Replay(self.disk)
        points = self.choose(replay)
        begin = time.monotonic()
        self.assertEqual(self.lose(replay, points), [], f'seed {SEED}')
        self.assertGreaterEqual(len(points), self.points)
        amid_replacement = sum(is_amid_replacement(self.notes.until(point.entries)) for point in points)
        self.assertGreater(amid_replacement, 0)
        print(f'{self.kind}: {len(replay.entries)} entries, {len(replay.flushes)} flushes; {len(points)} points, '
              f'{amid_replacement} while a ring was being replaced, in {time.monotonic() - begin:.1f} s', flush=True)


class OnExt4(Losses, unittest.TestCase):
    kind = 'ext4'
    points = 48

    def test_a_disk_that_forgets_what_it_flushed_is_found_out(self):
        def half(replay, point):
            flushes = [index + 1 for index in replay.flushes if index < point]
            return flushes[len(flushes) // 2]

        replay = Replay(self.disk)
        points = [Point(replay.flushes[-1] + 1, 'nothing')]
        complaints = self.lose(replay, points, safe=half)
        self.assertTrue(any(': lost: ' in complaint for complaint in complaints), complaints)


class OnXfs(Losses, unittest.TestCase):
    kind = 'xfs'
    points = 12


if __name__ == '__main__':
    unittest.main()
