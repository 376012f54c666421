"""The life cycle of supervisor, keeper and clients: spin's checkers, exhaustively within each scenario.

RINGWAY_CHECKERS names the directory of life_cycle_checker and two_supervisors_checker (build_checker.py).
A scenario is what may happen how often; a mutant is a protective step left out (mutants.pml).
"""

import concurrent.futures
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

CHECKERS = pathlib.Path(os.environ['RINGWAY_CHECKERS']).resolve()
SOURCES = pathlib.Path(__file__).resolve().parent / 'life_cycle'
LONG = os.environ.get('RINGWAY_TEST_LONG') == '1'

ONE_PRODUCER = 'RECORDS=2 RECORDS_OF_THE_SECOND=0'
SCENARIOS = [
    'RECORDS=2 RECORDS_OF_THE_SECOND=2',
    'CLOSES=1',
    'DELETIONS=1',
    'HANG_UPS=1 CLIENT_KILLS=1',
    'KEEPER_KILLS=1 FAILED_SPAWNS=1',
    'STOPS=1',
    'REPLACEMENTS=1',
    'SUPERVISOR_KILLS=1',
    'SUPERVISOR_KILLS=1 CLIENT_KILLS=1',
    'SUPERVISOR_KILLS=1 DELETIONS=1',
    'SUPERVISOR_KILLS=1 KEEPER_KILLS=1',
    'SUPERVISOR_KILLS=2',
    'STOPS=1 CLIENT_KILLS=1',
    'STOPS=1 KEEPER_KILLS=1',
    'REPLACEMENTS=1 CLIENT_KILLS=1',
    'REPLACEMENTS=1 SUPERVISOR_KILLS=1',
    f'{ONE_PRODUCER} REPLACEMENTS=1 SUPERVISOR_KILLS=1 KEEPER_KILLS=1',
    'TWO_SUPERVISORS=1 SUPERVISOR_KILLS=1',
    'SUPERVISOR_KILLS=1 STOPS=1',
    'RECORDS=2 SUPERVISOR_KILLS=1 KEEPER_KILLS=1',
    f'{ONE_PRODUCER} STOPS=1 KILLS_AFTER_STOP=2 SUPERVISOR_KILLS=2 KEEPER_KILLS=1',
]
LARGER = [
    'REPLACEMENTS=2 SUPERVISOR_KILLS=1',
    'REPLACEMENTS=1 SUPERVISOR_KILLS=2',
    'REPLACEMENTS=1 STOPS=1',
    'REPLACEMENTS=1 DELETIONS=1',
    'REPLACEMENTS=1 SUPERVISOR_KILLS=1 CLIENT_KILLS=1',
    'SUPERVISOR_KILLS=2 KEEPER_KILLS=1',
    'SUPERVISOR_KILLS=2 CLIENT_KILLS=1',
    'SUPERVISOR_KILLS=2 DELETIONS=1',
    'SUPERVISOR_KILLS=1 STOPS=1 KEEPER_KILLS=1',
    'SUPERVISOR_KILLS=1 CLIENT_KILLS=1 HANG_UPS=1',
    'TWO_SUPERVISORS=1 SUPERVISOR_KILLS=1 KEEPER_KILLS=1',
    'RECORDS=2 RECORDS_OF_THE_SECOND=2 SUPERVISOR_KILLS=1',
    'STOPS=2',
    f'{ONE_PRODUCER} SUPERVISOR_KILLS=2 KEEPER_KILLS=2',
    f'{ONE_PRODUCER} STOPS=1 SUPERVISOR_KILLS=2 KEEPER_KILLS=1',
]
# Where a mutant is missed soonest.
HINTS = {
    'NO_LOCK': 'TWO_SUPERVISORS=1 SUPERVISOR_KILLS=1',
    'LIST_BEFORE_LOCK': 'TWO_SUPERVISORS=1 SUPERVISOR_KILLS=1',
    'NOT_KEPT': 'SUPERVISOR_KILLS=1',
    'NEW_RING_NOT_KEPT': 'SUPERVISOR_KILLS=1',
    'SESSION_KEPT_LATE': 'SUPERVISOR_KILLS=1 CLIENT_KILLS=1',
    'ENTRY_LATE': 'SUPERVISOR_KILLS=1 CLIENT_KILLS=1',
    'MAGIC_FIRST': 'SUPERVISOR_KILLS=1',
    'MAGIC_NOT_CHECKED': 'SUPERVISOR_KILLS=1',
    'NO_NEW_ROW': 'SUPERVISOR_KILLS=1',
    'NO_JUMP': 'SUPERVISOR_KILLS=1 KEEPER_KILLS=1',
    'SHORT_JUMP': 'RECORDS=2 SUPERVISOR_KILLS=1 KEEPER_KILLS=1',
    'JUMP_FROM_LOG': f'{ONE_PRODUCER} SUPERVISOR_KILLS=2 KEEPER_KILLS=2',
    'CLEAN_STAYS': f'{ONE_PRODUCER} STOPS=1 KILLS_AFTER_STOP=1 SUPERVISOR_KILLS=1 KEEPER_KILLS=1',
    'CLEAN_ADOPTED': f'{ONE_PRODUCER} STOPS=1 KILLS_AFTER_STOP=2 SUPERVISOR_KILLS=2 KEEPER_KILLS=1',
    'NOT_ADOPTED_FIRST': 'SUPERVISOR_KILLS=2',
    'NO_SESSIONS': 'SUPERVISOR_KILLS=1 CLIENT_KILLS=1',
    'ADOPTED_UNWATCHED': 'SUPERVISOR_KILLS=1 CLIENT_KILLS=1',
    'HANG_UP_IS_DEATH': 'HANG_UPS=1 CLIENT_KILLS=1',
    'FREED_UNREPAIRED': 'HANG_UPS=1 CLIENT_KILLS=1',
    'KEEPER_STAYS_DEAD': 'KEEPER_KILLS=1 FAILED_SPAWNS=1',
    'NOT_TRIED_AGAIN': 'KEEPER_KILLS=1 FAILED_SPAWNS=1',
    'SESSIONS_NOT_PUT': 'KEEPER_KILLS=1 FAILED_SPAWNS=1',
    'NOT_KEPT_AGAIN': 'SUPERVISOR_KILLS=1 KEEPER_KILLS=1',
    'TAIL_OPEN': 'STOPS=1',
    'TAIL_STAYS_CLOSED': 'STOPS=1 CLIENT_KILLS=1',
    'END_UNDRAINED': 'STOPS=1',
    'DROP_BEFORE_ROW': 'SUPERVISOR_KILLS=1 DELETIONS=1',
    'FILES_BEFORE_ROW': 'SUPERVISOR_KILLS=1 DELETIONS=1',
    'NO_WAY_BACK': 'SUPERVISOR_KILLS=1 DELETIONS=1',
    'LOG_FROM_COMMITTED': 'SUPERVISOR_KILLS=1',
    'SPACE_TOO_EARLY': 'RECORDS=2 RECORDS_OF_THE_SECOND=2',
    'STALE_HANDLE': 'STOPS=1',
    'CLIENT_NEVER_LOOKS': 'SUPERVISOR_KILLS=1',
    'KEPT_FOR_EVER': 'HANG_UPS=1 CLIENT_KILLS=1',
    'SESSION_WITHOUT_MEMORY': 'SUPERVISOR_KILLS=1 KEEPER_KILLS=1',
    'NEXT_NOT_KEPT': 'REPLACEMENTS=1 SUPERVISOR_KILLS=1',
    'RING_UNDRAINED': 'REPLACEMENTS=1',
    'RETIRED_REOPENED': 'REPLACEMENTS=1 SUPERVISOR_KILLS=1',
    'RETIRED_NOT_FOLLOWED': 'REPLACEMENTS=1 SUPERVISOR_KILLS=1',
    'NOT_RESUMED': 'REPLACEMENTS=1 SUPERVISOR_KILLS=1',
    'NOT_CARRIED_OVER': 'REPLACEMENTS=1',
    'OLD_DROPPED_FIRST': 'REPLACEMENTS=1 SUPERVISOR_KILLS=1',
    'REPLACED_NOT_SEEN': 'REPLACEMENTS=1',
}


