"""Who has no right learns nothing, gets nothing and ends nothing."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from among_strangers import HONEST, OUTSIDER, AmongStrangers


class Strangers(AmongStrangers):
    def test_without_rights_nothing_can_be_opened_guessed_or_ended(self):
        uuid = self.bus.json('topic', 'describe', 'others')['uuid']
        with self.peace(), self.peace('t'):
            report = self.attack('guess', self.bus.socket, self.bus.runtime_dir / 'keeper.sock', self.bus.state_dir,
                                 'others', uuid, uid=OUTSIDER)
            self.assert_all_refused(report, 35)
        self.assertEqual(len(self.bus.keepers()), 1)
        self.assertTrue(self.bus.state_dir.is_dir())
        # Also by the keeper alone, while nobody serves.
        self.bus.kill()
        report = self.attack('guess-keeper', self.bus.runtime_dir / 'keeper.sock', self.bus.state_dir, 'others',
                             uid=OUTSIDER)
        self.assert_all_refused(report, 7)
        self.bus.run('inspect', 'others', user=HONEST, group=HONEST, extra_groups=[])
        self.start()
        self.assertTrue(self.logged('event=ring_adopted topic=others'), self.bus.log.read_text()[-3000:])
        with self.peace():
            pass


if __name__ == '__main__':
    unittest.main()
