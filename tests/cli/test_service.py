"""What ringwayd tells a service manager (sd_notify(3))."""

import os
import pathlib
import signal
import socket
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from bus import Bus, PATIENCE_SECONDS


class Service(unittest.TestCase):
    def setUp(self):
        self.bus = Bus()
        self.addCleanup(self.bus.close)
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.manager.close)
        self.manager.settimeout(PATIENCE_SECONDS)
        self.manager.bind(str(self.bus.root / 'notify'))
        self.bus.env['NOTIFY_SOCKET'] = str(self.bus.root / 'notify')

    def told(self):
        return self.manager.recv(4096).decode().splitlines()

    def told_until(self, word):
        """All that was told up to a message with that word, which is the last."""
        messages = []
        while not messages or word not in messages[-1]:
            messages.append(self.told())
        return messages

    def test_it_is_told_when_the_bus_serves_and_when_it_stops(self):
        self.bus.launch()
        self.assertEqual(self.told(), ['READY=1'])
        self.assertEqual(self.told(), ['STATUS=Serving 0 topics, 0 clients'])
        self.bus.run('status')
        self.bus.daemon.send_signal(signal.SIGTERM)
        self.assertEqual(self.told(), ['STOPPING=1', 'STATUS=Draining to the disk'])
        self.assertEqual(self.bus.daemon.wait(PATIENCE_SECONDS), 0)

    def test_a_watchdog_is_fed_for_as_long_as_the_control_thread_goes_round(self):
        self.bus.env['WATCHDOG_USEC'] = '100000'
        self.bus.launch()
        self.assertEqual(self.told(), ['READY=1'])
        self.assertEqual(self.told(), ['STATUS=Serving 0 topics, 0 clients'])
        for _ in range(5):
            self.assertEqual(self.told(), ['WATCHDOG=1'])
        self.bus.pause()
        self.manager.setblocking(False)
        with self.assertRaises(BlockingIOError):
            for _ in range(100):  # no more than what it had sent by then
                self.told()
        self.bus.resume()
        self.manager.settimeout(PATIENCE_SECONDS)
        self.assertEqual(self.told(), ['WATCHDOG=1'])

    def test_sigusr1_leaves_the_rings_to_the_next_one(self):
        self.bus.start()
        self.bus.run('topic', 'create', 't')
        self.bus.run('produce', 't', stdin=b'a\nb\n')
        self.bus.daemon.send_signal(signal.SIGUSR1)
        self.assertEqual(self.bus.daemon.wait(PATIENCE_SECONDS), 0)
        self.assertIn('STOPPING=1', self.told_until('STOPPING=1')[-1])
        self.bus.start()
        self.assertEqual(self.bus.run('consume', 't', '-o', 'start', '-e'), b'a\nb\n')
        self.assertEqual(self.bus.json('inspect', 't')['partitions'][0]['generation'], 1)

    def test_a_store_of_a_service_manager_takes_one(self):
        del self.bus.env['NOTIFY_SOCKET']
        self.bus.env['RINGWAYD_DESCRIPTOR_STORE'] = 'service'
        words = [os.environ['RINGWAYD'], '--runtime-dir', self.bus.runtime_dir, '--state-dir', self.bus.state_dir]
        refused = subprocess.run(words, env=self.bus.env, capture_output=True, text=True, timeout=PATIENCE_SECONDS)
        self.assertEqual(refused.returncode, 2, refused.stderr)
        self.assertIn('FileDescriptorStoreMax=', refused.stderr)

    def test_the_watchdog_of_another_process_is_left_alone(self):
        self.bus.env['WATCHDOG_USEC'] = '100000'
        self.bus.env['WATCHDOG_PID'] = str(os.getpid())
        self.bus.start()
        self.bus.stop()
        self.assertEqual([message for message in self.told_until('STOPPING=1') if 'WATCHDOG=1' in message], [])

    def test_a_watchdog_that_names_it_is_fed(self):
        self.bus.env['WATCHDOG_USEC'] = '100000'
        words = ['sh', '-c', 'WATCHDOG_PID=$$ exec "$@"', 'sh', os.environ['RINGWAYD'],
                 '--runtime-dir', self.bus.runtime_dir, '--state-dir', self.bus.state_dir]
        self.bus.daemon = subprocess.Popen(words, env=self.bus.env, stderr=subprocess.DEVNULL)
        self.assertEqual(self.told_until('WATCHDOG=1')[0], ['READY=1'])


if __name__ == '__main__':
    unittest.main()