# Missed nowhere, and why. Tried where they would be missed if anywhere.
HARMLESS = {
    'END_BEFORE_MARK': ('STOPS=1 SUPERVISOR_KILLS=1',
                        'everything is in the log by then; without the mark the next ring only begins further on'),
}


def check(checker, scenario, mutant=0):
    """What the checker found: None, or its complaint; and how many states it saw. The search must be complete."""
    settings = dict(pair.split('=') for pair in scenario.split())
    with tempfile.TemporaryDirectory() as place:  # where a trail goes
        run = subprocess.run([CHECKERS / checker, '-E', '-m100000', '-w20'], cwd=place, text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             env=os.environ | settings | {'LEFT_OUT': str(mutant)})
    complaint = re.search(r'^pan:\d+: (.*) \(at depth', run.stdout, re.M)
    if complaint:
        return complaint[1], 0
    states = re.search(r'^\s*(\d+) states, stored', run.stdout, re.M)
    if run.returncode != 0 or 'errors: 0' not in run.stdout or not states \
            or 'Search not completed' in run.stdout or 'max search depth' in run.stdout:
        raise AssertionError(f'{checker} {scenario} {mutant}: no verdict\n{run.stdout}')
    return None, int(states[1])


def mutants(source):
    """{name: number} of the steps that may be left out."""
    text = (SOURCES / source).read_text()
    found = {name: int(number) for name, number in re.findall(r'^#define ([A-Z_]+) +(\d+) +/\*', text, re.M)
             if re.search(rf'left_out [!=]= {name}\b|LEFT_OUT\({name}\)', all_sources())}
    last = int(re.search(r'^#define LAST_MUTANT +(\d+)', text, re.M)[1])
    if sorted(found.values()) != list(range(1, last + 1)):
        raise AssertionError(f'{source}: mutants are not numbered from 1 to {last}, or some are not used: {found}')
    return found


