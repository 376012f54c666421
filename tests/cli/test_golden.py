"""What people read, as a transcript: golden.txt, played again on a bus of its own.

Behind each `$ command` stands what it prints, standard output before standard error, and `[N]` for an exit status
that is not 0. What differs from run to run has a word of its own. RINGWAY_GOLDEN=write writes the file anew, to be
read before it is committed.
"""

import os
import pathlib
import re
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from bus import PATIENCE_SECONDS
from on_a_bus import OnABus

GOLDEN = pathlib.Path(__file__).with_name('golden.txt')
CHANGING = (
    (r'[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}', 'UUID'),
    (r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z', 'TIME'),
    (r'in \d[\d.]* [mun]?s \(\d+ records/s\)', 'in DUR (RATE records/s)'),
    (r'\bpid \d+', 'pid PID'),
)


class Golden(OnABus):
    maxDiff = None

    def setUp(self):
        if os.geteuid() != 0:
            self.skipTest('shows what root is told')
        super().setUp()

    def played(self, commands):
        place = self.bus.root / 'place'
        place.mkdir()
        env = {**self.bus.env, 'PATH': f'{pathlib.Path(os.environ["RINGWAY"]).parent}:{os.environ["PATH"]}'}
        transcript = []
        for command in commands:
            ended = subprocess.run(['bash', '-c', command], cwd=place, env=env, stdin=subprocess.DEVNULL,
                                   capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)
            said = (ended.stdout + ended.stderr).replace(str(self.bus.root), 'BUS')
            for pattern, word in CHANGING:
                said = re.sub(pattern, word, said)
            said = '\n'.join(line.rstrip() for line in said.splitlines())
            status = f'[{ended.returncode}]\n' if ended.returncode else ''
            transcript.append(f'$ {command}\n{said}{chr(10) if said else ""}{status}')
        return '\n'.join(transcript)

    def test_the_transcript_is_what_it_was(self):
        wanted = GOLDEN.read_text()
        played = self.played(re.findall(r'^\$ (.*)', wanted, re.MULTILINE))
        if os.environ.get('RINGWAY_GOLDEN') == 'write':
            GOLDEN.write_text(played)
        self.assertEqual(played, wanted)


if __name__ == '__main__':
    unittest.main()
