"""The keeper's life beside its supervisors: when it ends, and what is done about one that does not answer."""

import contextlib
import os
import pathlib
import signal
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from bus import PATIENCE_SECONDS
from on_a_bus import OnABus


class FailedStart(OnABus):
    def fail(self):
        self.bus.socket.mkdir()
        self.bus.launch()
        self.assertNotEqual(self.bus.daemon.wait(PATIENCE_SECONDS), 0)
        self.bus.socket.rmdir()

    def test_the_keeper_that_it_made_ends_with_it(self):
        self.bus.stop()
        self.wait_until(lambda: not self.bus.keepers(), 'the keeper to end')
        self.fail()
        self.wait_until(lambda: not self.bus.keepers(), 'the next one to end, too')

    def test_one_that_has_the_rings_of_a_supervisor_that_died_stays(self):
        self.create('t', '--no-persist')
        self.bus.run('produce', 't', stdin=b'1\n2\n')
        keepers = self.bus.keepers()
        self.bus.kill()
        self.bus.socket.unlink()
        self.fail()
        self.assertEqual(self.bus.keepers(), keepers)
        self.bus.start()
        self.assertEqual(self.offsets(), [0, 1])


class StandsStill(OnABus):
    def setUp(self):
        super().setUp()
        self.create('t')
        (self.keeper,) = self.bus.keepers()
        os.kill(self.keeper, signal.SIGSTOP)
        self.addCleanup(self.let_go_on)
        self.error = self.refused('new')

    def let_go_on(self):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.keeper, signal.SIGCONT)

    def refused(self, topic):
        return self.bus.refusal('topic', 'create', topic, status=6)

    def logged(self, event):
        return self.bus.log.read_text().count(f'event={event}')

    def test_it_is_said_once_and_waited_for_once(self):
        self.assertEqual((self.error['rule'], self.error['fix']),
                         (f'pid {self.keeper} does not answer', f'let it go on: kill -CONT {self.keeper}'))
        begin = time.monotonic()
        for n in range(20):
            self.refused(f'new{n}')
        self.bus.run('consume', 't', '-e', status=6)
        self.assertLess(time.monotonic() - begin, 15)  # a second of each would be more
        self.assertEqual((self.logged('keeper_stands_still'), self.logged('keeper_died')), (1, 0))
        (trouble,) = self.bus.troubles()
        self.assertEqual((trouble['what'], trouble['pid']), ('keeper_stands_still', self.keeper))
        (found,) = [one for one in self.bus.json('doctor', status=None)['findings'] if one['check'] == 'service']
        self.assertTrue(found['fix'].startswith(f'kill -CONT {self.keeper}  # or kill -9 {self.keeper}'), found)

    def test_let_go_on_it_has_what_it_should(self):
        self.let_go_on()
        self.wait_until(lambda: not self.bus.troubles(), 'all to be well')
        self.assertEqual((self.logged('keeper_answers'), self.bus.keepers()), (1, [self.keeper]))
        self.create('later', '--no-persist')
        self.bus.run('produce', 'later', stdin=b'1\n2\n')
        self.bus.restart()
        self.assertEqual(self.offsets('later'), [0, 1])
        self.assertEqual([topic['topic'] for topic in self.bus.json('topic', 'list')], ['later', 't'])
        self.assertEqual((self.logged('keeper_died'), self.logged('ring_without_topic')), (0, 0))

    def test_killed_it_is_replaced(self):
        os.kill(self.keeper, signal.SIGKILL)
        self.wait_until(lambda: self.logged('keeper_replaced') and not self.bus.troubles(), 'another one')
        self.create('later', '--no-persist')
        self.bus.run('produce', 'later', stdin=b'1\n2\n')
        self.bus.restart()
        self.assertEqual(self.offsets('later'), [0, 1])


if __name__ == '__main__':
    unittest.main()
