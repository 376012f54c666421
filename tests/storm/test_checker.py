"""storm_check finds what was planted, calls it by its name, and takes nothing for a fault that is none."""

import os
import pathlib
import subprocess
import tempfile
import unittest

# Ten records at offsets 0 to 9, five of each of two producers; all of it durable; told between times 100 and 210.
TOLD = {
    'producer-1': ['producer 1 101 t', 'p 0 0 3 0 100 110', 'p 0 5 2 3 150 160', 'w d 0 6 170', 'e'],
    'producer-2': ['producer 2 102 t', 'p 0 3 2 0 120 130', 'p 0 7 3 2 180 190', 'w d 0 9 210', 'e'],
}
SEEN = ['c 0 0 3 1 0', 'c 0 3 2 2 0', 'c 0 5 2 1 3', 'c 0 7 3 2 2']
LAST = {'consumer-9': ['consumer 9 109 t start -', 's 0 0', *SEEN, 'm 0 10 10 10 300', 'e 0 10']}
STORM = ['last 9', 'must-end 9']
# The same but for offsets 3 and 4, which left memory unwritten, or went with it.
GAP = 'g 0 3 5 not_found'
TOLD_WITH_GAP = {
    'producer-1': ['producer 1 101 t', 'p 0 0 3 0 100 110', 'w d 0 2 111', 'p 0 5 2 3 150 160', 'e'],
    'producer-2': ['producer 2 102 t', 'p 0 3 2 0 120 130', 'n 0 4', 'p 0 7 3 2 180 190', 'w d 0 9 210', 'e'],
}


class Case(unittest.TestCase):
    def check(self, files, director=STORM):
        with tempfile.TemporaryDirectory() as directory:
            for name, lines in {**files, 'storm': director}.items():
                text = lines if isinstance(lines, str) else ''.join(line + '\n' for line in lines)
                (pathlib.Path(directory) / f'{name}.log').write_text(text)
            done = subprocess.run([os.environ['STORM_CHECK'], directory], capture_output=True, text=True, check=False)
        found = {line.split(':')[0].removeprefix('finding '): int(line.rsplit(' ', 1)[1])
                 for line in done.stdout.splitlines() if line.startswith('finding ')}
        self.assertEqual(done.returncode, 1 if found else 0, done.stdout + done.stderr)
        self.output = done.stdout
        return found

    def last(self, *seen, marks='m 0 10 10 10 300', end='e 0 10'):
        return {'consumer-9': [*LAST['consumer-9'][:2], *seen, marks, end]}

    def live(self, *lines, start='s 0 0', head='consumer 1 103 t end -'):
        return {'consumer-1': [head, start, *lines]}


class Right(Case):
    def test_a_run_without_faults_is_right(self):
        self.assertEqual(self.check({**TOLD, **LAST, **self.live(*SEEN)}), {})
        self.assertIn('records told 10, there at last 10, seen by consumers 20 times', self.output)

    def test_a_line_cut_off_by_a_kill_does_not_count(self):
        self.assertEqual(self.check({**TOLD, **LAST,
                                    'consumer-1': 'consumer 1 103 t end -\ns 0 0\nc 0 0 3 1 0\nc 0 3 2 9'}),
                         {})

    def test_what_was_in_flight_at_a_kill_may_be_there_untold(self):
        killed = {**TOLD, 'producer-2': TOLD['producer-2'][:2]}  # told two of its five, and no `e`
        self.assertEqual(self.check({**killed, **LAST}), {})

    def test_a_producer_killed_before_its_first_line_of_the_partition_may_have_published(self):
        killed = {**TOLD, 'producer-2': TOLD['producer-2'][:1]}
        self.assertEqual(self.check({**killed, **LAST}), {})

    def test_a_late_joiner_need_not_see_what_was_before(self):
        self.assertEqual(self.check({**TOLD, **LAST, **self.live('c 0 7 3 2 2', start='s 0 7')}), {})

    def test_an_earlier_replay_need_not_reach_the_last_end(self):
        self.assertEqual(self.check({**TOLD, **LAST, **self.live(*SEEN[:2], 'e 0 5')}), {})

    def test_what_was_not_written_may_go_with_all_memory(self):
        # Offsets 3 and 4 went; a new ring began at 5 after the loss.
        self.assertEqual(self.check({**TOLD_WITH_GAP, **self.last(SEEN[0], GAP, *SEEN[2:]), **self.live(*SEEN)},
                                    ['loss 135 145', *STORM]), {})
        self.assertIn('loss 0: 2 records', self.output)

    def test_what_left_memory_while_the_disk_refused_may_be_missing(self):
        late = self.live(SEEN[0], GAP, *SEEN[2:])
        self.assertEqual(self.check({**TOLD_WITH_GAP, **self.last(SEEN[0], GAP, *SEEN[2:]), **late},
                                    ['refused t 115 145', *STORM]), {})
        self.assertIn('refusal 0: 2 records', self.output)

    def test_a_cursor_may_go_back_with_all_memory(self):
        first = ['consumer 1 103 t cursor c', 's 0 0', *SEEN, 'k 0 10 220']
        second = ['consumer 2 104 t cursor c', 's 0 5', *SEEN[2:]]
        self.assertEqual(self.check({**TOLD, **LAST, 'consumer-1': first, 'consumer-2': second},
                                    ['loss 225 230', *STORM]), {})


