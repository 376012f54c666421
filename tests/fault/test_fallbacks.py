"""The whole bus without one kernel feature after the other: as asked for by RINGWAY_WITHOUT, and refused by the kernel.

That a fallback was really taken shows in `status`, and in that nobody was killed by a filter which ends every process
that touches the feature. That these filters bite is a case of its own.
"""

import contextlib
import errno
import os
import pathlib
import signal
import socket
import sys
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from bus import PATIENCE_SECONDS, Bus, wait_until
from syscall_filter import forbid, refuse

SUPERVISOR = {'io_uring', 'membarrier', 'peerpidfd'}  # who shows in `status` that it does without
CLIENT = {'membarrier', 'tsc', 'futex_waitv'}
FEATURES = sorted(SUPERVISOR | CLIENT | {'o_direct'})
# What a kernel answers that lacks the feature, or forbids it.
REFUSALS = {'io_uring': errno.EPERM, 'membarrier': errno.ENOSYS, 'peerpidfd': errno.ENOPROTOOPT,
            'futex_waitv': errno.ENOSYS, 'o_direct': errno.EINVAL}

RECORDS = 40_000  # some twenty times the ring


class Fallbacks(unittest.TestCase):
    def bus(self, **options):
        bus = Bus(**options)
        self.addCleanup(bus.close)
        return bus

    def carry_through_a_crash(self, bus):
        """Produces, follows live, kills the supervisor half-way, reads everything again."""
        bus.json('topic', 'create', 't', '--ring', '64KiB', '--segment', '512KiB')
        followed = bus.root / 'followed'
        with open(followed, 'wb') as output:
            live = bus.spawn('consume', 't', '-o', 'start', stdout=output)
        producer = bus.spawn('produce', 't', '--wait', 'durable')
        sent = []

        def send(content):
            sent.append(content)
            producer.stdin.write(content)
            producer.stdin.flush()

        send(lines(RECORDS // 2))
        wait_until(lambda: self.durable(bus) >= RECORDS // 4, 'the first half to be on its way')
        self.check_what_is_missing(bus)
        self.check_clients(bus)
        flags = wait_until(lambda: send(b'more\n') or segment_flags(bus), 'an open segment')
        self.assertEqual(flags & os.O_DIRECT == 0, self.feature == 'o_direct')

        bus.kill()
        sent.append(lines(RECORDS // 2)[::-1].removeprefix(b'\n') + b'\n')
        feed(producer, sent[-1])
        bus.start()
        self.check_end(producer)
        content = b''.join(sent)
        wait_until(lambda: followed.stat().st_size >= len(content), 'the follower')
        live.send_signal(signal.SIGINT)
        self.check_end(live)
        self.assertEqual(followed.read_bytes(), content)
        self.assertEqual(bus.run('consume', 't', '-o', 'start', '-e'), content)
        self.check_what_is_missing(bus)
        bus.run('log', 'verify', 't', '--state-dir', bus.state_dir)

    def check_end(self, child):
        self.assertEqual(child.wait(PATIENCE_SECONDS), 0, child.stderr.read().decode())

    def durable(self, bus):
        return bus.json('topic', 'describe', 't')['partitions'][0]['durable']

    def check_what_is_missing(self, bus):
        self.assertEqual(set(bus.json('status')['without']), {self.feature} & SUPERVISOR)
        self.assertEqual(is_challenged(bus), self.feature == 'peerpidfd')

    def check_clients(self, bus):
        clients = [session for session in bus.json('status')['sessions'] if session['handles']]
        self.assertEqual(len(clients), 2)
        for client in clients:
            without = client['client'].partition(' without ')[2]
            self.assertEqual(set(without.split(', ')) - {''}, {self.feature} & CLIENT)


def lines(count):
    return b''.join(b'%d %s\n' % (n, b'x' * (n % 40)) for n in range(count))


def feed(child, content):
    """Writes it all, however full the ring is, and ends the child's input."""
    def write():
        with contextlib.suppress(BrokenPipeError):
            child.stdin.write(content)
            child.stdin.close()
    threading.Thread(target=write, daemon=True).start()


def segment_flags(bus):
    """How the segment being written is open; None while it is closed, as that of a quiet partition is."""
    for link in pathlib.Path(f'/proc/{bus.daemon.pid}/fd').iterdir():
        with contextlib.suppress(FileNotFoundError):
            name = os.readlink(link)
            if name.startswith(str(bus.state_dir)) and name.endswith('.log'):
                info = pathlib.Path(f'/proc/{bus.daemon.pid}/fdinfo/{link.name}').read_text()
                return int(info.split('flags:')[1].split()[0], 8)
    return None


def is_challenged(bus):
    """Whether a client has to prove its pid itself."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
        client.connect(str(bus.socket))
        client.send(b'{"id":1,"op":"hello","protocol":1,"client":"test"}')
        return b'challenge' in client.recv(4096)


class WithoutAFeature(Fallbacks):
    """Its cases are made below: each feature held back, each feature refused."""


def add_cases():
    for feature in FEATURES:
        def by_request(self, feature=feature):
            self.feature = feature
            filtered = feature in REFUSALS
            self.carry_through_a_crash(self.bus(env={'RINGWAY_WITHOUT': feature},
                                                before_exec=forbid(feature) if filtered else None).start())
        setattr(WithoutAFeature, f'test_without_{feature}_nothing_is_lost_and_nobody_uses_it', by_request)

    for feature, error in REFUSALS.items():
        def by_kernel(self, feature=feature, error=error):
            self.feature = feature
            bus = self.bus(before_exec=refuse(feature, error)).start()
            self.carry_through_a_crash(bus)
            if feature == 'io_uring':
                self.assertRegex(bus.log.read_text(), 'io_uring_refused.*Operation not permitted.*seccomp')
        setattr(WithoutAFeature, f'test_where_the_kernel_refuses_{feature}_nothing_is_lost', by_kernel)


class WithEverything(Fallbacks):
    """What the cases above are compared with."""

    def test_with_every_feature_nothing_is_missing(self):
        self.feature = None
        self.carry_through_a_crash(self.bus().start())

    def test_a_forbidden_feature_kills_who_uses_it(self):
        for feature in sorted(SUPERVISOR):
            with self.subTest(feature=feature):
                bus = self.bus()
                bus.launch(before_exec=forbid(feature))
                self.assertEqual(bus.daemon.wait(), -signal.SIGSYS)
        bus = self.bus().start(before_exec=forbid('o_direct'))
        bus.json('topic', 'create', 't')
        producer = bus.spawn('produce', 't')
        producer.stdin.write(b'x\n')
        producer.stdin.flush()
        self.assertEqual(bus.daemon.wait(), -signal.SIGSYS)
        bus.start()
        bus.before_exec = forbid('futex_waitv')
        self.assertEqual(bus.spawn('consume', 't', '-o', 'end').wait(), -signal.SIGSYS)


class Seals(Fallbacks):
    """Sealing has no fallback: without it a client could cut the memory of all others."""

    def test_where_the_kernel_refuses_seals_no_topic_is_made_and_nothing_is_left(self):
        bus = self.bus().start(before_exec=refuse('seals', errno.EPERM))
        before = bus.json('status')['memory']['used']
        error = bus.refusal('topic', 'create', 't', status=1)
        self.assertIn('sealed', error['rule'])
        self.assertIn('Operation not permitted', error['rule'])
        self.assertEqual(bus.json('topic', 'list'), [])
        self.assertEqual(bus.json('status')['memory']['used'], before)
        bus.restart()
        self.assertEqual(bus.json('topic', 'list'), [])
        bus.json('topic', 'create', 't')


add_cases()

if __name__ == '__main__':
    unittest.main()
