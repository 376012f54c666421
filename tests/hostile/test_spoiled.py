"""A producer writes where it must not: it spoils its own topic, which says so, and nothing else."""

import pathlib
import re
import signal
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from among_strangers import ATTACKER, LONG, PATIENCE_SECONDS, AmongStrangers, Bystander, wait_until
from scrape import Samples, text_of

SCRIBBLE_MS = 60_000 if LONG else 2_500
# What is written into it comes to readers, or between them and what was written.
SPOILING = ['tails', 'data', 'forge']
HARMLESS = ['header', 'bell', 'session']
ALL_MEMORY = SPOILING + HARMLESS
BEFORE = [b'record %d of before' % n for n in range(6000)]
RECORD_BYTES = 64
# The records in the first block of the log, which is complete. Whoever writes into what is on its way
# to the disk spoils the block that is being filled.
FIRST_BLOCK = 256 * 1024 // RECORD_BYTES


class Spoiled(AmongStrangers):
    def setUp(self):
        super().setUp()
        self.produce(BEFORE)

    def produce(self, values, topic='t'):
        self.bus.run('produce', topic, '--wait', 'durable', stdin=b''.join(b'%s\n' % value for value in values))

    def replay(self, count=len(BEFORE), topic='t'):
        return self.bus.run('consume', topic, '-o', 'start', '-n', count).splitlines()

    def assert_quarantined(self):
        """It shows everywhere where somebody might look, and what is in the log is served."""
        self.wait_for_quarantine()
        report = self.bus.json('status', status=5)
        self.assertEqual([line for line in report['degraded'] if "topic 't' partition 0: quarantined" in line],
                         report['degraded'])
        self.assertEqual({one['what'] for one in report['troubles']}, {'quarantined'})
        self.assertIn(b'quarantined', self.bus.run('status', status=5))
        self.assertIn(b'quarantined', self.bus.run('inspect', 't', status=None))
        self.assertTrue(self.logged(r'event=quarantined topic=t partition=0 .*reason=".*fix='))
        self.bus.run('produce', 't', stdin=b'x\n', status=1)
        self.assert_log_is_served()

    def assert_log_is_served(self):
        served = [value for offset, value in self.offsets_and_values() if offset < len(BEFORE)]
        self.assertEqual(served, BEFORE[:len(served)])
        self.assertGreaterEqual(len(served), FIRST_BLOCK)

    # How a quarantined partition is brought back.

    def restart_in_an_orderly_way(self):
        self.assertEqual(self.bus.stop(), 0, self.bus.log.read_text()[-3000:])
        self.start()

    def replace_the_ring(self):
        self.bus.run('topic', 'alter', 't', '--ring', self.RING)
        wait_until(lambda: self.partition_state() == 'serving', 'the new ring to be served')

    def assert_it_comes_back(self, way_back):
        visible = self.offsets_and_values()
        way_back()
        self.assertEqual(self.partition_state(), 'serving')
        self.assert_nothing_is_amiss()
        self.assert_log_is_served()
        after = [b'record %d of after' % n for n in range(2000)]
        self.produce(after)
        rows = self.offsets_and_values()
        self.assertEqual([value for _, value in rows[-2000:]], after)
        numbers = [offset for offset, _ in rows]
        self.assertEqual(numbers, sorted(set(numbers)))
        # An offset that was visible never names another record.
        self.assertGreater(numbers[-2000], visible[-1][0])

    def assert_nothing_is_amiss(self):
        """But what was scribbled over while it went to disk, and a consumer came to."""
        amiss = self.bus.json('status', status=None)['degraded']
        self.assertEqual([line for line in amiss if not re.search(r'damaged in \S+ \(bytes do not verify\)', line)], [])

    def offsets_and_values(self):
        """Of all that can be read; what was scribbled over while it went to disk is a gap."""
        rows = self.bus.run('consume', 't', '-e', '-o', 'start', '-f', '%o %v{hex}\\n', status=None).splitlines()
        words = [row.split() for row in rows]
        return [(int(row[0]), bytes.fromhex(row[1].decode()) if len(row) > 1 else b'') for row in words]

    def scribble(self, *targets, role='producer', ms=SCRIBBLE_MS):
        (said,) = [line for line in self.attack('scribble', self.bus.socket, 't', role, self.seed, ms, *targets)
                   if line.startswith('scribbled')]
        self.assertGreater(int(said.split()[1]), 1000)

    def test_random_bytes_over_everything_spoil_the_topic_and_nothing_else(self):
        with self.peace():
            victims = [Bystander(self, 'victim-produce', 't'), Bystander(self, 'victim-consume', 't')]
            self.scribble(*ALL_MEMORY)
            self.assert_quarantined()
            for victim in victims:
                self.assertTrue(victim.outcomes())
            # It is known to the next supervisor, too.
            self.bus.kill()
            self.start()
            self.assert_quarantined()
        self.assert_it_comes_back(self.restart_in_an_orderly_way)
        with self.peace('t'):
            pass

    def test_a_ring_replacement_brings_a_spoiled_topic_back_under_its_honest_clients(self):
        with self.peace():
            victims = [Bystander(self, 'victim-produce', 't'), Bystander(self, 'victim-consume', 't')]
            scribbler = self.begin_attack('scribble', self.bus.socket, 't', 'producer', self.seed, SCRIBBLE_MS // 2,
                                          *ALL_MEMORY)
            self.wait_for_quarantine()
            self.end_attack(scribbler)
            self.replace_the_ring()
            for victim in victims:
                self.assertTrue(victim.outcomes())
            self.scribble(*ALL_MEMORY, ms=SCRIBBLE_MS // 5)
            self.assert_quarantined()
            self.assert_it_comes_back(self.replace_the_ring)
            with self.peace('t'):
                pass

    def test_each_kind_of_memory_that_records_hang_on_may_be_anything(self):
        for target in SPOILING:
            with self.subTest(target=target), self.peace():
                victims = [Bystander(self, 'victim-produce', 't'), Bystander(self, 'victim-consume', 't')]
                self.scribble(target, ms=SCRIBBLE_MS // 5)
                for victim in victims:
                    self.assertTrue(victim.outcomes())
                self.assert_log_is_served()
                if self.partition_state() != 'serving':
                    self.wait_for_quarantine()
                    self.restart_in_an_orderly_way()
                self.assert_nothing_is_amiss()

    def test_memory_that_no_record_hangs_on_may_be_anything(self):
        for target in HARMLESS:
            with self.subTest(target=target), self.peace():
                with self.peace('t'):
                    self.scribble(target, ms=SCRIBBLE_MS // 5)
                self.assertEqual(self.partition_state(), 'serving')
                self.assert_nothing_is_amiss()
                self.assertEqual(self.replay(), BEFORE)
                with self.peace('t'):
                    pass

    def test_a_reader_that_scribbles_harms_nobody_of_its_topic(self):
        self.create('clean', '--read', f'61002,{ATTACKER}', '--write', '61002')
        with self.peace(), self.peace('clean'):
            report = self.attack('scribble', self.bus.socket, 'clean', 'consumer', self.seed, SCRIBBLE_MS // 2, 'bell',
                                 'session')
            self.assertEqual(len(report), 2)
        self.assert_nothing_is_amiss()

    def test_holes_in_ring_session_and_bell(self):
        for target in ('bell', 'session', 'tails', 'ring'):
            with self.subTest(target=target), self.peace():
                self.assertEqual(self.attack('punch', self.bus.socket, 't', target)[1:], [f'punched {target} done'])
                self.assert_log_is_served()
                if target in ('tails', 'ring'):
                    self.assert_quarantined()
                    self.restart_in_an_orderly_way()
                with self.peace('t'):
                    pass
                self.assert_nothing_is_amiss()

    def test_holes_while_memory_is_short_end_only_who_did_not_ask_to_survive(self):
        """Real holes of another user; the shortage is that of the victims, which cannot fill one."""
        for target in ('ring', 'tails'):
            with self.subTest(target=target), self.peace():
                victims = [Bystander(self, 'short-produce', 't'), Bystander(self, 'short-consume', 't')]
                exposed = [Bystander(self, 'exposed-produce', 't'), Bystander(self, 'exposed-consume', 't')]
                attacker = self.begin_attack('punch', self.bus.socket, 't', target)
                self.assertEqual(attacker.stdout.readline(), b'opened now\n')
                self.tell_all(victims + exposed, 'paused')
                self.bus.daemon.send_signal(signal.SIGSTOP)  # it has memory, and would fill the holes
                try:
                    self.assertEqual(self.end_attack(attacker), [f'punched {target} done'])
                    self.tell_all(victims + exposed, 'short')
                    hit = slice(None) if target == 'ring' else slice(1)  # consumers do not look at tails
                    self.tell_all(victims[hit], 'lost')
                    for program in exposed[hit]:
                        program.tell('on\n')
                        self.assertEqual(program.process.wait(PATIENCE_SECONDS), -signal.SIGBUS, program.role)
                finally:
                    self.bus.daemon.send_signal(signal.SIGCONT)
                self.wait_for_quarantine()
                self.assert_log_is_served()
                self.replace_the_ring()
                self.tell_all(victims[hit], 'back')
                for victim in victims[hit]:
                    self.assertGreater(victim.outcomes()['quarantined'], 0)
                for program in victims + exposed:
                    program.process.kill()
                self.assert_nothing_is_amiss()

    def tell_all(self, programs, word):
        for program in programs:
            program.tell('on\n')
        for program in programs:
            program.await_word(word)

    def test_a_tail_that_was_put_back_is_noticed(self):
        with self.peace():
            self.attack('put-back', self.bus.socket, 't')
            self.assert_quarantined()
            self.assert_it_comes_back(self.replace_the_ring)
        self.attack('put-back', self.bus.socket, 't')
        self.assert_quarantined()
        self.assert_it_comes_back(self.restart_in_an_orderly_way)

    def test_a_record_that_was_erased_in_the_ring_is_read_from_the_log(self):
        """It was durable; in the ring nothing will come there any more."""
        with self.peace():
            self.attack('unstamp', self.bus.socket, 't', RECORD_BYTES)
            self.attack('put-back', self.bus.socket, 't')
            self.wait_for_quarantine()
            for begin in (len(BEFORE) - 10, len(BEFORE) - 1):
                self.assertEqual(self.bus.run('consume', 't', '-o', begin, '-e').splitlines(), BEFORE[begin:])
            self.assert_it_comes_back(self.restart_in_an_orderly_way)

    def test_a_pin_ahead_of_all_records_is_counted_and_holds_nobody_up(self):
        with self.peace():
            attacker = self.begin_attack('pin-ahead', self.bus.socket, 't')
            self.assertEqual(attacker.stdout.readline(), b'pinned now\n')
            with self.peace('t'):
                pass
            said = Samples(text_of(self.bus.runtime_dir / 'metrics.sock'))
            self.assertGreater(said('ringway_partition_hostile_pins_total', topic='t'), 0)
            self.assertEqual(said('ringway_partition_hostile_pins_total', topic='others'), 0)
            self.assertEqual(said('ringway_events_total', event='hostile_pin'), 1)
            self.assertTrue(self.logged('event=hostile_pin topic=t partition=0 '))
            self.end_attack(attacker)
        self.assertEqual(self.partition_state(), 'serving')

    def test_a_claim_of_nothing_is_told_and_comes_back(self):
        with self.peace():
            attacker = self.begin_attack('no-length', self.bus.socket, 't')
            self.end_attack(attacker)
            self.assert_quarantined()
            self.assertTrue(self.logged(f'event=hostile_intent topic=t partition=0 pid={attacker.pid} '))
            self.assert_it_comes_back(self.replace_the_ring)

    def test_who_closes_its_socket_and_keeps_writing_is_served_on_until_it_dies(self):
        with self.peace():
            writer = self.begin_attack('hang-up', self.bus.socket, 't', 500)
            for wanted in (b'wrote before 500', b'hung up now', b'wrote after 500'):
                self.assertEqual(writer.stdout.readline().strip(), wanted)
            rows = self.replay(len(BEFORE) + 1000)
            self.assertEqual(rows[len(BEFORE):], [b'%s %d' % (word, n) for word in (b'before', b'after')
                                                  for n in range(500)])
            (session,) = [row for row in self.bus.json('status')['sessions'] if row['pid'] == writer.pid]
            self.assertEqual((session['connected'], session['handles']), (False, 1))
            self.end_attack(writer)
            wait_until(lambda: writer.pid not in [row['pid'] for row in self.bus.json('status')['sessions']],
                       'its session to end')
        self.assertEqual(self.partition_state(), 'serving')

    def test_a_child_that_writes_with_its_dead_parents_handle(self):
        """To the kernel it may: the ring was its parent's to give. It is a producer that nobody knows."""
        with self.peace():
            report = self.attack('fork-away', self.bus.socket, 't', 500)
            self.assertIn('wrote child 500', report)
            rows = self.replay(len(BEFORE) + 1000)[len(BEFORE):]
            self.assertEqual(rows, [b'%s %d' % (word, n) for word in (b'parent', b'child') for n in range(500)])
        self.assertEqual(self.partition_state(), 'serving')
        with self.peace('t'):
            pass


if __name__ == '__main__':
    unittest.main()