class Planted(Case):
    def test_a_lost_record_is_found(self):
        files = {**TOLD, **self.last(SEEN[0], 'c 0 4 1 2 1', *SEEN[2:])}
        files['producer-2'] = [line for line in files['producer-2'] if line[0] != 'w']
        files['producer-1'] = [line for line in files['producer-1'] if line[0] != 'w']
        self.assertEqual(self.check(files), {'lost': 1, 'passed over in silence': 1})

    def test_a_lost_last_record_is_found(self):
        told = {**TOLD, 'producer-2': [line for line in TOLD['producer-2'] if line[0] != 'w']}
        self.assertEqual(self.check({**told, **self.last(*SEEN[:3], 'c 0 7 2 2 2')}), {'lost': 1})

    def test_a_record_that_was_only_seen_and_is_lost_is_found(self):
        killed = {**TOLD, 'producer-2': TOLD['producer-2'][:2]}
        self.assertEqual(self.check({**killed, **self.last(*SEEN[:3], 'c 0 7 2 2 2', marks='m 0 9 9 9 1'),
                                     **self.live(*SEEN)}), {'lost': 1})

    def test_an_untold_record_between_others_that_is_lost_is_found(self):
        killed = {**TOLD, 'producer-2': TOLD['producer-2'][:2]}
        self.assertEqual(self.check({**killed, **self.last(*SEEN[:3], 'c 0 8 2 2 3')}), {'lost': 1})

    def test_a_lost_durable_record_is_found(self):
        self.assertEqual(self.check({**TOLD, **self.last(SEEN[0], 'c 0 4 1 2 1', *SEEN[2:])}),
                         {'lost though durable': 1, 'passed over in silence': 1})

    def test_a_written_record_that_went_with_all_memory_is_found(self):
        told = {'producer-1': ['producer 1 101 t', 'p 0 0 3 0 100 110', 'p 0 5 2 3 150 160', 'e'],
                'producer-2': ['producer 2 102 t', 'p 0 3 2 0 120 130', 'w w 0 3 131', 'p 0 7 3 2 180 190', 'e']}
        self.assertEqual(self.check({**told, **self.last(SEEN[0], GAP, *SEEN[2:])}, ['loss 135 145', *STORM]),
                         {'lost though written': 1})
        self.assertIn('loss 0: 1 records', self.output)

    def test_a_loss_excuses_nothing_from_before_it(self):
        # The records behind those that are missing were told before the memory was lost.
        files = {**TOLD, **self.last(SEEN[0], GAP, *SEEN[2:])}
        files = {name: [line for line in lines if line[0] != 'w'] for name, lines in files.items()}
        for cause in ('loss', 'refused t'):
            self.assertEqual(self.check(files, [f'{cause} 195 200', *STORM]), {'lost': 2})

    def test_a_loss_excuses_nothing_from_after_it(self):
        files = {**TOLD, **self.last(SEEN[0], GAP, *SEEN[2:])}
        files = {name: [line for line in lines if line[0] != 'w'] for name, lines in files.items()}
        for cause in ('loss', 'refused t'):
            self.assertEqual(self.check(files, [f'{cause} 50 60', *STORM]), {'lost': 2})

    def test_a_disk_that_refused_another_topic_excuses_nothing(self):
        self.assertEqual(self.check({**TOLD_WITH_GAP, **self.last(SEEN[0], GAP, *SEEN[2:])},
                                    ['refused tt 115 145', *STORM]), {'lost though durable': 2, 'gap without cause': 1})

    def test_what_was_told_to_be_written_does_not_leave_memory_alone(self):
        told = {**TOLD_WITH_GAP, 'producer-2': [line.replace('n 0 4', 'w w 0 4 131')
                                                for line in TOLD_WITH_GAP['producer-2']]}
        self.assertEqual(self.check({**told, **self.last(SEEN[0], GAP, *SEEN[2:])},
                                    ['refused t 115 145', *STORM]), {'lost though written': 2})

    def test_a_gap_that_a_consumer_is_not_told_of_is_found(self):
        files = {**TOLD_WITH_GAP, **self.last(SEEN[0], GAP, *SEEN[2:])}
        for told in ((), ('g 0 3 4 not_found',)):
            late = self.live(SEEN[0], *told, *SEEN[2:])
            for cause in ('loss 135 145', 'refused t 115 145'):
                self.assertEqual(self.check({**files, **late}, [cause, *STORM]), {'passed over in silence': 1})

    def test_a_gap_over_what_is_there_is_found_beside_one_that_has_a_cause(self):
        late = self.live(SEEN[0], 'g 0 3 7 not_found', SEEN[3])
        self.assertEqual(self.check({**TOLD_WITH_GAP, **self.last(SEEN[0], GAP, *SEEN[2:]), **late},
                                    ['refused t 115 145', *STORM]), {'gap without cause': 1, 'passed over': 1})

    def test_a_doubled_record_is_found(self):
        self.assertEqual(self.check({**TOLD, **self.last(*SEEN, 'c 0 10 1 2 4', marks='m 0 11 11 11 1', end='e 0 11')}),
                         {'doubled': 1})

    def test_a_record_delivered_twice_is_found(self):
        self.assertEqual(self.check({**TOLD, **LAST, **self.live(*SEEN[:3], 'c 0 6 1 1 4', SEEN[3])}),
                         {'delivered twice or out of order': 1})

    def test_records_reordered_are_found(self):
        # Producer 2 was told 3 and 4, and its third record lies behind its fourth.
        told = {**TOLD, 'producer-2': ['producer 2 102 t', 'p 0 3 2 0 120 130', 'p 0 8 1 2 180 185',
            'p 0 7 1 3 186 190',
                                       'p 0 9 1 4 190 195', 'e']}
        self.assertEqual(self.check({**told, **self.last(*SEEN[:3], 'c 0 7 1 2 3', 'c 0 8 1 2 2', 'c 0 9 1 2 4')}),
                         {'reordered': 1})

    def test_records_out_of_order_at_one_consumer_are_found(self):
        self.assertEqual(self.check({**TOLD, **LAST, **self.live(SEEN[0], SEEN[2], SEEN[1], SEEN[3])}),
                         {'passed over': 1, 'delivered twice or out of order': 1})

    def test_forged_bytes_are_found(self):
        self.assertEqual(self.check({**TOLD, **LAST, **self.live(SEEN[0], 'x 0 3 bytes', 'c 0 4 1 2 1', *SEEN[2:])}),
                         {'forged': 1, 'passed over': 1})

    def test_an_offset_that_names_two_records_is_found(self):
        # At 7 a live consumer saw what the producer was never told, and what comes later is another record.
        killed = {**TOLD, 'producer-1': TOLD['producer-1'][:-1]}
        self.assertEqual(self.check({**killed, **LAST, **self.live(*SEEN[:3], 'c 0 7 1 1 5', 'c 0 8 2 2 3')}),
                         {'offset names two records': 1})

    def test_an_offset_told_twice_is_found(self):
        told = {**TOLD, 'producer-1': [*TOLD['producer-1'][:-1], 'p 0 9 1 5 192 195', 'e']}
        self.assertEqual(self.check({**told, **LAST}), {'offset names two records': 1})

    def test_an_invented_record_is_found(self):
        self.assertEqual(self.check({**TOLD, **self.last(*SEEN, 'c 0 10 1 3 0', marks='m 0 11 11 11 1', end='e 0 11')}),
                         {'invented': 1})

    def test_a_record_of_a_producer_that_ended_without_one_is_found(self):
        ended = {**TOLD, 'producer-3': ['producer 3 104 t', 'e']}
        self.assertEqual(self.check({**ended, **self.last(*SEEN, 'c 0 10 1 3 0', marks='m 0 11 11 11 1', end='e 0 11')}),
                         {'invented': 1})

    def test_more_untold_records_than_can_be_in_flight_are_found(self):
        killed = {**TOLD, 'producer-2': TOLD['producer-2'][:-1]}
        self.assertEqual(self.check({**killed, **self.last(*SEEN, 'c 0 10 33 2 5', marks='m 0 43 43 43 1',
                                    end='e 0 43')}),
                         {'invented': 1})

    def test_an_aborted_claim_that_is_delivered_is_found(self):
        killed = {**TOLD, 'producer-1': [*TOLD['producer-1'][:-1], 'a 0 10 1']}
        self.assertEqual(self.check({**killed, **self.last(*SEEN, 'c 0 10 1 1 5', marks='m 0 11 11 11 1',
                                    end='e 0 11')}),
                         {'aborted but seen': 1})

    def test_a_level_taken_back_is_found(self):
        self.assertEqual(self.check({**TOLD, **LAST, **self.live('m 0 5 6 7 1', *SEEN, 'm 0 5 5 10 2')}),
                         {'level taken back': 1})

    def test_a_level_that_was_told_and_is_not_reached_at_last_is_found(self):
        self.assertEqual(self.check({**TOLD, **self.last(*SEEN, marks='m 0 8 10 10 1')}), {'level taken back': 1})

    def test_levels_that_cross_are_found(self):
        self.assertEqual(self.check({**TOLD, **LAST, **self.live('m 0 6 5 7 1', *SEEN)}), {'levels crossed': 1})

    def test_a_record_that_one_consumer_passes_over_is_found(self):
        self.assertEqual(self.check({**TOLD, **LAST, **self.live(SEEN[0], *SEEN[2:])}), {'passed over': 1})

    def test_the_first_record_passed_over_by_a_replay_is_found(self):
        self.assertEqual(self.check({**TOLD, **LAST, **self.live(*SEEN[1:], start='s 0 3',
                                    head='consumer 1 103 t start -')}),
                         {'passed over': 1})

    def test_the_last_record_passed_over_is_found(self):
        self.assertEqual(self.check({**TOLD, **LAST, **self.live(*SEEN[:3], 'e 0 10')}, ['must-end 1', *STORM]),
                         {'passed over': 1})

    def test_a_consumer_that_stays_behind_is_found(self):
        self.assertEqual(self.check({**TOLD, **LAST, **self.live(*SEEN[:3], 'e 0 7')}, ['must-end 1', *STORM]),
                         {'not at the end': 1})

    def test_a_consumer_that_never_ends_is_found(self):
        self.assertEqual(self.check({**TOLD, **LAST, **self.live(*SEEN)}, ['must-end 1', *STORM]), {'hung': 1})

    def test_a_gap_without_cause_is_found(self):
        self.assertEqual(self.check({**TOLD, **LAST, **self.live(*SEEN, 'g 0 10 20 not_found')}),
                         {'gap without cause': 1})

    def test_a_gap_over_records_that_exist_is_found(self):
        self.assertEqual(self.check({**TOLD, **LAST, **self.live(*SEEN[:2], 'g 0 5 7 not_found', SEEN[3])},
                                    ['loss 500 510', *STORM]), {'gap without cause': 1, 'passed over': 1})

    def test_damage_is_found(self):
        self.assertEqual(self.check({**TOLD, **LAST, **self.live(*SEEN, 'g 0 10 20 corrupt')}, ['loss 500 510',
                         *STORM]),
                         {'gap without cause': 1})

    def test_a_cursor_taken_back_is_found(self):
        first = ['consumer 1 103 t cursor c', 's 0 0', *SEEN, 'k 0 10 220']
        second = ['consumer 2 104 t cursor c', 's 0 5', *SEEN[2:]]
        for cause in ((), ('refused t 225 230',)):
            self.assertEqual(self.check({**TOLD, **LAST, 'consumer-1': first, 'consumer-2': second}, [*cause, *STORM]),
                             {'cursor taken back': 1})

    def test_a_cursor_that_moved_over_what_its_holder_never_saw_is_found(self):
        first = ['consumer 1 103 t cursor c', 's 0 0', *SEEN[:2]]
        second = ['consumer 2 104 t cursor c', 's 0 7', SEEN[3]]
        self.assertEqual(self.check({**TOLD, **LAST, 'consumer-1': first, 'consumer-2': second}), {'passed over': 1})

    def test_a_producer_that_was_told_out_of_turn_is_found(self):
        told = {**TOLD, 'producer-1': ['producer 1 101 t', 'p 0 0 3 0 100 110', 'p 0 5 2 4 150 160', 'e']}
        self.assertIn('unreadable', self.check({**told, **LAST}))


class Unreadable(Case):
    def test_a_line_that_means_nothing_ends_the_check_with_its_place(self):
        with tempfile.TemporaryDirectory() as directory:
            (pathlib.Path(directory) / 'storm.log').write_text('last 9\nlast nine\n')
            done = subprocess.run([os.environ['STORM_CHECK'], directory], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn('storm.log:2', done.stderr)


if __name__ == '__main__':
    unittest.main()
