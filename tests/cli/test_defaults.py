"""Defaults of the configuration, and what is chosen over them."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from on_a_bus import OnABus


class Defaults(OnABus):
    CONFIG = '''
[defaults]
partitions = 4
ring = "128KiB"
segment = "1MiB"
sync = "never"
sync_interval = "50ms"
when_full = "overwrite"
when_disk_fails = "memory"
when_stopped = "fence"
stopped_after = "2s"
retention_bytes = "8MiB"
retention_age = "1h"
'''

    def test_what_is_left_open_has_the_configured_defaults(self):
        self.create()
        settings = self.settings()
        self.assertEqual((settings['partitions'], settings['ring_bytes'], settings['segment_bytes'], settings['sync'],
                          settings['sync_interval_ms'], settings['retention_bytes'], settings['retention_age_ms']),
                         (4, 128 * 1024, 1 << 20, 'never', 50, 8 << 20, 3_600_000))

    def test_what_is_done_about_a_stopped_producer_has_defaults_too(self):
        self.create()
        self.create('other', '--when-stopped', 'wait', '--stopped-after', '5s')
        self.assertEqual([(settings['when_stopped'], settings['stopped_after_ms'])
                          for settings in (self.settings('t'), self.settings('other'))],
                         [('fence', 2000), ('wait', 5000)])

    def test_what_counts_for_an_interval_is_refused_beside_another_sync(self):
        for flag, value in (('--sync-interval', '5ms'), ('--sync-bytes', '64KiB')):
            for verb in ('create', 'alter'):
                error = self.bus.refusal('topic', verb, 't', '--sync', 'never', flag, value, status=2)
                self.assertEqual((error['thing'], error['rule']), (flag, 'counts for --sync interval, not for never'))

    def test_asking_for_a_built_in_default_counts(self):
        self.create('t', '--partitions', '1', '--ring', '16MiB', '--segment', '256MiB', '--sync', 'interval',
                    '--sync-interval', '5ms', '--sync-bytes', '64KiB', '--retention-bytes', '0', '--retention-age', '0s')
        settings = self.settings()
        self.assertEqual((settings['partitions'], settings['ring_bytes'], settings['segment_bytes'], settings['sync'],
                          settings['sync_interval_ms'], settings['retention_bytes'], settings['retention_age_ms']),
                         (1, 16 << 20, 256 << 20, 'interval', 5, 0, 0))
        self.assertEqual(settings['sync_bytes'], 64 * 1024)

    def test_a_default_counts_only_where_it_has_a_meaning(self):
        self.create('log')
        self.assertEqual((self.settings('log')['when_full'], self.settings('log')['when_disk_fails']),
                         ('block', 'memory'))
        self.create('memory', '--no-persist')
        settings = self.settings('memory')
        self.assertEqual((settings['when_full'], settings['retention_bytes'], settings['retention_age_ms'],
                          settings['when_disk_fails']), ('overwrite', 0, 0, 'wait'))
        self.create('blocking', '--no-persist', '--when-full', 'block')
        self.assertEqual(self.settings('blocking')['when_full'], 'block')


if __name__ == '__main__':
    unittest.main()
