"""Runs the unittest cases of one module and reports each to the test runner, as catch_main.cpp does.

Usage: run_cases.py MODULE.py [CASE…]; in meson.build: test(..., python, args: [run_cases, files(...)]).
"""

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


def main():
    path = pathlib.Path(sys.argv[1]).resolve()
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    loader = unittest.TestLoader()
    cases = loader.loadTestsFromNames(sys.argv[2:], module) if sys.argv[2:] else \
        loader.loadTestsFromModule(module)
    result = unittest.TextTestRunner(resultclass=CaseReport, verbosity=2).run(cases)
    return 0 if result.wasSuccessful() else 1


if __name__ == '__main__':
    sys.exit(main())
