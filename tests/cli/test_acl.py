"""acl: rights given and taken by a topic's admins, at once and for good."""

import os
import pathlib
import pwd
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from on_a_bus import OnABus


class Acl(OnABus):
    CONFIG = '''
[topics."t"]
readers = ["games"]
'''

    def setUp(self):
        if os.geteuid() != 0:
            self.skipTest('needs root to be somebody else')
        super().setUp()
        self.bus.root.chmod(0o755)
        self.create('t', '--read', 'daemon')
        self.bus.run('produce', 't', stdin=b'a\n')
        self.nobody = self.person('nobody')

    def person(self, name):
        user = pwd.getpwnam(name)
        return {'user': user.pw_uid, 'group': user.pw_gid, 'extra_groups': []}

    def acl(self, verb, *options, **who):
        """What the topic's own lists say then."""
        shown = self.bus.json('acl', verb, 't', *options, **who)
        return {(row['account'], row['right']) for row in shown if row['source'] == 'topic'}

    def may_read(self, who):
        return self.bus.run('consume', 't', '-o', 'start', '-e', status=None, **who) == b'a\n'

    def test_a_right_counts_at_once_and_over_kill_9_until_it_is_taken(self):
        self.assertFalse(self.may_read(self.nobody))
        self.assertEqual(self.acl('grant', '--read', 'nobody,@tty'),
                         {('daemon', 'read'), ('nobody', 'read'), ('@tty', 'read')})
        self.assertTrue(self.may_read(self.nobody))
        self.bus.restart()
        self.assertTrue(self.may_read(self.nobody))
        self.assertEqual(self.acl('revoke', '--read', 'nobody'), {('daemon', 'read'), ('@tty', 'read')})
        self.assertFalse(self.may_read(self.nobody))
        self.bus.restart()
        self.assertFalse(self.may_read(self.nobody))

    def test_the_log_says_who_gave_what_to_whom(self):
        self.acl('grant', '--read', 'nobody,@tty', '--admin', 'nobody')
        self.acl('revoke', '--read', 'daemon')
        said = self.bus.log.read_text()
        self.assertRegex(said, 'event=access_granted topic=t read=nobody,@tty write="" administer=nobody '
                               f'by_uid={os.getuid()}\n')
        self.assertRegex(said, f'event=access_revoked topic=t read=daemon write="" administer="" by_uid={os.getuid()}\n')

    def test_it_counts_for_the_keeper_too(self):
        self.acl('grant', '--read', 'nobody')
        self.bus.kill()
        self.bus.run('inspect', 't', **self.nobody)
        self.bus.start()
        self.acl('revoke', '--read', 'nobody')
        self.bus.kill()
        self.assertEqual(self.bus.refusal('inspect', 't', status=4, **self.nobody)['code'], 'denied')
        self.bus.start()

    def test_given_twice_is_given_once_and_settings_stay(self):
        before = {**self.settings(), 'readers': None, 'writers': None}
        self.acl('grant', '--read', 'nobody', '--write', 'nobody')
        self.assertEqual(self.acl('grant', '--read', 'nobody'),
                         {('daemon', 'read'), ('nobody', 'read'), ('nobody', 'write')})
        self.assertEqual({**self.settings(), 'readers': None, 'writers': None}, before)
        self.bus.run('topic', 'alter', 't', '--ring', '64KiB')
        self.assertEqual(self.settings()['readers'], ['daemon', 'nobody'])

    def test_a_list_says_because_of_what(self):
        shown = {(row['account'], row['right'], row['source']) for row in self.bus.json('acl', 'list', 't')}
        self.assertEqual(shown, {('daemon', 'read', 'topic'), ('games', 'read', 'configuration'),
                                 ('root', 'administer', 'owner'), ('root', 'administer', 'supervisor')})
        table = self.bus.run('acl', 'list', 't').decode()
        self.assertRegex(table, r'daemon +read +topic')
        self.assertEqual([line.split(maxsplit=2) for line in table.splitlines() if line.startswith('root')],
                         [['root', 'everything', 'owner, supervisor']])

    def test_only_admins_may(self):
        self.acl('grant', '--read', 'nobody', '--write', 'nobody')
        for verb in ('grant', 'revoke'):
            error = self.bus.refusal('acl', verb, 't', '--read', 'nobody', status=4, **self.nobody)
            self.assertEqual((error['thing'], error['rule']),
                             ("topic 't'", "user 'nobody' lacks the right to administer"))
        self.bus.run('acl', 'list', 't', **self.nobody)
        self.assertEqual(self.bus.refusal('acl', 'list', 't', status=4, **self.person('man'))['code'], 'denied')
        self.acl('grant', '--admin', 'nobody')
        self.acl('grant', '--read', 'man', **self.nobody)
        self.assertTrue(self.may_read(self.person('man')))

    def test_who_has_it_open_goes_on_and_cannot_open_it_again(self):
        self.acl('grant', '--read', 'nobody')
        reader = self.bus.spawn('consume', 't', '-o', 'start', **self.nobody)
        self.assertEqual(reader.stdout.readline(), b'a\n')
        self.acl('revoke', '--read', 'nobody')
        self.bus.run('produce', 't', stdin=b'b\n')
        self.assertEqual(reader.stdout.readline(), b'b\n')
        self.assertEqual(self.bus.refusal('consume', 't', '-e', status=4, **self.nobody)['code'], 'denied')

    def test_what_is_wrong_is_named(self):
        for words, status, thing in (
                (['grant', 't'], 2, "topic 't'"),
                (['grant', 't', '--read', 'nobody-of-that-name'], 3, "user 'nobody-of-that-name'"),
                (['grant', 't', '--write', '@no-such-group'], 3, "group 'no-such-group'"),
                (['revoke', 't', '--write', 'daemon'], 3, "right to write of 'daemon'"),
                (['revoke', 't', '--read', 'games'], 3, "right to read of 'games'"),
                (['list', 'none'], 3, "topic 'none'"),
                (['grant', 'none', '--read', 'daemon'], 3, "topic 'none'")):
            with self.subTest(words=words):
                error = self.bus.refusal('acl', *words, status=status)
                self.assertEqual(error['thing'], thing)
                self.assertTrue(error['rule'] and error['fix'])
        self.assertEqual(self.acl('list'), {('daemon', 'read')})


if __name__ == '__main__':
    unittest.main()
