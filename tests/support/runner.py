"""Builds and runs the suites; tests/run calls it once everything it needs is installed.

A test is what meson.build declares with test(): its suite labels, environment and timeout count. It gets
a directory of its own, and names in RINGWAY_TEST_RESULT a line for each case: STARTED, PASSED, FAILED or
SKIPPED, then the name (for a skip, a tab and the reason). A test that writes no line is one case, judged by its exit
status, where 77 is a skip.
"""

import argparse
import collections
import contextlib
import dataclasses
import fcntl
import json
import os
import pathlib
import shutil
import signal
import sys
import tempfile
import time

from watch import Watch

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILDS = ROOT / 'build-tests'
TAIL_LINES = 200
LONG_FACTOR = 20


@dataclasses.dataclass(frozen=True)
class Build:
    options: tuple
    slowdown: int = 1  # what watchdogs are multiplied with
    env: tuple = ()


COMPILE_ONLY = 'clang'
SYMBOLIZER = 'external_symbolizer_path=/usr/bin/addr2line'
CONFIGURATIONS = {
    'plain': Build(('-Dbuildtype=release',)),
    # With clang, which takes 0.6 of the time g++ does over such a build. Who names the lines in a report is
    # binutils', which g++ brings; clang's own is another package.
    'asan': Build(('-Db_sanitize=address,undefined', '-Db_lundef=false', '-Doptimization=0', '-Dcpp_args=-g1'), 4,
                  (('CXX', 'clang++-19'),
                   ('ASAN_OPTIONS', f'detect_stack_use_after_return=1:{SYMBOLIZER}'),
                   ('UBSAN_OPTIONS', f'halt_on_error=1:print_stacktrace=1:{SYMBOLIZER}'))),
    'tsan': Build(('-Db_sanitize=thread', '-Doptimization=1', '-Dcpp_args=-g1'), 10,
                  (('TSAN_OPTIONS', 'halt_on_error=1:second_deadlock_stack=1'),)),
    # Only what the targets need is built: with clang, and counting what is reached.
    'fuzz': Build(('-Dfuzz=true', '-Db_sanitize=address,undefined', '-Db_lundef=false', '-Doptimization=1',
                   '-Dcpp_args=-g1 -fsanitize=fuzzer-no-link -fno-sanitize-recover=all'), 1,
                  (('CXX', 'clang++-19'),)),
    COMPILE_ONLY: Build(('-Dtests=false', '-Doptimization=0'), 1, (('CXX', 'clang++-19'),)),
}


# What a whole run may take on two cores, in seconds; what is over gets quicker, not skipped.
BUDGETS = (
    (('builds',), 480),
    (('unit', 'cli'), 120),
    (('model',), 120),
    (('process', 'stress'), 180),
    (('proof',), 240),
    (('storm',), 60),
    (('fault',), 60),
    (('power',), 60),
    (('hostile',), 60),
    (('fuzz',), 180),
)
BUDGET_OF_ALL = 45 * 60


class Tally:
    def __init__(self):
        self.passed = 0
        self.failed = []
        self.skipped = []

    def fail(self, line):
        self.failed.append(line)

    def done(self):
        return self.passed + len(self.failed)


