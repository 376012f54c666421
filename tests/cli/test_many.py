"""Very many partitions: every verb says all of what it is asked, and what it did is told as done."""

import pathlib
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from bus import Bus
from scrape import Samples, text_of

PARTITIONS = 10_000


class TenThousandPartitions(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # In memory: as many directories and files take a busy disk its time.
        state = tempfile.mkdtemp(prefix='ringway-many-', dir='/dev/shm')
        cls.addClassCleanup(shutil.rmtree, state)
        cls.bus = Bus(state_dir=pathlib.Path(state))
        cls.addClassCleanup(cls.bus.close)
        cls.bus.start()
        cls.created = cls.bus.json('topic', 'create', 't', '--partitions', PARTITIONS, '--ring', '64KiB', '--segment',
                                   '256KiB')

    def test_create_says_that_it_is_there(self):
        self.assertEqual(self.created['partitions'], PARTITIONS)

    def test_verbs_that_show_it(self):
        self.assertEqual(len(self.bus.json('topic', 'describe', 't')['partitions']), PARTITIONS)
        self.assertEqual([topic['partitions'] for topic in self.bus.json('topic', 'list')], [PARTITIONS])
        self.assertEqual(len(self.bus.json('inspect', 't')['partitions']), PARTITIONS)
        self.assertEqual(self.bus.json('status')['topics'], 1)
        self.assertTrue(self.bus.json('acl', 'list', 't'))
        samples = Samples(text_of(self.bus.runtime_dir / 'metrics.sock'))
        self.assertEqual(len(samples.labels('ringway_partition_committed_offset')), PARTITIONS)

    def test_alter_says_what_has_changed(self):
        self.assertIn('3600', str(self.bus.json('topic', 'alter', 't', '--retention-age', '1h')))

    def test_a_named_cursor_is_opened_again(self):
        self.bus.run('produce', 't', '-p', '9999', '--wait', 'durable', stdin=b'a\nb\n')
        for value in (b'a\n', b'b\n'):
            self.assertEqual(self.bus.run('consume', 't', '--cursor', 'c', '-o', 'start', '-n', '1'), value)

    def test_trim_answers_for_all_of_them(self):
        for options in (('--dry-run',), ('--yes',)):
            rows = self.bus.json('topic', 'trim', 't', '--before', 'end', *options)
            self.assertEqual([row['partition'] for row in rows], list(range(PARTITIONS)))


if __name__ == '__main__':
    unittest.main()
