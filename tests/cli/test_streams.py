"""Started without standard input, output or error: nothing that is opened later takes their place."""

import os
import pathlib
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from bus import PATIENCE_SECONDS, Bus, wait_until


class ClosedStreams(unittest.TestCase):
    def setUp(self):
        self.bus = Bus()
        self.addCleanup(self.bus.close)
        self.bus.start()
        self.bus.run('topic', 'create', 't')

    def run_closed(self, redirections, *words, stdin=b''):
        """`ringway words… redirections` as a shell would run it."""
        return subprocess.run(['sh', '-c', f'exec "$@" {redirections}', 'sh', *self.bus.command(*words)], input=stdin,
                              env=self.bus.env, capture_output=True, timeout=PATIENCE_SECONDS, check=False)

    def test_consume_without_standard_output_fails_and_moves_no_cursor(self):
        self.bus.run('produce', 't', stdin=b'1\n2\n3\n')
        read = ['consume', 't', '-o', 'start', '-e', '--cursor', 'c']
        ended = self.run_closed('>&-', *read)
        self.assertEqual(ended.returncode, 1, ended.stderr)
        self.assertIn(b'standard output', ended.stderr)
        self.assertEqual(self.bus.run(*read), b'1\n2\n3\n')

    def test_nor_without_all_three(self):
        self.bus.run('produce', 't', stdin=b'1\n')
        read = ['consume', 't', '-o', 'start', '-e', '--cursor', 'c']
        self.assertEqual(self.run_closed('<&- >&- 2>&-', *read).returncode, 1)
        self.assertEqual(self.bus.run(*read), b'1\n')

    def test_an_error_that_cannot_be_written_has_the_status_of_one_that_can(self):
        for redirections in ('2>/dev/full', '>/dev/full 2>/dev/full', '2>&-'):
            for status, words in ((2, ['no-such-verb']), (3, ['topic', 'describe', 'no-such-topic']),
                                  (2, ['topic', 'list', '--output=json', '--no-such-option'])):
                self.assertEqual(self.run_closed(redirections, *words).returncode, status, (redirections, words))

    def test_consume_holds_no_records_while_its_output_is_blocked(self):
        reader = subprocess.Popen(self.bus.command('consume', 't'), env=self.bus.env, stdout=subprocess.PIPE)
        seen = []

        def places():
            rows = self.bus.json('inspect', 't')['partitions'][0]['cursors']
            seen.append([(row['offset'], row['pin']) for row in rows if row['offset'] is not None])
            return seen[-1]

        def stands_and_holds_nothing():
            return places() == seen[-2] and 0 < seen[-1][0][0] < 20_000 and seen[-1][0][1] is None
        try:
            wait_until(places, 'a consumer at the end')
            # It finds more than its output takes, and all of it in the ring.
            reader.send_signal(signal.SIGSTOP)
            self.bus.run('produce', 't', stdin=b''.join(b'%0399d\n' % i for i in range(20_000)))
            reader.send_signal(signal.SIGCONT)
            wait_until(stands_and_holds_nothing, 'it to stand, and to hold nothing')
        finally:
            reader.kill()
            reader.communicate()

    def test_produce_without_standard_input_fails(self):
        ended = self.run_closed('<&-', 'produce', 't')
        self.assertEqual(ended.returncode, 1)
        self.assertIn(b'standard input', ended.stderr)
        self.assertEqual(self.bus.json('topic', 'describe', 't')['partitions'][0]['committed'], 0)

    def test_produce_without_standard_error_publishes_and_ends_with_0(self):
        self.assertEqual(self.run_closed('2>&-', 'produce', 't', stdin=b'x\n').returncode, 0)
        self.assertEqual(self.bus.run('consume', 't', '-o', 'start', '-e'), b'x\n')

    def test_a_supervisor_without_them_serves_and_has_nothing_else_in_their_place(self):
        self.bus.stop()
        self.bus.daemon = subprocess.Popen(
            ['sh', '-c', 'exec "$@" <&- >&- 2>&-', 'sh', os.environ['RINGWAYD'], '--socket', self.bus.socket,
             '--runtime-dir', self.bus.runtime_dir, '--state-dir', self.bus.state_dir], env=self.bus.env)
        wait_until(self.bus.serves, 'ringwayd')
        self.bus.run('produce', 't', stdin=b'x\n')
        for pid in (self.bus.daemon.pid, *self.bus.keepers()):
            for fd in range(3):
                self.assertIn(os.readlink(f'/proc/{pid}/fd/{fd}'), ('/', '/dev/null'))


class FewDescriptors(unittest.TestCase):
    """What lacks descriptors says so, of which file, and what gives it some."""

    FIX = 'raise the limit of open files (ulimit -n, LimitNOFILE=)'

    def setUp(self):
        self.bus = Bus()
        self.addCleanup(self.bus.close)

    def ended(self, descriptors, command):
        return subprocess.run(['sh', '-c', f'ulimit -n {descriptors}; exec "$@"', 'sh', *map(str, command)],
                              env=self.bus.env, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)

    def test_a_topic_is_not_said_to_be_missing_where_its_catalog_cannot_be_opened(self):
        self.bus.start()
        self.bus.run('topic', 'create', 't')
        for verb in (['verify'], ['dump'], ['repair', '--dry-run']):
            ended = self.ended(5, self.bus.command('log', *verb, 't', '--state-dir', self.bus.state_dir))
            self.assertEqual(ended.returncode, 1, ended.stderr)
            self.assertIn(f'{self.bus.state_dir}/catalog.db: the catalog cannot be read: Too many open files; {self.FIX}\n',
                          ended.stderr)

    def test_a_supervisor_that_cannot_start_says_what_it_lacks(self):
        for descriptors in range(8, 15):
            ended = self.ended(descriptors, [os.environ['RINGWAYD'], '--config', self.bus.config, '--socket', self.bus.socket,
                                             '--runtime-dir', self.bus.runtime_dir, '--state-dir', self.bus.state_dir])
            self.assertEqual(ended.returncode, 1, ended.stderr)
            self.assertIn(self.FIX, ended.stderr.splitlines()[-1])


if __name__ == '__main__':
    unittest.main()
