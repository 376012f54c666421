"""What is refused, repaired, lost, held up or ended is a status, a counter and a line of the log (G9)."""

import os
import pathlib
import re
import signal
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from bus import PATIENCE_SECONDS
from on_a_bus import OnABus
from scrape import Samples, text_of


class Counters(OnABus):
    def scrape(self):
        return Samples(text_of(self.bus.runtime_dir / 'metrics.sock'))

    def logged(self, event, **fields):
        """How many lines of the log say so."""
        lines = [line for line in self.bus.log.read_text().splitlines() if re.search(rf' event={event}( |$)', line)]
        return len([line for line in lines if all(f' {key}={value}' in line for key, value in fields.items())])

    def check(self, event, metric, count=1, labels=None, **fields):
        """That event of the topic, and so much of that metric."""
        self.wait_until(lambda: self.logged(event, **fields) == count, event)
        said = self.scrape()
        self.assertEqual(said(f'ringway_{metric}', **(labels or {})), count, metric)
        self.assertEqual(said('ringway_events_total', event=event), count)
        return said

    def claimant(self, *options):
        """A producer that stands still in mid-claim."""
        self.create('t', *options)
        return self.client('CLAIMANT', b'claimed\n')

    def behind(self):
        """Who publishes behind it, and is held up."""
        behind = self.bus.spawn('produce', 't', '--wait', 'durable')
        behind.stdin.write(b'behind\n')
        behind.stdin.close()
        return behind

    def holder(self, *options):
        """A consumer that holds a record in place, of which producers wait for a ring."""
        self.create('t', '--ring', '64KiB', '--pin-budget', '20ms', '--retired-max', '4KiB', *options)
        self.produce('t', [b'one'])
        holder = self.client('HOLDER', b'held\n')
        producer = self.bus.spawn('produce', 't')
        producer.stdin.write(b'%0999d\n' * 100 % tuple(range(100)))
        producer.stdin.close()
        return holder

    def test_the_claim_of_a_dead_producer_is_finished(self):
        dead = self.claimant()
        dead.kill()
        self.check('claim_repaired', 'partition_repairs_total', labels={'topic': 't', 'partition': '0'}, pid=dead.pid)
        self.assertEqual(self.bus.json('inspect', 't')['partitions'][0]['repairs'], 1)

    def test_a_producer_that_stands_still_is_killed(self):
        still = self.claimant('--when-stopped', 'kill', '--stopped-after', '50ms')
        still.send_signal(signal.SIGSTOP)
        behind = self.behind()
        self.assertEqual(still.wait(PATIENCE_SECONDS), -signal.SIGKILL)
        self.assertEqual(behind.wait(PATIENCE_SECONDS), 0)
        self.check('stopped_producer_killed', 'killed_total', labels={'role': 'producer'}, pid=still.pid)
        self.check('claim_repaired', 'partition_repairs_total', labels={'topic': 't', 'partition': '0'}, pid=still.pid)
        self.assertEqual(self.bus.json('status')['killed'], {'producers': 1, 'consumers': 0})
        self.assertIn(b'1 producer, 0 consumers', self.bus.run('status'))

    def test_a_producer_that_stands_still_is_fenced(self):
        still = self.claimant('--when-stopped', 'fence', '--stopped-after', '50ms')
        still.send_signal(signal.SIGSTOP)
        self.assertEqual(self.behind().wait(PATIENCE_SECONDS), 0)
        self.wait_until(lambda: self.logged('claim_voided', pid=still.pid) == 1, 'the event')
        said = self.scrape()
        self.assertEqual(said('ringway_events_total', event='claim_voided'), 1)
        self.assertEqual(said('ringway_rings_replaced_total', reason='stopped_claim'), 1)
        self.assertEqual(said('ringway_killed_total', role='producer'), 0)

    def test_a_consumer_that_holds_records_for_too_long_is_killed(self):
        holder = self.holder('--when-pinned', 'kill')
        self.assertEqual(holder.wait(PATIENCE_SECONDS), -signal.SIGKILL)
        self.check('pinning_consumer_killed', 'evictions_total', labels={'how': 'killed'}, pid=holder.pid)
        self.assertEqual(self.scrape()('ringway_killed_total', role='consumer'), 1)
        self.assertEqual(self.scrape()('ringway_evictions_total', how='copies'), 0)
        self.assertEqual(self.bus.json('status')['killed'], {'producers': 0, 'consumers': 1})

    def test_a_consumer_that_holds_records_for_too_long_is_given_copies(self):
        holder = self.holder('--when-pinned', 'copy')
        self.check('consumer_copies', 'evictions_total', labels={'how': 'copies'}, pid=holder.pid)
        said = self.scrape()
        self.assertEqual(said('ringway_topic_copying_consumers', topic='t'), 1)
        self.assertEqual(said('ringway_evictions_total', how='killed'), 0)
        self.assertEqual(self.bus.json('status', status=5)['copying'], [{'topic': 't', 'pid': holder.pid}])

    def test_a_replaced_ring_counts_until_nobody_has_it_mapped(self):
        self.create('t', '--ring', '64KiB')
        first = self.bus.json('status')['memory']['used']
        self.produce('t', [b'one'])
        holder = self.client('HOLDER', b'held\n')
        self.bus.run('topic', 'alter', 't', '--ring', '128KiB')
        said, used = self.scrape(), self.bus.json('status')['memory']['used']
        self.assertEqual(said('ringway_topic_retired_rings', topic='t'), 1)
        self.assertEqual(said('ringway_topic_retired_bytes', topic='t'), first)
        self.assertGreater(used, first + (128 << 10))
        holder.kill()
        self.wait_until(lambda: self.scrape()('ringway_topic_retired_rings', topic='t') == 0, 'it to be let go')
        self.assertEqual(self.scrape()('ringway_topic_retired_bytes', topic='t'), 0)
        self.assertEqual(self.bus.json('status')['memory']['used'], used - first)

    def test_a_ring_that_cannot_end_is_kept_and_says_why(self):
        still = self.claimant()
        self.bus.run('topic', 'alter', 't', '--ring', '128KiB', status=1)
        self.check('ring_not_replaced', 'events_total', labels={'event': 'ring_not_replaced'}, topic='t',
                   reason='altered', why=f'"pid {still.pid} does not finish its claim"')
        self.assertEqual(self.settings()['ring_bytes'], 16 << 20)

    def test_a_ring_for_which_consumers_hold_too_much_is_kept_and_says_whose(self):
        holder = self.holder()
        self.check('ring_not_replaced', 'events_total', labels={'event': 'ring_not_replaced'}, topic='t',
                   why=f'"pid {holder.pid} holds records in place; of earlier rings consumers hold 0 B, and may 4 KiB"')

    def test_a_keeper_that_died_is_replaced_and_holds_the_rings_again(self):
        self.create('t')
        self.produce('t', [b'one'])
        (keeper,) = self.bus.keepers()
        os.kill(keeper, signal.SIGKILL)
        self.check('keeper_died', 'events_total', labels={'event': 'keeper_died'})
        self.wait_until(lambda: self.logged('keeper_replaced') == 1, 'another one')
        self.assertNotEqual(self.bus.keepers(), [keeper])
        self.bus.restart()
        self.assertEqual(self.logged('ring_adopted', topic='t'), 1)

    def test_what_a_stop_cannot_drain_is_left_to_the_next_one(self):
        self.bus.stop()
        self.bus.config.write_text('stop_patience = "200ms"')
        self.bus.start()
        self.claimant()
        self.create('other')
        self.assertEqual(self.bus.stop(), 1)
        self.assertEqual(self.logged('not_drained', topic='t'), 1)
        self.assertEqual(self.logged('not_drained'), 1)
        self.bus.start()
        self.assertEqual(self.logged('ring_adopted', topic='t'), 1)

    def test_a_lost_ring_is_a_gap(self):
        self.create('t')
        self.produce('t', [b'one'])
        self.bus.kill()
        self.bus.kill_keeper()
        self.bus.start()
        self.produce('t', [b'two'])
        self.check('ring_was_lost', 'partition_log_gaps_total', labels={'topic': 't', 'partition': '0'}, topic='t')
        self.assertEqual(self.partition()['log_gaps'], 1)


if __name__ == '__main__':
    unittest.main()
