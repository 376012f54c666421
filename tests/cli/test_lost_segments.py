"""Files of the log that somebody removed: who reads is told of a gap and goes on, and everybody is told which offsets."""

import os
import pathlib
import re
import signal
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from on_a_bus import OnABus

RECORDS = 40_000
GAP = re.compile(r't partition 0: offsets? (\d+)(?: to (\d+))? (?:is|are) missing: (.*)')


class LostSegments(OnABus):
    def setUp(self):
        super().setUp()
        self.uuid = self.create('t', '--ring', '64KiB', '--segment', '1MiB')['uuid']
        self.directory = self.bus.state_dir / 'topics' / self.uuid / '0'

    def fill(self):
        """Several files of 1 MiB; the ring has the last 64 KiB."""
        self.produce('t', [b'%d:' % offset + b'v' * (offset % 90) for offset in range(RECORDS)])
        self.assertGreater(len(self.files()), 3)

    def files(self):
        return sorted(self.directory.glob('*.log'))

    def lose(self, *which):
        """Removes these files; the offsets that were in them, where others follow, as one range."""
        bases = [*(int(path.stem) for path in self.files()), RECORDS]
        for one in which:
            self.files_at_first[one].unlink()
        return bases[which[0]], bases[which[-1] + 1]

    def consume(self, status=1, start='start'):
        """The offsets that a consumer gets, and the gaps that it is told of: from, to, why."""
        got = [int(word) for word in self.bus.run('consume', 't', '-e', '-o', start, '-f', '%o\\n',
                                                  status=status).split()]
        self.assertNotIn('waiting for the supervisor', self.bus.stderr)
        gaps = [(int(first), int(last or first) + 1, why) for first, last, why in GAP.findall(self.bus.stderr)]
        return got, gaps

    def events(self, name):
        return [line for line in self.bus.log.read_text().splitlines() if f'event={name} ' in line]

    def degraded(self):
        return self.bus.json('status', status=5)['degraded']

    def check_told(self, first, end, times=1, why='is gone'):
        """By an event, by `status` and by `log verify`."""
        name = f'{first:020}.log'
        told = [line for line in self.events('segment_missing') if f'from_offset={first} ' in line]
        self.assertEqual(len(told), times)
        for word in ('topic=t', 'partition=0', f'file={name}', f'rule="{why}"', f'to_offset={end}'):
            self.assertIn(word, told[-1])
        (line,) = [line for line in self.degraded() if name in line]
        self.assertIn(f"topic 't' partition 0: offsets {first} to {end - 1} are missing from the log, as {name} {why}, and "
                      'any file behind it that had some of them;', line)

    def holes(self):
        (partition,) = self.bus.json('log', 'verify', 't', '--state-dir', self.bus.state_dir, status=5)['partitions']
        return [(hole['segment'], hole['from_offset'], hole['to_offset'], hole['reason'])
                for hole in partition['holes']]

    def missing(self, first, end):
        return f'{first:020}.log', first, end, 'the file is missing'

    def test_one_that_goes_while_it_is_served_is_a_gap_and_told_once(self):
        self.fill()
        self.files_at_first = self.files()
        first, end = self.lose(1)
        for _ in range(2):
            got, gaps = self.consume()
            self.assertEqual(gaps, [(first, end, 'lost on disk')])
            self.assertEqual(got, [*range(first), *range(end, RECORDS)])
        self.check_told(first, end)
        self.assertEqual(self.holes(), [self.missing(first, end)])

    def test_who_starts_at_a_time_that_was_lost_is_told_of_it(self):
        self.fill()
        times = self.bus.run('consume', 't', '-e', '-o', 'start', '-f', '%d{rfc3339}\\n').decode().split()
        self.files_at_first = self.files()
        first, end = self.lose(1, 2)
        within, behind = times[(first + end) // 2], times[(end + RECORDS) // 2]
        for restarted in range(2):
            with self.subTest(restarted=restarted):
                if restarted:
                    self.bus.restart()
                self.assertEqual(self.consume(start=f'@{within}'),
                                 ([*range(end, RECORDS)], [(first, end, 'lost on disk')]))
                self.assertEqual(self.consume(start=f'@{behind}', status=0),
                                 ([*range(times.index(behind), RECORDS)], []))

    def test_a_pipe_in_its_place_holds_up_neither_who_reads_nor_a_stop_nor_a_start(self):
        self.fill()
        self.files_at_first = self.files()
        first, end = self.lose(1)
        os.mkfifo(self.files_at_first[1])
        for start in range(2):
            got, gaps = self.consume()
            self.assertEqual(gaps, [(first, end, 'lost on disk')])
            self.assertEqual(got, [*range(first), *range(end, RECORDS)])
            self.check_told(first, end, times=start + 1, why='is no regular file')
            self.assertEqual(self.bus.stop(), 0)
            self.bus.start()

    def test_a_pipe_in_the_place_of_the_one_that_is_written_is_left(self):
        self.fill()
        newest = self.files()[-1]
        newest.unlink()
        os.mkfifo(newest)
        got, gaps = self.consume()
        ((begin, _, why),) = gaps
        self.assertEqual((begin, why), (int(newest.stem), 'lost on disk'))
        self.check_told(begin, RECORDS, why='is no regular file')
        self.produce('t', [b'new'])

    def test_the_others_are_trimmed_all_the_same(self):
        self.fill()
        self.files_at_first = self.files()
        self.lose(1)
        first = int(self.files_at_first[3].stem)
        self.bus.run('topic', 'trim', 't', '--before', str(first), '--yes')
        self.assertEqual(self.files(), self.files_at_first[3:])
        self.assertEqual(self.partition()['first_offset'], first)
        self.assertNotIn('segment_not_removed', self.bus.log.read_text())

    def test_a_directory_in_the_place_of_the_oldest_is_no_obstacle(self):
        self.fill()
        self.files_at_first = self.files()
        self.lose(0)
        self.files_at_first[0].mkdir()
        self.bus.run('topic', 'trim', 't', '--before', 'end', '--yes')
        newest = self.files_at_first[-1]
        self.assertEqual(self.files(), [self.files_at_first[0], newest])
        self.assertEqual(self.partition()['first_offset'], int(newest.stem))
        self.assertEqual(self.events('segment_not_removed'), [])
        self.bus.restart()
        self.assertEqual(self.consume(status=0), ([*range(int(newest.stem), RECORDS)], []))

    def test_a_directory_in_the_place_of_the_next_is_named_and_goes_on_without_it(self):
        obstacle = self.directory / f'{0:020}.log'
        obstacle.mkdir(parents=True)
        self.bus.run('produce', 't', '--wait', 'committed', stdin=b'a\n')
        self.wait_until(lambda: self.events('log_write_refused'), 'the refusal')
        self.assertIn(f'error="Is a directory" path={obstacle} ', self.events('log_write_refused')[0])
        obstacle.rmdir()
        self.wait_until(lambda: self.events('log_healed'), 'the log')
        self.assertTrue(obstacle.is_file())

    def test_several_that_go_while_they_are_served_are_one_gap(self):
        self.fill()
        self.files_at_first = self.files()
        first, end = self.lose(0, 1)
        got, gaps = self.consume()
        self.assertEqual(gaps, [(first, end, 'lost on disk')])
        self.assertEqual(got, [*range(end, RECORDS)])

    def test_the_one_that_is_written_goes_and_the_log_goes_on_in_another(self):
        self.fill()
        newest = self.files()[-1]
        first = int(newest.stem)
        newest.unlink()
        got, gaps = self.consume()
        ((begin, end, why),) = gaps
        self.assertEqual((begin, why), (first, 'lost on disk'))
        self.assertLess(end, RECORDS)  # the ring had the last of it
        self.assertEqual(got, [*range(first), *range(end, RECORDS)])
        self.assertEqual(int(self.files()[-1].stem), RECORDS)
        self.check_told(first, RECORDS)
        self.produce('t', [b'new'])
        self.assertEqual(self.bus.stop(), 0)
        self.bus.start()
        got, gaps = self.consume()
        self.assertEqual(gaps, [(first, RECORDS, 'lost on disk')])
        self.assertEqual(got, [*range(first), RECORDS])
        self.check_told(first, RECORDS, times=2)

    def test_one_that_went_while_nobody_served_is_told_at_the_start_whatever_its_size(self):
        for start in range(3):
            if start:
                self.assertEqual(self.bus.stop(), 0)
                self.bus.start()
            self.produce('t', [b'a', b'b', b'c'])
        self.assertEqual(self.bus.stop(), 0)
        self.assertEqual([int(path.stem) for path in self.files()], [0, 3, 6])
        self.files()[1].unlink()
        self.assertEqual(self.holes(), [self.missing(3, 6)])
        self.bus.start()
        self.check_told(3, 6)
        self.assertEqual(self.consume(), ([0, 1, 2, 6, 7, 8], [(3, 6, 'lost on disk')]))

    def test_the_last_that_went_while_nobody_served_is_told_at_each_start(self):
        self.fill()
        first = int(self.files()[-1].stem)
        self.assertEqual(self.bus.stop(), 0)
        self.files()[-1].unlink()
        self.assertEqual(self.holes(), [self.missing(first, RECORDS)])
        for start in range(2):
            self.bus.start()
            self.check_told(first, RECORDS, times=start + 1)
            got, gaps = self.consume()
            self.assertEqual(gaps, [(first, RECORDS, 'lost on disk')])
            self.assertEqual(got, [*range(first), *range(RECORDS, RECORDS + start)])
            self.produce('t', [b'new'])
            self.assertEqual(self.bus.stop(), 0)

    def test_the_last_that_went_while_the_ring_lived_on_is_told_at_each_start(self):
        self.fill()
        first = int(self.files()[-1].stem)
        self.bus.kill()
        self.files()[-1].unlink()
        self.bus.start()
        got, gaps = self.consume()
        ((begin, end, why),) = gaps
        self.assertEqual((begin, why), (first, 'lost on disk'))
        self.assertEqual(got, [*range(first), *range(end, RECORDS)])
        self.check_told(first, end)
        self.produce('t', [b'new'])
        self.bus.restart()
        self.check_told(first, end, times=2)
        self.assertEqual(self.consume(), ([*got, RECORDS], gaps))

    def test_the_last_that_went_with_the_ring_leave_a_named_cursor_to_tell_of_them(self):
        self.fill()
        self.bus.run('consume', 't', '--cursor', 'c', '-o', 'start', '-e')
        self.lose_memory()
        for file in self.files()[1:]:
            file.unlink()
        self.bus.start()
        begin = self.partition()['committed']
        self.assertGreater(begin, RECORDS)
        self.produce('t', [b'new'])
        self.assertEqual(self.bus.run('consume', 't', '--cursor', 'c', '-e', '-f', '%o %v\\n', status=None),
                         b'%d new\n' % begin)

    def lose_memory(self):
        (keeper,) = self.bus.keepers()
        self.bus.pause()  # or it would start another one
        os.kill(keeper, signal.SIGKILL)
        self.bus.kill()

    def test_what_a_repair_has_noted_is_told_to_consumers_only(self):
        self.fill()
        self.files_at_first = self.files()
        self.assertEqual(self.bus.stop(), 0)
        first, end = self.lose(1, 2)
        self.bus.run('log', 'repair', 't', '--state-dir', self.bus.state_dir, '--yes')
        self.bus.start()
        self.bus.run('status')
        self.assertEqual(self.events('segment_missing'), [])
        got, gaps = self.consume()
        self.assertEqual(gaps, [(first, end, 'lost on disk')])
        self.assertEqual(got, [*range(first), *range(end, RECORDS)])

    def test_a_file_whose_directory_is_gone_as_well_comes_back_with_the_next_records(self):
        self.fill()
        first = int(self.files()[0].stem)
        for file in self.files():
            file.unlink()
        self.directory.rmdir()
        got, gaps = self.consume()
        ((begin, end, why),) = gaps
        self.assertEqual((begin, why), (first, 'lost on disk'))
        self.assertEqual(got, [*range(end, RECORDS)])
        self.produce('t', [b'new'])
        self.assertEqual([int(path.stem) for path in self.files()], [RECORDS])


if __name__ == '__main__':
    unittest.main()
