"""The quickstart program: what it prints, and that it leaves nothing behind, however it ends."""

import os
import pathlib
import signal
import subprocess
import tempfile
import unittest

PROGRAM = os.environ['QUICKSTART_RUN']
SECONDS = 240


def belonging_to(directory):
    """Processes that were started with a path in the directory."""
    found = []
    for cmdline in pathlib.Path('/proc').glob('[0-9]*/cmdline'):
        try:
            arguments = cmdline.read_bytes()
        except OSError:  # it has ended meanwhile
            continue
        if str(directory).encode() in arguments:
            found.append(arguments)
    return found


class Quickstart(unittest.TestCase):
    def setUp(self):
        # Beside the tree's other temporary files, or where there is a disk.
        place = tempfile.TemporaryDirectory(prefix='rw-', dir='/var/tmp')
        self.addCleanup(place.cleanup)
        self.place = pathlib.Path(place.name)
        self.input = self.place / 'input'
        self.input.write_text(''.join(f'line {i}\n\n' for i in range(5000)) + 'no newline')
        self.bus = self.place / 'bus'
        self.bus.mkdir()

    def start(self, *files):
        return subprocess.Popen([PROGRAM, *files], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                text=True, env={**os.environ, 'TMPDIR': str(self.bus)})

    def assert_nothing_left(self):
        self.assertEqual(list(self.bus.iterdir()), [])
        self.assertEqual(belonging_to(self.bus), [])

    def test_nothing_is_lost_and_nothing_stays(self):
        with self.start(self.input) as process:
            out, err = process.communicate(timeout=SECONDS)
        self.assertEqual(process.returncode, 0, out + err)
        lines = [line.strip() for line in out.splitlines()]
        for wanted in ('records lost: 0', 'doubled: 0', 'out of order: 0'):
            self.assertIn(wanted, lines)
        self.assertIn('times', out)
        self.assertIn('killed', err)
        self.assert_nothing_left()

    def test_a_signal_ends_it_and_nothing_stays(self):
        for number, moment in ((signal.SIGTERM, 'log goes to'), (signal.SIGINT, 'supervisor killed'),
                               (signal.SIGTERM, 'replaying')):
            with self.subTest(moment), self.start(self.input) as process:
                for line in process.stderr:
                    if moment in line:
                        break
                process.send_signal(number)
                process.communicate(timeout=SECONDS)
                self.assertEqual(process.returncode, 128 + number)
                self.assert_nothing_left()

    def test_a_missing_file_is_named(self):
        with self.start('/no/such/file') as process:
            out, err = process.communicate(timeout=SECONDS)
        self.assertEqual((process.returncode, out), (1, ''))
        self.assertIn('/no/such/file', err)


if __name__ == '__main__':
    unittest.main()
