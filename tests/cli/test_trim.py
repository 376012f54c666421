"""topic trim: whole segments go before an offset or a time, and consumers see what retention would show them."""

import os
import pathlib
import pwd
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from on_a_bus import OnABus

VALUE = b'x' * 1000


class Trim(OnABus):
    def setUp(self):
        super().setUp()
        self.uuid = self.create('t', '--ring', '64KiB', '--segment', '256KiB')['uuid']
        self.produce('t', [VALUE] * 1000)  # some four segments
        self.bases = self.segments(self.uuid)
        self.assertGreater(len(self.bases), 3)

    def trim(self, before, *options, **more):
        (one,) = self.bus.json('topic', 'trim', 't', '--before', before, '--yes', *options, **more)
        return one

    def first(self):
        return self.partition()['first_offset']

    def test_whole_segments_before_an_offset_go_and_the_first_offset_moves(self):
        second = self.bases[1]
        kept = self.trim(second - 1)
        self.assertEqual((kept['segments'], kept['first_offset']), (0, 0))
        self.assertIn('later records', kept['kept_by'])
        gone = self.trim(second)
        self.assertEqual((gone['segments'], gone['first_offset'], gone['kept_by']), (1, second, None))
        self.assertGreaterEqual(gone['bytes'], 256 * 1024)
        self.assertEqual(self.segments(self.uuid), self.bases[1:])
        self.assertEqual(self.first(), second)
        self.assertEqual(self.offsets(), list(range(second, 1000)))
        self.assertTrue(self.bus.json('log', 'verify', 't')['clean'])

    def test_a_consumer_that_stood_there_is_told_of_the_gap(self):
        self.bus.run('consume', 't', '-o', 'start', '-n', '10', '--cursor', 'left')
        self.trim(self.bases[2])
        self.bus.run('consume', 't', '-o', '5', '-n', '1', '-f', '%o', status=None)
        self.assertIn(f'offsets 5 to {self.bases[2] - 1} are not kept any more', self.bus.stderr)

    def test_a_dry_run_says_the_same_and_deletes_nothing(self):
        would = self.trim(self.bases[2], '--dry-run')
        self.assertEqual(self.segments(self.uuid), self.bases)
        self.assertEqual(self.trim(self.bases[2]), would)

    def test_the_newest_segment_stays(self):
        kept = self.trim('end')
        self.assertIn('newest', kept['kept_by'])
        self.assertEqual(self.segments(self.uuid), self.bases[-1:])
        self.assertEqual(self.offsets(), list(range(self.bases[-1], 1000)))

    def test_before_a_time(self):
        time.sleep(0.02)
        between = f'@{int(time.time() * 1000)}'
        time.sleep(0.02)
        self.produce('t', [VALUE] * 1000)
        self.trim(between)
        self.assertLessEqual(self.first(), 1000)
        self.assertGreaterEqual(self.first(), self.bases[-1])

    def test_what_a_cursor_protects_stays(self):
        self.bus.run('consume', 't', '-o', 'start', '-n', str(self.bases[1] + 1), '--cursor', 'slow', '--protect', '-f', '%o')
        self.assertEqual([cursor['protects'] for cursor in self.bus.json('cursor', 'list', 't')], [True])
        kept = self.trim('end')
        self.assertEqual(kept['kept_by'], "cursor 'slow' protects it")
        self.assertEqual(self.first(), self.bases[1])
        self.bus.run('cursor', 'delete', 't', 'slow')
        self.assertGreater(self.trim('end')['first_offset'], self.bases[1])

    def test_it_stays_so_over_kill_9(self):
        self.trim(self.bases[2])
        self.bus.restart()
        self.assertEqual(self.first(), self.bases[2])
        self.produce('t', [b'more'])
        self.assertEqual(self.offsets(), list(range(self.bases[2], 1001)))

    def test_killed_in_the_middle_some_went_and_what_is_left_is_whole(self):
        for _ in range(3):
            self.produce('t', [VALUE] * 1000)
            trimming = self.bus.spawn('topic', 'trim', 't', '--before', 'end', '--yes')
            self.bus.kill()
            trimming.wait()
            self.bus.start()
            self.assertEqual(self.first(), self.segments(self.uuid)[0])
            self.assertTrue(self.bus.json('log', 'verify', 't')['clean'])
            committed = self.partition()['committed']
            self.assertEqual(self.offsets(), list(range(self.first(), committed)))

    def test_one_partition_only(self):
        self.create('two', '--ring', '64KiB', '--segment', '256KiB', '--partitions', '2')
        for partition in ('0', '1'):
            self.bus.run('produce', 'two', '-p', partition, '--wait', 'durable', stdin=b''.join([VALUE + b'\n'] * 1000))
        self.bus.run('topic', 'trim', 'two', '--before', 'end', '-p', '1', '--yes')
        self.assertEqual(self.partition('two', 0)['first_offset'], 0)
        self.assertGreater(self.partition('two', 1)['first_offset'], 0)

    def test_what_is_wrong_is_named(self):
        self.create('memory', '--no-persist')
        places = 'write an offset, end, @TIME or @-DUR, e.g. 1000000 or @-7d'
        for words, status, thing, fix in (
                (['t', '--before', '+5'], 2, "--before '+5'", places),
                (['t', '--before', '1:2'], 2, "--before '1:2'", places),
                (['t', '--before', 'now'], 2, "--before 'now'", None),
                (['t', '--before', '5', '-p', '1'], 2, "partition 1 of topic 't'", 'count from 0'),
                (['memory', '--before', '5'], 2, "topic 'memory'", 'its ring forgets by itself'),
                (['none', '--before', '5'], 3, "topic 'none'", 'create it with: ringway topic create none')):
            with self.subTest(words=words):
                error = self.bus.refusal('topic', 'trim', *words, '--yes', status=status)
                self.assertEqual(error['thing'], thing)
                if fix:
                    self.assertEqual(error['fix'], fix)
        error = self.bus.refusal('topic', 'trim', 't', '--before', '5', status=2)
        self.assertEqual((error['thing'], error['fix']), ("topic 't'", 'add --yes'))

    @unittest.skipUnless(os.geteuid() == 0, 'needs root to be somebody else')
    def test_it_takes_the_right_to_administer(self):
        self.bus.root.chmod(0o755)
        self.create('readable', '--read', 'nobody', '--write', 'nobody')
        nobody = pwd.getpwnam('nobody')
        error = self.bus.refusal('topic', 'trim', 'readable', '--before', '5', '--yes', status=4, user=nobody.pw_uid,
                                 group=nobody.pw_gid, extra_groups=[])
        self.assertIn('lacks the right to administer', error['rule'])


if __name__ == '__main__':
    unittest.main()
