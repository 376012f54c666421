"""The catalog is gone, or is an older copy: nothing that it does not know goes unseen."""

import pathlib
import shutil
import sqlite3
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from bus import PATIENCE_SECONDS
from on_a_bus import OnABus

RECORDS = 300


class LostCatalog(OnABus):
    def setUp(self):
        super().setUp()
        self.state = self.bus.state_dir
        self.topics = self.state / 'topics'
        self.aside = self.bus.root / 'aside'
        self.aside.mkdir()

    def fill(self, topic, *options):
        uuid = self.create(topic, '--ring', '64KiB', *options)['uuid']
        self.produce(topic, [b'%d' % n for n in range(RECORDS)])
        return uuid

    def catalog(self):
        return sorted(self.state.glob('catalog.db*'))

    def lose_catalog(self):
        for file in self.catalog():
            file.rename(self.aside / file.name)

    def put_back(self):
        for file in self.catalog():
            file.unlink()
        for file in self.aside.glob('catalog.db*'):
            shutil.copy(file, self.state)

    def refused_start(self):
        """What it ends with; it has changed nothing."""
        before, said = self.files(), self.bus.log.stat().st_size
        self.bus.launch()
        self.assertEqual(self.bus.daemon.wait(PATIENCE_SECONDS), 1)
        self.assertEqual(self.files(), before)
        return self.bus.log.read_text()[said:]

    def files(self):
        return {path: path.stat().st_size for path in self.state.rglob('*') if path.is_file()}

    def assert_all_there(self, *topics):
        for topic in topics:
            self.assertEqual(self.offsets(topic)[:RECORDS], list(range(RECORDS)))
        report = self.bus.json('status')
        self.assertEqual((report['state'], report['degraded'], report['topics']), ('serving', [], len(topics)))

    def test_without_it_no_start_lets_go_of_living_rings(self):
        self.fill('logged')
        self.fill('unlogged', '--no-persist')
        (keeper,) = self.bus.keepers()
        self.bus.kill()
        self.lose_catalog()
        said = self.refused_start()
        for words in (f'{self.state}/catalog.db: there is no catalog',
                      f'the logs of 1 topic are left in {self.topics}',
                      f'pid {keeper} holds the living rings of 2 topics', 'nothing was changed',
                      'restore the file from a backup, with no catalog.db-wal', f'move {self.topics} aside and end pid {keeper}'):
            self.assertIn(words, said)
        self.assertEqual((self.catalog(), self.bus.keepers()), ([], [keeper]))
        self.put_back()
        self.bus.start()
        self.assert_all_there('logged', 'unlogged')

    def test_without_it_no_start_passes_over_logs(self):
        self.fill('logged')
        self.assertEqual(self.bus.stop(), 0)
        self.lose_catalog()
        for empty in (False, True):
            with self.subTest(empty=empty):
                if empty:
                    (self.state / 'catalog.db').touch()
                said = self.refused_start()
                self.assertIn(f'the logs of 1 topic are left in {self.topics}', said)
                self.assertNotIn('rings', said)
                self.wait_until(lambda: not self.bus.keepers(), 'a keeper that holds nothing to end')
        self.put_back()
        self.bus.start()
        self.assert_all_there('logged')

    def test_what_the_refusal_names_makes_it_start_without_any_topic(self):
        self.fill('logged')
        self.bus.kill()
        self.lose_catalog()
        self.topics.rename(self.aside / 'topics')
        self.assertIn('the living rings of 1 topic', self.refused_start())
        self.bus.kill_keeper()
        self.bus.start()
        self.assert_all_there()
        self.fill('logged')
        self.assert_all_there('logged')

    def test_what_an_older_copy_does_not_know_is_told_until_it_is_gone(self):
        self.fill('old')
        self.copy_catalog()
        logged, unlogged = self.fill('logged'), self.fill('unlogged', '--no-persist')
        altered = self.offsets('old')
        self.bus.run('topic', 'alter', 'old', '--ring', '128KiB')
        self.bus.kill()
        self.put_back()
        self.bus.start()
        said = self.bus.log.read_text()
        for topic, uuid, generation in (('logged', logged, 1), ('unlogged', unlogged, 1), ('old', '', 2)):
            self.assertRegex(said, f'level=error event=ring_without_topic topic={topic} '
                                   f'uuid={uuid}.* generation={generation} ')
        self.assertEqual(said.count('event=ring_without_topic'), 3)
        self.assertIn(f'level=error event=log_without_topic directory={self.topics / logged} ', said)
        self.assertEqual(said.count('event=log_without_topic'), 1)
        (why,) = self.bus.json('status', status=5)['degraded']
        self.assertIn(f'{self.topics / logged} is the log of a topic that the catalog does not have', why)
        self.assertIn(str(self.topics / logged), self.bus.run('doctor', status=None).decode())
        self.assertEqual(self.offsets('old'), altered)
        self.bus.restart()
        self.assertEqual(len(self.bus.json('status', status=5)['degraded']), 1)
        shutil.rmtree(self.topics / logged)
        self.wait_until(lambda: self.bus.run_for_status('status') == 0, 'status to notice')
        self.assert_all_there('old')

    def test_the_end_that_an_older_copy_remembers_is_not_taken_for_the_last(self):
        self.fill('old')
        self.assertEqual(self.bus.stop(), 0)
        self.copy_catalog()
        self.bus.start()
        self.produce('old', [b'x'] * RECORDS)
        self.bus.kill()
        self.bus.kill_keeper()
        self.put_back()
        self.bus.start()
        self.produce('old', [b'y'])
        # All that the lost ring could have shown is jumped over.
        self.assertGreater(self.offsets('old')[-1], 2 * RECORDS + 64 * 1024 // 32)
        self.assertIn(f'event=ring_was_lost topic=old partition=0 log_end={2 * RECORDS} ', self.bus.log.read_text())

    def test_who_connects_behind_an_older_copy_is_not_taken_for_who_is_there(self):
        self.fill('old')
        self.copy_catalog()
        self.bus.restart()
        reader = self.bus.spawn('consume', 'old', '-o', 'end', '-f', '%v\n', '-n', '3')
        self.wait_until(lambda: self.reader(reader) == [1], 'the consumer')
        self.bus.kill()
        self.put_back()
        self.bus.start()
        for value in (b'one', b'two'):
            self.produce('old', [value])
            self.assertEqual(self.reader(reader), [1])
        self.produce('old', [b'three'])
        self.assertEqual(reader.communicate(timeout=PATIENCE_SECONDS), (b'one\ntwo\nthree\n', b''))

    def test_who_publishes_behind_an_older_copy_is_given_the_ring_that_is_served(self):
        self.fill('old')
        self.copy_catalog()
        producer = self.bus.spawn('produce', 'old')
        self.wait_until(lambda: self.reader(producer) == [1], 'the producer')
        self.bus.run('topic', 'alter', 'old', '--ring', '128KiB')  # one ring on, as the next of the copy is
        self.bus.kill()
        self.put_back()
        self.bus.start()
        producer.communicate(b'late\n', timeout=PATIENCE_SECONDS)
        self.assertEqual(producer.returncode, 0)
        self.assertEqual(self.bus.run('consume', 'old', '-o', 'start', '-e').splitlines()[RECORDS:], [b'late'])

    def test_without_it_topics_that_cannot_be_read_are_not_taken_for_none(self):
        self.fill('logged')
        self.assertEqual(self.bus.stop(), 0)
        self.lose_catalog()
        self.topics.rename(self.aside / 'topics')
        self.topics.symlink_to('nowhere')
        self.assertIn(f'{self.topics}: there is no catalog, and whether logs are left cannot be seen', self.refused_start())

    def reader(self, process):
        """How many handles the session of the process has."""
        return [each['handles'] for each in self.bus.json('status')['sessions'] if each['pid'] == process.pid]

    def copy_catalog(self):
        """As the manual has it."""
        with sqlite3.connect(self.state / 'catalog.db') as catalog, sqlite3.connect(self.aside / 'catalog.db') as copy:
            catalog.backup(copy)
        catalog.close()
        copy.close()

    def test_what_a_start_cleans_up_behind_a_crash_is_not_told(self):
        self.fill('old')
        self.bus.kill()
        uuid = '0f1f6595-7f39-42e1-a7f7-ffd8c58af124'
        (self.topics / uuid / '0').mkdir(parents=True)
        deleted = self.topics / f'{uuid}.deleted/0/00000000000000000000.log'
        deleted.parent.mkdir(parents=True)
        deleted.write_bytes(b'a log')
        self.bus.start()
        self.assert_all_there('old')
        self.assertFalse(deleted.exists())
        self.assertNotIn('without_topic', self.bus.log.read_text())


if __name__ == '__main__':
    unittest.main()
