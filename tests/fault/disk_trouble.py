"""What the cases about disks in trouble share: producers that wait, levels that are never taken back, content."""

import re

from bus import PATIENCE_SECONDS, wait_until

# Old segments are not to go: what was written is to be read back.
KEEP_EVERYTHING = '[disk]\nkeep_free = "0%"\n'
RING = ('--ring', '256KiB', '--segment', '1MiB')


def lines(count, first=0):
    return b''.join(b'%d %s\n' % (n, b'x' * (n * 7 % 200)) for n in range(first, first + count))


class DiskTrouble:
    """Of a test case with a `bus` on a `disk`, and `seen`, empty at first."""

    # What a person sees

    def look(self, topic='t'):
        """The partition as `inspect` shows it. No level was taken back since the last look."""
        partition = self.bus.json('inspect', topic)['partitions'][0]
        levels = [partition[level] for level in ('committed', 'written', 'durable')]
        for level, before in zip(levels, self.seen.get(topic, levels)):
            self.assertGreaterEqual(level, before)
        self.assertEqual(levels, sorted(levels, reverse=True))
        self.seen[topic] = levels
        return partition

    def wait_for_state(self, state, topic='t'):
        wait_until(lambda: self.look(topic)['state'] == state, f'state {state} of {topic}')

    def check_it_heals(self, topic='t'):
        self.wait_for_state('serving', topic)
        wait_until(lambda: self.bus.run_for_status('status') == 0, 'the bus to serve again')
        self.assertEqual(self.bus.json('status')['degraded'], [])

    def check_content(self, content, topic='t'):
        self.assertTrue(self.bus.run('consume', topic, '-o', 'start', '-e') == content, 'what was produced is not there')

    def check_content_over_restarts(self, content, topic='t'):
        self.check_content(content, topic)
        self.bus.restart()
        self.check_content(content, topic)
        self.assertEqual(self.bus.stop(), 0, self.bus.log.read_text())
        self.bus.start()
        self.check_content(content, topic)
        self.bus.run('log', 'verify', topic, '--state-dir', self.bus.state_dir)

    def replay(self, topic='t'):
        """Of a topic of lines() alone: the offsets that are there, and the gaps, as first and one past the last."""
        out = self.bus.run('consume', topic, '-o', 'start', '-e', '-f', '%o %v\n')
        offsets = []
        for line in out.splitlines(keepends=True):
            offset, content = line.split(b' ', 1)
            self.assertEqual(content, lines(1, int(offset)))
            offsets.append(int(offset))
        gaps = [(int(first), int(last) + 1)
                for first, last in re.findall(r'offsets (\d+) to (\d+) are missing: lost', self.bus.stderr)]
        return offsets, gaps

    def check_exact(self, offsets, gaps, end):
        """Records and gaps are together all there is, each once and in order."""
        expected, at = [], 0
        for first, to in [*gaps, (end, end)]:
            expected.extend(range(at, first))
            at = to
        self.assertEqual(offsets, expected)

    # What happens

    def produce(self, content, topic='t'):
        """A producer that ends when all of it is durable."""
        path = self.bus.root / f'input-{topic}'
        path.write_bytes(content)
        return self.bus.spawn('produce', topic, path, '--wait', 'durable')

    def check_end(self, producer):
        self.assertEqual(producer.wait(PATIENCE_SECONDS), 0, producer.stderr.read().decode())