def all_sources():
    return ''.join(path.read_text() for path in sorted(SOURCES.glob('*.pml')))


class LifeCycle(unittest.TestCase):
    def holds(self, checker, scenarios):
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            for scenario, (complaint, states) in zip(scenarios, pool.map(lambda s: check(checker, s), scenarios)):
                with self.subTest(scenario):
                    print(f'{checker} {scenario}: {states} states, all there are: {complaint or "holds"}', flush=True)
                    self.assertIsNone(complaint)

    def missed(self, checker, numbers, scenarios):
        def first_complaint(name):
            if name in HARMLESS:
                complaint, _ = check(checker, HARMLESS[name][0], numbers[name])
                return (None, 'is missed now') if complaint else ('nowhere', HARMLESS[name][1])
            hint = [HINTS[name]] if name in HINTS else []
            for scenario in hint + scenarios:
                complaint, _ = check(checker, scenario, numbers[name])
                if complaint:
                    return scenario, complaint
            return None, 'not missed'

        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            for name, (scenario, complaint) in zip(numbers, pool.map(first_complaint, numbers)):
                with self.subTest(name):
                    print(f'mutation: {name}: {scenario}: {complaint}', flush=True)
                    self.assertIsNotNone(scenario)

    def test_in_every_state_of_every_scenario_what_must_hold_holds(self):
        self.holds('life_cycle_checker', SCENARIOS + (LARGER if LONG else []))

    def test_each_protective_step_left_out_is_missed(self):
        self.missed('life_cycle_checker', mutants('mutants.pml'), SCENARIOS)

    def test_two_supervisors_never_at_once(self):
        self.holds('two_supervisors_checker', ['KILLS=2 TIMES=1' if LONG else 'KILLS=1 TIMES=1'])

    def test_each_step_of_the_locks_left_out_is_missed(self):
        self.missed('two_supervisors_checker', mutants('two_supervisors.pml'), ['KILLS=1 TIMES=1'])
