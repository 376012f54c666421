"""The limit of open files: whoever has none left says so, and does not take it for somebody else's trouble."""

import contextlib
import os
import pathlib
import resource
import socket
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from bus import PATIENCE_SECONDS
from on_a_bus import OnABus


def allow(descriptors, pid=0):
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (descriptors, most))


class Supervisor(OnABus):
    def test_one_that_has_no_room_for_clients_says_so_once_and_when_it_has_again(self):
        descriptors = pathlib.Path(f'/proc/{self.bus.daemon.pid}/fd')
        for episode in (1, 2):
            allow(1 + len(os.listdir(descriptors)), self.bus.daemon.pid)
            # The first to be refused waits in the queue, and is tried again ten times a second.
            with contextlib.ExitStack() as clients:
                for _ in range(3):
                    client = clients.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
                    client.connect(str(self.bus.socket))
                self.wait_until(lambda: self.logged('accept_paused') == episode, 'the refusal')
                time.sleep(1)
                self.assertEqual(self.logged('accept_paused'), episode)
                self.assertEqual(self.logged('accept_resumed'), episode - 1)
                allow(1024, self.bus.daemon.pid)
                self.wait_until(lambda: self.logged('accept_resumed') == episode, 'the clients to be taken')
            self.wait_until(lambda: self.bus.run_for_status('status') == 0, 'the bus to serve')

    def logged(self, event):
        return self.bus.log.read_text().count(f'event={event}')


class Clients(OnABus):
    def setUp(self):
        super().setUp()
        self.create('t', '--ring', '64KiB')
        self.produce('t', [b'%0999d' % n for n in range(300)])

    def run_with(self, descriptors, *words):
        return subprocess.run(self.bus.command(*words), env=self.bus.env, stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=PATIENCE_SECONDS, check=False, preexec_fn=lambda: allow(descriptors))

    def test_one_that_reads_ends_and_names_the_limit(self):
        for words in (('consume', 't', '-o', 'start', '-n', '300'), ('consume', 't', '-o', '@-1h', '-n', '300'),
                      ('consume', 't', '-o', 'start', '-e', '--cursor', 'c'), ('topic', 'export', 't')):
            said = []
            for descriptors in range(4, 40):
                with self.subTest(words=words, descriptors=descriptors):
                    ended = self.run_with(descriptors, *words)
                    if ended.returncode == 0:
                        break
                    said.append(ended.stderr.decode())
                    self.assertIn(f': no descriptor is left, the limit of open files is {descriptors}; raise it (ulimit -n',
                                  said[-1])
                    self.assertEqual(len(said[-1].splitlines()), 1)
            self.assertEqual(ended.returncode, 0)
            # With the last of them all is there but the file of the log.
            self.assertRegex(said[-1], r"^ringway: topic 't'(, partition 0)?: (what comes next|the start) cannot be ")

    def test_a_producer_that_waits_and_cannot_connect_anew_says_why(self):
        producing = self.bus.spawn('produce', 't')
        producing.stdin.write(b'first\n')
        producing.stdin.flush()
        self.wait_until(lambda: self.partition()['committed'] == 301, 'the first')
        descriptors = pathlib.Path(f'/proc/{producing.pid}/fd')
        allow(1 + max(int(name) for name in os.listdir(descriptors)), producing.pid)
        self.bus.kill()
        producing.stdin.write(b'%0999d\n' * 100 % tuple(range(100)))  # more than is free
        producing.stdin.flush()
        told = []
        while not told or 'waiting: no descriptor is left to reach the supervisor' not in told[-1]:
            told.append(producing.stderr.readline().decode())
            self.assertTrue(told[-1], told)
        self.assertEqual(len([line for line in told if 'event=attach_failed' in line]), 1)
        allow(1024, producing.pid)
        self.bus.start()
        producing.stdin.close()
        self.assertEqual(producing.wait(PATIENCE_SECONDS), 0)
        self.assertEqual(self.partition()['committed'], 401)


if __name__ == '__main__':
    unittest.main()
