"""A test case that has a bus of its own, configured as its CONFIG says."""

import os
import subprocess
import unittest

from bus import Bus, wait_until


class OnABus(unittest.TestCase):
    CONFIG = ''

    def setUp(self):
        self.bus = Bus()
        self.addCleanup(self.bus.close)
        self.bus.config.write_text(self.CONFIG)
        self.bus.start()

    def create(self, topic='t', *options):
        return self.bus.json('topic', 'create', topic, *options)

    def produce(self, topic, values):
        """The report of having published them, durable where there is a log."""
        level = 'durable' if self.settings(topic)['persist'] else 'committed'
        return self.bus.json('produce', topic, '--wait', level, stdin=b''.join(b'%s\n' % value for value in values))

    def settings(self, topic='t'):
        return self.bus.json('topic', 'describe', topic)['settings']

    def partition(self, topic='t', partition=0):
        return self.bus.json('topic', 'describe', topic)['partitions'][partition]

    def offsets(self, topic='t', *options):
        """What a consumer from the start to the end sees."""
        return [int(word) for word in self.bus.run('consume', topic, '-e', '-f', '%o\\n', '-o', 'start',
                                                   *options).split()]

    def segments(self, uuid, partition=0):
        """The base offsets of the partition's log files."""
        return sorted(int(path.stem) for path in (self.bus.state_dir / 'topics' / uuid / str(partition)).glob('*.log'))

    def client(self, program, first):
        """The program of that variable on topic t, when it has said its first line."""
        child = subprocess.Popen([os.environ[program], 't'], env=self.bus.env, stdout=subprocess.PIPE)

        def close():
            child.kill()
            child.wait()
            child.stdout.close()
        self.addCleanup(close)
        self.assertEqual(child.stdout.readline(), first)
        return child

    def wait_until(self, condition, what):
        return wait_until(condition, what)
