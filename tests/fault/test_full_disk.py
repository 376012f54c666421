"""A real file system runs full under the state directory: producers wait, it shows, it heals, nothing is lost."""

import os
import pathlib
import re
import shutil
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from bus import PATIENCE_SECONDS, Bus, wait_until
from disk_trouble import KEEP_EVERYTHING, RING, DiskTrouble, lines
from small_disk import SmallDisk, private_mounts


# A stop that cannot drain says so soon.
IMPATIENT = 'stop_patience = "1s"\n'


def setUpModule():
    if os.geteuid() != 0:
        raise unittest.SkipTest('needs root to mount a small file system')
    private_mounts()


class SmallDiskTrouble(DiskTrouble):
    """A bus whose state lies on a small file system of each kind."""

    def setUp(self):
        self.disk = SmallDisk(self.kind, 24)
        self.addCleanup(self.disk.close)
        self.bus = Bus(config=IMPATIENT + KEEP_EVERYTHING, state_dir=self.disk.path / 'state')
        self.addCleanup(self.bus.close)
        self.bus.start()
        self.seen = {}


class FullDisk(SmallDiskTrouble):
    """Producers wait while the disk is full."""

    def check_it_shows(self, topic='t'):
        report = self.bus.json('status', status=5)
        self.assertEqual(report['state'], 'degraded')
        self.assertIn(f"topic '{topic}' partition 0: disk_full", report['degraded'])
        self.assertIn((topic, 'disk_full'), [(one.get('topic'), one['what']) for one in report['troubles']])
        self.assertLess(report['disk']['free'], 64 * 1024)
        self.assertIn(b'disk_full', self.bus.run('status', status=5))
        self.assertRegex(self.bus.log.read_text(),
                         rf'level=error event=log_write_\w+ topic={topic} partition=0 error="No space left on device"')

    def run_full(self, topic='t', before=20_000, more=40_000):
        """Some records are durable, then the disk is full, and a producer of more waits."""
        first, rest = lines(before), lines(more, before)
        self.bus.json('topic', 'create', topic, *RING)
        self.assertEqual(self.produce(first, topic).wait(PATIENCE_SECONDS), 0)
        self.disk.fill()
        producer = self.produce(rest, topic)
        self.wait_for_state('disk_full', topic)
        wait_until(lambda: self.look(topic)['fill'] > 0.9, 'the ring to be full')
        self.assertIsNone(producer.poll())
        return first + rest, producer

    def test_producers_wait_and_it_shows_and_heals_by_itself(self):
        content, producer = self.run_full()
        self.check_it_shows()
        self.assertRegex(producer.stderr.readline(), rb'^ringway: waiting: the disk is full \(/.*/topics/.*\)\n$')
        # Its ring cannot end now: refused, and nothing is begun.
        self.assertEqual(self.bus.refusal('topic', 'alter', 't', '--ring', '256KiB', status=1)['code'], 'busy')
        self.assertNotIn('ring_replacement', self.bus.log.read_text())
        self.disk.free()
        self.check_end(producer)
        self.check_it_heals()
        self.assertIn('event=log_healed topic=t', self.bus.log.read_text())
        self.check_content_over_restarts(content)

    def test_retention_that_is_lowered_makes_room(self):
        content, producer = self.run_full()
        before = self.look()['generation']
        self.bus.json('topic', 'alter', 't', '--retention-bytes', '1MiB')
        self.check_end(producer)
        self.check_it_heals()
        self.assertEqual(self.look()['generation'], before)
        self.bus.restart()
        self.assertEqual(self.bus.json('topic', 'describe', 't')['settings']['retention_bytes'], 1 << 20)
        there = self.bus.run('consume', 't', '-o', 'start', '-e')
        self.assertTrue(content.endswith(there) and there, 'the newest records are not there')

    def test_who_is_killed_while_the_disk_is_full_comes_back_and_loses_nothing(self):
        content, producer = self.run_full()
        for _ in range(3):
            self.bus.restart()
            self.wait_for_state('disk_full')
            self.check_it_shows()
        self.assertEqual(self.bus.stop(), 1)  # it cannot drain, and leaves the rings with the keeper
        self.bus.start()
        self.wait_for_state('disk_full')
        self.disk.free()
        self.check_end(producer)
        self.check_it_heals()
        self.check_content_over_restarts(content)

    def test_reading_goes_on_while_the_disk_is_full(self):
        content, producer = self.run_full()
        committed = self.look()['committed']
        there = self.bus.run('consume', 't', '-o', 'start', '-n', committed)
        self.assertTrue(content.startswith(there))
        self.assertEqual(there.count(b'\n'), committed)
        self.disk.free()
        self.check_end(producer)
        self.check_content(content)

    def test_clients_come_and_go_while_the_disk_is_full(self):
        content, producer = self.run_full()
        for _ in range(300):  # more than the identities set aside at a time
            self.assertEqual(self.bus.run_for_status('topic', 'list'), 0)
        self.assertIsNone(self.bus.daemon.poll())
        self.disk.free()
        self.check_end(producer)

    def test_positions_of_cursors_outlive_a_full_disk(self):
        content, producer = self.run_full()
        records = content.splitlines(keepends=True)
        for start in range(0, 1000, 100):
            read = self.bus.run('consume', 't', '--cursor', 'billing', '-o', 'start', '-n', 100)
            self.assertEqual(read, b''.join(records[start:start + 100]))
        self.assertIsNone(self.bus.daemon.poll())
        self.bus.restart()
        read = self.bus.run('consume', 't', '--cursor', 'billing', '-n', 100)
        self.assertEqual(read, b''.join(records[1000:1100]))
        self.disk.free()
        self.check_end(producer)
        self.check_it_heals()
        self.bus.restart()
        self.assertEqual(self.bus.run('consume', 't', '--cursor', 'billing', '-n', 1), records[1100])

    def test_small_changes_have_room_however_many_there_are(self):
        """Their journal is emptied into the database behind every half MiB: here several times."""
        self.bus.json('topic', 'create', 'wide', '--partitions', '500', '--ring', '64KiB', '--no-persist')
        self.bus.run('produce', 'wide', stdin=lines(1))
        self.disk.fill()
        for _ in range(64):
            self.bus.run('consume', 'wide', '--cursor', 'c', '-o', 'start', '-n', 1)
            self.bus.json('cursor', 'delete', 'wide', 'c')
        self.bus.restart()
        self.assertEqual(self.bus.json('cursor', 'list', 'wide'), [])

    def test_a_topic_cannot_be_made_on_a_full_disk_and_nothing_of_it_stays(self):
        self.run_full()
        topics = self.bus.state_dir / 'topics'
        before = sorted(topics.iterdir()), self.bus.json('status', status=5)['memory']['used']
        for name in ('u', 'v' * 200, 'u'):
            error = self.bus.refusal('topic', 'create', name, status=1)
            self.assertIn(name, error['thing'])
            self.assertIn('disk', error['rule'])
            self.assertIn('make room', error['fix'])
        self.assertEqual((sorted(topics.iterdir()), self.bus.json('status', status=5)['memory']['used']), before)
        self.bus.restart()
        self.assertEqual([row['topic'] for row in self.bus.json('topic', 'list')], ['t'])
        self.disk.free()
        self.check_it_heals()
        self.bus.json('topic', 'create', 'u')

    def test_deleting_a_topic_makes_room_on_a_full_disk(self):
        self.bus.json('topic', 'create', 'old', *RING)
        self.check_end(self.produce(lines(60_000), 'old'))
        content, producer = self.run_full(more=20_000)
        self.bus.run('topic', 'delete', 'old', '--yes')
        self.check_end(producer)
        self.check_it_heals()
        self.check_content_over_restarts(content)

    def test_retention_makes_room_on_a_full_disk(self):
        self.bus.config.write_text('[disk]\nkeep_free = "2MiB"\n')
        self.bus.restart()
        content = lines(60_000)
        self.bus.json('topic', 'create', 't', *RING)
        self.check_end(self.produce(content))
        self.disk.fill()
        wait_until(lambda: self.look()['first_offset'] > 0, 'old segments to go')
        self.check_end(self.produce(lines(20_000, 60_000)))
        self.assertEqual(self.bus.json('status')['state'], 'serving')


