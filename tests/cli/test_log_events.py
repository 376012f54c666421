"""What happens to a log is said in the supervisor's own log, with what somebody needs who has to act on it."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from bus import Bus
from on_a_bus import OnABus


class LogEvents(OnABus):
    def said(self, event):
        """The line of this event, of which there is one."""
        lines = [line for line in self.bus.log.read_text().splitlines() if f'event={event} ' in line]
        self.assertEqual(len(lines), 1, self.bus.log.read_text())
        return lines[0]

    def check_said(self, event, *words):
        line = self.said(event)
        for word in words:
            self.assertIn(word, line)

    def newest(self, topic):
        return max((self.bus.state_dir / 'topics' / topic['uuid'] / '0').glob('*.log'))

    def test_a_retention_that_is_altered(self):
        self.create('t')
        self.bus.run('topic', 'alter', 't', '--retention-bytes', '64MiB', '--retention-age', '2h')
        self.check_said('retention_altered', 'level=info', 'topic=t', f'retention_bytes={64 << 20}',
                        f'retention_age_ms={2 * 3600 * 1000}')

    def test_a_log_that_is_trimmed(self):
        topic = self.create('t', '--ring', '64KiB', '--segment', '1MiB')
        self.produce('t', [b'v' * 90] * 40_000)
        before = self.segments(topic['uuid'])
        self.assertGreater(len(before), 2)
        self.bus.run('topic', 'trim', 't', '--before', str(before[2]), '--yes')
        self.check_said('log_trimmed', 'level=info', 'topic=t', 'partition=0', 'segments=2',
                        f'first_offset={before[2]}')

    def test_a_torn_tail_that_is_cut_and_kept(self):
        topic = self.create('t', '--sync', 'never')
        values = [b'%d:' % offset + b'v' * 90 for offset in range(500)]
        self.bus.run('produce', 't', '--wait', 'written', stdin=b''.join(value + b'\n' for value in values))
        self.bus.kill()
        self.bus.kill_keeper()
        newest = self.newest(topic)
        content = bytearray(newest.read_bytes())
        content[content.rindex(b'400:v')] ^= 1
        newest.write_bytes(content)
        self.bus.start()
        line = self.said('torn_tail_cut')
        self.assertIn('level=warning', line)
        self.assertIn('topic=t partition=0', line)
        kept = newest.parent / line.split('kept_as=')[1].split()[0]
        there = self.offsets()
        self.assertEqual(there, list(range(len(there))))
        self.assertLess(len(there), 400)
        self.assertIn(values[401], kept.read_bytes())
        self.assertEqual(kept.stat().st_size, int(line.split('bytes=')[1].split()[0]))

    def test_a_log_that_is_shorter_than_the_ring_it_belongs_to(self):
        topic = self.create('t', '--ring', '64KiB', '--segment', '1MiB')
        self.produce('t', [b'v' * 90] * 40_000)
        self.bus.kill()
        last = self.segments(topic['uuid'])[-1]
        self.newest(topic).unlink()
        self.bus.start()
        line = self.said('log_shorter_than_ring')
        self.assertIn('level=error', line)
        self.assertIn(f'topic=t partition=0 log_end={last} ', line)
        self.assertIn(' goes_on_at=40000 ', line)
        self.assertEqual(self.offsets(), list(range(last)))
        self.assertIn(f'offsets {last} to 39999 are missing', self.bus.stderr)


class Variables(unittest.TestCase):
    def test_one_that_is_no_key(self):
        with Bus(env={'RINGWAYD_LIMITS_TOPIC': '3'}) as bus:
            (line,) = [line for line in bus.log.read_text().splitlines() if 'event=variable_ignored ' in line]
        for word in ('level=warning', 'variable=RINGWAYD_LIMITS_TOPIC', 'RINGWAYD_LIMITS_TOPICS'):
            self.assertIn(word, line)


if __name__ == '__main__':
    unittest.main()
