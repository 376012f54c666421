"""Memory, descriptors, mappings, clients at their limit: an error names the limit and how to raise it; the bus goes on."""

import contextlib
import errno
import os
import pathlib
import re
import resource
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from bus import Bus, wait_until
from small_disk import private_mounts
from syscall_filter import refuse

MIB = 1 << 20
MAPPINGS_MAX = 1_000_000


class AtALimit(unittest.TestCase):
    def bus(self, **options):
        bus = Bus(**options)
        self.addCleanup(bus.close)
        return bus

    def create(self, bus, topic, *options):
        bus.json('topic', 'create', topic, *(options or ('--ring', '64KiB')))

    def check_refusal(self, error, *words, code='limit'):
        self.assertEqual(error['code'], code, error)
        text = f'{error["thing"]}: {error["rule"]}; {error["fix"]}'
        for word in words:
            self.assertIn(word, text)

    def check_it_works(self, bus, topic='works'):
        """A topic that was there before takes and gives records."""
        said = os.urandom(8).hex().encode() + b'\n'
        bus.run('produce', topic, '--wait', 'durable', stdin=said)
        self.assertEqual(bus.run('consume', topic, '-o', '-1', '-e'), said)


class ConfiguredLimits(AtALimit):
    def limited(self, key, value):
        bus = self.bus(config=f'[limits]\n{key} = {value}\n').start()
        self.create(bus, 'works')
        return bus

    def test_rings_beyond_the_budget_are_refused_with_sum_limit_and_key(self):
        bus = self.limited('memory', '"4MiB"')
        error = bus.refusal('topic', 'create', 'large', '--ring', '4MiB', status=1)
        self.check_refusal(error, "topic 'large'", 'the limit is 4 MiB', 'limits.memory')
        wanted, used, together = (float(number) for number in re.findall(r'([\d.]+) [KM]iB', error['rule'])[:3])
        self.assertGreater(wanted, 4)
        self.assertGreater(together, wanted)
        self.assertGreater(used, 64)  # KiB
        self.assertEqual(len(bus.json('topic', 'list')), 1)
        self.create(bus, 'smaller', '--ring', '2MiB')
        self.check_it_works(bus)

    def test_topics_beyond_the_limit_are_refused(self):
        bus = self.limited('topics', 1)
        self.check_refusal(bus.refusal('topic', 'create', 'second', status=1), '1 topics already', 'limits.topics')
        self.check_it_works(bus)

    def test_clients_beyond_the_limit_are_refused_until_one_leaves(self):
        bus = self.limited('clients', 3)
        consumer = bus.spawn('consume', 'works', '-o', 'start')
        producers = [bus.spawn('produce', 'works') for _ in range(2)]

        def passes(producer, said):
            producer.stdin.write(said)
            producer.stdin.flush()
            self.assertEqual(consumer.stdout.readline(), said)

        passes(producers[0], b'one\n')
        passes(producers[1], b'two\n')
        self.check_refusal(bus.refusal('status', status=1), 'connections', 'limits.clients')
        passes(producers[0], b'three\n')
        producers[1].kill()
        wait_until(lambda: bus.run_for_status('status') == 0, 'room for one more')
        passes(producers[0], b'four\n')

    def test_handles_beyond_the_limit_are_refused_until_one_is_closed(self):
        bus = self.limited('handles_per_topic', 1)
        first = bus.spawn('consume', 'works', '-o', 'start')
        wait_until(lambda: bus.json('inspect', 'works')['partitions'][0]['cursors'], 'the first consumer')
        self.check_refusal(bus.refusal('consume', 'works', '-e', status=1), 'open 1 times', 'limits.handles_per_topic')
        first.kill()
        wait_until(lambda: bus.run_for_status('consume', 'works', '-e') == 0, 'room for another')
        # A process that ended has left a moment later.
        wait_until(lambda: bus.run_for_status('produce', 'works') == 0, 'room for a producer')

    def test_partitions_beyond_what_a_client_may_open_are_refused(self):
        bus = self.limited('slots_per_client', 480)
        self.create(bus, 'wide', '--ring', '64KiB', '--partitions', '481', '--no-persist')
        self.check_refusal(bus.refusal('consume', 'wide', '-e', status=1), '480', 'limits.slots_per_client')
        self.check_it_works(bus)


