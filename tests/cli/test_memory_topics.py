"""Topics without a log: what a full ring does, and what survives whose death."""

import os
import pathlib
import re
import signal
import sys
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from bus import process_state
from on_a_bus import OnABus

BLOCK = ('--no-persist', '--ring', '64KiB')
OVERWRITE = (*BLOCK, '--when-full', 'overwrite')


def values(begin, end):
    return [b'%d' % n for n in range(begin, end)]


class MemoryTopics(OnABus):
    def records(self, topic='t'):
        """All that can be read, as (offset, value)."""
        text = self.bus.run('consume', topic, '-o', 'start', '-e', '-f', '%o %v\\n')
        return [tuple(int(word) for word in line.split()) for line in text.splitlines()]

    def kill_everything(self):
        self.bus.kill()
        self.bus.kill_keeper()

    def test_nothing_is_lost_and_offsets_go_on_when_the_supervisor_is_killed(self):
        for kind, topic in ((BLOCK, 'block'), (OVERWRITE, 'overwrite')):
            with self.subTest(kind=topic):
                self.create(topic, *kind)
                for round_ in range(3):
                    self.produce(topic, values(100 * round_, 100 * round_ + 100))
                    self.bus.restart()
                self.assertEqual(self.records(topic), [(n, n) for n in range(300)])

    def test_an_open_producer_and_a_consumer_go_on_with_the_next_supervisor(self):
        self.create('t', *BLOCK)
        consumer = self.bus.spawn('consume', 't', '-o', 'start', '-f', '%o %v\\n')
        producer = self.bus.spawn('produce', 't')
        for number in range(9):
            if number in (3, 6):
                self.bus.kill()
            if number in (4, 8):
                self.bus.start()
            producer.stdin.write(b'%d\n' % number)
            producer.stdin.flush()
            self.assertEqual(consumer.stdout.readline(), b'%d %d\n' % (number, number))

    def test_no_offset_is_given_twice_when_supervisor_and_keeper_are_killed(self):
        for kind, topic in ((BLOCK, 'block'), (OVERWRITE, 'overwrite')):
            with self.subTest(kind=topic):
                self.create(topic, *kind)
                seen = []
                for round_ in range(3):
                    self.produce(topic, values(0, 100))
                    records = self.records(topic)
                    self.assertEqual([value for _, value in records], list(range(100)))
                    seen += [offset for offset, _ in records]
                    self.assertEqual(seen, sorted(set(seen)), f'round {round_}')
                    self.kill_everything()
                    self.bus.start()
                self.assertEqual(self.records(topic), [])

    def test_offsets_go_on_exactly_behind_an_orderly_stop(self):
        self.create('t', *BLOCK)
        self.produce('t', values(0, 100))
        self.assertEqual(self.bus.stop(), 0)
        self.bus.start()
        self.produce('t', values(100, 110))
        self.assertEqual(self.records(), [(n, n) for n in range(100, 110)])

    def test_a_consumer_that_saw_the_lost_ring_is_told_and_goes_on_in_the_new_one(self):
        self.create('t', *BLOCK)
        consumer = self.bus.spawn('consume', 't', '-o', 'start', '-f', '%o %v\\n')
        self.produce('t', values(0, 3))
        for n in range(3):
            self.assertEqual(consumer.stdout.readline(), b'%d %d\n' % (n, n))
        self.kill_everything()
        self.bus.start()
        self.produce('t', values(3, 4))
        offset, value = consumer.stdout.readline().split()
        self.assertEqual(value, b'3')
        self.assertGreater(int(offset), 3)
        consumer.send_signal(signal.SIGINT)
        self.assertEqual(consumer.wait(), 0)
        self.assertIn(f'offsets 3 to {int(offset) - 1} are missing', consumer.stderr.read().decode())

    def test_a_full_ring_blocks_producers_until_the_slowest_consumer_has_read(self):
        self.create('t', *BLOCK)
        count = 20_000  # a ring holds a tenth of them
        consumer = self.bus.spawn('consume', 't', '-o', 'start', '-f', '%o %v\\n')
        producer = self.bus.spawn('produce', 't')
        producer.stdin.write(b'0\n')
        producer.stdin.flush()
        self.assertEqual(consumer.stdout.readline(), b'0 0\n')
        consumer.send_signal(signal.SIGSTOP)
        self.wait_until(lambda: process_state(consumer.pid) == 'T', 'the consumer to stand still')
        feeder = threading.Thread(target=producer.communicate, daemon=True,
                                  args=(b''.join(b'%d\n' % n for n in range(1, count)),))
        feeder.start()

        def held_up():
            report = self.bus.json('status', status=5)
            return any(f'slow_consumer by pid {consumer.pid}' in line for line in report['degraded'])

        self.wait_until(lambda: self.partition()['state'] != 'serving', 'the ring to be full')
        self.assertTrue(held_up())
        committed = self.partition()['committed']
        self.assertLess(committed, count)
        self.bus.restart()
        self.wait_until(lambda: self.partition()['state'] != 'serving', 'the next supervisor to see it')
        self.assertTrue(held_up())
        self.assertEqual(self.partition()['committed'], committed)
        self.assertIsNone(producer.poll())
        consumer.send_signal(signal.SIGCONT)
        for n in range(1, count):
            self.assertEqual(consumer.stdout.readline(), b'%d %d\n' % (n, n))
        self.assertEqual(producer.wait(), 0)
        self.wait_until(lambda: self.bus.json('status', status=None)['state'] == 'serving', 'everything to be well')
        self.bus.run('status')

    def test_a_slow_consumer_of_an_overwriting_topic_gets_exact_gaps(self):
        self.create('t', *OVERWRITE)
        self.produce('t', values(0, 1000))
        seen, missing = [], []
        out, pipe = os.pipe()
        # It cannot get rid of what it prints, while nobody waits for it.
        consumer = self.bus.spawn('consume', 't', '-o', 'start', '-f', '%o %v' + 'y' * 100 + '\\n', stdout=pipe)
        os.close(pipe)
        lines = os.fdopen(out, 'rb')
        self.addCleanup(lines.close)
        begin = 1000
        for round_ in range(4):
            end = begin + 5000
            self.produce('t', values(begin, end))
            while not seen or seen[-1] < end - 1:
                offset, value = lines.readline().rstrip(b'y\n').split()
                self.assertEqual(offset, value)
                seen.append(int(offset))
            begin = end
        consumer.send_signal(signal.SIGINT)
        self.assertEqual(consumer.wait(), 0)
        said = consumer.stderr.read().decode()
        for line in said.splitlines():
            gap = re.fullmatch(r'.*t partition 0: offsets? (\d+)(?: to (\d+))? (?:is|are) missing: '
                               r'overwritten before they were read', line)
            self.assertTrue(gap, line)
            missing += range(int(gap[1]), int(gap[2] or gap[1]) + 1)
        self.assertGreater(len(missing), 0)
        self.assertEqual(sorted(seen + missing), list(range(seen[0], begin)))
        self.assertEqual(seen, sorted(seen))

    def test_what_has_no_meaning_without_a_log_is_refused(self):
        for option in (['--retention-bytes', '1MiB'], ['--retention-age', '1h']):
            self.assertEqual(self.bus.refusal('topic', 'create', 'u', *BLOCK, *option, status=2)['code'], 'usage')
        self.assertEqual(self.bus.refusal('topic', 'create', 'u', '--when-full', 'overwrite', status=2)['code'],
                         'usage')


if __name__ == '__main__':
    unittest.main()
