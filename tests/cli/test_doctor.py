"""`ringway doctor` on this host: what it finds, what it cannot look at, and that it changes nothing."""

import os
import pathlib
import pwd
import re
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from bus import PATIENCE_SECONDS, wait_until
from on_a_bus import OnABus

CHECKS = ['service', 'versions', 'stale_sockets', 'orphaned_memory', 'logout', 'kernel', 'membarrier', 'io_uring',
          'seccomp', 'memory', 'huge_pages', 'numa', 'locked_memory', 'descriptors', 'descriptor_store', 'mappings',
          'tasks', 'clock', 'governor', 'cpu_quota', 'disk_room', 'sync_time']


class Doctor(OnABus):
    def findings(self, *words, **options):
        found = self.bus.json('doctor', *words, status=None, **options)['findings']
        self.assertEqual(list(dict.fromkeys(finding['check'] for finding in found)), CHECKS)
        for finding in found:
            # Who is told that something is amiss is told what to do.
            self.assertEqual(finding['severity'] in ('note', 'warning', 'error'), finding['fix'] is not None)
        return {finding['check']: finding for finding in found}

    def test_of_a_bus_that_serves_it_says_so_and_how_fast_its_disk_is(self):
        self.create()
        before = sorted(self.bus.state_dir.rglob('*'))
        found = self.findings()
        self.assertEqual(found['service']['severity'], 'ok')
        self.assertEqual(found['versions']['severity'], 'ok')
        self.assertEqual(found['stale_sockets']['severity'], 'ok')
        self.assertRegex(found['sync_time']['what'], r'4 KiB durable in .* \(median\)|tmpfs')
        self.assertEqual(sorted(self.bus.state_dir.rglob('*')), before)
        self.assertIn(b'not checked', self.bus.run('doctor', status=None).splitlines()[-1])

    def test_what_was_killed_is_an_error_and_what_it_left_is_named(self):
        self.create()
        pid = self.bus.daemon.pid
        self.bus.kill()
        found = self.bus.json('doctor', status=1)['findings']
        self.assertIn(('error', 'service'), [(each['severity'], each['check']) for each in found])
        self.assertIn(str(self.bus.socket), [each for each in found if each['check'] == 'stale_sockets'][0]['what'])
        orphans = [each for each in found if each['check'] == 'orphaned_memory' and f' {pid},' in each['what']]
        self.assertTrue(orphans[0]['fix'].endswith(f': kill {self.bus.keepers()[0]}'), orphans)
        self.assertTrue(orphans[0]['fix'].startswith(f'ringwayd --runtime-dir {self.bus.runtime_dir}'), orphans)
        self.bus.start()
        wait_until(lambda: self.findings()['service']['severity'] == 'ok', 'the next one')

    def carry_out(self, fix):
        """In a shell, as it stands, where `ringwayd` is the one under test: it becomes the bus's supervisor."""
        path = f'{pathlib.Path(os.environ["RINGWAYD"]).parent}:{os.environ["PATH"]}'
        before, _, last = fix.split('  #')[0].rpartition('&& ')
        with open(self.bus.log, 'ab') as log:
            self.bus.daemon = subprocess.Popen(
                ['bash', '-c', f'{before}{"&& " if before else ""}exec {last}'], cwd='/', stdout=log, stderr=log,
                env={**self.bus.env, 'PATH': path, 'RINGWAY_WITHOUT': 'io_uring'})
        wait_until(lambda: self.findings()['service']['severity'] == 'ok', 'the next supervisor')

    def test_a_supervisor_that_is_replaced_has_the_configuration_of_the_one_before(self):
        self.bus.stop()
        (self.bus.root / "it's.toml").write_text('log_level = "debug"\n')
        with open(self.bus.log, 'ab') as log:
            before = self.bus.daemon = subprocess.Popen(
                [os.environ['RINGWAYD'], '--config', "it's.toml", '--socket', self.bus.socket, '--runtime-dir=run',
                 '--state-dir', self.bus.state_dir], cwd=self.bus.root, stdout=log, stderr=log,
                env={**self.bus.env, 'RINGWAY_WITHOUT': 'io_uring', 'RINGWAYD_LIMITS_TOPICS': '1'})
        wait_until(self.bus.serves, 'the one before')
        self.create()
        self.carry_out(self.findings()['io_uring']['fix'])
        self.assertEqual(before.wait(PATIENCE_SECONDS), 0)
        self.assertEqual(self.findings()['io_uring']['severity'], 'ok')
        self.assertEqual([row['topic'] for row in self.bus.json('topic', 'list')], ['t'])
        self.assertEqual(self.bus.refusal('topic', 'create', 'u', status=1)['code'], 'limit')
        configs = re.findall(r'event=starting config=(.*?) state_dir=', self.bus.log.read_text())
        self.assertEqual(configs[-1], configs[-2])
        self.assertIn("it's.toml", configs[-1])

    def test_a_bus_that_was_killed_is_found_by_its_keeper_where_its_socket_lies_elsewhere(self):
        self.bus.stop()
        self.bus.socket = self.bus.root / 'elsewhere.sock'
        self.bus.env['RINGWAY_SOCKET'] = str(self.bus.socket)
        self.bus.start()
        self.create('kept')
        self.bus.kill()
        for check in ('service', 'stale_sockets'):
            with self.subTest(check=check):
                self.carry_out(self.findings()[check]['fix'])
                self.bus.kill()
        self.bus.start()
        self.assertEqual([row['topic'] for row in self.bus.json('topic', 'list')], ['kept'])

    def test_a_silent_supervisor_has_half_a_second_or_as_long_as_the_user_says(self):
        self.create()
        self.bus.pause()
        self.addCleanup(self.bus.resume)
        for words, patience in (((), 500), (('--timeout', '700ms'), 700), (('--timeout', '200ms'), 200)):
            with self.subTest(words=words):
                self.assertIn(f'did not answer within {patience} ms', self.bus.run('doctor', *words, status=1).decode())
        go_on = f'kill -CONT {self.bus.daemon.pid}'
        self.assertEqual([each['fix'] for each in self.bus.json('doctor', status=1)['findings']
                          if each['check'] == 'service'], [go_on])
        self.assertEqual(self.bus.refusal('status', '--timeout', '200ms', status=6)['fix'], go_on)
        self.assertIn('(default 500ms)', ' '.join(self.bus.run('doctor', '--help').decode().split()))

    def test_who_runs_behind_a_socket_that_was_removed_is_found_and_makes_room_for_the_next(self):
        self.create()
        pid = self.bus.daemon.pid
        self.bus.socket.unlink()
        fix = self.findings()['service']['fix']
        self.assertTrue(fix.startswith(f'kill -USR1 {pid} && ringwayd --socket {self.bus.socket}  # '), fix)
        os.kill(pid, signal.SIGUSR1)
        self.bus.daemon.wait()
        self.bus.start()
        self.assertEqual(self.findings()['service']['severity'], 'ok')

    def test_with_nobody_there_the_disk_of_the_usual_state_directory_is_looked_at(self):
        self.bus.kill()
        self.bus.kill_keeper()
        usual = self.bus.root / 'home/ringway'
        usual.mkdir(parents=True)
        (usual / 'catalog.db').touch()
        self.bus.env['XDG_STATE_HOME'] = str(usual.parent)
        found = self.findings()
        for check in ('disk_room', 'sync_time'):
            self.assertIn(str(usual), found[check]['what'])

    def test_features_that_the_supervisor_does_without_are_warnings(self):
        self.bus.stop()
        self.bus.env['RINGWAY_WITHOUT'] = 'io_uring,membarrier,peerpidfd'
        self.bus.start()
        del self.bus.env['RINGWAY_WITHOUT']  # it is of ringwayd that doctor speaks
        found = self.findings()
        for check in ('io_uring', 'membarrier'):
            self.assertEqual(found[check]['severity'], 'warning', found[check])
            self.assertTrue(found[check]['fix'].startswith('unset RINGWAY_WITHOUT && kill -USR1 '), found[check])
        for check in ('kernel', 'seccomp'):
            self.assertEqual(found[check]['severity'], 'ok', found[check])
        self.assertIn('challenge', found['kernel']['what'])

    def test_an_ordinary_user_is_told_what_he_cannot_see(self):
        if os.geteuid() != 0:
            self.skipTest('takes root, to become another user')
        os.chmod(self.bus.root, 0o755)
        found = self.findings(user=pwd.getpwnam('nobody').pw_uid)
        for check in ('orphaned_memory', 'mappings', 'sync_time'):
            self.assertEqual(found[check]['severity'], 'unchecked', found[check])

    def test_the_room_that_is_configured_to_stay_free_is_what_counts(self):
        self.assertIn('disk.keep_free', self.findings()['disk_room']['what'])
        self.bus.kill()
        self.bus.config.write_text('disk.keep_free = "99%"')
        self.bus.start()
        short = self.findings()['disk_room']
        self.assertEqual(short['severity'], 'warning', short)
        self.bus.kill()
        self.bus.config.write_text('disk.keep_free = "1MiB"')
        self.bus.start()
        kept = self.findings()['disk_room']
        self.assertEqual((kept['severity'], '1 MiB stay free' in kept['what']), ('ok', True), kept)

    def test_another_directory_and_one_that_is_not_there(self):
        self.assertIn(str(self.bus.root), self.findings('--state-dir', self.bus.root)['disk_room']['what'])
        self.assertIn('No such file', self.findings('--state-dir', '/no/such')['sync_time']['what'])


if __name__ == '__main__':
    unittest.main()
