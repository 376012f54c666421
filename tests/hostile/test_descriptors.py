"""Whoever holds a descriptor gets no more out of it than was given with it."""

import os
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from among_strangers import ATTACKER, HONEST, OUTSIDER, AmongStrangers

# What is tried with each descriptor: resize, own, reopen; with a read-only one also write.
EVERY_DESCRIPTOR, READ_ONLY_DESCRIPTOR = 12, 19
# What is tried with a process.
ROBBERIES = 12


class Descriptors(AmongStrangers):
    def test_nothing_can_be_resized_resealed_reopened_or_made_writable(self):
        for role, read_only in (('producer', 1), ('consumer', 2)):
            with self.subTest(role=role), self.peace(), self.peace('t'):
                report = self.attack('tamper', self.bus.socket, 't', role)
                self.assert_all_refused(report, read_only * READ_ONLY_DESCRIPTOR + (4 - read_only) * EVERY_DESCRIPTOR)
        self.assertEqual(self.bus.run_for_status('status'), 0)

    def test_a_third_party_gets_no_more_than_who_passed_it_on(self):
        meeting = self.bus.root / 'meeting'
        meeting.mkdir()
        for role, ring in (('consumer', 'read-only'), ('producer', 'writable')):
            with self.subTest(role=role), self.peace(), self.peace('t'):
                os.chown(meeting, OUTSIDER, OUTSIDER)
                fence = meeting / role
                thief = self.begin_attack('receive', fence, uid=OUTSIDER)
                self.assertEqual(thief.stdout.readline(), b'listening now\n')
                self.assertEqual(self.attack('lend', self.bus.socket, 't', role, fence), ['lent done'])
                report = self.end_attack(thief)
                self.assertIn(f'ring is {ring}', report)
                self.assert_all_refused(report, READ_ONLY_DESCRIPTOR + EVERY_DESCRIPTOR)

    def test_supervisor_keeper_and_clients_of_other_users_cannot_be_robbed(self):
        honest = self.bus.spawn('consume', 'others', user=HONEST, group=HONEST, extra_groups=[])
        (keeper,) = self.bus.keepers()
        for pid in (self.bus.daemon.pid, keeper, honest.pid):
            with self.subTest(pid=pid), self.peace():
                self.assert_all_refused(self.attack('rob', pid, uid=ATTACKER), ROBBERIES)
        self.assertIsNone(honest.poll())

    def test_the_same_with_memory_of_its_own_it_may(self):
        self.assert_all_allowed(self.attack('tamper-own', uid=ATTACKER), READ_ONLY_DESCRIPTOR)

    def test_the_same_of_its_own_child_it_may(self):
        self.assert_all_allowed(self.attack('rob', 'own', uid=ATTACKER), ROBBERIES)


if __name__ == '__main__':
    unittest.main()
