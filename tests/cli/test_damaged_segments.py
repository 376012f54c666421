"""Damage of the log that a consumer comes to while it is served: the supervisor looks for itself, and says so."""

import pathlib
import re
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from on_a_bus import OnABus
from scrape import Samples, text_of

RECORDS = 40_000


class DamagedSegments(OnABus):
    def setUp(self):
        super().setUp()
        uuid = self.create('t', '--ring', '64KiB', '--segment', '1MiB')['uuid']
        self.produce('t', [b'%d:' % offset + b'v' * (offset % 90) for offset in range(RECORDS)])
        self.files = sorted((self.bus.state_dir / 'topics' / uuid / '0').glob('*.log'))
        self.assertGreater(len(self.files), 3)

    def spoil(self, file, at):
        with open(file, 'r+b') as opened:
            opened.seek(at)
            (byte,) = opened.read(1)
            opened.seek(at)
            opened.write(bytes([byte ^ 1]))

    def times(self):
        return self.bus.run('consume', 't', '-e', '-o', 'start', '-f', '%d{rfc3339}\\n').decode().split()

    def check_start_at_a_time(self, times, first, end):
        """Within what cannot be read one is told of it; behind that nobody is."""
        after = times[(end + RECORDS) // 2]
        for at, offsets, status in ((times[(first + end) // 2], range(end, RECORDS), 1),
                                    (after, range(times.index(after), RECORDS), 0)):
            got = self.bus.run('consume', 't', '-e', '-o', f'@{at}', '-f', '%o\\n', status=status).split()
            self.assertEqual([int(word) for word in got], [*offsets])
            told = re.search(r'offsets (\d+) to (\d+) are missing: lost on disk', self.bus.stderr)
            self.assertEqual(told is not None, status == 1)
            if told:  # not what is lost of the block before that
                self.assertLessEqual(first, int(told[1]))
                self.assertLess(int(told[1]), (first + end) // 2)
                self.assertEqual(int(told[2]), end - 1)

    def consume(self):
        """Twice; the offsets that are missing, and that both were told so."""
        seen = []
        for _ in range(2):
            got = self.bus.run('consume', 't', '-e', '-o', 'start', '-f', '%o\\n', status=1).split()
            self.assertIn('missing: lost on disk', self.bus.stderr)
            self.assertNotIn('waiting for the supervisor', self.bus.stderr)
            seen.append(sorted(set(range(RECORDS)) - {int(word) for word in got}))
        self.assertEqual(*seen)
        self.assertEqual(seen[0], list(range(seen[0][0], seen[0][-1] + 1)))
        return seen[0][0], seen[0][-1] + 1

    def told(self):
        """The one event, once it is there."""
        def events():
            return [line for line in self.bus.log.read_text().splitlines() if 'event=segment_damaged ' in line]
        self.wait_until(events, 'the supervisor to say so')
        (line,) = events()
        return line

    def await_lost_ranges(self, count):
        """What metrics say; they may be half a second old."""
        def said():
            return Samples(text_of(self.bus.runtime_dir / 'metrics.sock'))('ringway_topic_lost_ranges', topic='t')
        self.wait_until(lambda: said() == count, f'{count} lost ranges')

    def test_blocks_that_do_not_verify_are_told_once_with_file_and_offsets(self):
        times = self.times()
        self.spoil(self.files[1], 400_000)
        first, end = self.consume()
        self.check_start_at_a_time(times, first, end)
        line = self.told()
        for word in ('topic=t', 'partition=0', f'file={self.files[1].name}', 'rule="bytes do not verify"',
                     f'from_offset={first}', f'to_offset={end}'):
            self.assertIn(word, line)
        (why,) = self.bus.json('status', status=5)['degraded']
        self.assertIn(f"topic 't' partition 0: offsets {first} to {end - 1} are damaged in {self.files[1].name}", why)
        self.await_lost_ranges(1)
        (trimmed,) = self.bus.json('topic', 'trim', 't', '--before', 'end', '--yes')
        self.assertGreater(trimmed['segments'], 2)
        self.assertEqual(self.bus.json('status')['degraded'], [])  # it is gone with the files
        self.await_lost_ranges(0)

    def test_a_header_that_is_no_such_is_passed_like_any_other_damage(self):
        times = self.times()
        self.spoil(self.files[1], 33)
        first, end = self.consume()
        self.check_start_at_a_time(times, first, end)
        self.assertEqual((first, end), (int(self.files[1].stem), int(self.files[2].stem)))
        self.assertIn(f'file={self.files[1].name}', self.told())
        self.assertIn(self.files[1].name, self.bus.json('status', status=5)['degraded'][0])

    def test_nothing_is_written_any_more_into_a_file_whose_header_was_spoiled(self):
        newest = self.files[-1]
        first = int(newest.stem)
        self.spoil(newest, 33)
        got = [int(word) for word in self.bus.run('consume', 't', '-e', '-o', 'start', '-f', '%o\\n', status=1).split()]
        told = re.search(r'offsets (\d+) to (\d+) are missing: lost on disk', self.bus.stderr)
        self.assertEqual(int(told[1]), first)
        self.assertEqual(got, [*range(first), *range(int(told[2]) + 1, RECORDS)])  # the ring had the last of it
        self.assertIn(f'file={newest.name}', self.told())
        self.produce('t', [b'new'] * 10)
        self.bus.run('produce', 't', '--wait', 'durable', stdin=b'last\n')
        self.bus.restart()
        self.consume_from(RECORDS, [*range(RECORDS, RECORDS + 11)])

    def consume_from(self, start, offsets, status=0):
        got = self.bus.run('consume', 't', '-e', '-o', str(start), '-f', '%o\\n', status=status).split()
        self.assertEqual([int(word) for word in got], offsets)

    def test_a_file_that_cannot_be_opened_is_a_gap_and_told(self):
        first, end = int(self.files[1].stem), int(self.files[2].stem)
        self.files[1].unlink()
        self.files[1].symlink_to(self.files[1].name)
        self.assertEqual(self.consume(), (first, end))
        line = self.told()
        self.assertIn('rule="Too many levels of symbolic links"', line)
        self.assertIn(self.files[1].name, self.bus.json('status', status=5)['degraded'][0])

    def test_another_segment_in_its_place_is_not_read_for_it(self):
        self.create('other', '--ring', '64KiB', '--segment', '1MiB')
        self.produce('other', [b'other'] * RECORDS)
        others = sorted((self.bus.state_dir / 'topics' / self.bus.json('topic', 'describe', 'other')['uuid'] / '0').glob('*.log'))
        first, end = int(self.files[1].stem), int(self.files[2].stem)
        for one in (self.files[2], self.files[0], others[0]):
            with self.subTest(another=one.name):
                kept = self.files[1].read_bytes()
                self.files[1].write_bytes(one.read_bytes())
                self.assertEqual(self.consume(), (first, end))
                self.assertIn(self.files[1].name, self.bus.json('status', status=5)['degraded'][0])
                self.assertEqual(self.bus.stop(), 0)
                self.files[1].write_bytes(kept)
                self.bus.start()

    def test_what_a_repair_has_noted_is_not_told_again(self):
        self.spoil(self.files[1], 400_000)
        self.assertEqual(self.bus.stop(), 0)
        self.bus.run('log', 'repair', 't', '--state-dir', self.bus.state_dir, '--yes')
        self.bus.start()
        self.consume()
        self.assertEqual(self.bus.stop(), 0)
        self.assertNotIn('event=segment_damaged', self.bus.log.read_text())


if __name__ == '__main__':
    unittest.main()
