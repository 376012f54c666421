"""`ringway status --output json` says of what kind each thing is that needs attention; `doctor` goes by that."""

import pathlib
import re
import shutil
import signal
import socket
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tests/support'))
from on_a_bus import OnABus
from scrape import Samples, text_of


class Manual(unittest.TestCase):
    def test_it_has_each_kind_by_its_name(self):
        there = set(re.findall(r'return "(\w+)";', (ROOT / 'lib/control/status_trouble.cpp').read_text())) - {'unknown'}
        self.assertGreater(len(there), 15)
        (table,) = re.findall(r'(?m)^\| `what` .*\n((?:\|.*\n)+)', (ROOT / 'daemon/README.md').read_text())
        told = [name for row in table.splitlines() for name in re.findall(r'`(\w+)`', row.split('|')[1])]
        self.assertEqual(sorted(told), sorted(there))


class Troubles(OnABus):
    def check(self, what, fix, **fields):
        """It is the one trouble, with these fields, and doctor names a command that begins so."""
        self.wait_until(self.bus.troubles, what)
        (trouble,) = self.bus.troubles()
        self.assertTrue(trouble.pop('text'))
        trouble.pop('reason', None)
        self.assertEqual(trouble, {'what': what, **fields})
        self.wait_until(lambda: self.counted() == {what: 1}, 'a scrape of it')
        findings = self.bus.json('doctor', status=None)['findings']
        (found,) = [one for one in findings if one['check'] == 'service']
        self.assertTrue(found['fix'].startswith(fix), found)

    def counted(self):
        said = Samples(text_of(self.bus.runtime_dir / 'metrics.sock'))
        counts = {labels['what']: said('ringway_troubles', **labels) for labels in said.labels('ringway_troubles')}
        return {what: count for what, count in counts.items() if count}

    def partitions(self, *numbers):
        return {'partitions': list(numbers), 'partition_count': len(numbers)}

    def fill(self, *options):
        """More than a small ring has; who publishes it is held up."""
        file = self.bus.state_dir / 'records'
        file.write_bytes(b'%0999d\n' * 300 % tuple(range(300)))
        with file.open('rb') as records:
            self.bus.spawn('produce', 't', *options, stdin=records)

    def log_of(self, uuid):
        return self.bus.state_dir / 'topics' / uuid

    def some_log(self):
        """The directory of a topic with several segments."""
        uuid = self.create('t', '--ring', '64KiB', '--segment', '256KiB')['uuid']
        self.produce('t', [b'%d' % n for n in range(20_000)])
        return self.log_of(uuid)

    def test_a_bus_that_is_well_has_none(self):
        self.assertEqual(self.bus.troubles(), [])
        self.assertEqual(self.counted(), {})

    def test_a_producer_that_stands_still_in_mid_claim(self):
        self.create('t', '--stopped-after', '50ms')
        still = self.client('CLAIMANT', b'claimed\n')
        still.send_signal(signal.SIGSTOP)
        self.fill()
        self.check('stopped_claim', f'kill -CONT {still.pid} ', topic='t', pid=still.pid, **self.partitions(0))

    def test_a_consumer_that_holds_records_in_place(self):
        self.create('t', '--ring', '64KiB', '--pin-budget', '20ms', '--retired-max', '4KiB')
        self.produce('t', [b'one'])
        holder = self.client('HOLDER', b'held\n')
        self.fill()
        self.check('pinned', f'kill {holder.pid} ', topic='t', pid=holder.pid, **self.partitions(0))

    def test_a_consumer_that_producers_wait_for(self):
        self.create('t', '--no-persist', '--ring', '64KiB', '--partitions', '2')
        slow = self.bus.spawn('consume', 't', '-o', 'start')
        for partition in ('0', '1'):
            self.bus.run('produce', 't', '-p', partition, stdin=b'1\n')
            slow.stdout.readline()
        slow.send_signal(signal.SIGSTOP)
        for partition in ('0', '1'):
            self.fill('-p', partition)
        self.wait_until(lambda: [one['partition_count'] for one in self.bus.troubles()] == [2], 'both to be full')
        self.check('slow_consumer', f'kill {slow.pid} ', topic='t', pid=slow.pid, **self.partitions(0, 1))

    def test_a_topic_that_is_kept_out(self):
        directory = self.log_of(self.create('t')['uuid']) / '0'
        self.bus.kill()
        directory.rename(directory.with_name('aside'))
        directory.write_text('no directory')
        self.bus.start()
        self.check('topic_not_served', 'kill -USR1 ', topic='t')

    def test_a_segment_that_is_damaged_or_gone(self):
        segment = sorted((self.some_log() / '0').glob('*.log'))[0]
        fields = {'topic': 't', 'path': str(segment), **self.partitions(0)}
        self.bus.kill()
        content = segment.read_bytes()
        segment.write_bytes(bytes(4096) + content[4096:])
        self.bus.start()
        self.check('segment_damaged', 'ringway log repair t ', **fields)
        self.bus.kill()
        segment.write_bytes(content)
        second = sorted(segment.parent.glob('*.log'))[1]
        second.unlink()
        self.bus.start()
        self.check('segment_missing', 'ringway log repair t ', **{**fields, 'path': str(second)})

    def test_a_log_that_the_catalog_does_not_know(self):
        uuid = self.create('t')['uuid']
        self.produce('t', [b'one'])
        aside = self.bus.state_dir / 'aside'
        self.assertEqual(self.bus.stop(), 0)
        shutil.copytree(self.log_of(uuid), aside)
        self.bus.start()
        self.bus.run('topic', 'delete', 't', '--yes')
        self.assertEqual(self.bus.stop(), 0)
        aside.rename(self.log_of(uuid))
        self.bus.start()
        self.check('log_without_topic', f'mv {self.log_of(uuid)} ', path=str(self.log_of(uuid)))

    def test_a_deletion_that_cannot_be_finished(self):
        directory = self.log_of(self.create('t')['uuid'])
        (directory.with_name(directory.name + '.deleted') / 'something').mkdir(parents=True)
        self.bus.run('topic', 'delete', 't', '--yes', '--timeout', '1s', status=None)
        self.check('topic_deletion_waits', 'ringway status ', topic='t')

    def test_a_disk_with_less_than_it_is_to_keep_free(self):
        self.bus.config.write_text('[disk]\nkeep_free = "1000000GiB"\n')
        self.create('t')
        self.produce('t', [b'one'])
        self.bus.restart()
        self.check('disk_short', 'du -xhd 3 ')

    def test_a_port_for_metrics_that_is_taken(self):
        with socket.socket() as other:
            other.bind(('127.0.0.1', 0))
            other.listen()
            self.bus.config.write_text(f'metrics_listen = "127.0.0.1:{other.getsockname()[1]}"\n')
            self.bus.restart()
            self.check('metrics_not_served', 'kill -USR1 ')


if __name__ == '__main__':
    unittest.main()
