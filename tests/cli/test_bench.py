"""`ringway bench`: what it prints, and that nothing is left behind of what it started."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from bus import command_line, pids, wait_until

SMALL = ('--runs', '2', '--ring', '64K')
SHAPE = ('--topics', '2', '--partitions', '3')


class Bench(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        # On a disk, as TMPDIR may not be.
        place = tempfile.TemporaryDirectory(dir='/var/tmp')
        self.addCleanup(place.cleanup)
        self.place = pathlib.Path(place.name)
        self.env = {**os.environ, 'TMPDIR': place.name}

    def spawn(self, *words):
        return subprocess.Popen([os.environ['RINGWAY'], 'bench', *words], env=self.env, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run_bench(self, *words, status=0):
        child = self.spawn(*words)
        out, err = child.communicate(timeout=240)
        self.assertEqual(child.returncode, status, err)
        self.assert_nothing_is_left()
        return out if status == 0 else err

    def results(self, *words):
        return json.loads(self.run_bench(*words, '--output', 'json'))

    def mine(self):
        return [pid for pid in pids() if any(self.place.name in word for word in command_line(pid))]

    def assert_nothing_is_left(self):
        self.assertEqual(list(self.place.iterdir()), [])
        self.assertEqual(self.mine(), [])

    def assert_is_result(self, result, name, samples, runs=2):
        self.assertEqual(result['name'], name)
        self.assertEqual(result['samples'], samples * runs)
        self.assertEqual([run['samples'] for run in result['runs']], [samples] * runs)
        self.assertEqual(result['better'], 'lower')
        self.assertEqual(result['settings']['ring_bytes'], 65536)
        for figures in (result, *result['runs']):
            # 0 of repair: this machine let the measuring process wait until all was over.
            self.assertLessEqual(0, figures['p50_ns'])
            self.assertLessEqual(figures['p50_ns'], figures['p99_ns'])
            self.assertLessEqual(figures['p99_ns'], figures['max_ns'])

    def test_repair(self):
        (result,) = self.results('repair', '--kills', '5', *SMALL)
        self.assert_is_result(result, 'repair', 5)
        self.assertEqual(result['target'], 1_000_000)
        judged = sorted(run['p99_ns'] for run in result['runs'])[0]
        self.assertEqual((result['target_of'], result['judged']), ('p99_ns', judged))
        self.assertIs(result['pass'], judged < 1_000_000)
        self.assertLess(result['p50_ns'], result['from_kill']['p50_ns'])

    def test_restart(self):
        killed, stopped = self.results('restart', '--restarts', '2', '--rate', '5000', *SHAPE, *SMALL)
        self.assert_is_result(killed, 'restart', 2)
        self.assert_is_result(stopped, 'restart_orderly', 2)
        self.assertEqual(killed['settings']['partitions'], 6)
        self.assertEqual(killed['target'], 300_000_000)
        self.assertNotIn('target', stopped)
        for result in (killed, stopped):
            for series in ('new_client', 'old_client', 'ended', 'producer_pause', 'consumer_pause'):
                self.assertEqual(result[series]['samples'], 4)
                self.assertLess(0, result[series]['p50_ns'])
            slower = [max(run['new_client']['max_ns'], run['old_client']['max_ns']) for run in result['runs']]
            self.assertEqual([run['max_ns'] for run in result['runs']], slower)

    def test_one_kind_of_restart_alone(self):
        (result,) = self.results('restart', '--ending', 'orderly', '--restarts', '1', '--rate', '1000', *SHAPE, *SMALL)
        self.assert_is_result(result, 'restart_orderly', 1)

    def test_adopt(self):
        (result,) = self.results('adopt', '--starts', '3', *SHAPE, *SMALL)
        self.assert_is_result(result, 'adopt', 3)

    def test_the_table_names_settings_target_and_verdict(self):
        out = self.run_bench('repair', '--kills', '2', *SMALL)
        self.assertRegex(out, r'(?s)kills 2, .*ring 64 KiB.*\nall +readable pidfd to record seen +4 .*'
                              r'\ntarget: p99 below 1 ms: (pass|miss) \(')

    def test_a_signal_ends_it_and_leaves_nothing(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(signal=number), self.spawn('restart', '--restarts', '1000', *SHAPE, *SMALL) as child:
                wait_until(lambda: len(self.mine()) > 1, 'a supervisor and its keeper')
                child.send_signal(number)
                child.communicate(timeout=60)
                self.assertEqual(child.returncode, -number)
                self.assert_nothing_is_left()

    def test_a_bus_that_somebody_uses_is_refused(self):
        self.assertIn('a bus of its own', self.run_bench('repair', '--socket', '/run/x.sock', status=2))

    def test_a_missing_daemon_is_named(self):
        self.assertIn('/no/ringwayd', self.run_bench('adopt', '--daemon', '/no/ringwayd', *SMALL, status=1))


if __name__ == '__main__':
    unittest.main()
