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


if __name__ == '__main__':
    unittest.main()