class Memory(AtALimit):
    def test_memory_that_the_kernel_refuses_is_told_and_nothing_stays(self):
        for error in (errno.ENOSPC, errno.ENOMEM):
            with self.subTest(error=errno.errorcode[error]):
                bus = self.bus().start(before_exec=refuse('fallocate', error))
                used = bus.json('status')['memory']['used']
                self.check_refusal(bus.refusal('topic', 'create', 't', '--no-persist', status=1), 'MemoryMax=')
                self.assertEqual(bus.json('status')['memory']['used'], used)
                bus.restart()
                self.assertEqual(bus.json('topic', 'list'), [])
                self.create(bus, 'works')
                self.check_it_works(bus)

    def test_memory_that_is_not_there_is_not_taken(self):
        """In a memory cgroup where one can be made, else on a machine that says it has little."""
        if os.geteuid() != 0:
            self.skipTest('needs root to set a limit of memory')
        before_exec, limit = self.little_memory(96 * MIB)  # removed behind the bus that lives in it
        bus = self.bus(config='[limits]\nmemory = "1GiB"\n').start(before_exec=before_exec)
        self.create(bus, 'works', '--ring', '16MiB')
        made = 0
        while made < 8:
            bus.run_for_status('topic', 'create', f't{made}', '--ring', '16MiB')
            if len(bus.json('topic', 'list')) == made + 1:
                break
            made += 1
        self.assertLess(made, 6)
        error = bus.refusal('topic', 'create', 'more', '--ring', '16MiB', status=1)
        self.check_refusal(error, 'shared memory cannot be reserved', limit)
        self.check_it_works(bus)
        self.assertEqual(bus.json('status')['state'], 'serving')

    def little_memory(self, limit):
        """What puts a new process under the limit, and how the limit is named."""
        for group, name in memory_groups():
            child = group / f'ringway-test-{os.getpid()}'
            with contextlib.suppress(OSError):
                child.mkdir()
                self.addCleanup(self.remove_group, child)
                if (child / name).exists():
                    (child / name).write_text(str(limit))
                    return lambda: (child / 'cgroup.procs').write_text('0'), f'ringway-test-{os.getpid()}/{name}'
        private_mounts()
        said = pathlib.Path('/proc/meminfo').read_text()
        pathlib.Path('meminfo').write_text(re.sub(r'(MemAvailable:\s+)\d+', rf'\g<1>{limit // 2048}', said))
        subprocess.run(['mount', '--bind', 'meminfo', '/proc/meminfo'], check=True)
        self.addCleanup(subprocess.run, ['umount', '/proc/meminfo'], check=True)
        return None, 'RAM'

    def remove_group(self, group):
        """Its processes are gone when the bus is closed; the kernel takes a moment longer."""
        def removed():
            with contextlib.suppress(OSError):
                group.rmdir()
            return not group.exists()
        wait_until(removed, f'{group} to be empty')

    def test_address_space_of_the_supervisor_is_told(self):
        bus = self.bus().start()
        self.create(bus, 'works')
        pid = bus.daemon.pid
        before = resource.prlimit(pid, resource.RLIMIT_AS)
        resource.prlimit(pid, resource.RLIMIT_AS, (virtual_bytes(pid) + 8 * MIB, before[1]))
        error = bus.refusal('topic', 'create', 't', '--ring', '16MiB', status=1)
        self.check_refusal(error, 'cannot be mapped', 'vm.max_map_count', 'ulimit -v', code='failed')
        self.check_it_works(bus)
        resource.prlimit(pid, resource.RLIMIT_AS, before)
        self.create(bus, 't', '--ring', '16MiB')

    def test_address_space_of_a_client_is_told(self):
        bus = self.bus().start()
        self.create(bus, 'works')
        self.create(bus, 'large', '--ring', '32MiB')
        small = bus.spawn('consume', 'works')
        wait_until(lambda: bus.json('inspect', 'works')['partitions'][0]['cursors'], 'a consumer')
        limit = virtual_bytes(small.pid) + 32 * MIB
        error = bus.refusal('consume', 'large', '-e', status=1,
                            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)))
        self.check_refusal(error, 'cannot be mapped', 'vm.max_map_count', 'ulimit -v', code='failed')
        self.check_it_works(bus)

    def test_mappings_of_a_client_are_told(self):
        if (most := int(pathlib.Path('/proc/sys/vm/max_map_count').read_text())) > MAPPINGS_MAX:
            self.skipTest(f'vm.max_map_count is {most}: too many to fill')
        bus = self.bus().start()
        self.create(bus, 't')
        ended = subprocess.run([os.environ['CROWDED_CLIENT'], bus.socket, 't'], env=bus.env, capture_output=True,
                               text=True, check=False)
        self.assertEqual(ended.returncode, 0, ended.stdout + ended.stderr)
        self.assertEqual(ended.stdout.splitlines()[-1], 'read crowded')
        for mappings in re.findall(r'mappings (\d+)', ended.stdout):
            self.assertGreater(int(mappings), most * 0.9)
        for role in ('producer', 'consumer'):
            refused = re.findall(f'{role} refused (.*)', ended.stdout)
            self.assertGreater(len(refused), 1, ended.stdout)
            for error in refused:
                self.assertRegex(error, r'shared memory: \d+ bytes cannot be mapped.*; .*sysctl vm\.max_map_count')
            self.assertIn(f'{role} opened', ended.stdout)
        wait_until(lambda: len(bus.json('status')['sessions']) == 1, 'its session to end')
        self.check_it_works(bus, 't')

    def test_locked_memory_has_its_fallback(self):
        bus = self.bus().start(before_exec=lambda: resource.setrlimit(resource.RLIMIT_MEMLOCK, (0, 0)))
        self.create(bus, 'works')
        self.check_it_works(bus)
        # Kernels before 5.12 count an io_uring as locked memory and say so:
        bus = self.bus().start(before_exec=refuse('io_uring', errno.ENOMEM))
        self.assertRegex(bus.log.read_text(), 'level=warning event=io_uring_refused.*LimitMEMLOCK=.*pwrite')
        self.assertIn('io_uring', bus.json('status')['without'])
        self.create(bus, 'works')
        self.check_it_works(bus)


