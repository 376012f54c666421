"""Nothing is lost, doubled or reordered, and nobody hangs, whoever is killed, stopped or restarted, in whichever order.

RINGWAY_TEST_SEED repeats the schedule of a storm; RINGWAY_TEST_LONG=1 makes it three storms of ten minutes.
"""

import os
import pathlib
import random
import shutil
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from bus import Bus
from faults import FAULTS, schedule
from small_disk import private_mounts
from storm import Storm
from verdict import FENCED, UNDER_CHURN, judge, report

LONG = bool(os.environ.get('RINGWAY_TEST_LONG'))
SECONDS = float(os.environ.get('RINGWAY_STORM_SECONDS', 600 if LONG else 14))
# What never hit in mid-operation has storms of its own to hit in.
MORE_STORMS = 4
MORE_SECONDS = 6
# Of each of five producers, in bytes a second: a gigabyte of records in ten minutes.
RATE = 350_000 if LONG else 1_200_000


def mounts():
    """Why there can be no disk that is filled; None: there can."""
    if os.geteuid() != 0:
        return 'needs root to mount a file system'
    try:
        return private_mounts()
    except OSError as refused:
        return f'no mount namespace of its own: {refused}'


NO_DISK = mounts()
WEATHER = [fault for fault in FAULTS if NO_DISK is None or fault.action != 'fill_disk']


class Disks(unittest.TestCase):
    def test_storms_have_a_disk_that_is_filled(self):
        if NO_DISK is not None:
            self.skipTest(NO_DISK)
        self.assertEqual(WEATHER, list(FAULTS))


class Schedules(unittest.TestCase):
    def test_a_seed_reproduces_the_schedule_of_faults(self):
        self.assertEqual(schedule(5, 60), schedule(5, 60))
        self.assertNotEqual(schedule(5, 60), schedule(6, 60))
        self.assertEqual({event.fault for event in schedule(5, 60)}, set(FAULTS))


class Storms(unittest.TestCase):
    def test_nothing_is_lost_doubled_reordered_or_hung(self):
        seed = int(os.environ.get('RINGWAY_TEST_SEED') or random.SystemRandom().randrange(1 << 31))
        for number in range(3 if LONG else 1):
            with self.subTest(seed=seed + number):
                missed = self.weather(seed + number, SECONDS, WEATHER)
                for again in range(MORE_STORMS):
                    if missed:
                        only = [fault for fault in WEATHER if fault.name in missed or
                                (UNDER_CHURN in missed and fault.name in ('supervisor killed', 'keeper killed')) or
                                (FENCED in missed and fault.name == 'producer stopped')]
                        missed &= self.weather(seed + number + 1000 * (again + 1), MORE_SECONDS, only)
                self.assertEqual(sorted(missed), [], 'never in mid-operation')

    def weather(self, seed, seconds, faults):
        print(f'RINGWAY_TEST_SEED={seed}', flush=True)
        bus = Bus()
        storm = Storm(bus, seed, seconds, RATE, faults)
        try:
            storm.run()
            print(report(storm, judge(storm)), flush=True)
            if storm.problems and (kept := os.environ.get('RINGWAY_STORM_KEEP')):
                shutil.copytree(bus.root, kept, symlinks=True, dirs_exist_ok=True,
                                ignore=lambda _, names: [name for name in names if name.endswith('.sock')])
            self.assertEqual(storm.problems, [], '\n'.join(map(str, storm.problems)))
            return storm.missed
        except TimeoutError as error:
            raise AssertionError('\n'.join([str(error), *storm.cast.problems, *storm.problems])) from error
        finally:
            storm.close()
            bus.close()


if __name__ == '__main__':
    unittest.main()
