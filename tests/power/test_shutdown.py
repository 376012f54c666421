"""Power is lost under a mounted file system, by the kernel's shutdown call, in the middle of all that a bus does."""

import contextlib
import os
import pathlib
import random
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from disk import Mounted, Scratch, make_image, skip_unless_mountable
from judge import judge, lost
from load import PROMISES_NOTHING, REVIVER, Load, judge_verified, revive, verify_logs
from notes import is_amid_replacement
from recorder import MOMENT
from syscall_filter import pretend

LONG = 'RINGWAY_TEST_LONG' in os.environ
SEED = int(os.environ.get('RINGWAY_TEST_SEED') or random.SystemRandom().randrange(1 << 31))
DISKS = 20 if LONG else 1
LOSSES = 5 if LONG else 3  # of each disk
PATIENCE_DISKS = 10       # until a supervisor that never syncs is found out
LOAD_SECONDS = 0.2, 1.2    # before a loss
BLIND_SECONDS = 0, 0.05    # between the loss and the end of all processes


def is_with_power(moment):
    """Odd moments are those between a loss of power and the end of the processes that lived on. The real thing has no
    such time; a kernel may call things done in it that never were (fdatasync of xfs does)."""
    return moment % 2 == 0


class Losses:
    """The cases, for each kind of file system."""

    def setUp(self):
        self.scratch = Scratch(1500)
        self.addCleanup(self.scratch.close)
        skip_unless_mountable(self.scratch, self.kind)
        self.random = random.Random(f'{SEED} {self.kind}')
        self.place = None

    @contextlib.contextmanager
    def new_disk(self, name, **options):
        """A load on an empty disk, that loses its power whenever it is asked to."""
        self.place = self.scratch.path / name
        (self.place / 'notes').mkdir(parents=True)
        moment = self.place / 'moment'
        moment.write_bytes(bytes(MOMENT.size))
        make_image(self.place / 'image', self.kind)
        load = Load(self.place / 'mounted' / 'state', self.place / 'notes', moment, self.random.random(), **options)
        with contextlib.closing(load):
            yield load
        (self.place / 'image').unlink()

    def live(self, load):
        """One life under load, from its start to the loss of power."""
        with contextlib.closing(Mounted(self.kind, self.place / 'image', self.place / 'mounted')) as mounted:
            try:
                if load.life == 0:
                    load.bus.start()
                    load.create_topics()
                    mounted.sync()
                else:
                    self.complaints += self.look(load)
                load.live(self.random.uniform(*LOAD_SECONDS))
                load.set_moment(2 * load.life - 1)
                mounted.cut_power()
                time.sleep(self.random.uniform(*BLIND_SECONDS))
            finally:
                load.kill_everything()

    def look(self, load):
        """What is wrong behind a loss, once the bus serves again."""
        load.set_moment(2 * load.life)
        told = load.read_notes().until(2 * load.life, promised=is_with_power)
        verified, complaints = verify_logs(load.bus, told)
        load.bus.start()
        reviver = REVIVER + load.life
        found, revival = revive(load.bus, self.place / 'notes' / f'revive-{reviver}', load.moment, reviver)
        complaints += judge(told, found, revival, PROMISES_NOTHING, self.buried) + judge_verified(verified, found)
        self.buried |= lost(told, found)
        if not complaints:
            complaints += verify_logs(load.bus, told)[1]
            load.bus.run('status')
        self.records = sum(len(topic.records) for topic in told.values())
        self.amid_replacement += is_amid_replacement(told)
        return complaints

    def lose(self, disk, losses, **options):
        self.complaints, self.buried, self.records, self.amid_replacement = [], set(), 0, 0
        with self.new_disk(f'disk-{disk}', **options) as load:
            for _ in range(losses + 1):  # the last life is there to look at what the one before left
                self.live(load)
                if self.complaints:
                    break

    def test_nothing_durable_is_lost_or_torn_and_no_offset_is_given_twice(self):
        losses, amid_replacement = 0, 0
        for disk in range(DISKS):
            self.lose(disk, LOSSES)
            losses += LOSSES
            amid_replacement += self.amid_replacement
            self.assertEqual(self.complaints, [], f'seed {SEED}, disk {disk}')
            self.assertGreater(self.records, 0)
            print(f'{self.kind}: {losses} losses of power, {amid_replacement} while a ring was being replaced; '
                  f'{self.records} records told', flush=True)


class OnExt4(Losses, unittest.TestCase):
    kind = 'ext4'

    def test_a_supervisor_that_calls_durable_what_it_never_synced_is_found_out(self):
        # A life ends at the first complaint, which may be of the catalog's settings only.
        for disk in range(PATIENCE_DISKS):
            self.lose(f'unsynced-{disk}', 3, env={'RINGWAY_WITHOUT': 'io_uring'}, before_exec=pretend('fdatasync'))
            if any(': lost: ' in line or 'was created, and is gone' in line for line in self.complaints):
                return
        self.fail(self.complaints)


class OnXfs(Losses, unittest.TestCase):
    kind = 'xfs'


if __name__ == '__main__':
    unittest.main()