class InMemoryOnly(SmallDiskTrouble):
    """The topic goes on without its log while the disk is full: --when-disk-fails memory."""

    def setUp(self):
        super().setUp()
        self.published = 0
        self.bus.json('topic', 'create', 't', *RING, '--when-disk-fails', 'memory')

    def go_on(self, count, *options):
        """A producer that nobody makes wait."""
        self.bus.run('produce', 't', *options, stdin=lines(count, self.published))
        self.published += count

    def run_full(self, count=40_000):
        self.go_on(5_000, '--wait', 'durable')
        self.disk.fill()
        self.go_on(count)
        self.wait_for_state('memory_only')

    def test_producers_go_on_and_it_shows_and_heals_and_the_gap_is_exact(self):
        self.run_full()
        before = self.look()
        report = self.bus.json('status', status=5)
        self.assertIn("topic 't' partition 0: memory_only", report['degraded'])
        self.assertIn('level=error event=log_suspended topic=t partition=0 error="No space left on device"',
                      self.bus.log.read_text())
        self.go_on(5_000)
        after = self.look()
        self.assertEqual((after['written'], after['durable']), (before['written'], before['durable']))
        # Who comes late is told at once, and goes on with what the ring has.
        offsets, gaps = self.replay()
        self.check_exact(offsets, gaps, self.published)
        self.assertEqual(len(gaps), 1)
        self.assertEqual(gaps[0][0], before['written'])
        self.assertEqual(self.bus.refusal('topic', 'alter', 't', '--when-disk-fails', 'wait', status=1)['code'], 'busy')
        self.disk.free()
        self.check_it_heals()
        self.go_on(3_000, '--wait', 'durable')
        told = re.findall(r'event=log_gap topic=t partition=0 log_end=(\d+) goes_on_at=(\d+)',
                          self.bus.log.read_text())
        told = [(int(first), int(to)) for first, to in told]
        self.assertEqual(told, gaps)
        self.assertEqual(self.look()['log_gaps'], 1)
        for end_it in (lambda: None, self.bus.restart, self.stop_and_start):
            end_it()
            offsets, gaps = self.replay()
            self.assertEqual(gaps, told)
            self.check_exact(offsets, gaps, self.published)
        self.bus.run('log', 'verify', 't', '--state-dir', self.bus.state_dir)
        self.bus.run('topic', 'alter', 't', '--when-disk-fails', 'wait')
        self.assertEqual(self.replay()[1], told)

    def stop_and_start(self):
        self.assertEqual(self.bus.stop(), 0, self.bus.log.read_text())
        self.bus.start()


