"""The runner itself: what it counts, what it kills, what it leaves."""

import contextlib
import io
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SUPPORT = ROOT / 'tests/support'
sys.path.insert(0, str(SUPPORT))
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

    def test_cases_may_be_under_way_at_once_also_of_one_name(self):
        lines = '"STARTED a" "STARTED b" "STARTED a" "PASSED a" "PASSED b"'
        self.run_script(f'printf "%s\\n" {lines} >>"$RINGWAY_TEST_RESULT"; exit 1')
        self.assertEqual(self.tally.passed, 2)
        self.assertEqual(self.tally.failed, ['unit: a (unit: script ended with exit status 1)'])

    def test_an_end_between_cases_is_a_failure_too(self):
        self.run_script('printf "STARTED a\\nPASSED a\\n" >>"$RINGWAY_TEST_RESULT"; kill -KILL $$')
        self.assertEqual(self.tally.failed, ['unit: script ended with SIGKILL'])

    def test_what_hangs_is_killed_with_everything_it_started(self):
        shown = self.run_script('echo last words; setsid sleep 1000 & sleep 1000', timeout=1)
        self.assertEqual(self.tally.failed, ['unit: script was killed by the watchdog after 1 s'])
        self.assertIn('last words', shown)
        self.assertRegex(shown, r'sleep 1000\n +\d+ sleep S \w+ \d+')  # where it stood
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


class AtOnce(unittest.TestCase):
    """run_cases.py --at-once: the module lies in a directory that its cases meet in."""

    CASES = '''
import pathlib
import time
import unittest

HERE = pathlib.Path(__file__).parent

def meet(mine, other):
    (HERE / mine).touch()
    while not (HERE / other).exists():
        time.sleep(0.01)

class Cases(unittest.TestCase):
    def test_left(self): meet('left', 'right')
    def test_right(self): meet('right', 'left')
    def test_bad(self): self.fail('of course')
    def test_not_here(self): self.skipTest('no left')
'''

    def run_module(self, text):
        """The exit status, the reported lines in order, and standard error."""
        with tempfile.TemporaryDirectory() as directory:
            module, result = pathlib.Path(directory) / 'module.py', pathlib.Path(directory) / 'result'
            module.write_text(text)
            ended = subprocess.run([sys.executable, '-B', SUPPORT / 'run_cases.py', '--at-once=3', module],
                                   env=dict(os.environ, RINGWAY_TEST_RESULT=str(result)), capture_output=True,
                                   text=True, timeout=60, check=False)
            return ended.returncode, sorted(runner.read_cases(result)), ended.stderr

    def test_cases_are_played_at_once_each_of_them_once(self):
        status, cases, shown = self.run_module(self.CASES)
        self.assertEqual(status, 1)
        self.assertEqual(cases, [['bad', 'FAILED', ''], ['left', 'PASSED', ''], ['not here', 'SKIPPED', 'no left'],
                                 ['right', 'PASSED', '']])
        self.assertRegex(shown, r'(?m)^test_left \(.*\) \.\.\. ok$')
        self.assertIn('AssertionError: of course', shown)
        self.assertEqual(self.run_module(self.CASES.replace("self.fail('of course')", 'pass'))[0], 0)

    def test_what_a_module_refuses_is_told_once(self):
        status, cases, _ = self.run_module(
            self.CASES + "\ndef setUpModule(): raise unittest.SkipTest('not as this user')\n")
        self.assertEqual((status, [case[1:] for case in cases]), (0, [['SKIPPED', 'not as this user']]))

    def test_a_lane_that_dies_leaves_its_case_open_and_fails(self):
        status, cases, _ = self.run_module(self.CASES.replace("self.fail('of course')", '__import__("os")._exit(3)'))
        self.assertIn(['bad', 'STARTED', ''], cases)
        self.assertEqual(status, 1)


