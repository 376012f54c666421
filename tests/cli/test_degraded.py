"""`ringway status` when something needs attention: exit status 5, and why, until it is mended."""

import fcntl
import pathlib
import shutil
import signal
import sqlite3
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from on_a_bus import OnABus


class Degraded(OnABus):
    def setUp(self):
        super().setUp()
        self.uuid = self.create('t', '--ring', '64KiB', '--segment', '256KiB')['uuid']
        self.create('sound')
        self.produce('t', [b'%d' % n for n in range(20_000)])
        self.directory = self.bus.state_dir / 'topics' / self.uuid / '0'

    def assert_sound(self):
        report = self.bus.json('status')
        self.assertEqual((report['state'], report['degraded']), ('serving', []))
        self.bus.run('status')

    def assert_degraded(self, *words):
        """Each of the words stands in the one reason given, for machines and for people."""
        report = self.bus.json('status', status=5)
        self.assertEqual(report['state'], 'degraded')
        (why,) = report['degraded']
        table = self.bus.run('status', status=5).decode()
        for word in words:
            self.assertIn(word, why)
            self.assertIn(word, table)
        self.assertIn(b'"degraded":', self.bus.run('status', '--output', 'jsonl', status=5))

    def test_a_topic_that_is_kept_out_is_named_with_the_reason_and_the_others_serve(self):
        for end in (self.bus.kill, self.bus.stop):  # with a living ring, and without
            with self.subTest(end=end.__name__):
                self.assert_sound()
                end()
                aside = self.directory.with_name('aside')
                self.directory.rename(aside)
                self.directory.write_text('no directory')
                self.bus.start()
                self.assert_degraded("topic 't'", 'not served', str(self.directory))
                for verb in (['produce', 't'], ['consume', 't', '-e']):
                    self.assertIn('is not served', self.bus.refusal(*verb, status=1)['rule'])
                self.assertIn('event=topic_not_served topic=t', self.bus.log.read_text())
                if end == self.bus.stop:  # a living ring can be looked into
                    refusal = self.bus.refusal('inspect', 't', status=3)
                    self.assertEqual(refusal['thing'], "topic 't'")
                    self.assertIn('is not in the memory of the bus', refusal['rule'])
                self.assertEqual(self.produce('sound', [b'x'])['records'], 1)
                self.bus.kill()
                self.directory.unlink()
                aside.rename(self.directory)
                self.bus.start()
                self.assert_sound()
                self.assertEqual(self.offsets()[:20_000], list(range(20_000)))

    def test_who_connects_is_refused_as_long_as_a_starting_supervisor_could_not_answer(self):
        segment = sorted(self.directory.glob('*.log'))[0]
        looks = []
        self.addCleanup(signal.signal, signal.SIGIO, signal.signal(signal.SIGIO, lambda *_: looks.append(segment)))
        for end in (self.bus.kill, self.bus.stop):  # with a living ring, and without
            with self.subTest(end=end.__name__), open(segment, 'rb') as file:
                end()
                self.bus.socket.unlink(missing_ok=True)
                looks.clear()
                # Who opens a leased file waits until it is given back, and its holder is told by a signal.
                try:
                    fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
                except OSError as refused:
                    self.skipTest(f'no lease on a file there: {refused}')
                self.bus.launch()
                self.wait_until(lambda: looks, 'its look at the log')
                self.assertTrue(self.bus.socket.exists())
                self.assertFalse(self.bus.serves())
                fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
                self.wait_until(self.bus.serves, 'ringwayd')
                self.assert_sound()
                self.assertEqual(self.offsets(), list(range(20_000)))

    def test_a_damaged_segment_is_named_until_it_is_gone(self):
        self.bus.kill()
        segment = sorted(self.directory.glob('*.log'))[0]
        content = segment.read_bytes()
        segment.write_bytes(bytes(4096) + content[4096:])
        self.bus.start()
        self.assert_degraded("topic 't' partition 0", segment.name)
        self.bus.restart()
        self.assert_degraded(segment.name)
        self.bus.kill()
        segment.write_bytes(content)
        self.bus.start()
        self.assert_sound()
        self.assertEqual(self.offsets(), list(range(20_000)))

    def test_deleted_topics_whose_files_cannot_be_set_aside_stay_in_the_catalog_until_they_can(self):
        uuids = {'t': self.uuid, 'u': self.create('u')['uuid']}
        in_the_way = {topic: self.bus.state_dir / 'topics' / f'{uuid}.deleted' / 'something'
                      for topic, uuid in uuids.items()}
        for topic, path in in_the_way.items():
            path.mkdir(parents=True)
            self.bus.run('topic', 'delete', topic, '--yes', '--timeout', '1s', status=None)
            self.wait_until(lambda topic=topic: f'event=topic_deletion_waits topic={topic}' in self.bus.log.read_text(),
                            'the refusal in the log')
        report = self.bus.json('status', status=5)
        self.assertEqual(len(report['degraded']), len(uuids))
        for topic, uuid in uuids.items():
            refusal = f"topic '{topic}' is deleted, but stays in the catalog: "
            (why,) = [why for why in report['degraded'] if why.startswith(refusal)]
            self.assertIn(f'{uuid}.deleted', why)
            self.assertEqual(self.bus.log.read_text().count(f'event=topic_deletion_waits topic={topic}'), 1)
            self.assertIn('is being deleted', self.bus.refusal('topic', 'create', topic, status=1)['rule'])
        self.assertTrue(self.directory.exists())
        for path in in_the_way.values():
            path.rmdir()
        for topic, uuid in uuids.items():
            self.wait_until(lambda topic=topic: f'event=topic_deleted topic={topic}' in self.bus.log.read_text(),
                            'the deletion to go on')
            self.assertEqual([path.name for path in self.directory.parents[1].iterdir() if uuid in path.name], [])
        self.assert_sound()

    def test_a_topic_that_was_about_to_be_deleted_is_kept_out_while_its_files_cannot_have_their_name_back(self):
        live = self.directory.parent
        for adopted in (True, False):
            with self.subTest(adopted=adopted):
                self.bus.kill()
                if not adopted:
                    self.bus.kill_keeper()
                live.rename(live.with_name(self.uuid + '.deleted'))
                self.directory.mkdir(parents=True)
                self.bus.start()
                self.assert_degraded("topic 't'", 'not served', self.uuid + '.deleted')
                self.bus.kill()
                shutil.rmtree(live)
                self.bus.start()
                self.assert_sound()
                self.assertEqual(self.offsets(), list(range(20_000)))

    def test_settings_that_no_memory_could_hold_keep_only_their_topic_out(self):
        self.bus.stop()
        catalog = sqlite3.connect(self.bus.state_dir / 'catalog.db')
        self.addCleanup(catalog.close)
        (settings,) = catalog.execute('SELECT settings FROM topics WHERE name = ?', ['t']).fetchone()
        self.set_settings(catalog, settings.replace('"partitions":1', '"partitions":4294967295'))
        self.bus.start()
        self.assert_degraded("topic 't'", 'not served', 'settings in the catalog')
        self.assertEqual(self.produce('sound', [b'x'])['records'], 1)
        self.bus.stop()
        self.set_settings(catalog, settings)
        self.bus.start()
        self.assert_sound()
        self.assertEqual(self.offsets(), list(range(20_000)))

    def set_settings(self, catalog, settings):
        with catalog:
            changed = catalog.execute('UPDATE topics SET settings = ? WHERE name = ?', [settings, 't']).rowcount
        self.assertEqual(changed, 1)


if __name__ == '__main__':
    unittest.main()
