"""`ringway inspect --post-mortem` after everything was killed under traffic, beside what had been published."""

import json
import os
import pathlib
import signal
import sys
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from bus import wait_until
from on_a_bus import OnABus


class PostMortem(OnABus):
    def setUp(self):
        super().setUp()
        self.topic = self.bus.root.name  # no other bus of this machine has one of that name
        self.create(self.topic, '--partitions', '2', '--ring', '1MiB')
        self.producers = [self.bus.spawn('produce', self.topic, '-p', str(p), '--rate', '20000') for p in (0, 1)]
        self.feeders = [threading.Thread(target=self.feed, args=(each,), daemon=True) for each in self.producers]
        for feeder in self.feeders:
            feeder.start()
        self.consumer = self.bus.spawn('consume', self.topic, '--cursor', 'billing', '-o', 'start',
                                       stdout=open(os.devnull, 'wb'))
        wait_until(lambda: all(self.partition(self.topic, p)['committed'] > 2000 for p in (0, 1)), 'traffic')
        wait_until(lambda: all(each['offset'] for each in self.cursors()), 'the consumer')

    def feed(self, producer):
        number = 0
        try:
            while True:
                producer.stdin.write(b''.join(b'%d\n' % n for n in range(number, number + 1000)))
                producer.stdin.flush()
                number += 1000
        except (OSError, ValueError):
            pass  # it is dead

    def cursors(self):
        found = self.bus.json('inspect', self.topic)['partitions']
        return [cursor for each in found for cursor in each['cursors']] or [{'offset': None}]

    def kill_all(self, *others):
        """The supervisor, the producers and the consumer, under traffic."""
        self.bus.daemon.kill()
        for child in (*self.producers, *others):
            child.kill()
        for child in (self.bus.daemon, *self.producers, *others):
            child.wait()
        for feeder in self.feeders:
            feeder.join()

    def examined(self, *words):
        return self.bus.json('inspect', self.topic, '--post-mortem', '--state-dir', self.bus.state_dir, *words)

    def published(self):
        """What the next supervisor gives a consumer: by partition and offset."""
        self.bus.start()
        lines = self.bus.run('consume', self.topic, '-o', 'start', '-e', '--output', 'jsonl').splitlines()
        records = {(each['partition'], each['offset']): each for each in map(json.loads, lines)}
        for p in (0, 1):  # whose lines were all published in order: nothing is lost or doubled before the end
            values = [int(records[key]['value']) for key in sorted(records) if key[0] == p]
            self.assertEqual(values, list(range(len(values))))
        return records

    def compare(self, found, records, per_partition=5):
        self.assertEqual(len(found['records']), 2 * per_partition)
        for record in found['records']:
            there = records[record['partition'], record['offset']]
            self.assertEqual((record['timestamp_ns'], record['producer'], record['bytes']),
                             (there['timestamp_ns'], there['producer'], len(there['value'])))

    def test_of_what_the_keeper_holds_all_is_told_that_was_published_and_by_whom(self):
        self.kill_all(self.consumer)
        found = self.examined('--records', '7')
        self.assertEqual((found['source'], found['through']), ('memory', 'the keeper'))
        self.assertEqual(found['supervisor'], {'pid': self.bus.daemon.pid, 'process': 'dead'})
        pids = [producer.pid for producer in self.producers]
        for record in found['records']:
            self.assertEqual((record['pid'], record['process']), (pids[record['partition']], 'dead'))
        self.assertEqual({each['pid'] for each in found['producers']}, set(pids))
        for p, cursor in enumerate(found['cursors']):
            committed = found['partitions'][p]['committed']
            self.assertEqual((cursor['name'], cursor['pid'], cursor['process']), ('billing', self.consumer.pid, 'dead'))
            self.assertEqual(cursor['lag'], committed - cursor['offset'])
            self.assertLessEqual(cursor['kept'], cursor['offset'])
        self.assertTrue(any('programs that are dead' in each['what'] for each in found['unknown']))
        self.compare(found, records := self.published(), 7)
        for p in (0, 1):
            committed = found['partitions'][p]['committed']
            self.assertEqual(max(record['offset'] for record in found['records'] if record['partition'] == p),
                             committed - 1)
            self.assertLessEqual({(p, offset) for offset in range(committed)}, set(records))

    def test_of_what_a_process_still_has_mapped_it_is_found_without_a_keeper(self):
        if os.geteuid() != 0:
            self.skipTest('takes root, to look into processes')
        self.consumer.send_signal(signal.SIGSTOP)
        self.kill_all()
        self.bus.kill_keeper()
        found = self.examined()
        self.assertEqual((found['source'], found['through']), ('memory', f'/proc/{self.consumer.pid}/fd'))
        self.assertEqual({each['process'] for each in found['cursors']}, {'stopped'})
        self.assertEqual({each['program'] for each in found['cursors']}, {'ringway'})
        self.assertEqual({each['process'] for each in found['producers']}, {'dead'})
        self.assertTrue(any('its session' in each['what'] for each in found['unknown']))
        self.consumer.kill()

    def test_where_only_the_logs_are_left_it_says_what_is_lost(self):
        self.kill_all(self.consumer)
        self.bus.kill_keeper()
        found = self.examined()
        self.assertIn('looking into the log', self.bus.stderr)
        self.assertEqual((found['source'], found['supervisor']), ('log', None))
        self.assertEqual({each['process'] for each in found['records']}, {'unknown'})
        self.assertIsNone(found['partitions'][0]['committed'])
        self.assertTrue(any('rings only' in each['what'] for each in found['unknown']))
        for cursor in found['cursors']:
            self.assertEqual(cursor['name'], 'billing')
        records = self.published()
        self.compare(found, records)
        for p in (0, 1):
            last = max(offset for partition, offset in records if partition == p)
            self.assertEqual(found['partitions'][p]['written'], last + 1)

    def test_what_is_nowhere_and_options_that_go_with_nothing_are_refused(self):
        error = self.bus.refusal('inspect', 'none', '--post-mortem', '--state-dir', self.bus.state_dir, status=3)
        self.assertIn("topic 'none'", error['thing'])
        self.assertEqual(self.bus.refusal('inspect', self.topic, '--state-dir', '/', status=2)['code'], 'usage')
        self.assertIn('-p 2', self.bus.refusal('inspect', self.topic, '--post-mortem', '-p', '2', status=2)['thing'])


