"""Clients in containers: in namespaces of their own (user, pid, mount, network, ipc), of the host's files only the
directory of the sockets; and a supervisor in one."""

import ctypes
import errno
import os
import pathlib
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from bus import PATIENCE_SECONDS
from on_a_bus import OnABus
from syscall_filter import refuse

ENTER = pathlib.Path(__file__).with_name('enter')
BUILD = pathlib.Path(os.environ['BUILD'])
UNSHARE = ['unshare', '--user', '--map-root-user', '--fork', '--kill-child']
ALL = ['--mount', '--pid', '--net', '--ipc', '--uts', '--cgroup']
CLONE_NEWUSER = 0x10000000
STRANGER = 4242  # no user of this machine


def enter_user_namespace():
    """With no user and no group of the host but root."""
    if ctypes.CDLL(None).unshare(CLONE_NEWUSER) != 0:
        raise OSError('unshare')
    for file, text in (('setgroups', 'deny'), ('uid_map', '0 0 1'), ('gid_map', '0 0 1')):
        pathlib.Path(f'/proc/self/{file}').write_text(text)


def setUpModule():
    if os.geteuid() != 0:
        raise unittest.SkipTest('takes root')
    tried = subprocess.run([*UNSHARE, *ALL, 'true'], capture_output=True, text=True)
    if tried.returncode != 0:
        raise unittest.SkipTest(f'takes namespaces: {tried.stderr.strip()}')


class Clients(OnABus):
    def setUp(self):
        super().setUp()
        self.root = self.bus.root / 'container'
        self.root.mkdir()

    def command(self, program, *words):
        return [*UNSHARE, *ALL, ENTER, self.root, self.bus.runtime_dir, BUILD, 'env',
                'RINGWAY_SOCKET=/run/ringway/control.sock',
                f'/build/{pathlib.Path(program).relative_to(BUILD)}', *words]

    def ringway(self, *words, stdin=b''):
        ended = subprocess.run(self.command(os.environ['RINGWAY'], *words), input=stdin, capture_output=True,
                               timeout=PATIENCE_SECONDS)
        self.assertEqual(ended.returncode, 0, ended.stderr.decode())
        return ended.stdout

    def start(self, program, *words):
        """A client that goes on beside the test, and ends with it."""
        client = subprocess.Popen(self.command(program, *words), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

        def close():
            client.kill()
            client.wait()
            client.stdout.close()
        self.addCleanup(close)
        return client

    def clients(self):
        """The pids of who has something open."""
        return [session['pid'] for session in self.bus.json('status')['sessions'] if session['handles']]

    def test_one_publishes_another_consumes(self):
        lines = b''.join(b'%d\n' % number for number in range(100_000))
        self.create()
        self.ringway('produce', 't', '--wait', 'durable', stdin=lines)
        self.assertEqual(self.ringway('consume', 't', '-o', 'start', '-e'), lines)
        self.bus.kill()
        self.bus.kill_keeper()  # all of it from the disk
        self.bus.start()
        self.assertEqual(self.ringway('consume', 't', '-o', 'start', '-e'), lines)

    def test_its_consumer_goes_on_over_a_new_supervisor(self):
        self.create()
        consumer = self.start(os.environ['RINGWAY'], 'consume', 't', '-o', 'start')
        self.produce('t', [b'one'])
        self.assertEqual(consumer.stdout.readline(), b'one\n')
        self.bus.restart()
        self.produce('t', [b'two'])
        self.assertEqual(consumer.stdout.readline(), b'two\n')

    def test_killed_in_mid_claim_it_is_repaired(self):
        self.create()
        claimant = self.start(os.environ['CLAIMANT'], 't')
        self.assertEqual(claimant.stdout.readline(), b'claimed\n')
        (pid,) = self.clients()
        behind = self.bus.spawn('produce', 't', '--wait', 'durable')
        behind.stdin.write(b'behind\n')
        behind.stdin.close()
        self.wait_until(lambda: self.partition()['state'] != 'serving', 'a partition that is held up')
        os.kill(pid, signal.SIGKILL)
        self.assertEqual(behind.wait(PATIENCE_SECONDS), 0)
        self.assertEqual(self.ringway('consume', 't', '-o', 'start', '-e'), b'before\nbehind\n')
        self.assertEqual(self.bus.json('inspect', 't')['partitions'][0]['repairs'], 1)
        self.assertEqual(self.clients(), [])

    def test_it_sees_the_ring_through_the_keeper_beside_the_socket(self):
        self.create()
        self.produce('t', [b'one'])
        self.assertIn(b'the keeper', self.ringway('inspect', 't'))
        self.bus.kill()
        self.assertIn(b'the keeper', self.ringway('inspect', 't'))


class Supervisors(OnABus):
    def test_where_io_uring_is_forbidden_the_log_is_written_all_the_same(self):
        self.create()
        self.assertEqual(self.bus.json('topic', 'describe', 't')['log_writer'], 'io_uring')
        self.bus.stop()
        self.bus.start(refuse('io_uring', errno.EPERM))
        self.produce('t', [b'one'])
        self.assertEqual(self.bus.json('topic', 'describe', 't')['log_writer'], 'pwrite')
        self.assertIn(b'pwrite, as the kernel refuses io_uring', self.bus.run('topic', 'describe', 't'))
        self.assertIn('io_uring', self.bus.json('status')['without'])

    def test_users_whom_its_namespace_does_not_map_are_refused(self):
        self.bus.stop()
        self.bus.start(enter_user_namespace)
        self.create('t', '--read', f'{STRANGER},65534')
        os.chmod(self.bus.root, 0o755)
        stranger = {'user': STRANGER, 'group': STRANGER, 'extra_groups': []}
        for words in (['topic', 'list'], ['consume', 't', '-e']):
            refusal = self.bus.refusal(*words, status=4, **stranger)
            self.assertIn('is shown as 65534', refusal['rule'])
            self.assertIn('map it there', refusal['fix'])
        self.bus.kill()  # of the keeper, then
        self.assertIn('is shown as 65534', self.bus.refusal('inspect', 't', status=4, **stranger)['rule'])


if __name__ == '__main__':
    unittest.main()
