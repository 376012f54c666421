"""Where ringwayd finds its configuration: what it prints of it, by where the file lies."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from bus import Bus

PLACES = ('chosen', 'named', 'service', 'xdg/ringway', 'home/.config/ringway')


class SearchOrder(unittest.TestCase):
    """Of files that each allow another number of topics, which one counts."""

    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix='ringway-configuration-'))
        self.addCleanup(shutil.rmtree, self.root)
        self.root.chmod(0o755)
        self.program = self.root / 'ringwayd'  # the build may lie where only its owner may go
        shutil.copy(os.environ['RINGWAYD'], self.program)
        self.files = {}
        for number, place in enumerate(PLACES):
            self.files[place] = self.root / place / 'ringwayd.toml'
            self.files[place].parent.mkdir(parents=True)
            self.files[place].write_text(f'limits.topics = {100 + number}\n')
        self.somebody = {'user': 65534, 'group': 65534, 'extra_groups': []} if os.geteuid() == 0 else {}

    def ended(self, *words, user=None, **variables):
        return subprocess.run([self.program, '--print-config', *words],
                              env={'HOME': str(self.root / 'home'), **variables}, capture_output=True, text=True,
                              timeout=60, check=False, **(self.somebody if user is None else user))

    def test_a_variable_that_is_no_key_is_told(self):
        for action in ((), ('--check-config',)):
            said = self.ended(*action, RINGWAYD_LIMITS_MEMROY='3').stderr
            self.assertRegex(said, "RINGWAYD_LIMITS_MEMROY: is no key of the configuration, and ignored; .*RINGWAYD_LIMITS_MEMORY")

    def test_each_key_has_its_variable(self):
        section, keys = '', []
        for line in self.ended().stdout.splitlines():
            if header := re.fullmatch(r'\[(\w+)\]', line):
                section = f'{header[1]}_'
            if key := re.match(r'(\w+) = (.*?) +# ', line):
                keys.append((key[1], f'RINGWAYD_{section}{key[1]}'.upper(), key[2]))
        self.assertGreater(len(keys), 30)
        for key, variable, value in keys:
            with self.subTest(key=key):
                self.assertRegex(self.ended(**{variable: value}).stdout, rf'(?m)^{key} = {re.escape(value)} +# {variable}$')

    def counts(self, *words, **options):
        """The place of the file that counts; None: none does."""
        ended = self.ended(*words, **options)
        self.assertEqual(ended.returncode, 0, ended.stderr)
        topics, where = re.search(r'^topics = (\d+) +# (.*)$', ended.stdout, re.MULTILINE).groups()
        if where == 'default':
            return None
        place = PLACES[int(topics) - 100]
        self.assertEqual(where, f'{self.files[place]}:1')
        return place

    def variables(self, *names):
        return {name: value for name, value in {
            'RINGWAYD_CONFIG': str(self.files['named']), 'CONFIGURATION_DIRECTORY': str(self.files['service'].parent),
            'XDG_CONFIG_HOME': str(self.root / 'xdg')}.items() if name in names}

    def test_each_place_goes_over_the_next(self):
        every = ('RINGWAYD_CONFIG', 'CONFIGURATION_DIRECTORY', 'XDG_CONFIG_HOME')
        self.assertEqual(self.counts('--config', self.files['chosen'], **self.variables(*every)), 'chosen')
        self.assertEqual(self.counts(**self.variables(*every)), 'named')
        self.assertEqual(self.counts(**self.variables(*every[1:])), 'service')
        self.assertEqual(self.counts(**self.variables(*every[2:])), 'xdg/ringway')
        self.assertEqual(self.counts(), 'home/.config/ringway')

    def test_where_there_is_none_defaults_count(self):
        self.assertIsNone(self.counts(HOME=str(self.root / 'nowhere')))
        self.assertIsNone(self.counts(HOME=''))
        # The one of the next place does not step in.
        self.assertIsNone(self.counts(XDG_CONFIG_HOME=str(self.root / 'nowhere')))

    def test_an_empty_variable_is_none_for_the_file_and_not_there_for_a_directory(self):
        self.assertIsNone(self.counts(RINGWAYD_CONFIG=''))
        self.assertEqual(self.counts(XDG_CONFIG_HOME=''), 'home/.config/ringway')

    def test_a_file_that_is_named_and_not_there_is_refused(self):
        missing = self.root / 'missing.toml'
        for words, variables in ((('--config', missing), {}), ((), {'RINGWAYD_CONFIG': str(missing)})):
            ended = self.ended(*words, **variables)
            self.assertNotEqual(ended.returncode, 0)
            self.assertIn(str(missing), ended.stderr)

    def test_a_path_that_is_no_utf8_is_refused_and_no_other_in_its_place(self):
        wrong = os.fsencode(self.root) + b'/\xff'
        for key in ('state_dir', 'runtime_dir', 'socket', 'metrics_socket'):
            option, variable = '--' + key.replace('_', '-'), 'RINGWAYD_' + key.upper()
            for ended, where in ((self.ended(option, wrong), option), (self.ended(**{variable: wrong}), variable)):
                with self.subTest(where=where):
                    self.assertEqual(ended.returncode, 2)
                    self.assertIn(f'{where}: {key}: is not valid UTF-8; name a path that is', ended.stderr)

    def test_what_is_no_file_or_too_large_is_refused_at_once(self):
        pipe, long = self.root / 'pipe', self.root / 'long'
        os.mkfifo(pipe)
        long.write_bytes(b'#' * (1 << 20))
        self.assertEqual(self.ended('--config', long).returncode, 0)
        long.write_bytes(b'#' * ((1 << 20) + 1))
        other = 'the configuration is no regular file; write it into one; '
        for file, said in ((pipe, other), ('/dev/zero', other), (self.root, other),
                           (long, 'the configuration has more than 1 MiB; name the right file; ')):
            for action in ((), ('--check-config',)):
                with self.subTest(file=file, action=action):
                    ended = self.ended(*action, '--config', file)
                    self.assertEqual(ended.returncode, 2)
                    self.assertIn(f'{file}: {said}', ended.stderr)

    def test_a_key_of_very_many_parts_is_refused_by_its_line(self):
        file, deep = self.root / 'deep', '.'.join('a' * 50000)
        for text in (f'\n{deep} = 1\n', f'\n[{deep}]\n'):
            file.write_text(text)
            for action in ((), ('--check-config',)):
                ended = self.ended(*action, '--config', file)
                self.assertEqual(ended.returncode, 2)
                self.assertIn(f'{file}:2: has a key of more than 8 parts, and no key has as many; put ', ended.stderr)

    @unittest.skipUnless(os.geteuid() == 0, 'takes root')
    def test_one_that_its_user_may_not_read_is_opened_by_the_fix(self):
        file = self.files['chosen']
        file.chmod(0o600)
        ended = self.ended('--config', file)
        self.assertEqual(ended.returncode, 2)
        self.assertIn(f'{file}: the configuration cannot be read: Permission denied; let its user read it, as root: ',
                      ended.stderr)
        fix = ended.stderr.split('as root: ')[1]
        self.assertRegex(fix, rf'^chgrp \S+ {file} && chmod g\+r {file}\n$')
        subprocess.run(['sh', '-c', fix], check=True, timeout=60)
        self.assertEqual(self.counts('--config', file), 'chosen')

    @unittest.skipUnless(os.geteuid() == 0, 'takes root')
    @unittest.skipIf(os.path.exists('/etc/ringway/ringwayd.toml'), 'this host has one')
    def test_root_has_none_in_a_home(self):
        self.assertIsNone(self.counts(user={}, **self.variables('XDG_CONFIG_HOME')))
        self.assertEqual(self.counts(user={}, **self.variables('RINGWAYD_CONFIG')), 'named')


class SocketPlace(unittest.TestCase):
    """What is in the place where a socket is to be."""

    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix='ringway-configuration-'))
        self.addCleanup(shutil.rmtree, self.root)
        self.precious = self.root / 'precious'
        self.precious.write_text('mine')

    def started(self, *words, **variables):
        return subprocess.run([os.environ['RINGWAYD'], *words, '--runtime-dir', self.root / 'r', '--state-dir', self.root / 's'],
                              env={'HOME': str(self.root), 'RINGWAYD_CONFIG': '', **variables}, capture_output=True, text=True,
                              timeout=60, check=False)

    def test_a_file_is_refused_and_stays_whoever_names_it(self):
        file = self.root / 'ringwayd.toml'
        file.write_text(f'socket = "{self.precious}"\n')
        for words, variables in ((('--socket', self.precious), {}), (('--config', file), {}),
                                 ((), {'RINGWAYD_SOCKET': str(self.precious)})):
            ended = self.started(*words, **variables)
            self.assertEqual(ended.returncode, 2, ended.stderr)
            self.assertEqual(ended.stderr.splitlines()[-1], f'ringwayd: {self.precious}: what is there is no socket, and stays; '
                             'move it away, or name another path')
            self.assertEqual(self.precious.read_text(), 'mine')

    def test_metrics_do_not_take_the_place_of_the_control_socket(self):
        bus = Bus()
        bus.env['RINGWAYD_METRICS_SOCKET'] = str(bus.socket)
        with bus:
            self.assertIn('another process serves at this socket', bus.json('status', status=5)['degraded'][0])
            self.assertIn('metrics_not_served', bus.log.read_text())


class StandardStreams(unittest.TestCase):
    """The exit status where what is to be said cannot be written."""

    def status(self, redirected, *words):
        return subprocess.run(['sh', '-c', f'exec "$@" {redirected}', 'sh', os.environ['RINGWAYD'], *words],
                              env={'RINGWAYD_CONFIG': '', 'RINGWAYD_NONE': '1'}, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, timeout=60, check=False).returncode

    def test_an_error_that_cannot_be_written_has_the_status_of_one_that_can(self):
        for redirected in ('2>/dev/full', '2>&-', '>/dev/full 2>/dev/full', '>&- 2>&-'):
            for status, words in ((2, ['--socket']), (2, ['--check-config', '--config', '/nonexistent']),
                                  (1, ['--runtime-dir', '/dev/null/x', '--state-dir', '/dev/null/x'])):
                self.assertEqual(self.status(redirected, *words), status, (redirected, words))

    def test_a_warning_that_cannot_be_written_changes_nothing(self):
        for redirected in ('2>/dev/full', '2>&-'):
            for words in (['--print-config'], ['--check-config']):
                self.assertEqual(self.status(redirected, *words), 0, (redirected, words))

    def test_an_answer_that_cannot_be_written_is_a_failure(self):
        for redirected in ('>/dev/full', '>&-', '>/dev/full 2>/dev/full', '>&- 2>&-'):
            for word in ('--print-config', '--check-config', '--sample-config', '--help', '--version'):
                self.assertEqual(self.status(redirected, word), 1, (redirected, word))


if __name__ == '__main__':
    unittest.main()