class LastLines(unittest.TestCase):
    """What a run ends with, from what its tally and clock hold."""

    def last_lines(self, passed=1, failed=(), skipped=(), seconds=None):
        ended = runner.Runner(['unit', 'power'], [], long=False)
        ended.tally.passed, ended.tally.failed, ended.tally.skipped = passed, list(failed), list(skipped)
        ended.seconds.update(seconds or {})
        with contextlib.redirect_stdout(io.StringIO()) as shown:
            self.status = ended.end()
        return shown.getvalue().splitlines()

    def test_the_very_last_line_counts_passed_and_failed_only(self):
        self.assertEqual(self.last_lines(2, ['unit: b'], ['power: a: no FUSE'])[-1], '2 passed, 1 failed')
        self.assertEqual(self.status, 1)
        self.assertEqual(self.last_lines(2)[-1], '2 passed, 0 failed')
        self.assertEqual(self.status, 0)

    def test_what_was_skipped_is_counted_by_suite_before_the_last_line(self):
        skipped = ['power: a: no FUSE', 'power: b: no FUSE', 'unit: c: no clock']
        lines = self.last_lines(skipped=skipped)
        who = ' as root' if os.geteuid() == 0 else ''
        self.assertEqual(lines[-2], f'3 skipped{who}: 2 of power, 1 of unit')
        self.assertLess(lines.index('SKIPPED power: b: no FUSE'), len(lines) - 2)
        self.assertFalse([line for line in self.last_lines() if 'skipped' in line])

    def test_a_suite_over_its_budget_is_flagged(self):
        lines = self.last_lines(seconds={'unit': 100, 'cli': 30, 'power': 59})
        self.assertEqual([line.split()[0] for line in lines if line.endswith('OVER')], ['unit'])

    def test_a_whole_run_over_its_budget_is_flagged_also_where_no_suite_is(self):
        suites = {'unlisted': runner.BUDGET_OF_ALL}
        self.assertFalse([line for line in self.last_lines(seconds=suites) if line.endswith('OVER')])
        lines = self.last_lines(seconds={**suites, 'unit': 1})
        self.assertEqual([line.split()[0] for line in lines if line.endswith('OVER')], ['all'])


class Script(unittest.TestCase):
    """tests/run itself, in a tree of its own with tests of two suites."""

    def setUp(self):
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.tree = pathlib.Path(place.name)
        (self.tree / 'tests/support').mkdir(parents=True)
        (self.tree / 'tools').mkdir()
        shutil.copy(ROOT / 'tests/run', self.tree / 'tests')
        for name in ('runner.py', 'watch.py'):
            shutil.copy(SUPPORT / name, self.tree / 'tests/support')
        (self.tree / 'tools/packages.bash').write_text('require_packages() { echo "required: $*"; }\n')
        (self.tree / 'meson_options.txt').write_text("option('tests', type: 'boolean')\n")
        (self.tree / 'meson.build').write_text(
            "project('little', 'cpp')\n"
            "good = executable('good', 'good.cpp')\n"
            "test('good', good, suite: 'unit')\n"
            "test('bad', find_program('false'), suite: 'cli')\n")
        (self.tree / 'good.cpp').write_text('int main() {}\n')

    def run_script(self, *words, status):
        """What it printed, without blanks around a line."""
        done = subprocess.run(['./tests/run', *words], cwd=self.tree, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=100, check=False)
        self.assertEqual(done.returncode, status, done.stdout)
        return [line.strip() for line in done.stdout.splitlines()]

    def test_it_builds_and_runs_the_suites_that_are_named(self):
        said = self.run_script('unit', status=0)
        self.assertEqual((said[0], said[-1]), ('required: build test', '1 passed, 0 failed'))
        self.assertEqual({path.name for path in self.tree.iterdir()} - {'build-tests'},
                         {'meson.build', 'meson_options.txt', 'good.cpp', 'tests', 'tools'})
        said = self.run_script('cli', 'unit', status=1)
        self.assertEqual(said[-2:], ['FAILED cli: bad ended with exit status 1', '1 passed, 1 failed'])

    def test_a_name_that_is_no_suite_is_a_usage_error(self):
        self.assertEqual(self.run_script('unti', status=2)[0], "tests/run: 'unti' is no suite")
        self.assertFalse((self.tree / 'build-tests').exists())


if __name__ == '__main__':
    unittest.main()
