"""Who may do what, with users and groups that are really somebody else."""

import grp
import os
import pathlib
import pwd
import signal
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from on_a_bus import OnABus

NOBODY, DAEMON, GAMES = 'nobody', 'daemon', 'games'
STRANGER = '54321'  # a number without an entry in the passwd database


class Rights(OnABus):
    CONFIG = '''
create = ["games", "@daemon"]
[topics."by/config"]
readers = ["nobody"]
writers = ["@daemon"]
admins = ["@games", "nobody-of-that-name"]
'''

    def setUp(self):
        if os.geteuid() != 0:
            self.skipTest('needs root to be somebody else')
        super().setUp()
        self.bus.root.chmod(0o755)

    def person(self, user, group=None):
        """Options that make a command theirs, in that group only."""
        if user.isdigit():
            uid, gid = int(user), int(user)
        else:
            uid, gid = pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid
        if group:
            gid = int(group) if group.isdigit() else grp.getgrnam(group).gr_gid
        return {'user': uid, 'group': gid, 'extra_groups': []}

    def denied(self, who, *words, right, thing, user=None):
        error = self.bus.refusal(*words, status=4, **who)
        self.assertEqual(error['code'], 'denied')
        self.assertIn(thing, error['thing'])
        self.assertIn(right, error['rule'])
        if user:
            self.assertIn(f"user '{user}'", error['rule'])
        self.assertTrue(error['fix'])

    def may(self, who, topic='t'):
        """The rights that it turns out to have."""
        def exit_status(*words, stdin=b''):
            child = self.bus.spawn(*words, **who)
            child.communicate(stdin)
            self.assertIn(child.returncode, (0, 4), words)
            return child.returncode

        rights = set()
        if exit_status('consume', topic, '-o', 'start', '-e') == 0:
            rights.add('read')
        if exit_status('produce', topic, stdin=b'x\n') == 0:
            rights.add('write')
        if exit_status('inspect', topic) == 0:
            rights.add('inspect')
        return rights

    def test_without_lists_only_root_and_the_creator_may(self):
        self.create()
        for user in (NOBODY, DAEMON, STRANGER):
            self.assertEqual(self.may(self.person(user)), set())
        games = self.person(GAMES)
        self.bus.run('topic', 'create', 'own', **games)
        self.assertEqual(self.may(games, 'own'), {'read', 'write', 'inspect'})
        self.assertEqual(self.may(self.person(NOBODY), 'own'), set())
        self.assertEqual(self.may({}, 'own'), {'read', 'write', 'inspect'})
        self.bus.run('topic', 'delete', 'own', '--yes', **games)

    def test_readers_writers_and_admins_of_topic_create(self):
        self.create('t', '--read', f'nobody,{STRANGER}', '--write', 'daemon,@60', '--admin', '@nogroup')
        self.assertEqual(self.may(self.person(NOBODY, 'games')), {'read', 'write', 'inspect'})  # user and group
        self.assertEqual(self.may(self.person(STRANGER)), {'read', 'inspect'})
        self.assertEqual(self.may(self.person(DAEMON)), {'write'})
        self.assertEqual(self.may(self.person(STRANGER, 'games')), {'read', 'write', 'inspect'})
        self.assertEqual(self.may(self.person('12345')), set())
        # A group that is not the first one counts as well.
        joined = {**self.person('12345'), 'extra_groups': [grp.getgrnam('nogroup').gr_gid]}
        self.assertEqual(self.may(joined), {'read', 'write', 'inspect'})
        self.bus.run('topic', 'delete', 't', '--yes', **joined)

    def test_rights_of_the_configuration_are_added_and_survive_a_restart(self):
        self.create('by/config', '--read', DAEMON)
        for _ in range(2):
            self.assertEqual(self.may(self.person(NOBODY), 'by/config'), {'read', 'inspect'})
            self.assertEqual(self.may(self.person(DAEMON), 'by/config'), {'read', 'write', 'inspect'})
            self.assertEqual(self.may(self.person(GAMES), 'by/config'), {'read', 'write', 'inspect'})
            self.assertEqual(self.may(self.person(STRANGER), 'by/config'), set())
            self.bus.restart()
        self.assertIn('event=account_unknown topic=by/config account=nobody-of-that-name', self.bus.log.read_text())
        # What the configuration says later counts from then on.
        self.bus.config.write_text('[topics."by/config"]\nwriters = ["54321"]\n')
        self.bus.restart()
        self.assertEqual(self.may(self.person(NOBODY), 'by/config'), set())
        self.assertEqual(self.may(self.person(STRANGER), 'by/config'), {'write'})

    def test_a_refusal_names_the_user_the_topic_and_the_missing_right(self):
        self.create('t', '--read', NOBODY)
        nobody, stranger = self.person(NOBODY), self.person(STRANGER)
        self.denied(nobody, 'produce', 't', right='write', thing="'t'", user=NOBODY)
        self.denied(stranger, 'consume', 't', '-e', right='read', thing="'t'", user=STRANGER)
        self.denied(stranger, 'topic', 'describe', 't', right='read', thing="'t'", user=STRANGER)
        self.denied(nobody, 'topic', 'delete', 't', '--yes', right='administer', thing="'t'", user=NOBODY)
        self.assertEqual([row['topic'] for row in self.bus.json('topic', 'list')], ['t'])
        # For people it is one line that says the same.
        self.bus.run('produce', 't', status=4, **nobody)
        self.assertRegex(self.bus.stderr, r"topic 't'.*user 'nobody' lacks the right to write")

    def test_who_may_not_do_anything_with_a_topic_does_not_see_it(self):
        self.create('t', '--read', NOBODY)
        self.create('u')
        self.assertEqual([row['topic'] for row in self.bus.json('topic', 'list', **self.person(NOBODY))], ['t'])
        self.assertEqual(self.bus.json('topic', 'list', **self.person(STRANGER)), [])
        self.assertIn('2 topics on this bus, and none that ', self.bus.stderr)

    def test_who_may_create_is_a_setting(self):
        for person in (self.person(GAMES), self.person(STRANGER, 'daemon')):
            self.bus.run('topic', 'create', 'new', **person)
            self.bus.run('topic', 'delete', 'new', '--yes', **person)
        self.denied(self.person(NOBODY), 'topic', 'create', 'new', right='create', thing="'new'", user=NOBODY)
        self.denied(self.person(STRANGER), 'produce', 'new', '--create', right='create', thing="'new'", user=STRANGER)
        self.assertEqual(self.bus.json('topic', 'list'), [])
        self.bus.config.write_text('create = ["*"]\n')
        self.bus.restart()
        self.bus.run('topic', 'create', 'new', **self.person(STRANGER))

    def test_an_account_that_does_not_exist_is_refused_at_creation(self):
        for option in ('--read', '--write', '--admin'):
            error = self.bus.refusal('topic', 'create', 't', option, 'nobody-of-that-name', status=3)
            self.assertIn('nobody-of-that-name', error['thing'])
            error = self.bus.refusal('topic', 'create', 't', option, '@no-such-group', status=3)
            self.assertIn('no-such-group', error['thing'])

    def test_the_keeper_asks_for_the_same_rights_while_nobody_serves(self):
        self.create('t', '--read', NOBODY)
        self.bus.run('produce', 't', stdin=b'a\nb\n')
        self.bus.kill()
        shown = self.bus.json('inspect', 't', **self.person(NOBODY))
        self.assertEqual(shown['partitions'][0]['committed'], 2)
        self.denied(self.person(STRANGER), 'inspect', 't', right='read', thing='t')
        self.bus.start()

    def reload(self, config):
        """The configuration, as SIGHUP has it read."""
        read = self.bus.log.read_text().count('event=config_read')
        self.bus.config.write_text(config)
        self.bus.daemon.send_signal(signal.SIGHUP)
        self.wait_until(lambda: self.bus.log.read_text().count('event=config_read') > read, 'the configuration')

    def test_a_reload_of_what_is_no_file_holds_up_nobody(self):
        self.bus.config.unlink()
        os.mkfifo(self.bus.config)
        self.bus.daemon.send_signal(signal.SIGHUP)
        self.wait_until(lambda: 'event=config_refused' in self.bus.log.read_text(), 'the refusal')
        self.assertIn('the configuration is no regular file', self.bus.log.read_text())
        self.create('t')

    def test_who_may_create_counts_from_a_reload_on(self):
        nobody, games = self.person(NOBODY), self.person(GAMES)
        self.denied(nobody, 'topic', 'create', 'a', right='create', thing="'a'")
        self.bus.run('topic', 'create', 'b', **games)
        self.reload('create = ["nobody"]\n')
        self.bus.run('topic', 'create', 'a', **nobody)
        self.denied(games, 'topic', 'create', 'c', right='create', thing="'c'")
        self.reload('create = ["*"]\n')
        self.bus.run('topic', 'create', 'c', **games)

    def test_rights_of_the_configuration_count_from_a_reload_on(self):
        self.create('by/config')
        self.assertEqual(self.may(self.person(NOBODY), 'by/config'), {'read', 'inspect'})
        self.reload('[topics."by/config"]\nwriters = ["nobody"]\n')
        self.assertEqual(self.may(self.person(NOBODY), 'by/config'), {'write'})


