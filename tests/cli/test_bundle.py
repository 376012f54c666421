"""`ringway debug bundle`: what is in it, what never is, and that it can be made of a dead bus."""

import json
import os
import pathlib
import re
import stat
import subprocess
import sys
import tarfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from on_a_bus import OnABus

SECRETS = {'value': 'VALUE-that-is-nobodys-business', 'key': 'KEY-that-is-nobodys-business',
           'header': 'HEADER-that-is-nobodys-business'}
ALWAYS = {'manifest.json', 'version.json', 'doctor.txt', 'doctor.json', 'status.json', 'topics.json', 'config.txt',
          'segments.txt', 'host/proc/meminfo', 'topics/0001/describe.json', 'topics/0001/inspect.json',
          'topics/0001/log-verify.json'}

# execve with an environment that no shell makes.
EXECUTE_WITH = '''
import ctypes, sys
words = [word.encode() for word in sys.argv[1:]]
array = lambda all: (ctypes.c_char_p * (len(all) + 1))(*all, None)
ctypes.CDLL(None).execve(words[1], array(words[1:]), array([words[0], b'RINGWAYD_LOG_LEVEL=warning']))
'''


class Bundle(OnABus):
    def setUp(self):
        super().setUp()
        self.topic = self.bus.root.name  # no other bus of this machine has one of that name
        # Not beside the command before both are installed.
        self.bus.env['PATH'] += f':{pathlib.Path(os.environ["RINGWAYD"]).parent}'
        self.create(self.topic, '--ring', '64KiB')
        self.bus.run('produce', self.topic, '-K', ':', '-H', f'h={SECRETS["header"]}', '--wait', 'durable',
                     stdin=f'{SECRETS["key"]}:{SECRETS["value"]}\n'.encode() * 20)
        self.file = self.bus.root / 'x.tar'

    def bundle(self, *words):
        report = self.bus.json('debug', 'bundle', self.file, '--state-dir', self.bus.state_dir, *words)
        self.assertEqual(report['bytes'], self.file.stat().st_size)
        self.assertEqual(stat.S_IMODE(self.file.stat().st_mode), 0o600)
        with tarfile.open(self.file) as tar:
            files = {member.name.removeprefix('ringway-debug/'): tar.extractfile(member).read()
                     for member in tar.getmembers()}
        manifest = json.loads(files['manifest.json'])
        self.assertEqual({line['file'] for line in manifest['files']} | {'manifest.json'}, set(files))
        for secret in SECRETS.values():
            self.assertNotIn(secret.encode(), self.file.read_bytes())
        return files, manifest

    def test_it_holds_what_one_asks_for_and_no_record(self):
        files, manifest = self.bundle()
        self.assertLessEqual(ALWAYS, set(files))
        self.assertEqual(json.loads(files['status.json'])['pid'], self.bus.daemon.pid)
        self.assertEqual(json.loads(files['topics/0001/inspect.json'])['partitions'][0]['committed'], 20)
        self.assertEqual(json.loads(files['topics/0001/log-verify.json'])['partitions'][0]['records'], 20)
        self.assertIn(b'.log', files['segments.txt'])
        self.assertIn(b'[limits]', files['config.txt'])
        self.assertIn(str(self.bus.state_dir).encode(), files['config.txt'])  # the supervisor's, not this shell's
        self.assertIn('supervisor/limits', files)
        self.assertIn('records: their values, keys and headers', [line['what'] for line in manifest['left_out']])

    def test_nothing_runs_that_the_environment_of_a_supervisor_names(self):
        ran = self.bus.root / 'ran'
        program = self.bus.root / 'x_DIRECTORY'  # no assignment: to env(1) it would be the command
        program.write_text(f'#!/bin/sh\ntouch {ran}\n')
        program.chmod(0o755)
        self.bus.kill()
        argv = [os.environ['RINGWAYD'], '--socket', self.bus.socket, '--runtime-dir', self.bus.runtime_dir,
                '--state-dir', self.bus.state_dir]
        with subprocess.Popen([sys.executable, '-c', EXECUTE_WITH, str(program), *map(str, argv)],
                              stderr=subprocess.DEVNULL) as other:
            self.addCleanup(other.kill)
            self.wait_until(lambda: self.bus.run_for_status('status') == 0, 'the bus')
            files, manifest = self.bundle()
            other.terminate()
        self.assertFalse(ran.exists())
        self.assertIn(str(self.bus.state_dir).encode(), files['config.txt'])
        self.assertEqual([line['command'] for line in manifest['files'] if line['file'] == 'config.txt'],
                         ['ringwayd --print-config'])

    def test_its_configuration_is_what_the_supervisor_was_started_with(self):
        told = subprocess.run([os.environ['RINGWAYD'], '--help'], capture_output=True, text=True, check=True).stdout
        places = re.findall(r'^  (--[a-z-]+) (?!FILE)[A-Z0-9]', told, re.MULTILINE)
        metrics = self.bus.root / 'm.sock'
        values = {'--socket': self.bus.socket, '--runtime-dir': self.bus.runtime_dir, '--state-dir': self.bus.state_dir,
                  '--metrics-socket': metrics, '--metrics-listen': '127.0.0.1:0'}
        self.assertEqual(set(places), set(values))
        for form in (lambda option: [f'{option}={values[option]}'], lambda option: [option, str(values[option])]):
            self.bus.kill()
            words = [word for option in values for word in form(option)]
            with subprocess.Popen([os.environ['RINGWAYD'], *words], stderr=subprocess.DEVNULL) as other:
                self.addCleanup(other.kill)
                self.wait_until(lambda: self.bus.run_for_status('status') == 0, 'the bus')
                files, _ = self.bundle()
                other.kill()
            self.file.unlink()
            for option, value in values.items():
                self.assertRegex(files['config.txt'].decode(), f'(?m)^{option[2:].replace("-", "_")} = "{value}" +# {option}$')

    def test_places_are_relative_to_where_the_supervisor_stands(self):
        self.bus.kill()
        there = self.bus.root / 'a place'
        there.mkdir()
        (there / 'my.toml').write_text('limits.topics = 77\n')
        words = ['--config', 'my.toml', '--socket=../run/control.sock', '--runtime-dir', '../run', '--state-dir=../state']
        for gone in (False, True):
            with subprocess.Popen([os.environ['RINGWAYD'], *words], cwd=there, stderr=subprocess.DEVNULL) as other:
                self.addCleanup(other.kill)
                self.wait_until(lambda: self.bus.run_for_status('status') == 0, 'the bus')
                if gone:
                    there.rename(self.bus.root / 'elsewhere')
                files, _ = self.bundle()
                other.kill()
            self.file.unlink()
            self.assertRegex(files['config.txt'].decode(), r'(?m)^topics = 77 +# my\.toml:1$')
            self.assertIn(f'socket = "{self.bus.socket}" ', files['config.txt'].decode())

    def test_a_topic_whose_name_begins_as_options_do(self):
        self.bus.run('topic', 'create', '--ring', '64KiB', '--', '--help')
        files, _ = self.bundle()
        for name in ('describe', 'inspect', 'log-verify'):
            self.assertEqual({json.loads(files[f'topics/000{number}/{name}.json'])['topic'] for number in (1, 2)},
                             {'--help', self.topic})

    def test_of_a_dead_bus_and_of_one_that_left_only_its_logs(self):
        self.bus.kill()
        files, manifest = self.bundle()
        self.assertLessEqual(ALWAYS, set(files))
        self.assertIsNone(manifest['supervisor'])
        self.assertEqual(json.loads(files['topics/0001/inspect.json'])['partitions'][0]['committed'], 20)
        self.bus.kill_keeper()
        self.file.unlink()
        files, manifest = self.bundle()
        exits = {line['file']: line.get('exit') for line in manifest['files']}
        self.assertEqual(exits['topics/0001/log-verify.json'], 0)
        self.assertEqual(exits['topics/0001/inspect.json'], 3)
        self.assertIn(b'not_found', files['topics/0001/inspect.json.err'])

    def test_a_supervisor_that_stands_still_holds_nothing_up(self):
        self.bus.pause()
        try:
            files, manifest = self.bundle('--patience', '2s')
        finally:
            self.bus.resume()
        self.assertEqual(manifest['supervisor'], self.bus.daemon.pid)
        self.assertIn(b'State:\tT', files['supervisor/status'])
        notes = {line['file']: line.get('note') for line in manifest['files']}
        for name in ('status.json', 'topics.json', 'topics/0001/describe.json'):
            self.assertEqual(notes[name], 'not answered within 2 s', name)
        # What asks nobody is there.
        self.assertEqual(json.loads(files['topics/0001/inspect.json'])['partitions'][0]['committed'], 20)
        self.assertEqual(json.loads(files['topics/0001/log-verify.json'])['partitions'][0]['records'], 20)
        self.assertIn(b'.log', files['segments.txt'])

    def test_all_of_it_has_an_end(self):
        self.bus.pause()
        try:
            files, manifest = self.bundle('--patience', '2s', '--within', '3s')
        finally:
            self.bus.resume()
        self.assertNotIn('topics/0001/log-verify.json', files)
        self.assertIn({'what': 'topics/0001/log-verify.json', 'why': 'no time was left for it: --within'},
                      manifest['left_out'])

    def test_no_time_at_all_is_refused(self):
        for flag in ('--patience', '--within'):
            error = self.bus.refusal('debug', 'bundle', self.file, flag, '0s', status=2)
            self.assertEqual(error['thing'], f"{flag} '0s'")
        self.assertFalse(self.file.exists())

    def test_nothing_is_overwritten_and_what_cannot_be_made_is_said(self):
        self.file.write_text('mine')
        self.assertEqual(self.bus.refusal('debug', 'bundle', self.file, status=1)['code'], 'exists')
        self.assertEqual(self.file.read_text(), 'mine')
        self.assertIn('/no/such', self.bus.refusal('debug', 'bundle', '/no/such/x.tar', status=1)['thing'])

    def test_without_a_name_it_has_its_time_in_it(self):
        report = self.bus.json('debug', 'bundle', cwd=self.bus.root)
        self.assertRegex(report['file'], r'^ringway-debug-\d{8}T\d{6}Z\.tar$')
        self.assertTrue((self.bus.root / report['file']).exists())


if __name__ == '__main__':
    unittest.main()