class Runner:
    def __init__(self, known, wanted, long):
        self.known, self.wanted, self.long = known, wanted, long
        self.tally = Tally()
        self.watch = Watch()
        self.seconds = collections.Counter()  # by suite, and of the builds

    def run(self):
        BUILDS.mkdir(exist_ok=True)
        with locked(BUILDS):
            plain = [suite for suite in self.known if suite not in CONFIGURATIONS]
            if not self.wanted or set(self.wanted) & set(plain):
                self.run_build('plain', [s for s in plain if not self.wanted or s in self.wanted])
            for name in CONFIGURATIONS:
                if name != 'plain' and (not self.wanted or name in self.wanted):
                    self.run_build(name, [name])
        return self.end()

    def end(self):
        """Prints what came of it; the exit status."""
        self.print_times()
        for line in self.tally.skipped:
            print(f'SKIPPED {line}')
        for line in self.tally.failed:
            print(f'FAILED {line}')
        self.print_skipped()
        print(f'{self.tally.passed} passed, {len(self.tally.failed)} failed', flush=True)
        return 0 if self.tally.passed and not self.tally.failed else 1

    def print_times(self):
        budgeted = set()
        print('seconds')
        for suites, budget in BUDGETS:
            budgeted |= set(suites)
            spent = sum(self.seconds[suite] for suite in suites)
            if spent:
                print_time(' + '.join(suites), spent, budget)
        for suite, spent in self.seconds.items():
            if suite not in budgeted:
                print(f'  {suite:18} {spent:6.0f}')
        print_time('all', sum(self.seconds.values()), BUDGET_OF_ALL)

    def print_skipped(self):
        """How many in each suite: to root, whom little is refused, they are what this machine lacks."""
        if not self.tally.skipped:
            return
        suites = collections.Counter(line.partition(':')[0] for line in self.tally.skipped)
        who = ' as root' if os.geteuid() == 0 else ''
        print(f'{len(self.tally.skipped)} skipped{who}: '
              + ', '.join(f'{count} of {suite}' for suite, count in suites.items()))

    def run_build(self, name, suites):
        """Builds configuration `name` and runs the tests of these suites in it."""
        tests = self.build(name, suites)
        if name == COMPILE_ONLY:
            self.tally.passed += tests is not None
            return
        for suite in suites:
            before = self.tally.done()
            chosen = [test for test in tests or [] if suite in test['labels']]
            if chosen:
                print(f'{suite}', flush=True)
            for test in chosen:
                self.run_test(suite, test, CONFIGURATIONS[name])
            if suite in self.wanted and self.tally.done() == before:
                self.tally.fail(f'{suite}: nothing ran')

    def build(self, name, suites):
        """Returns the tests of the configuration, or None when it does not build."""
        directory, build = BUILDS / name, CONFIGURATIONS[name]
        options = ['-Dtests=true', '-Dwerror=true', '-Db_colorout=auto', *build.options]
        env = dict(os.environ, **dict(build.env))
        if 'CXX' in dict(build.env) and shutil.which('ccache'):
            env['CXX'] = 'ccache ' + env['CXX']
        print(f'build {name} …', flush=True)
        start = time.monotonic()

        stamp = directory / 'options'
        if not stamp.exists() or stamp.read_text() != ' '.join(options):
            shutil.rmtree(directory, ignore_errors=True)
            if not self.step(name, ['meson', 'setup', *options, directory, ROOT], env):
                return None
            stamp.write_text(' '.join(options))
        ninja = ['ninja', '-C', directory, f'-j{len(os.sched_getaffinity(0))}']
        if not self.step(name, [*ninja, 'build.ninja'], env):
            return None
        tests, targets = self.introspect(directory)
        # One suite needs only what its tests depend on; all of them, and every warning, need everything.
        needed = []
        if name != COMPILE_ONLY and (self.wanted or name != 'plain'):
            ids = {id for test in tests if test['labels'] & set(suites) for id in test['depends']}
            needed = [os.path.relpath(file, directory) for id in sorted(ids) for file in targets[id]]
            if not needed and not any(test['labels'] & set(suites) for test in tests):
                return tests
        if not self.step(name, [*ninja, *needed], env):
            return None
        # The fuzz targets' own build counts with their suite, as the budgets have it.
        self.seconds['fuzz' if name == 'fuzz' else 'builds'] += time.monotonic() - start
        print(f'build {name}: {time.monotonic() - start:.1f} s', flush=True)
        return tests

    def introspect(self, directory):
        info = directory / 'meson-info'
        tests = json.loads((info / 'intro-tests.json').read_text())
        for test in tests:
            test['labels'] = {label.split(':')[-1] for label in test['suite']}
            if not test['labels'] & set(self.known):
                self.tally.fail(f'{test["name"]}: declared in no known suite')
        targets = json.loads((info / 'intro-targets.json').read_text())
        return tests, {target['id']: target['filename'] for target in targets}

    def step(self, name, command, env):
        with tempfile.TemporaryFile() as output:
            status, _ = self.watch.run(list(map(str, command)), env=env, cwd=ROOT, output=output, timeout=0)
            if status != 0:
                show(output)
                self.tally.fail(f'build {name}')
            return status == 0

    def run_test(self, suite, test, build):
        timeout = max(0, test['timeout'] or 0) * build.slowdown * (LONG_FACTOR if self.long else 1)
        with tempfile.TemporaryDirectory(prefix='rw-', ignore_cleanup_errors=True) as private:
            private = pathlib.Path(private)
            result, output_path = private / 'result', private / 'output'
            start = time.monotonic()
            with open(output_path, 'w+b') as output:
                status, left = self.watch.run(test['cmd'], env=self.environment(test, build, private),
                                              cwd=test['workdir'] or private, output=output, timeout=timeout)
                seconds = time.monotonic() - start
                self.seconds[suite] += seconds
                cases = read_cases(result)
                complaint = f'{suite}: {test["name"]}'
                if status is None:
                    complaint += f' was killed by the watchdog after {timeout} s'
                elif left:
                    complaint += ' left processes behind: ' + '; '.join(left)
                elif status != 0:
                    complaint += f' ended with {describe(status)}'
                bad = self.count(suite, test, cases, status, left, complaint)
                if bad:
                    show(output)
            print(f'  {"FAILED" if bad else "ok":6}  {test["name"]:32} {len(cases) or 1:5} cases {seconds:8.1f} s',
                  flush=True)

    def count(self, suite, test, cases, status, left, complaint):
        """Adds the test's cases to the tally; True when one of them, or the test as a whole, failed."""
        before = len(self.tally.failed)
        for name, word, reason in cases:
            if word == 'PASSED':
                self.tally.passed += 1
            elif word == 'SKIPPED':
                self.tally.skipped.append(f'{suite}: {name}: {reason}')
            else:
                self.tally.fail(f'{suite}: {name}' + (f' ({complaint})' if word == 'STARTED' else ''))
        if not cases and status == 77 and not left:
            self.tally.skipped.append(f'{suite}: {test["name"]}: exit status 77')
        elif len(self.tally.failed) == before and (status != 0 or left):
            self.tally.fail(complaint)
        elif not cases:
            self.tally.passed += 1
        return len(self.tally.failed) > before

    def environment(self, test, build, private):
        """The caller's, but nothing in it leads to the caller's own bus, or its configuration."""
        env = {**os.environ, **dict(build.env), **test['env'], 'TMPDIR': str(private / 'tmp'),
               'XDG_RUNTIME_DIR': str(private / 'run'), 'XDG_STATE_HOME': str(private / 'state'),
               'RINGWAYD_CONFIG': '',
               'RINGWAY_TEST_RESULT': str(private / 'result'), 'PYTHONDONTWRITEBYTECODE': '1'}
        env.pop('RINGWAY_SOCKET', None)
        if self.long:
            env['RINGWAY_TEST_LONG'] = '1'
        private.chmod(0o755)  # a test may have something run by another user
        for name, mode in (('tmp', 0o755), ('run', 0o700), ('state', 0o700)):
            (private / name).mkdir(mode=mode)
        return env