class InMemoryOnTmpfs(InMemoryOnly, unittest.TestCase):
    kind = 'tmpfs'

    def test_who_keeps_up_sees_all(self):
        self.go_on(5_000, '--wait', 'durable')
        seen = self.bus.root / 'seen'
        with open(seen, 'wb') as out:
            follower = self.bus.spawn('consume', 't', '-o', 'start', stdout=out)
        self.disk.fill()
        for _ in range(80):
            self.go_on(100)
            wait_until(lambda: seen.stat().st_size == len(lines(self.published)), 'the follower to have seen it')
        self.wait_for_state('memory_only')
        self.assertEqual(seen.read_bytes(), lines(self.published))
        self.disk.free()
        self.check_it_heals()
        self.assertIsNone(follower.poll())

    def test_who_is_killed_meanwhile_comes_back_and_goes_on_in_memory(self):
        self.run_full()
        for _ in range(3):
            self.bus.restart()
            self.go_on(5_000)
            self.wait_for_state('memory_only')
            offsets, gaps = self.replay()
            self.check_exact(offsets, gaps, self.published)
        self.assertEqual(self.bus.stop(), 1)  # it cannot drain, and leaves the rings with the keeper
        self.bus.start()
        self.go_on(5_000)
        self.wait_for_state('memory_only')
        self.disk.free()
        self.bus.restart()
        self.check_it_heals()
        self.go_on(3_000, '--wait', 'durable')
        self.stop_and_start()
        offsets, gaps = self.replay()
        self.check_exact(offsets, gaps, self.published)
        self.assertEqual(len(gaps), 1)

    def test_a_ring_that_is_lost_meanwhile_gives_no_offset_twice(self):
        self.run_full()
        end = self.look()['durable']
        self.bus.kill()
        self.bus.kill_keeper()
        self.bus.start()
        goes_on_at = int(re.findall(r'event=ring_was_lost topic=t partition=0 log_end=\d+ goes_on_at=(\d+)',
                                    self.bus.log.read_text())[-1])
        self.assertGreater(goes_on_at, self.published)
        self.bus.run('produce', 't', stdin=b'behind\n')
        offsets = self.bus.run('consume', 't', '-o', 'start', '-e', '-f', '%o\n').split()
        self.assertEqual([int(offset) for offset in offsets], [*range(end), goes_on_at])
        self.assertIn(f'offsets {end} to {goes_on_at - 1} are missing: lost', self.bus.stderr)


