"""`ringway status --watch`: what is shown again and again, also while there is no supervisor."""

import json
import os
import pathlib
import pty
import signal
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from bus import PATIENCE_SECONDS
from on_a_bus import OnABus


class StatusWatch(OnABus):
    def watch(self, *words, **options):
        return self.bus.spawn('status', '--watch', '--interval', '100ms', *words, **options)

    def ended(self, child):
        child.send_signal(signal.SIGINT)
        return child.wait(PATIENCE_SECONDS)

    def test_a_line_of_json_an_interval_until_ctrl_c_which_is_0(self):
        child = self.watch('--output', 'jsonl')
        lines = [json.loads(child.stdout.readline()) for _ in range(3)]
        self.assertEqual([line['state'] for line in lines], ['serving'] * 3)
        self.assertLess(lines[0]['at_ns'], lines[1]['at_ns'])
        self.assertEqual(self.ended(child), 0)

    def test_it_rides_over_a_restart_of_the_supervisor(self):
        child = self.watch('--output', 'json')
        first = json.loads(child.stdout.readline())
        self.bus.kill()

        def next_line(state):
            while (line := json.loads(child.stdout.readline()))['state'] != state:
                pass
            return line
        self.assertEqual(next_line('unreachable')['error']['code'], 'unavailable')
        self.bus.start()
        self.assertNotEqual(next_line('serving')['pid'], first['pid'])
        self.assertEqual(self.ended(child), 0)

    def test_it_starts_before_the_supervisor_does(self):
        self.bus.kill()
        child = self.watch()
        self.assertRegex(child.stdout.readline().decode(), r'^20.*Z\n')
        self.assertIn('unreachable', child.stdout.readline().decode())
        self.bus.start()
        while b'serving' not in child.stdout.readline():
            pass
        self.assertEqual(self.ended(child), 0)

    def test_on_a_terminal_each_block_takes_the_place_of_the_one_before(self):
        ours, theirs = pty.openpty()
        self.bus.env['TERM'] = 'xterm'
        child = self.watch(stdout=theirs)
        os.close(theirs)
        seen = b''
        while seen.count(b'\033[H') < 3:
            seen += os.read(ours, 65536)
        self.assertIn(b'serving', seen)
        self.assertEqual(self.ended(child), 0)
        os.close(ours)

    def test_an_interval_that_is_too_short_or_goes_with_nothing_is_refused(self):
        self.assertIn('--interval', self.bus.refusal('status', '--watch', '--interval', '1ms', status=2)['thing'])
        self.assertEqual(self.bus.refusal('status', '--interval', '1s', status=2)['code'], 'usage')


if __name__ == '__main__':
    unittest.main()
