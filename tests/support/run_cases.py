"""Runs the unittest cases of one module and reports each to the test runner, as catch_main.cpp does.

Usage: run_cases.py [--at-once=N] MODULE.py [CASE…]; in meson.build: test(..., python, args: [run_cases, files(...)]).

With --at-once, N processes share the cases, each taking the next when it is through with one: for cases that wait
more than they compute, and have nothing in common but what setUpModule() did.
"""

import argparse
import importlib.util
import os
import pathlib
import sys
import unittest


class CaseReport(unittest.TextTestResult):
    """A line for each case in the file RINGWAY_TEST_RESULT; a case fails once however many subtests do."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.path = os.environ.pop('RINGWAY_TEST_RESULT', None)  # not for what the cases start
        self.bad = set()

    def report(self, word, test, reason=''):
        if self.path:
            name = getattr(getattr(test, 'test_case', test), '_testMethodName', None)
            name = name.removeprefix('test_').replace('_', ' ') if name else str(test)
            with open(self.path, 'a', encoding='utf-8') as file:
                file.write(f'{word} {name}{reason}\n')

    def startTest(self, test):
        super().startTest(test)
        self.report('STARTED', test)

    def addSuccess(self, test):
        super().addSuccess(test)
        self.report('PASSED', test)

    def failed(self, test):
        if test.id() not in self.bad:
            self.bad.add(test.id())
            self.report('FAILED', test)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.failed(test)

    def addError(self, test, err):
        super().addError(test, err)
        self.failed(test)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.failed(test)

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self.failed(test)

    def addExpectedFailure(self, test, err):
        super().addExpectedFailure(test, err)
        self.report('PASSED', test)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.report('SKIPPED', test, f'\t{reason}')


class Lane(unittest.TestSuite):
    """Of all cases those that no other lane has taken: `turns` has a byte for each, its number."""

    _cleanup = False  # unittest would forget them by another number

    def __init__(self, cases, turns):
        super().__init__(cases)
        self.turns = turns

    def __iter__(self):
        while turn := os.read(self.turns, 1):
            yield self._tests[turn[0]]


class WholeLines:
    """Standard error, on which lanes do not break into each other's lines."""

    def __init__(self):
        self.text = ''

    def write(self, text):
        self.text += text

    def flush(self):
        if self.text.endswith('\n'):
            os.write(2, self.text.encode(errors='backslashreplace'))
            self.text = ''


def cases_of(suite):
    for one in suite:
        if isinstance(one, unittest.TestSuite):
            yield from cases_of(one)
        else:
            yield one


def run(suite, stream=None):
    """The exit status."""
    result = unittest.TextTestRunner(stream, resultclass=CaseReport, verbosity=2).run(suite)
    return 0 if result.wasSuccessful() else 1


def run_at_once(count, suite, module):
    """The same, by several processes."""
    if hasattr(module, 'setUpModule'):
        try:
            module.setUpModule()
        except Exception:
            return run(suite)  # is refused once more, and says so
        del module.setUpModule  # what it did is inherited
    cases = list(cases_of(suite))
    turns, writer = os.pipe()
    os.write(writer, bytes(range(len(cases))))
    os.close(writer)
    lanes = []
    for _ in range(count):
        if not (lane := os.fork()):
            status = run(Lane(cases, turns), WholeLines())
            sys.stdout.flush()
            os._exit(status)
        lanes.append(lane)
    return 0 if all([os.waitpid(lane, 0)[1] == 0 for lane in lanes]) else 1


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--at-once', type=int, default=1)
    parser.add_argument('module', type=pathlib.Path)
    parser.add_argument('cases', nargs='*')
    arguments = parser.parse_args()
    path = arguments.module.resolve()
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    loader = unittest.TestLoader()
    suite = loader.loadTestsFromNames(arguments.cases, module) if arguments.cases else \
        loader.loadTestsFromModule(module)
    return run(suite) if arguments.at_once == 1 else run_at_once(arguments.at_once, suite, module)


if __name__ == '__main__':
    sys.exit(main())
