"""Whatever is sent to the control socket, the others are served."""

import os
import pathlib
import signal
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from among_strangers import ATTACKER, LONG, OUTSIDER, AmongStrangers, process_state, wait_until

RAVE_MS = 60_000 if LONG else 3_000
FLOOD_MS = 20_000 if LONG else 2_000


class Messages(AmongStrangers):
    def count(self, report, what):
        return sum(int(line.rsplit(' ', 1)[1]) for line in report if line.startswith(what + ' '))

    def test_messages_of_every_wrong_kind(self):
        with self.peace(), self.peace('t'):
            ravers = [self.begin_attack('rave', self.bus.socket, 't', self.seed + n, RAVE_MS, uid=uid)
                      for n, uid in enumerate((61003, OUTSIDER))]
            report = sum((self.end_attack(raver) for raver in ravers), [])
            for what in ('connections', 'sent', 'answered', 'not sent', 'closed'):
                self.assertGreater(self.count(report, what), 0, what)
            print(f'{self.count(report, "sent")} messages over {self.count(report, "connections")} connections, '
                  f'{self.count(report, "answered")} answered', flush=True)
        self.assertEqual(self.bus.run_for_status('status'), 0)
        self.assertNotIn('request_failed', self.bus.log.read_text())

    def test_a_flood_of_connections(self):
        with self.peace():
            floods = [self.begin_attack('flood', self.bus.socket, FLOOD_MS, uid=OUTSIDER) for _ in range(3)]
            statuses = []
            while any(flood.poll() is None for flood in floods):
                statuses.append(self.bus.run_for_status('status', '--timeout', '1m'))
            report = sum((self.end_attack(flood) for flood in floods), [])
            self.assertGreater(self.count(report, 'connected'), 256)
            # Where the queue is full a new client is told to try again.
            self.assertLessEqual(set(statuses), {0, 1})
            self.assertIn(0, statuses)
            print(f'{self.count(report, "connected")} connections; of others {statuses.count(0)} served meanwhile, '
                  f'{statuses.count(1)} told to try again', flush=True)
        self.assertEqual(self.bus.run_for_status('status'), 0)

    def test_a_descriptor_that_takes_an_hour_to_close(self):
        """A socket that lingers: whoever closes it last waits, and the supervisor's threads must not be that one."""
        with self.peace():
            # Read only when they have closed theirs, or it would be they who wait.
            self.bus.pause()
            attacks = [self.begin_attack('linger', self.bus.socket, uid=OUTSIDER) for _ in range(8)]
            for attack in attacks:
                self.assertEqual(attack.stdout.readline(), b'attached yes\n')
            self.bus.resume()
            self.assertEqual(self.bus.run_for_status('status'), 0)
            for attack in attacks:
                self.end_attack(attack)

    def test_a_descriptor_that_takes_an_hour_to_close_sent_to_the_keeper(self):
        (keeper,) = self.bus.keepers()
        with self.peace():
            os.kill(keeper, signal.SIGSTOP)
            wait_until(lambda: process_state(keeper) == 'T', 'the keeper to stand still')
            attacks = [self.begin_attack('linger', self.bus.runtime_dir / 'keeper.sock', uid=OUTSIDER)
                       for _ in range(8)]
            for attack in attacks:
                self.assertEqual(attack.stdout.readline(), b'attached yes\n')
            os.kill(keeper, signal.SIGCONT)
            self.create('kept')  # by the keeper, or it would not be there
            for attack in attacks:
                self.end_attack(attack)
        self.assertEqual(self.bus.keepers(), [keeper])
        self.bus.kill()
        self.start()
        self.assertTrue(self.logged('event=ring_adopted topic=kept'), self.bus.log.read_text()[-3000:])

    def test_a_log_that_is_said_to_be_damaged_is_looked_at_and_nothing_of_it_believed(self):
        uuid = self.bus.json('topic', 'describe', 't')['uuid']
        self.bus.run('produce', 't', '--wait', 'durable', stdin=b'record\n' * 1000)
        for uid, answer in ((ATTACKER, 'answered'), (OUTSIDER, 'refused')):
            report = self.attack('slander', self.bus.socket, uuid, uid=uid)
            said = [line for line in report if line.startswith('of its partition ')]
            self.assertEqual([line.split(' ')[3].rstrip(':') for line in said], [answer] * 5)
            self.assertEqual(len([line for line in report if line.startswith('of none refused')]), 2)
        with self.peace('t'):  # what was to be looked at is, before its consumers are through
            pass
        self.assertEqual(self.bus.run_for_status('status'), 0)
        self.assertFalse(self.logged('event=segment_'), self.bus.log.read_text()[-3000:])

    def test_names_of_clients_and_topics_cannot_speak_to_the_terminal(self):
        attack = self.begin_attack('dress-up', self.bus.socket, 'x\x1b[2J\u009b2J\r\nevent=forged', uid=OUTSIDER)
        self.assertEqual(attack.stdout.readline(), b'greeted now\n')
        shown = self.bus.run('status')
        self.assertIn(b'event=forged', shown)
        self.assertNotIn(b'\x1b[2J', shown)
        self.assertNotIn('\u009b'.encode(), shown)
        self.assertNotIn(b'\r', shown)
        self.assertNotIn('\x1b[2J', self.bus.log.read_text())
        self.end_attack(attack)


if __name__ == '__main__':
    unittest.main()
