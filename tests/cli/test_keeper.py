"""The keeper's life beside its supervisors: when it ends, and what is done about one that does not answer."""

import pathlib
import sys
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


if __name__ == '__main__':
    unittest.main()
