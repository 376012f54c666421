"""Clients in containers: in namespaces of their own (user, pid, mount, network, ipc), of the host's files only the
directory of the sockets; and a supervisor in one."""

import ctypes
import errno
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from bus import PATIENCE_SECONDS, wait_until
from on_a_bus import OnABus
from syscall_filter import refuse
from tmux import Terminal

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
        self.stderr = ended.stderr.decode()
        self.assertEqual(ended.returncode, 0, self.stderr)
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


    def people(self):
        """A producer and a consumer outside, and a cursor that nobody holds any more."""
        self.create()
        producer = self.bus.spawn('produce', 't')
        producer.stdin.write(b'one\n')
        producer.stdin.flush()
        self.bus.run('consume', 't', '-o', 'start', '--cursor', 'kept', '-n', '1')
        consumer = self.bus.spawn('consume', 't')
        wait_until(lambda: len(self.clients()) == 2, 'both')
        return producer, consumer

    def words(self, *options):
        """What inspect in here calls the supervisor, the producer and the consumer."""
        seen = json.loads(self.ringway('inspect', 't', '--output', 'json', *options))
        of = seen if '--post-mortem' in options else seen['partitions'][0]
        self.cursors = of['cursors']
        (producer,) = of['producers']
        (consumer,) = [each for each in of['cursors'] if each['pid']]
        return [each['process'] for each in (seen['supervisor'], producer, consumer)]

    def test_of_processes_outside_it_says_that_it_does_not_know_whether_they_live(self):
        producer, _ = self.people()
        self.assertEqual(self.words(), ['unknown'] * 3)
        self.assertIn('kept', [each['name'] for each in self.cursors])
        self.assertNotIn('cursors that nobody holds are not shown', self.stderr)
        self.assertEqual(self.words('--post-mortem'), ['unknown'] * 3)
        self.bus.kill_keeper()
        self.assertEqual(self.words(), ['unknown'] * 3)  # by the memory that the supervisor gives
        self.bus.pause()
        wait_until(self.bus.keepers, 'the next keeper')
        self.assertEqual(self.words(), ['unknown'] * 3)

    def test_top_calls_nobody_outside_dead(self):
        self.people()
        terminal = Terminal(self.command(os.environ['RINGWAY'], 'top', '--interval', '100ms'), {'TERM': 'screen'},
                            (80, 24))
        self.addCleanup(terminal.close)
        screen = terminal.wait_for('t  ')
        terminal.press('3')
        screen += terminal.wait_for('unknown')
        self.assertNotIn('dead', screen)

    def test_doctor_knows_that_who_serves_is_outside(self):
        said = json.loads(self.command_output('doctor', '--output', 'json'))
        (service,) = [each for each in said['findings'] if each['check'] == 'service']
        self.assertEqual(service['severity'], 'ok')
        self.assertIn(f'pid {self.bus.daemon.pid} of another pid namespace serves', service['what'])

    def command_output(self, *words):
        return subprocess.run(self.command(os.environ['RINGWAY'], *words), capture_output=True, check=False,
                              timeout=PATIENCE_SECONDS).stdout


class Supervisors(OnABus):
    def test_outside_of_its_pid_namespace_doctor_and_status_say_the_same(self):
        self.bus.stop()
        inside = subprocess.Popen([*UNSHARE, '--mount-proc', '--pid', *self.bus.daemon.args], stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL)

        def close():
            inside.kill()
            inside.wait()
        self.addCleanup(close)

        def serves():
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as probe:
                return probe.connect_ex(str(self.bus.socket)) == 0
        wait_until(serves, 'the supervisor in there')
        fix = self.bus.refusal('status', status=4)['fix']
        self.assertIn('share a pid namespace', fix)
        found = json.loads(self.bus.run('doctor', '--output', 'json', status=None))['findings']
        (service,) = [each for each in found if each['check'] == 'service']
        self.assertEqual((service['severity'], service['fix']), ('error', fix))
        self.assertIn('its death cannot be seen', service['what'])

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
