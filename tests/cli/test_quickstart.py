"""The quickstart: what its program prints, that it leaves nothing behind, however it ends, and the script that builds it."""

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
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


class Script(unittest.TestCase):
    """tools/quickstart itself, in a tree of its own, whose build makes the program by a link to the one that is there."""

    def setUp(self):
        place = tempfile.TemporaryDirectory(prefix='rw-', dir='/var/tmp')
        self.addCleanup(place.cleanup)
        self.tree, self.bus = pathlib.Path(place.name, 'tree'), pathlib.Path(place.name, 'bus')
        for directory in (self.tree / 'tools', self.bus):
            directory.mkdir(parents=True)
        shutil.copy(ROOT / 'tools/quickstart', self.tree / 'tools')
        self.packages('echo "required: $*"')
        self.program('ln', '-s', PROGRAM, '@OUTPUT@')
        (self.tree / 'input').write_text('a line\n' * 5000)

    def packages(self, body):
        (self.tree / 'tools/packages.bash').write_text(f'require_packages() {{ {body}; }}\n')

    def program(self, *command):
        (self.tree / 'meson.build').write_text("project('little')\nsubdir('tools')\n")
        (self.tree / 'tools/meson.build').write_text(
            f"custom_target(output: 'quickstart-run', build_by_default: true, command: {list(command)})\n")

    def run_script(self, *files, status=0):
        """What it printed on standard output, and on standard error."""
        done = subprocess.run(['./tools/quickstart', *files], cwd=self.tree, env={**os.environ, 'TMPDIR': str(self.bus)},
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS, check=False)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout, done.stderr

    def test_it_builds_and_runs_the_program_on_the_files(self):
        out, _ = self.run_script('input')
        for wanted in (r'required: build\n', r'  configuring\n', r'  built in \d+ s\n', r'records lost: 0\n'):
            self.assertRegex(out, wanted)
        self.assertRegex(PROGRAM, '/tools/quickstart-run$')  # where the real build has it, too
        self.assertEqual({path.name for path in self.tree.iterdir()}, {'meson.build', 'tools', 'input', 'build'})
        self.assertEqual(list(self.bus.iterdir()), [])
        # What is built already is not configured again, and the program's exit status is the script's.
        out, err = self.run_script('/no/such/file', status=1)
        self.assertNotIn('configuring', out)
        self.assertIn('/no/such/file', err)

    def test_a_build_that_fails_is_shown_and_nothing_runs(self):
        self.program('sh', '-c', 'echo so it is; false')
        out, err = self.run_script('input', status=1)
        self.assertIn('so it is', err)
        self.assertIn(f'the build failed; all it said stands in {self.tree}/build/quickstart.log', err)
        self.assertNotIn('built', out)

    def test_without_its_packages_nothing_is_built(self):
        self.packages('return 1')
        self.run_script('input', status=1)
        self.assertFalse((self.tree / 'build').exists())


if __name__ == '__main__':
    unittest.main()