class OfAnotherUser(OnABus):
    def setUp(self):
        if os.geteuid() != 0:
            self.skipTest('needs root to be somebody else')
        super().setUp()

    def test_a_supervisor_that_is_not_root_trusts_root_and_its_own_user_only(self):
        self.bus.stop()
        daemon = pwd.getpwnam(DAEMON)
        self.bus.root.chmod(0o755)
        for path in [self.bus.root, *self.bus.root.rglob('*')]:
            os.chown(path, daemon.pw_uid, daemon.pw_gid)
        self.bus.start(user=daemon.pw_uid, group=daemon.pw_gid, extra_groups=[])
        own = {'user': daemon.pw_uid, 'group': daemon.pw_gid, 'extra_groups': []}
        games = {**own, 'user': pwd.getpwnam(GAMES).pw_uid, 'group': 60}
        self.bus.run('topic', 'create', 't', '--write', GAMES, **own)
        self.bus.run('produce', 't', stdin=b'games\n', **games)
        self.bus.run('produce', 't', stdin=b'root\n')
        self.assertEqual(self.bus.run('consume', 't', '-o', 'start', '-e', **own), b'games\nroot\n')
        self.assertEqual(self.bus.refusal('consume', 't', '-e', status=4, **games)['code'], 'denied')
        self.assertEqual(self.bus.refusal('topic', 'create', 'u', status=4, **games)['code'], 'denied')
        self.bus.run('topic', 'delete', 't', '--yes')


if __name__ == '__main__':
    unittest.main()