def print_time(what, spent, budget):
    print(f'  {what:18} {spent:6.0f} of {budget}{"  OVER" if spent > budget else ""}')


def read_cases(path):
    """[name, last word, reason] of each case; a case in the middle of which the test died stays STARTED."""
    cases = []
    with contextlib.suppress(FileNotFoundError):
        for line in path.read_text(errors='replace').splitlines():
            word, _, name = line.partition(' ')
            name, _, reason = name.partition('\t')
            if word != 'STARTED' and [name, 'STARTED', ''] in cases:  # others may be under way at once
                cases.remove([name, 'STARTED', ''])
            cases.append([name, word, reason])
    return cases


def describe(status):
    return f'exit status {status}' if status >= 0 else signal.Signals(-status).name


def show(output):
    """The last lines of an open binary file, indented."""
    size = output.seek(0, os.SEEK_END)
    output.seek(max(0, size - 200 * TAIL_LINES))
    for line in output.read().decode(errors='replace').splitlines()[-TAIL_LINES:]:
        print(f'    {line}')


@contextlib.contextmanager
def locked(directory):
    """One run at a time in one tree."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print('another run works in this tree: waiting for it', flush=True)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def leave(number, _):
    sys.exit(128 + number)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--long', action='store_true')
    parser.add_argument('--known', type=str.split, required=True)
    parser.add_argument('wanted', nargs='*')
    arguments = parser.parse_args()
    sys.stdout.reconfigure(errors='backslashreplace')
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)
    return Runner(arguments.known, arguments.wanted, arguments.long).run()


if __name__ == '__main__':
    sys.exit(main())