class InMemoryOnExt4(InMemoryOnly, unittest.TestCase):
    kind = 'ext4'


class OnTmpfs(FullDisk, unittest.TestCase):
    kind = 'tmpfs'

    def test_what_the_catalog_cannot_take_is_told_and_made_up_for(self):
        """Its journal usually has its space set aside. Here it was started without room for that."""
        self.assertEqual(self.bus.stop(), 0)
        shutil.rmtree(self.bus.state_dir)
        self.disk.fill()
        with open(self.disk.filler, 'r+b') as filler:
            filler.truncate(filler.seek(0, os.SEEK_END) - 400 * 1024)
        self.bus.start()
        self.bus.json('topic', 'create', 'kept', '--no-persist')
        self.bus.json('topic', 'create', 'deleted', '--no-persist')
        records = [b'%d\n' % n for n in range(100)]
        self.bus.run('produce', 'kept', stdin=b''.join(records))
        self.disk.fill()
        self.assertEqual(self.bus.run('consume', 'kept', '--cursor', 'c', '-o', 'start', '-n', 10),
                         b''.join(records[:10]))
        deletion = self.bus.spawn('topic', 'delete', 'deleted', '--yes', '--timeout', '1m')
        wait_until(lambda: self.bus.run_for_status('status') == 5, 'the trouble to show')
        self.assertIn('the disk is full; make room', ' '.join(self.bus.json('status', status=5)['degraded']))
        for line in ('level=warning event=cursor_not_saved topic=kept cursor=c.*the disk is full',
                     'level=error event=housekeeping_failed.*the disk is full'):
            wait_until(lambda line=line: re.search(line, self.bus.log.read_text()), line)
        listed = self.bus.json('cursor', 'list', 'kept')
        self.assertEqual([(row['cursor'], row['committed']) for row in listed], [('c', 10)])
        # One chore's trouble does not hide another's.
        refused = "topic 'deleted' is deleted, but stays in the catalog: "
        degraded = self.bus.json('status', status=5)['degraded']
        self.assertEqual(len([why for why in degraded if why.startswith(refused)]), 1, degraded)
        self.assertGreater(len(degraded), 1)
        self.assertLessEqual({'topic_deletion_waits', 'housekeeping_failed'},
                             {one['what'] for one in self.bus.troubles()})
        self.assertIsNone(deletion.poll())
        self.disk.free()
        self.check_end(deletion)
        wait_until(lambda: self.bus.run_for_status('status') == 0, 'it to heal')
        self.bus.restart()
        self.assertEqual([row['topic'] for row in self.bus.json('topic', 'list')], ['kept'])
        self.assertEqual(self.bus.run('consume', 'kept', '--cursor', 'c', '-n', 1), records[10])


class OnExt4(FullDisk, unittest.TestCase):
    kind = 'ext4'


if __name__ == '__main__':
    unittest.main()