class NewerRing(OnABus):
    """Its ring has begun behind records, which are in the log."""

    def setUp(self):
        super().setUp()
        self.topic = self.bus.root.name
        self.create(self.topic, '--ring', '1MiB')
        self.produce(self.topic, [b'%d' % number for number in range(5000)])

    def shown(self, *words):
        """The last records of the topic, whose supervisor is killed now."""
        self.bus.kill()
        found = self.bus.json('inspect', self.topic, '--post-mortem', '--state-dir', self.bus.state_dir, *words)
        self.assertEqual((found['source'], self.bus.stderr), ('memory', ''))
        return found['records']

    def compare(self, shown, offsets):
        """With what the next supervisor gives a consumer."""
        self.assertEqual([record['offset'] for record in shown], offsets)
        self.bus.start()
        lines = self.bus.run('consume', self.topic, '-o', 'start', '-e', '--output', 'jsonl').splitlines()
        records = {each['offset']: each for each in map(json.loads, lines)}
        for record in shown:
            there = records[record['offset']]
            self.assertEqual((record['timestamp_ns'], record['producer'], record['bytes']),
                             (there['timestamp_ns'], there['producer'], len(there['value'])))

    def test_records_of_before_an_orderly_stop_come_from_the_log(self):
        self.bus.stop()
        self.bus.start()
        self.compare(self.shown('--records', '3'), [4997, 4998, 4999])

    def test_what_another_ring_lacks_comes_from_the_log_and_the_rest_from_it(self):
        self.bus.run('topic', 'alter', self.topic, '--ring', '2MiB')
        self.produce(self.topic, [b'a', b'b'])
        self.compare(self.shown(), [4997, 4998, 4999, 5000, 5001])

    def test_what_a_ring_has_given_back_comes_from_the_log(self):
        self.produce(self.topic, [b'x' * 200_000] * 20)
        self.compare(self.shown('--records', '30'), list(range(4990, 5020)))

    def test_more_than_there_are_is_all_there_are(self):
        self.bus.stop()
        self.bus.start()
        self.produce(self.topic, [b'a'])
        self.compare(self.shown('--records', '6000'), list(range(5001)))

    def test_without_a_log_there_is_what_the_ring_has(self):
        self.topic += '.memory'
        self.create(self.topic, '--no-persist', '--ring', '1MiB')
        self.produce(self.topic, [b'a', b'b'])
        self.compare(self.shown(), [0, 1])

    def test_a_log_that_is_not_found_is_told_of_and_memory_shown(self):
        self.produce(self.topic, [b'a'])
        self.bus.kill()
        found = self.bus.json('inspect', self.topic, '--post-mortem', '--state-dir', '/', '--records', '3')
        self.assertIn('in the log only', self.bus.stderr)
        self.assertEqual(found['source'], 'memory')
        self.assertEqual(len(found['records']), 3)


if __name__ == '__main__':
    unittest.main()
