"""Every command in the documents for users, run as it stands there, by root on a machine with the service (box.py)."""

import os
import pathlib
import re
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from box import Box, PATIENCE_SECONDS, why_not

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = os.environ['BUILD']
DOCUMENTS = ('README.md', 'daemon/README.md', 'daemon/TUNING.md')
COMMAND = re.compile(r'(sudo|ringwayd?|systemctl|systemd-sysusers|journalctl|printf|curl|\./|tools/)\b|\./')

# Lines that are run by other tests, and by which.
ELSEWHERE = {
    './tools/quickstart [FILE…]': 'tests/cli/test_quickstart.py',
    './tests/run [SUITE…]': 'tests/cli/test_runner.py',
    'tools/packaging/build && sudo apt install ./build-packages/ringway_*.deb ./build-packages/libringway0_*.deb':
        'tests/packaging/test_debian.py',
    'ringway log repair ticks --dry-run': 'tests/cli/test_log_repair.py',
    'ringway top': 'tests/cli/test_top.py',
    'ringway bench limits': 'tests/cli/test_bench.py',
    'ringway bench all --report speed': 'tests/cli/test_bench_all.py',
}
# Of README, by tests/packaging/test_newcomer.py.
FIRST_HOUR = re.compile(r'^## The first hour\n(.*?)^## ', re.MULTILINE | re.DOTALL)
# What is to be done first, where a line takes for granted what a reader has.
BEFORE = {
    'systemctl status ringwayd': 'systemctl start ringwayd',
    'ringwayd': 'systemctl stop ringwayd.socket ringwayd.service',
    'systemd-sysusers && systemctl daemon-reload': 'pkill -x -INT ringwayd; rm -f quotes',
    'journalctl RINGWAY_TOPIC=orders': 'ringway topic create orders && sleep 0.5',
}
# What the line stands for, as somebody types it.
TYPED = {
    'ringway topic list | describe NAME | delete NAME':
        'ringway topic list && ringway topic describe ticks && ringway topic create t && ringway topic delete t --yes',
    'ringwayd [--config FILE] [--socket PATH] [--runtime-dir DIR] [--state-dir DIR]':
        'touch /tmp/file; ringwayd --config /tmp/file --socket /tmp/d/socket --runtime-dir /tmp/d --state-dir /tmp/s'
        ' --check-config',
    'ringwayd --check-config --config FILE': 'touch /tmp/file; ringwayd --check-config --config /tmp/file',
}
GOES_ON = ('ringwayd', 'ringway consume ticks --cursor billing -o start',
           'ringway status --watch --interval 5s --output jsonl')  # until Ctrl-C
EXAMINATIONS = ('ringway doctor',)  # the exit status is what they found

box = None


def setUpModule():
    global box
    reason = why_not()
    if reason:
        raise unittest.SkipTest(reason)
    box = Box()
    unittest.addModuleCleanup(box.close)
    box.install(BUILD)


def blocks(text):
    """The lines of indented code, without comments."""
    before = ''
    for line in text.splitlines():
        code = line.startswith('    ') and (not before.strip() or before.startswith('    '))
        if code and not line.startswith('     '):
            yield re.sub(r'\s{2,}#.*', '', line).strip()
        before = line


class Documents(unittest.TestCase):
    def test_every_command_of_a_block_does_what_it_is_there_for(self):
        ran = set()
        for document in DOCUMENTS:
            for line in blocks(FIRST_HOUR.sub('## ', (ROOT / document).read_text())):
                if not COMMAND.match(line):
                    continue
                ran.add(line)
                with self.subTest(document=document, line=line):
                    self.run_as_typed(line)
        for known in (*ELSEWHERE, *BEFORE, *TYPED, *GOES_ON):
            self.assertIn(known, ran, 'stands in no document any more')

    def run_as_typed(self, line):
        if line in ELSEWHERE:
            self.assertTrue((ROOT / ELSEWHERE[line]).exists())
            return
        if line in BEFORE:
            box.run(f'cd /root && {BEFORE[line]}')
        typed = TYPED.get(line, line).replace('sudo ', '')
        if line in GOES_ON:
            process = box.start(f'cd /root && exec {typed}', stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self.addCleanup(process.wait)
            self.addCleanup(process.kill)
            if line == 'ringwayd':
                box.say('until ringway status >/dev/null 2>&1; do sleep 0.05; done')
            else:
                with self.assertRaises(subprocess.TimeoutExpired):  # it goes on
                    process.wait(0.5)
                box.say(f'pkill -INT -f "^{line}$"')
                self.assertEqual(process.wait(PATIENCE_SECONDS), 0)
            return
        if line.startswith(EXAMINATIONS):
            self.assertIn(box.run(f'cd /root && {typed}'), (0, 1, 5))
            return
        box.say(f'cd /root && {typed}')


if __name__ == '__main__':
    unittest.main()
