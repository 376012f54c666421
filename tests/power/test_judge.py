"""The judge finds what is planted: each kind of damage in an otherwise perfect history, and nothing in that itself."""

import contextlib
import copy
import pathlib
import sqlite3
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from judge import Found, Log, Revival, judge, lost, record_of
from load import judge_verified, look_at_state
from notes import Notes, Told, parse

REVIVAL = Revival(900, 1)

NOTES = '''\
1 creating t
2 created t
2 ring t 65536
3 committed t 0 0 7 0 2
4 durable t 0 1
5 committed t 0 2 7 2 1
5 committed t 0 3 8 0 1
6 level t 0 4
7 position t c 0 3
8 committed t 0 4 8 1 1
9 creating gone
9 created gone
9 deleting gone
9 deleted gone
9 committed t 0 5 8'''  # its writer was killed


class Judging(unittest.TestCase):
    def setUp(self):
        notes = Notes([])
        notes.lines = [parse(NOTES)]
        self.notes = notes
        self.told = notes.until(9)
        records = [(0, offset, record_of(*record)) for (_, offset), record in self.told['t'].records.items()]
        self.found = Found(rows={'t': 'uuid'}, directories={'uuid'}, topics={
            't': Log(records=[*records[:4], (0, 1000, record_of(900, 0))], gaps=[(0, 4, 1000)],
                     positions={('c', 0): 3}, ring_bytes=65536)})
        self.log = self.found.topics['t']

    def judge(self, **options):
        return judge(self.told, self.found, REVIVAL, **options)

    def check(self, *complaints, **options):
        said = self.judge(**options)
        self.assertEqual(len(said), len(complaints), said)
        for expected, line in zip(complaints, said):
            self.assertIn(expected, line)

    def test_what_was_promised_and_is_there_is_right(self):
        self.check()

    def test_a_promise_counts_from_the_moment_at_which_it_was_made(self):
        ends = [self.notes.until(moment).get('t', Told()).durable.get(0, 0) for moment in (3, 4, 5, 6, 9)]
        self.assertEqual(ends, [0, 2, 2, 4, 4])

    def test_what_was_only_committed_may_be_lost_and_may_be_there(self):
        self.assertEqual(lost(self.told, self.found), {('t', 0, 4)})
        self.log.records.insert(4, (0, 4, record_of(8, 1)))
        self.check()

    def test_a_durable_record_that_is_gone(self):
        del self.log.records[1]
        self.check('offset 1: lost: durable was 4')
        self.check(promises_nothing=('t',))
        self.check(buried={('t', 0, 1)})

    def test_the_last_durable_record_that_is_gone(self):
        del self.log.records[3]
        self.log.gaps = [(0, 3, 1000)]
        self.check('offset 3: lost')

    def test_a_record_that_is_back_from_an_earlier_loss(self):
        self.check('offset 2: was lost, and is back', buried={('t', 0, 2)})

    def test_any_byte_that_differs(self):
        for at in range(len(self.log.records[2][2])):
            found = copy.deepcopy(self.found)
            partition, offset, text = found.topics['t'].records[2]
            found.topics['t'].records[2] = (partition, offset, text[:at] + '?' + text[at + 1:])
            said = judge(self.told, found, REVIVAL)
            self.assertTrue(any('offset 2: torn' in line for line in said), said)

    def test_a_record_that_was_cut_short(self):
        self.log.records[2] = (0, 2, self.log.records[2][2][:-1])
        self.check('offset 2: torn', 'offset 2: lost')

    def test_a_record_that_is_there_twice(self):
        self.log.records.insert(4, (0, 5, record_of(8, 0)))
        self.check('offset 5: doubled')

    def test_two_records_that_changed_places(self):
        first, second = self.log.records[0], self.log.records[1]
        self.log.records[:2] = [(0, 0, second[2]), (0, 1, first[2])]
        self.check('out of order', 'offset 0: given twice', 'offset 1: given twice')

    def test_records_that_are_not_read_in_the_order_of_their_offsets(self):
        self.log.records[2:4] = [self.log.records[3], self.log.records[2]]
        self.check('offset 2: read behind offset 3')

    def test_an_offset_that_is_given_again_behind_the_loss(self):
        self.log.records[-1] = (0, 4, record_of(900, 0))
        self.check('given twice', 'offset 4: a new record among those of before')

    def test_new_records_that_are_not_there(self):
        del self.log.records[-1]
        self.check('0 of 1 records')

    def test_a_loss_that_nobody_is_told_of(self):
        self.log.gaps = []
        self.check('offsets 4 to 4 are gone without a gap')

    def test_a_position_that_nobody_kept(self):
        self.log.positions['c', 0] = 2
        self.check('stands at 2')

    def test_a_ring_of_a_size_that_nobody_was_told(self):
        self.notes.lines.append(parse('9 replacing t 131072\n10 ring t 131072\n11 replacing t 262144\n'))
        for moment, right in ((8, {65536}), (9, {65536, 131072}), (10, {131072}), (11, {131072, 262144})):
            self.told = self.notes.until(moment)
            for size in (65536, 131072, 262144):
                self.log.ring_bytes = size
                said = any('a ring of' in line for line in self.judge())
                self.assertEqual(said, size not in right, (moment, size))

    def test_a_topic_that_is_gone_and_one_that_is_back(self):
        self.found.rows['gone'] = 'other'
        self.found.topics['gone'] = Log(records=[(0, 0, record_of(900, 0))])
        self.found.directories.add('other')
        self.check('gone: was deleted, and is back')
        del self.found.rows['t']
        self.found.directories.discard('uuid')
        self.assertIn('t: was created, and is gone', self.judge())

    def test_a_topic_that_nobody_made_or_that_nothing_is_read_from(self):
        self.found.rows['x'] = 'other'
        self.found.directories.add('other')
        self.check('x: nobody made it', 'x: is in the catalog, and nothing is read from it')

    def test_a_look_at_the_catalog_does_not_make_a_topic_one_that_was_read(self):
        with tempfile.TemporaryDirectory() as place, contextlib.closing(sqlite3.connect(f'{place}/catalog.db')) as made:
            made.executescript("""
                CREATE TABLE topics(uuid, name, settings);
                CREATE TABLE partitions(topic);
                CREATE TABLE cursors(topic, name, partition, offset);
                INSERT INTO topics VALUES
                    ('uuid', 't', '{"ring_bytes": 65536}'), ('other', 'x', '{"ring_bytes": 65536}');
                INSERT INTO partitions VALUES ('uuid'), ('other');
                INSERT INTO cursors VALUES ('uuid', 'c', 0, 3), ('other', 'c', 0, 3);""")
            for uuid in ('uuid', 'other'):
                pathlib.Path(place, 'topics', uuid).mkdir(parents=True)
            look_at_state(pathlib.Path(place), self.found)
        self.assertEqual(judge_verified({('x', 0): (7, 5)}, self.found),
                         ['x: partition 0: 5 records verified below 7, 0 are served'])
        self.told['x'] = Told()
        self.check('x: is in the catalog, and nothing is read from it')

    def test_a_directory_without_a_row_and_a_row_without_its_directory(self):
        self.found.directories = {'stray'}
        self.check('topics/stray: without a row', 'topics/uuid: without its directory')


if __name__ == '__main__':
    unittest.main()
