"""A file of the log cannot be removed: trim fails, only what went is counted, it shows while retention wants it, and heals."""

import os
import pathlib
import re
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from bus import Bus, wait_until
from scrape import Samples, text_of
from small_disk import SmallDisk, private_mounts

NOT_PERMITTED = 'Operation not permitted'
SMALL = ('--ring', '64KiB', '--segment', '256KiB')
RETRY_SECONDS = 5


def setUpModule():
    if os.geteuid() != 0:
        raise unittest.SkipTest('needs root to mount a small file system')
    private_mounts()


class KeptSegment(unittest.TestCase):
    def setUp(self):
        disk = SmallDisk('ext4', 24)
        self.addCleanup(disk.close)
        self.bus = Bus(state_dir=disk.path / 'state', config='[disk]\nkeep_free = "0B"\n')
        self.addCleanup(self.bus.close)
        self.bus.start()
        uuid = self.bus.json('topic', 'create', 't', *SMALL)['uuid']
        self.directory = self.bus.state_dir / 'topics' / uuid / '0'
        self.bus.run('produce', 't', '--wait', 'durable', stdin=b'%0999d\n' * 2000 % tuple(range(2000)))
        self.before = self.files()
        self.assertGreater(len(self.before), 5)

    def files(self):
        return sorted(self.directory.glob('*.log'))

    def keep(self, file):
        """It cannot be removed until release() of it."""
        subprocess.run(['chattr', '+i', file], check=True)
        self.addCleanup(self.release, file)

    def release(self, file):
        if file.exists():
            subprocess.run(['chattr', '-i', file], check=True)

    def said(self, name, **labels):
        return Samples(text_of(self.bus.runtime_dir / 'metrics.sock'))(name, **labels)

    def events(self, name):
        return re.findall(rf'event={name} .*', self.bus.log.read_text())

    def first_offset(self, topic='t'):
        return self.bus.json('topic', 'describe', topic)['partitions'][0]['first_offset']

    def trim(self, status):
        return self.bus.refusal('topic', 'trim', 't', '--before', 'end', '--yes', status=status)

    def rounds_pass(self, seconds):
        """Retention has looked at everything, again and again, for so long."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.bus.run('topic', 'create', 'clock', *SMALL, '--retention-bytes', '1B')
            self.bus.run('produce', 'clock', '--wait', 'durable', stdin=b'%0999d\n' * 600 % tuple(range(600)))
            wait_until(lambda: self.first_offset('clock') > 0, 'a round of retention')
            self.bus.run('topic', 'delete', 'clock', '--yes')

    def test_a_trim_tells_what_went_and_names_the_file_that_did_not(self):
        self.keep(self.before[1])
        for gone in ('1 segment is', '0 segments are'):
            error = self.trim(status=1)
            self.assertEqual(error['thing'], str(self.before[1]))
            self.assertEqual(error['rule'], f"cannot be removed, nor what is behind it: {NOT_PERMITTED}; {gone} of topic 't' gone")
            self.assertIn('lsattr', error['fix'])
            self.assertEqual(self.files(), self.before[1:])
            self.assertEqual(self.first_offset(), int(self.before[1].stem))
        (trimmed,) = self.events('log_trimmed')
        self.assertIn('segments=1 ', trimmed)
        self.release(self.before[1])
        (one,) = self.bus.json('topic', 'trim', 't', '--before', 'end', '--yes')
        self.assertEqual(one['segments'], len(self.before) - 2)
        self.assertEqual(self.files(), self.before[-1:])

    def test_retention_counts_what_went_says_once_what_did_not_and_heals(self):
        self.keep(self.before[1])
        self.bus.run('topic', 'alter', 't', '--retention-bytes', '1B')
        wait_until(self.bus.troubles, 'it to show')
        (trouble,) = self.bus.troubles()
        self.assertEqual((trouble['what'], trouble['topic'], trouble['partitions'], trouble['path'], trouble['reason']),
                         ('segment_not_removed', 't', [0], str(self.before[1]), NOT_PERMITTED))
        self.assertIn(str(self.before[1]), self.bus.run('status', status=5).decode())
        self.assertEqual(self.said('ringway_degraded'), 1)
        (found,) = [one for one in self.bus.json('doctor', status=None)['findings'] if one['check'] == 'service']
        self.assertTrue(found['fix'].startswith(f'lsattr {self.before[1]}; '), found)
        self.rounds_pass(RETRY_SECONDS + 2)
        self.assertEqual(len([line for line in self.events('segments_retired') if 'topic=t ' in line]), 1)
        self.assertEqual(len(self.events('segment_not_removed')), 1)
        self.assertEqual(self.files(), self.before[1:])
        self.release(self.before[1])
        wait_until(lambda: not self.bus.troubles(), 'it to heal')
        self.assertEqual(self.files(), self.before[-1:])
        retired = [int(re.search(r'segments=(\d+)', line)[1]) for line in self.events('segments_retired')]
        self.assertEqual(sum(retired), self.said('ringway_segments_retired_total', reason='bytes'))
        self.bus.run('status')

    def test_a_disk_that_stays_short_for_it_is_told_too(self):
        self.keep(self.before[0])
        self.bus.config.write_text('[disk]\nkeep_free = "1000000GiB"\n')
        self.bus.restart()
        wait_until(lambda: len(self.bus.troubles()) == 2, 'both to show')
        self.assertEqual({one['what'] for one in self.bus.troubles()}, {'disk_short', 'segment_not_removed'})
        self.assertEqual(self.said('ringway_segments_retired_total', reason='disk'), 0)
        self.assertEqual(self.files(), self.before)


if __name__ == '__main__':
    unittest.main()
