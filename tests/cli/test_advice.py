"""Commands that errors and findings name can be typed as they stand, whatever a topic is called."""

import json
import os
import pathlib
import pwd
import re
import shlex
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from on_a_bus import OnABus

NAMES = ('-x', '--', '--yes', "-it's", '-p', '- $(false)')


class Advice(OnABus):
    def refusal(self, name, *words, status, **options):
        """The fix of the error that this ends with."""
        self.bus.run(*words, '--output', 'json', '--', name, status=status, **options)
        return json.loads(self.bus.stderr.splitlines()[-1])['error']['fix']

    def type(self, advice, status=0):
        """Gives a shell the command of the advice; what it printed."""
        (command,) = re.findall(r'ringway .+?(?=$|; or |  #)', advice)
        path = f'{pathlib.Path(os.environ["RINGWAY"]).parent}:{os.environ["PATH"]}'
        ended = subprocess.run(['sh', '-c', command], env={**self.bus.env, 'PATH': path}, capture_output=True,
                               stdin=subprocess.DEVNULL, timeout=60, check=False)
        self.assertEqual(ended.returncode, status, (command, ended.stderr))
        return ended.stdout.decode()

    def topics(self):
        return [topic['topic'] for topic in self.bus.json('topic', 'list')]

    def test_to_create_what_does_not_exist(self):
        for name in NAMES:
            with self.subTest(name=name):
                self.type(self.refusal(name, 'consume', '-e', status=3))
                self.assertIn(name, self.topics())

    def test_to_give_a_right_and_to_see_who_has_it(self):
        if os.geteuid() != 0:
            self.skipTest('needs root to be somebody else')
        self.bus.root.chmod(0o755)
        entry = pwd.getpwnam('nobody')
        nobody = {'user': entry.pw_uid, 'group': entry.pw_gid, 'extra_groups': []}
        for name in NAMES:
            with self.subTest(name=name):
                self.bus.run('topic', 'create', '--', name)
                self.type(self.refusal(name, 'produce', status=4, **nobody))
                self.bus.run('produce', '--', name, stdin=b'x\n', **nobody)
                who = self.type(self.refusal(name, 'acl', 'revoke', '--read', 'nobody', status=3))
                self.assertIn('nobody', who)

    def test_to_see_the_ring_where_there_is_no_log(self):
        for name in NAMES:
            with self.subTest(name=name):
                self.bus.run('topic', 'create', '--no-persist', '--', name)
                self.assertIn(name, self.type(self.refusal(name, 'log', 'verify', status=2)))

    def test_to_have_a_log_say_what_it_lost(self):
        uuids = {}
        for name in NAMES:
            words = ('topic', 'create', '--ring', '64KiB', '--segment', '256KiB', '--output', 'json', '--', name)
            uuids[name] = json.loads(self.bus.run(*words))['uuid']
            self.bus.run('produce', '--wait', 'durable', '--', name, stdin=b'%0999d\n' * 600 % tuple(range(600)))
        self.bus.kill()
        for uuid in uuids.values():
            sorted((self.bus.state_dir / 'topics' / uuid / '0').glob('*.log'))[0].unlink()
            sorted((self.bus.state_dir / 'topics' / uuid / '0').glob('*.log'))[0].write_bytes(bytes(4096))
        self.bus.start()
        found = self.bus.json('doctor', status=None)['findings']
        fixes = [one['fix'] for one in found if 'log repair' in (one['fix'] or '')]
        self.assertEqual(len({shlex.split(fix, comments=True)[-1] for fix in fixes}), len(NAMES), found)
        self.bus.kill()  # as it says where it is typed before that
        for fix in fixes:
            with self.subTest(fix=fix):
                self.assertIn('WHAT WOULD BE DONE', self.type(fix, status=5))

    def test_what_else_doctor_names(self):
        for name in NAMES:
            with self.subTest(name=name):
                self.bus.run('topic', 'create', '--', name)
                for words in (('topic', 'alter', '--when-disk-fails', 'memory'), ('topic', 'alter', '--ring', '64KiB'),
                              ('topic', 'trim', '--before', 'end', '--yes'), ('topic', 'describe'), ('cursor', 'list')):
                    self.bus.run(*words, '--', name)


if __name__ == '__main__':
    unittest.main()
