"""`ringway top` in a real terminal: what it shows, its keys, and how it leaves the terminal."""

import os
import pathlib
import pwd
import re
import signal
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from bus import wait_until
from on_a_bus import OnABus
from tmux import ENDED, Terminal

UTF8 = {'LC_ALL': 'C.UTF-8', 'TERM': 'screen-256color'}


class Top(OnABus):
    def top(self, *words, env=None, size=(80, 24), command=None):
        terminal = Terminal(command or self.bus.command('top', '--interval', '100ms', *words),
                            {'RINGWAY_SOCKET': self.bus.socket, **UTF8, **(env or {})}, size)
        self.addCleanup(terminal.close)
        return terminal

    def line(self, terminal, start):
        return next((line for line in terminal.screen().splitlines() if line.startswith(start)), '')

    def steady(self, topic):
        """A producer of a record every now and then, so that there is a rate."""
        child = self.bus.spawn('produce', topic)
        child.stdin.write(b'1\n2\n3\n')
        child.stdin.flush()
        return child

    def test_it_shows_each_topic_with_its_watermarks_at_80_by_24(self):
        self.create('orders', '--ring', '64KiB')
        self.produce('orders', [b'x'] * 7)
        terminal = self.top()
        screen = terminal.wait_for('orders')
        self.assertIn(f'supervisor {self.bus.daemon.pid} serving', screen)
        for heading in ('TOPIC', 'REC/S', 'BYTES/S', 'LAG', 'FILL', 'COMMITTED', 'DURABLE', 'STATE', 'TREND'):
            self.assertIn(heading, screen)
        wait_until(lambda: re.match(r'orders +0 +0 B +- +\d+% +7 +7 +1 serving', self.line(terminal, 'orders')), 'them')

    def test_the_lag_of_the_slowest_consumer_and_who_is_stopped(self):
        self.create('orders')
        consumer = self.bus.spawn('consume', 'orders')
        wait_until(lambda: self.bus.json('inspect', 'orders')['partitions'][0]['cursors'], 'the consumer')
        terminal = self.top()
        wait_until(lambda: re.match(r'orders .* 0 +0% ', self.line(terminal, 'orders')), 'no lag')
        consumer.send_signal(signal.SIGSTOP)
        self.produce('orders', [b'x'] * 5)
        wait_until(lambda: f'stopped pid {consumer.pid}' in self.line(terminal, 'orders'), 'who is stopped')
        wait_until(lambda: re.match(r'orders .* 5 +0% ', self.line(terminal, 'orders')), 'the lag')
        terminal.press('3')
        self.assertRegex(terminal.wait_for('CURSOR'), rf'orders +{consumer.pid} ')
        consumer.send_signal(signal.SIGCONT)
        wait_until(lambda: 'alive' in self.line(terminal, 'orders'), 'it to go on')

    def test_a_named_cursor_that_nobody_holds_lags_too(self):
        self.create('orders')
        self.produce('orders', [b'x'] * 7)
        self.bus.run('consume', 'orders', '-o', 'start', '-n', '2', '--cursor', 'billing')
        terminal = self.top()
        wait_until(lambda: re.match(r'orders .* 5 +0% ', self.line(terminal, 'orders')), 'the lag')
        terminal.press('3')
        terminal.wait_for('CURSOR')
        wait_until(lambda: re.match(r'orders +- +- +billing +- +5 +- +not attached', self.line(terminal, 'orders')), 'it')
        self.produce('orders', [b'x'] * 3)
        wait_until(lambda: re.search(r'billing +- +8 ', self.line(terminal, 'orders')), 'it falls behind')
        self.bus.run('cursor', 'delete', 'orders', 'billing')
        wait_until(lambda: 'billing' not in terminal.screen(), 'it to go')

    def test_keys_sort_filter_pause_help_and_quit(self):
        for name, count in (('apples', 1), ('pears', 3), ('plums', 2)):
            self.create(name, '--ring', '64KiB')
            self.produce(name, [b'x'] * count)
        terminal = self.top()
        terminal.wait_for('plums')
        names = ('apples', 'pears', 'plums')
        order = lambda: [line.split()[0] for line in terminal.screen().splitlines() if line.startswith(names)]
        terminal.press('s', 's', 's', 's')
        terminal.wait_for('by COMMITTED')
        wait_until(lambda: order() == ['pears', 'plums', 'apples'], 'the order')
        terminal.press('r')
        wait_until(lambda: order() == ['apples', 'plums', 'pears'], 'it turned round')
        terminal.press('/', 'p', 'l', 'u', 'Enter')
        terminal.wait_for("with 'plu'")
        wait_until(lambda: order() == ['plums'], 'the filter')
        terminal.press('Escape')
        wait_until(lambda: len(order()) == 3, 'no filter')
        terminal.press('2')
        terminal.wait_for('WRITTEN')
        terminal.press('p')
        terminal.wait_for('PAUSED')
        terminal.press('h')
        terminal.wait_for('q, Ctrl-C')
        terminal.press('x')
        terminal.wait_for('PAUSED')
        terminal.press('q')
        terminal.wait_for(f'{ENDED} 0')
        self.assertTrue(terminal.cursor_shown())
        self.assertNotIn('apples', terminal.screen())

    def test_hundreds_of_topics_are_scrolled_through(self):
        for n in range(120):
            self.bus.run('topic', 'create', f't{n:03}', '--ring', '64KiB', '--no-persist')
        terminal = self.top()
        terminal.press('s')
        terminal.wait_for('1-20 of 120')
        terminal.press('NPage')
        terminal.wait_for('21-40 of 120')
        terminal.press('End')
        terminal.wait_for('101-120 of 120')
        terminal.press('Home')
        terminal.wait_for('1-20 of 120')

    def test_after_a_resize_all_of_it_is_drawn_anew(self):
        self.create('orders', '--ring', '64KiB')
        terminal = self.top()
        terminal.wait_for('orders')
        terminal.resize(38, 6)
        wait_until(lambda: 'DURABLE' not in terminal.screen() and 'orders' in terminal.screen(), 'the small one')
        terminal.resize(3, 2)
        terminal.resize(132, 40)
        screen = terminal.wait_for('DURABLE')
        self.assertIn('q quit', screen.splitlines()[39])

    def test_it_says_when_the_supervisor_dies_and_when_it_is_back(self):
        self.create('orders', '--ring', '64KiB')
        self.produce('orders', [b'x'] * 7)
        terminal = self.top()
        terminal.wait_for('orders')
        self.bus.kill()
        self.assertIn('orders', terminal.wait_for('NO SUPERVISOR'))
        self.bus.start()
        terminal.wait_for(f'supervisor {self.bus.daemon.pid} serving')
        self.create('later', '--ring', '64KiB')
        terminal.wait_for('later')

    def test_an_empty_bus_and_none_at_all(self):
        terminal = self.top()
        terminal.wait_for('no topics to show')
        self.bus.kill()
        terminal.wait_for('NO SUPERVISOR')
        late = self.top()
        late.wait_for('NO SUPERVISOR')
        late.press('C-c')
        late.wait_for(f'{ENDED} 0')

    def test_without_colour_and_in_plain_ascii(self):
        self.create('orders', '--ring', '64KiB')
        producer = self.steady('orders')
        terminal = self.top()
        terminal.wait_for('orders')
        self.assertTrue(terminal.coloured())
        for env in ({'NO_COLOR': '1'}, {'TERM': 'vt100'}, {'LC_ALL': 'C'}):
            with self.subTest(env=env):
                plain = self.top(env=env)
                plain.wait_for('orders')
                if 'LC_ALL' in env:
                    producer.stdin.write(b'4\n' * 50)
                    producer.stdin.flush()
                    wait_until(lambda: '@' in self.line(plain, 'orders'), 'the trend')
                    self.assertTrue(plain.screen().isascii())
                else:
                    self.assertFalse(plain.coloured())

    def test_an_ordinary_user_sees_what_is_his_to_see(self):
        if os.geteuid() != 0:
            self.skipTest('takes root, to become another user')
        self.create('open', '--ring', '64KiB', '--read', 'nobody')
        self.create('shut', '--ring', '64KiB')
        os.chmod(self.bus.root, 0o755)
        nobody = pwd.getpwnam('nobody').pw_uid
        words = self.bus.command('top', '--interval', '100ms', options={'user': nobody})
        terminal = self.top(command=['setpriv', f'--reuid={nobody}', '--clear-groups', *map(str, words)])
        screen = terminal.wait_for('open')
        self.assertIn('1 topic and 1 that you may not see', screen)
        self.assertNotIn('shut', screen)

    def test_a_right_that_goes_while_it_watches_does_not_end_it(self):
        if os.geteuid() != 0:
            self.skipTest('takes root, to become another user')
        self.create('given', '--ring', '64KiB', '--read', 'nobody', '--write', 'nobody')
        self.bus.spawn('consume', 'given', '--cursor', 'roots')  # whose place the supervisor is asked for
        wait_until(lambda: self.bus.json('inspect', 'given')['partitions'][0]['cursors'], 'the consumer')
        os.chmod(self.bus.root, 0o755)
        nobody = pwd.getpwnam('nobody').pw_uid
        words = self.bus.command('top', '--interval', '100ms', options={'user': nobody})
        terminal = self.top(command=['setpriv', f'--reuid={nobody}', '--clear-groups', *map(str, words)])
        wait_until(lambda: 'serving' in self.line(terminal, 'given'), 'the topic')
        self.bus.run('acl', 'revoke', 'given', '--read', 'nobody')
        self.assertNotIn(ENDED, terminal.wait_for('no right to read it'))

    def test_without_a_terminal_and_with_a_strange_one_it_says_what_to_do(self):
        self.assertEqual(self.bus.refusal('top', status=2)['rule'], 'is no option of ringway top')
        self.assertNotIn('--output table', self.bus.run('top', '--help').decode())
        self.bus.run('top', status=2)
        self.assertRegex(self.bus.stderr, r'not a terminal.*; without one use: ringway status --watch\n$')
        terminal = self.top(env={'TERM': 'no-such-terminal'})
        self.assertIn('no-such-terminal', terminal.wait_for(f'{ENDED} 2'))


if __name__ == '__main__':
    unittest.main()
