"""What people read, as a transcript: golden.txt, played again on a bus of its own.

Behind each `$ command` stands what it prints, standard output before standard error, and `[N]` for an exit status
that is not 0. What differs from run to run has a word of its own. RINGWAY_GOLDEN=write writes the file anew, to be
read before it is committed.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from bus import PATIENCE_SECONDS
from on_a_bus import OnABus

GOLDEN = pathlib.Path(__file__).with_name('golden.txt')
CHANGING = (
    (r'[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}', 'UUID'),
    (r'TIME {26}', 'TIME'),  # a column of them
    (r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z', 'TIME'),
    (r'in \d[\d.]* [mun]?s \(\d+ records/s\)', 'in DUR (RATE records/s)'),
    (r'\b(pid|kill) \d+', r'\1 PID'),
    (r'^ *PID  USER', 'PID  USER'),
    (r'^ *\d+  (?=root )', 'PID  '),
    (r'\bup [\d.]+ m?s', 'up DUR'),
    (r'[\d.]+ [KMGT]iB free of [\d.]+ [KMGT]iB', 'SIZE free of SIZE'),
    (r'(?<=^Memory for rings: ).*', 'SIZE of SIZE'),
    (r'(?<=^Size:         ).*', 'SIZE'),
    (r'RING +LOG', 'RING  LOG'),  # blocks of a log on the disk
    (r'(?<= KiB)  +([\d.]+ [KM]iB|0 B)(?=  )', lambda found: f'  {"0 B" if found[1] == "0 B" else "SIZE"}'),
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
        self.version = self.bus.json('--version')['library']
        # For others to run, too.
        self.bus.root.chmod(0o755)
        programs = place / 'bin'
        programs.mkdir()
        for program in ('RINGWAY', 'RINGWAYD'):
            shutil.copy(os.environ[program], programs)
        env = {**self.bus.env, 'PATH': f'{programs}:{os.environ["PATH"]}'}
        transcript = []
        for command in commands:
            ended = subprocess.run(['bash', '-c', command], cwd=place, env=env, stdin=subprocess.DEVNULL,
                                   capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)
            said = (ended.stdout + ended.stderr).replace(str(self.bus.root), 'BUS')
            said = said.replace(self.version.ljust(len('VERSION')), 'VERSION').replace(self.version, 'VERSION')
            for pattern, word in CHANGING:
                said = re.sub(pattern, word, said, flags=re.MULTILINE)
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
