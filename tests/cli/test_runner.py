"""The runner itself: what it counts, what it kills, what it leaves."""

import contextlib
import io
import os
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
import runner
import watch


class Counting(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.grace, watch.GRACE_SECONDS = watch.GRACE_SECONDS, 0.5

    @classmethod
    def tearDownClass(cls):
        watch.GRACE_SECONDS = cls.grace

    def setUp(self):
        self.runner = runner.Runner(['unit'], ['unit'], long=False)
        self.tally = self.runner.tally

    def run_script(self, script, timeout=60):
        test = {'name': 'script', 'cmd': ['bash', '-c', script], 'env': {}, 'workdir': None, 'timeout': timeout}
        with contextlib.redirect_stdout(io.StringIO()) as shown:
            self.runner.run_test('unit', test, runner.Build(()))
        return shown.getvalue()

    def verdict(self, line):
        """Of a test that reports this one case and ends with 0."""
        self.run_script(f'printf "STARTED a: b\\n{line}\\n" >>"$RINGWAY_TEST_RESULT"')
        return self.tally.passed, self.tally.failed, self.tally.skipped

    def test_a_passed_case_counts(self):
        self.assertEqual(self.verdict('PASSED a: b'), (1, [], []))

    def test_a_failed_case_counts_whatever_the_exit_status(self):
        self.assertEqual(self.verdict('FAILED a: b'), (0, ['unit: a: b'], []))

    def test_a_skip_is_neither_passed_nor_failed(self):
        self.assertEqual(self.verdict('SKIPPED a: b\\tno loop: devices'), (0, [], ['unit: a: b: no loop: devices']))

    def test_a_test_without_cases_is_one_by_its_exit_status(self):
        self.run_script('exit 0')
        self.run_script('exit 77')
        shown = self.run_script('echo because; exit 3')
        self.assertEqual(self.tally.passed, 1)
        self.assertEqual(self.tally.skipped, ['unit: script: exit status 77'])
        self.assertEqual(self.tally.failed, ['unit: script ended with exit status 3'])
        self.assertIn('because', shown)

    def test_the_case_a_test_died_in_is_named_once(self):
        self.run_script('printf "STARTED a\\nPASSED a\\nSTARTED b\\n" >>"$RINGWAY_TEST_RESULT"; kill -SEGV $$')
        self.assertEqual(self.tally.passed, 1)
        self.assertEqual(self.tally.failed, ['unit: b (unit: script ended with SIGSEGV)'])

    def test_an_end_between_cases_is_a_failure_too(self):
        self.run_script('printf "STARTED a\\nPASSED a\\n" >>"$RINGWAY_TEST_RESULT"; kill -KILL $$')
        self.assertEqual(self.tally.failed, ['unit: script ended with SIGKILL'])

    def test_what_hangs_is_killed_with_everything_it_started(self):
        shown = self.run_script('echo last words; setsid sleep 1000 & sleep 1000', timeout=1)
        self.assertEqual(self.tally.failed, ['unit: script was killed by the watchdog after 1 s'])
        self.assertIn('last words', shown)
        self.assertEqual(watch.descendants(), [])

    def test_a_process_left_behind_is_a_failure_and_is_killed(self):
        self.run_script('(setsid sleep 1000 &)')
        self.assertEqual(len(self.tally.failed), 1)
        self.assertIn('sleep 1000', self.tally.failed[0])
        self.assertEqual(watch.descendants(), [])

    def test_a_test_sees_no_bus_of_the_caller_and_leaves_no_files(self):
        os.environ['RINGWAY_SOCKET'] = '/caller'
        self.addCleanup(os.environ.pop, 'RINGWAY_SOCKET')
        shown = self.run_script('touch $TMPDIR/left; echo "$TMPDIR,$XDG_RUNTIME_DIR,${RINGWAY_SOCKET-none}"; exit 1')
        directory, runtime, socket = shown.splitlines()[0].strip().split(',')
        self.assertEqual(socket, 'none')
        self.assertEqual(pathlib.Path(directory).parent, pathlib.Path(runtime).parent)
        self.assertFalse(pathlib.Path(directory).parent.exists())


if __name__ == '__main__':
    unittest.main()
