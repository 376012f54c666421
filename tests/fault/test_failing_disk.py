"""The device under the state directory answers EIO: producers wait, it shows, it heals by itself, nothing is lost."""

import os
import pathlib
import re
import shutil
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from bus import PATIENCE_SECONDS, Bus, wait_until
from disk_trouble import KEEP_EVERYTHING, RING, DiskTrouble, lines
from failing_disk import FailingDisk
from scrape import Samples, text_of
from small_disk import private_mounts


def setUpModule():
    if os.geteuid() != 0:
        raise unittest.SkipTest('needs root to mount a file system')
    try:
        private_mounts()
    except OSError as refused:
        raise unittest.SkipTest(f'no mount namespace of its own: {refused}') from refused


class OnFuse(DiskTrouble, unittest.TestCase):
    def setUp(self):
        self.disk = FailingDisk()
        self.addCleanup(self.disk.close)
        self.bus = Bus(config=KEEP_EVERYTHING, state_dir=self.disk.path / 'state')
        self.addCleanup(self.bus.close)
        self.bus.start()
        self.seen = {}
        self.contents, self.uuids = {}, {}
        for topic in ('t', 'other'):
            self.uuids[topic] = self.bus.json('topic', 'create', topic, *RING)['uuid']
            self.contents[topic] = lines(10_000)
            self.check_end(self.produce(self.contents[topic], topic))

    def produce_more(self, topic='t', count=10_000):
        more = lines(count, self.contents[topic].count(b'\n'))
        self.contents[topic] += more
        return self.produce(more, topic)

    def directory(self, topic='t'):
        return self.bus.state_dir / 'topics' / self.uuids[topic]

    def run_full(self, topic='t'):
        """A producer that waits, as its topic's log cannot be written."""
        producer = self.produce_more(topic)
        self.wait_for_state('disk_error', topic)
        wait_until(lambda: self.look(topic)['fill'] > 0.9, 'the ring to be full')
        self.assertIsNone(producer.poll())
        return producer

    def check_it_shows(self, *topics):
        report = self.bus.json('status', status=5)
        self.assertEqual(report['state'], 'degraded')
        said = Samples(text_of(self.bus.runtime_dir / 'metrics.sock'))
        for topic in topics:
            self.assertIn(f"topic '{topic}' partition 0: disk_error", report['degraded'])
            self.assertIn((topic, 'disk_error'), [(one.get('topic'), one['what']) for one in report['troubles']])
            self.assertGreater(said('ringway_partition_write_errors_total', topic=topic, partition='0'), 0)
            self.assertEqual(self.bus.json('topic', 'describe', topic)['partitions'][0]['state'], 'disk_error')
            self.assertRegex(self.bus.log.read_text(), rf'level=error event=log_write_failed topic={topic} partition=0 '
                                                       'error="Input/output error"')
        self.assertIn(b'disk_error', self.bus.run('status', status=5))
        return report['degraded']

    def check_it_healed_by_itself(self, *topics):
        for topic in topics:
            self.check_it_heals(topic)
            self.assertIn(f'event=log_healed topic={topic}', self.bus.log.read_text())
        for topic, content in self.contents.items():
            self.check_content_over_restarts(content, topic)

    def go_on_in_memory(self, first):
        """How many records 'memory' has behind those that are not in its log; `first` are, and are durable."""
        waiting = [self.spawn_waiting(level, first + number) for number, level in enumerate(('written', 'durable'))]
        end = first + len(waiting) + 5_000
        self.bus.run('produce', 'memory', stdin=lines(5_000, first + len(waiting)))
        self.wait_for_state('memory_only', 'memory')
        for producer in waiting:
            self.assertEqual(producer.wait(PATIENCE_SECONDS), 1)
            self.assertIn(b'left memory while the disk refused', producer.stderr.read())
        seen = self.look('memory')
        self.assertEqual((seen['committed'], seen['written'], seen['durable']), (end, first, first))
        self.assertIn(('memory', 'memory_only'), [(one.get('topic'), one['what']) for one in self.bus.troubles()])
        self.assertIn(f'level=error event=log_suspended topic=memory partition=0 error="Input/output error" '
                      f'log_end={first}', self.bus.log.read_text())
        return end

    def spawn_waiting(self, level, number):
        """A producer of one record that waits for its level; it is in the ring."""
        path = self.bus.root / f'input-{level}'
        path.write_bytes(lines(1, number))
        producer = self.bus.spawn('produce', 'memory', path, '--wait', level)
        wait_until(lambda: self.look('memory')['committed'] > number, 'the record')
        return producer

    def test_a_topic_whose_log_fails_waits_and_heals_by_itself_and_the_others_go_on(self):
        self.disk.fail(str(self.directory().relative_to(self.disk.path)))
        producer = self.run_full()
        self.assertEqual(len(self.check_it_shows('t')), 1)
        self.assertRegex(producer.stderr.readline(), rb'^ringway: waiting: the disk reports errors \(/.*/topics/.*\)\n$')
        self.check_end(self.produce_more('other'))
        self.assertEqual(self.look('other')['state'], 'serving')
        self.check_content(self.contents['other'], 'other')
        there = self.bus.run('consume', 't', '-o', 'start', '-n', self.look()['committed'])
        self.assertTrue(self.contents['t'].startswith(there))
        self.disk.heal()
        self.check_end(producer)
        self.check_it_healed_by_itself('t')

    def test_a_disk_of_which_nothing_can_be_written_is_outlived(self):
        """The catalog too. And one topic goes on in memory only."""
        self.bus.json('topic', 'create', 'memory', *RING, '--when-disk-fails', 'memory')
        self.check_end(self.produce(lines(1_000), 'memory'))
        self.disk.fail()
        producers = [self.run_full(topic) for topic in self.contents]
        left_out = self.go_on_in_memory(1_000)
        self.check_it_shows(*self.contents)
        read = self.bus.run('consume', 't', '--cursor', 'billing', '-o', 'start', '-n', 100)
        self.assertEqual(read, b''.join(self.contents['t'].splitlines(keepends=True)[:100]))
        self.bus.refusal('topic', 'create', 'u', status=1)
        wait_until(lambda: 'event=cursor_not_saved topic=t' in self.bus.log.read_text(), 'the cursor to be refused')
        self.assertIsNone(self.bus.daemon.poll())
        self.disk.heal()
        for producer in producers:
            self.check_end(producer)
        self.bus.json('topic', 'create', 'u')
        self.check_it_heals('memory')
        self.check_end(self.produce(lines(10, left_out), 'memory'))
        self.check_it_healed_by_itself(*self.contents)
        self.assertIn('event=log_healed topic=memory', self.bus.log.read_text())
        told = re.findall(r'event=log_gap topic=memory partition=0 log_end=(\d+) goes_on_at=(\d+)',
                          self.bus.log.read_text())
        offsets, gaps = self.replay('memory')
        self.assertEqual(gaps, [(int(first), int(to)) for first, to in told])
        self.assertEqual(len(gaps), 1)
        self.check_exact(offsets, gaps, left_out + 10)
        read = self.bus.run('consume', 't', '--cursor', 'billing', '-n', 1)
        self.assertEqual(read, self.contents['t'].splitlines(keepends=True)[100])

    def test_who_is_killed_while_the_disk_fails_comes_back_and_loses_nothing(self):
        self.disk.fail(str(self.directory().relative_to(self.disk.path)))
        producer = self.run_full()
        for _ in range(3):
            self.bus.restart()
            self.wait_for_state('disk_error')
            self.assertEqual(self.check_it_shows('t'), ["topic 't' partition 0: disk_error"])
        self.check_end(self.produce_more('other'))
        self.disk.heal()
        self.check_end(producer)
        self.check_it_healed_by_itself('t')

    def test_a_cursor_whose_deletion_the_disk_refuses_is_deleted_when_it_works_again(self):
        self.bus.run('consume', 't', '--cursor', 'billing', '-o', 'start', '-n', 1)
        self.disk.fail('catalog.db')
        self.bus.refusal('cursor', 'delete', 't', 'billing', status=1)
        self.disk.heal()
        self.bus.run('cursor', 'delete', 't', 'billing')
        self.bus.restart()
        self.bus.refusal('cursor', 'delete', 't', 'billing', status=3)

    def test_a_topic_whose_deletion_the_disk_refuses_is_told_to_wait_for_it(self):
        self.disk.fail('catalog.db')
        error = self.bus.refusal('topic', 'delete', 't', '--yes', '--timeout', '1s', status=6)
        self.assertEqual(error['thing'], "topic 't'")
        self.assertIn('it is deleted, but stays in the catalog: /', error['rule'])
        self.disk.heal()
        wait_until(lambda: self.bus.run_for_status('status') == 0, 'it to go')
        self.bus.restart()
        self.assertEqual([row['topic'] for row in self.bus.json('topic', 'list')], ['other'])

    def test_a_stop_that_the_catalog_cannot_take_leaves_the_rings_to_the_next_one(self):
        self.disk.fail('catalog.db')
        self.assertEqual(self.bus.stop(), 1)
        self.assertRegex(self.bus.log.read_text(), 'level=error event=stop_not_clean why=')
        self.disk.heal()
        self.bus.start()
        self.assertIn('event=ring_adopted topic=t ', self.bus.log.read_text())
        self.check_content_over_restarts(self.contents['t'])

    def test_a_directory_whose_making_may_not_last_is_made_again(self):
        """As a crash leaves it between the catalog's row and the directories: the next start makes them."""
        self.bus.kill()
        self.bus.kill_keeper()
        shutil.rmtree(self.directory())
        self.disk.fail('state/topics')
        self.bus.start()
        self.assertFalse(self.directory().exists())
        self.disk.heal()
        self.contents['t'] = b''
        self.check_end(self.produce_more())
        self.assertTrue(self.directory().exists())
        self.check_content_over_restarts(self.contents['t'])


