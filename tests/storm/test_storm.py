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
from storm import Storm
from verdict import FENCED, UNDER_CHURN, judge, report

LONG = bool(os.environ.get('RINGWAY_TEST_LONG'))
SECONDS = float(os.environ.get('RINGWAY_STORM_SECONDS', 600 if LONG else 14))
# What never hit in mid-operation has storms of its own to hit in.
MORE_STORMS = 4
MORE_SECONDS = 12
# Of each of four producers. What is published stays below a gigabyte.
RATE = 350_000 if LONG else 1_200_000


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
                missed = self.weather(seed + number, SECONDS, FAULTS)
                for again in range(MORE_STORMS):
                    if missed:
                        only = [fault for fault in FAULTS if fault.name in missed or
                                (UNDER_CHURN in missed and fault.name in ('supervisor killed', 'keeper killed')) or
                                (FENCED in missed and fault.name == 'producer stopped')]
                        missed &= self.weather(seed + number + 1000 * (again + 1), MORE_SECONDS, only)
                self.assertEqual(sorted(missed), [], 'never in mid-operation')

    def weather(self, seed, seconds, faults):
        print(f'RINGWAY_TEST_SEED={seed}', flush=True)
        bus = Bus()
        try:
            storm = Storm(bus, seed, seconds, RATE, faults)
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
            bus.close()


if __name__ == '__main__':
    unittest.main()