class Descriptors(AtALimit):
    def test_the_supervisor_takes_as_many_as_it_may(self):
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        bus = self.bus(before_exec=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))).start()
        for pid in (bus.daemon.pid, *bus.keepers()):
            self.assertEqual(resource.prlimit(pid, resource.RLIMIT_NOFILE), (hard, hard))

    def test_a_supervisor_without_descriptors_says_so_and_goes_on(self):
        bus = self.bus().start()
        self.create(bus, 'works')
        consumer = bus.spawn('consume', 'works', '-o', 'start')
        producer = bus.spawn('produce', 'works')

        def passes():
            """Who is there already does not notice."""
            said = os.urandom(8).hex().encode() + b'\n'
            producer.stdin.write(said)
            producer.stdin.flush()
            self.assertEqual(consumer.stdout.readline(), said)

        passes()
        pid = bus.daemon.pid
        before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        there = settled_descriptors(pid)
        outcomes = []
        for most in (3, *range(there, there + 24)):
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (most, before[1]))
            ended = subprocess.run(bus.command('topic', 'create', f't{most}', '--ring', '64KiB', '--timeout', '300ms'),
                                   env=bus.env, capture_output=True, check=False)
            self.assertIn(ended.returncode, (0, 1, 6), ended.stderr)
            if ended.returncode == 1:
                self.assertIn(b'raise the limit of open files (ulimit -n', ended.stderr)
            outcomes.append(ended.returncode)
            passes()
            self.assertIsNone(bus.daemon.poll())
        self.assertIn(1, outcomes)
        self.assertIn(0, outcomes)
        self.assertRegex(bus.log.read_text(), 'event=accept_paused.*limit of open files.*ulimit -n, LimitNOFILE=')
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
        for topic in bus.json('topic', 'list'):
            if topic['topic'] != 'works':
                bus.run('topic', 'delete', topic['topic'], '--yes')
        wait_until(lambda: settled_descriptors(pid) <= there, 'what was refused to leave no descriptor')
        wait_until(lambda: bus.run_for_status('status') == 0, 'the bus to serve')
        self.check_it_works(bus)

    def test_a_refused_open_leaves_nothing_attached(self):
        bus = self.bus().start()
        self.create(bus, 'works')
        pid = bus.daemon.pid
        before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        there = settled_descriptors(pid)
        refused = 0
        for more in range(1, 16):
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (there + more, before[1]))
            ended = subprocess.run(bus.command('consume', 'works', '-e', '--cursor', 'c', '--timeout', '300ms'),
                                   env=bus.env, capture_output=True, check=False)
            if ended.returncode == 1:
                refused += 1
                self.assertIn(b'raise the limit of open files (ulimit -n', ended.stderr)
        self.assertGreater(refused, 2)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
        wait_until(lambda: not holders(bus), 'nobody to have it open')
        bus.run('consume', 'works', '-e', '--cursor', 'c')
        self.assertIsNone(bus.daemon.poll())

    def test_a_client_without_descriptors_is_told(self):
        bus = self.bus().start()
        self.create(bus, 'works')
        refused = 0
        for most in range(4, 12):
            ended = subprocess.run(bus.command('consume', 'works', '-e'), env=bus.env, capture_output=True, check=False,
                                   preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (most, most)))
            if ended.returncode != 0 and b'shared libraries' not in ended.stderr:
                self.assertIn(b'ulimit -n', ended.stderr)
                refused += 1
        self.assertGreater(refused, 1)
        self.check_it_works(bus)


def memory_groups():
    """Cgroups of this process in which one with a limit of memory might be made, and what that is called."""
    for line in pathlib.Path('/proc/self/cgroup').read_text().splitlines():
        _, controllers, path = line.split(':', 2)
        if controllers == 'memory':
            yield pathlib.Path('/sys/fs/cgroup/memory' + path), 'memory.limit_in_bytes'
        elif controllers == '':
            yield pathlib.Path('/sys/fs/cgroup' + path), 'memory.max'


def holders(bus):
    return [cursor for cursor in bus.json('inspect', 'works')['partitions'][0]['cursors'] if cursor['pid']]


def virtual_bytes(pid):
    return int(re.search(r'VmSize:\s+(\d+)', pathlib.Path(f'/proc/{pid}/status').read_text())[1]) * 1024


def descriptors(pid):
    return len(os.listdir(f'/proc/{pid}/fd'))


def settled_descriptors(pid):
    """How many it has open once nobody comes or goes."""
    counts = [descriptors(pid)]

    def settled():
        counts.append(descriptors(pid))
        return len(counts) > 20 and len(set(counts[-20:])) == 1
    wait_until(settled, 'descriptors to settle')
    return counts[-1]


if __name__ == '__main__':
    unittest.main()
