"""Retention on the real daemon: what goes, what stays, and what whoever was there is told."""

import pathlib
import re
import signal
import sys
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from on_a_bus import OnABus
from scrape import Samples, text_of

SMALL = ('--ring', '64KiB', '--segment', '256KiB')
SEGMENT = 256 * 1024


def values(count, width=1000):
    return [b'%d ' % n + b'x' * width for n in range(count)]


class Retention(OnABus):
    def retired(self, topic='t'):
        return self.partition(topic)['first_offset'] > 0

    def retired_by(self):
        said = Samples(text_of(self.bus.runtime_dir / 'metrics.sock'))
        return {reason: said('ringway_segments_retired_total', reason=reason) for reason in ('bytes', 'age', 'disk')}

    def a_round_passes(self):
        """Retention has looked at everything since: a topic made now has lost something."""
        self.create('clock', *SMALL, '--retention-bytes', '1B')
        self.produce('clock', values(600))
        self.wait_until(lambda: self.retired('clock'), 'another round of retention')
        self.bus.run('topic', 'delete', 'clock', '--yes')

    def assert_whole_from_its_first_segment_on(self, uuid, count):
        partition = self.partition()
        self.assertEqual(self.segments(uuid)[0], partition['first_offset'])
        self.assertEqual(self.offsets(), list(range(partition['first_offset'], count)))
        return partition['first_offset']

    def test_bytes_bound_the_log_and_reading_starts_at_the_oldest_that_is_kept(self):
        uuid = self.create('t', *SMALL, '--retention-bytes', '512KiB')['uuid']
        self.produce('t', values(3000))
        self.wait_until(lambda: self.partition()['log_bytes'] <= 512 * 1024 + SEGMENT, 'a smaller log')
        self.a_round_passes()
        first = self.assert_whole_from_its_first_segment_on(uuid, 3000)
        self.assertGreater(first, 1500)
        self.assertLessEqual(sum(path.stat().st_size for path in self.bus.state_dir.glob('topics/*/0/*.log')),
                             512 * 1024 + 2 * SEGMENT)
        # Whoever asks for what is gone is told, and gets the rest.
        seen = self.bus.run('consume', 't', '-o', '0', '-e', '-f', '%o\\n').split()
        self.assertEqual(int(seen[0]), first)
        self.assertIn(f'offsets 0 to {first - 1} are not kept any more', self.bus.stderr)
        self.assertEqual(self.bus.run('consume', 't', '-o', '0:10'), b'')

    def test_what_retention_took_stays_gone_over_a_kill_and_an_orderly_stop(self):
        uuid = self.create('t', *SMALL, '--retention-bytes', '512KiB')['uuid']
        self.produce('t', values(2000))
        self.wait_until(self.retired, 'retention')
        self.a_round_passes()
        first = self.partition()['first_offset']
        for end in (self.bus.kill, self.bus.stop):
            end()
            self.bus.start()
            self.a_round_passes()
            self.assertEqual(self.assert_whole_from_its_first_segment_on(uuid, 2000), first)
        self.produce('t', values(2000))
        self.wait_until(lambda: self.partition()['first_offset'] > first, 'retention to go on')
        self.assert_whole_from_its_first_segment_on(uuid, 4000)

    def test_age_takes_everything_but_the_newest_segment(self):
        uuid = self.create('t', *SMALL, '--retention-age', '1ms')['uuid']
        self.produce('t', values(1500))
        self.wait_until(lambda: len(self.segments(uuid)) == 1, 'old segments to go')
        self.assertRegex(self.bus.log.read_text(), r'level=info event=segments_retired topic=t .*reason=age')
        said = self.retired_by()
        self.assertGreater(said.pop('age'), 2)
        self.assertEqual(said, {'bytes': 0, 'disk': 0})
        self.a_round_passes()
        first = self.assert_whole_from_its_first_segment_on(uuid, 1500)
        self.assertGreater(first, 0)
        self.assertLess(first, 1500)

    def test_what_is_younger_than_the_age_stays(self):
        uuid = self.create('t', *SMALL, '--retention-age', '1h')['uuid']
        self.produce('t', values(1500))
        self.a_round_passes()
        self.assertGreater(len(self.segments(uuid)), 3)
        self.assertEqual(self.assert_whole_from_its_first_segment_on(uuid, 1500), 0)

    def test_a_disk_that_is_too_full_takes_the_oldest_segments_of_a_topic_without_limits(self):
        uuid = self.create('t', *SMALL)['uuid']
        self.produce('t', values(1500))
        self.a_round_passes()
        self.assertEqual(self.partition()['first_offset'], 0)
        before = len(self.segments(uuid))
        self.bus.stop()
        self.bus.config.write_text('[disk]\nkeep_free = "1000000GiB"\n')
        self.bus.start()
        self.wait_until(lambda: len(self.segments(uuid)) == 1, 'all but the newest to go')
        self.assertGreater(self.assert_whole_from_its_first_segment_on(uuid, 1500), 0)
        self.assertRegex(self.bus.log.read_text(), r'level=warning event=segments_retired topic=t .*reason=disk')
        self.assertEqual(self.retired_by(), {'bytes': 0, 'age': 0, 'disk': before - 1})
        # What is left never goes: somebody has to know.
        self.wait_until(lambda: self.bus.run_for_status('status') == 5, 'the bus to be degraded')
        self.assertIn('disk.keep_free', ' '.join(self.bus.json('status', status=5)['degraded']))
        self.assertEqual(self.bus.log.read_text().count('event=retention_held'), 1)

    def test_a_reader_that_is_overtaken_is_told_what_it_misses_and_goes_on(self):
        self.create('t', *SMALL, '--retention-bytes', '512KiB')
        self.produce('t', values(1500, 300))
        # It has a segment open and cannot get rid of what it prints: the pipe is full.
        reader = self.bus.spawn('consume', 't', '-o', 'start', '-f', '%o ' + 'y' * 200 + '\\n')
        self.assertEqual(reader.stdout.readline().split()[0], b'0')
        self.produce('t', values(5000))
        self.a_round_passes()
        seen, done = [0], threading.Event()

        def read():
            for line in reader.stdout:
                seen.append(int(line.split()[0]))
                if seen[-1] == 6499:
                    break
            done.set()

        threading.Thread(target=read, daemon=True).start()
        self.assertTrue(done.wait(60), f'stands at {seen[-1]}')
        reader.send_signal(signal.SIGINT)
        self.assertEqual(reader.wait(), 0)
        said = reader.stderr.read().decode()
        gaps = [(int(a), int(b)) for a, b in re.findall(r'offsets (\d+) to (\d+) are missing: not kept any more', said)]
        self.assertTrue(gaps, said)
        missing = [offset for a, b in gaps for offset in range(a, b + 1)]
        self.assertEqual(sorted(seen + missing), list(range(6500)))
        self.assertEqual(seen, sorted(seen))


if __name__ == '__main__':
    unittest.main()