class StateDirectory(unittest.TestCase):
    def setUp(self):
        self.disk = FailingDisk()
        self.addCleanup(self.disk.close)
        self.state_dir = self.disk.path / 'new' / 'state'
        self.bus = Bus(state_dir=self.state_dir)
        self.addCleanup(self.bus.close)

    def check_refused(self):
        self.disk.fail()
        self.bus.launch()
        self.assertEqual(self.bus.daemon.wait(PATIENCE_SECONDS), 1)
        self.assertRegex(self.bus.log.read_text(),
                         f'{self.disk.path}(/new)?: cannot be synced: Input/output error; a loss of power could take ')
        self.disk.heal()

    def check_served(self):
        self.bus.start()
        self.bus.run('topic', 'create', 't')
        self.bus.run('produce', 't', '--wait', 'durable', stdin=b'one\n')
        self.bus.restart()
        self.assertEqual(self.bus.run('consume', 't', '-o', 'start', '-e'), b'one\n')

    def test_one_that_a_loss_of_power_could_take_is_not_served_from(self):
        self.check_refused()
        self.assertEqual(list(self.disk.path.iterdir()), [])
        self.check_served()

    def test_nor_is_one_that_was_there_and_holds_something(self):
        self.state_dir.mkdir(parents=True)
        lock = self.state_dir / 'lock'  # of a start that came no further
        lock.touch()
        self.check_refused()
        self.assertEqual(list(self.state_dir.iterdir()), [lock])
        self.check_served()


if __name__ == '__main__':
    unittest.main()
