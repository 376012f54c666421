"""README's first hour, as it stands there, line by line: what root on a clean machine sees of the service from installation to
removal."""

import json
import pathlib
import subprocess
import sys
import unittest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / part) for part in ('packaging', 'systemd', 'support')]
import packages
from box import Box, PATIENCE_SECONDS, why_not
from bus import wait_until
from test_documents import FIRST_HOUR, blocks
from tmux import ENDED, Terminal

ENDS = 'the line ended with'
# How each line begins, and what is looked at behind it.
STEPS = (
    ('apt install -y prometheus', 'nothing_is_there_yet'),
    ('apt install -y ./build-packages/ringway_', 'it_is_installed'),
    ('useradd alice', 'users'),
    ('systemctl stop ringwayd.socket && mount', 'a_small_disk'),
    ('install -D', 'done'),
    ('systemctl daemon-reload', 'it_serves'),
    ('ringway topic create orders', 'done'),
    ('seq 1000 | runuser -u alice', 'it_is_published'),
    ('runuser -u bob', 'it_is_consumed'),
    ('printf ', 'done'),
    ('promtool query', 'prometheus_knows'),
    ('ringway top', 'it_is_on_the_screen'),
    ('runuser -u carol', 'carol_is_refused'),
    ('ringway acl grant', 'carol_may_read'),
    ('runuser -u carol', 'carol_follows'),
    ('systemctl kill', 'it_is_back'),
    ('cat /dev/zero', 'the_disk_is_full'),
    ('seq 1001 200000', 'alice_waits'),
    ('ringway status', 'it_is_degraded'),
    ('rm ', 'it_has_healed'),
    ('apt install -y --reinstall ./build-packages/ringway_', 'it_is_the_next_version'),
    ('pkill', 'done'),
    ('apt purge', 'it_is_gone'),
    ('userdel', 'nothing_is_left'),
)

box = None


def setUpModule():
    global box
    reason = why_not()
    if reason:
        raise unittest.SkipTest(reason)
    box = Box(disk=False, root=packages.clean_root())
    unittest.addModuleCleanup(box.close)


class Shell:
    """One bash in the box, which is given lines and goes on to the next as a person does."""

    def __init__(self, case):
        self.process = box.start('cd /root && exec bash', stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT)
        case.addCleanup(self.leave)

    def leave(self):
        self.process.stdin.close()
        self.process.wait(PATIENCE_SECONDS)
        self.process.stdout.close()

    def type(self, line):
        """What came out, and the exit status."""
        self.process.stdin.write(f'{{ {line}\n}} </dev/null\nprintf "\\n{ENDS} %d\\n" $?\n')
        self.process.stdin.flush()
        said = ''
        for read in self.process.stdout:
            if read.startswith(ENDS):
                return said.removesuffix('\n'), int(read.split()[-1])
            said += read
        raise AssertionError(f'{line}: the shell is gone\n{said}')


class Newcomer(unittest.TestCase):
    maxDiff = None

    def test_the_first_hour_goes_as_it_is_written(self):
        lines = list(blocks(FIRST_HOUR.search((packages.ROOT / 'README.md').read_text())[1]))
        self.assertEqual([line[:len(begin)] for line, (begin, _) in zip(lines, STEPS)], [begin for begin, _ in STEPS])
        self.assertEqual(len(lines), len(STEPS))
        self.shell = Shell(self)
        for line, (_, look) in zip(lines, STEPS):
            self.line = line
            said, status = ('', 0) if look == 'it_is_on_the_screen' else self.shell.type(line)
            getattr(self, look)(said, status)

    def done(self, said, status):
        self.assertEqual(status, 0, f'{self.line}\n{said}')

    def again(self, wanted, what):
        """The line is typed until it says what is wanted; what it says then."""
        def typed():
            said, status = self.shell.type(self.line)
            return said if wanted(said, status) else None
        return wait_until(typed, what)

    def bus(self, words):
        return json.loads(box.say(f'ringway {words} --output json'))

    def pid(self):
        return int(box.say('systemctl show ringwayd -p MainPID --value'))

    def nothing_is_there_yet(self, said, status):
        self.done(said, status)
        self.before = packages.places(box)

    def it_is_installed(self, said, status):
        self.done(said, status)
        box.say('ringway status')

    def users(self, said, status):
        self.done(said, status)
        box.say('id alice && id bob && id carol')

    def a_small_disk(self, said, status):
        self.done(said, status)
        self.assertEqual(box.say('stat -f -c %T /var/lib/ringway').strip(), 'tmpfs')

    def it_serves(self, said, status):
        self.done(said, status)
        box.say('ringway status')

    def it_is_published(self, said, status):
        self.done(said, status)
        self.assertEqual(self.bus('topic describe orders')['partitions'][0]['committed'], 1000)

    def it_is_consumed(self, said, status):
        self.done(said, status)
        self.assertEqual(said.split(), [str(number) for number in range(1, 601)])

    def prometheus_knows(self, *_):
        said = self.again(lambda said, status: 'billing' in said, 'the lag')
        self.assertRegex(said, r'consumer="billing".*job="ringway".*topic="orders".* => 400 @')

    def it_is_on_the_screen(self, *_):
        terminal = Terminal(box.command(f'TERM=screen-256color exec {self.line}'), size=(100, 24))
        self.addCleanup(terminal.close)
        self.assertIn(f'supervisor {self.pid()} serving', terminal.wait_for('orders'))
        terminal.press('2')
        terminal.wait_for('WRITTEN')
        terminal.press('q')
        terminal.wait_for(f'{ENDED} 0')

    def carol_is_refused(self, said, status):
        self.assertEqual(status, 4, said)
        self.assertIn("topic 'orders'", said)
        self.assertIn('carol', said)
        self.assertNotIn('1000', said)
        self.assertIn("topic 'orders'", box.say('echo 1 | runuser -u bob -- ringway produce orders', status=4))

    def carol_may_read(self, said, status):
        self.done(said, status)
        self.assertRegex(said, r'carol +read')

    def carol_follows(self, said, status):
        self.done(said, status)
        self.saw(1000)
        self.killed = self.pid()

    def saw(self, count):
        wait_until(lambda: int(box.say('wc -l </tmp/seen')) >= count, f'{count} lines with carol')
        box.say(f'cmp /tmp/seen <(seq {count})')

    def it_is_back(self, said, status):
        self.done(said, status)
        wait_until(lambda: self.pid() not in (0, self.killed) and box.run('ringway status') == 0, 'the next one')

    def the_disk_is_full(self, said, status):
        self.assertEqual(status, 1)
        self.assertIn('No space left on device', said)

    def alice_waits(self, said, status):
        self.done(said, status)

    def it_is_degraded(self, *_):
        said = self.again(lambda said, status: status == 5 and 'disk_full' in said, 'a full disk')
        self.assertIn('orders', said)
        waits = self.bus('topic describe orders')['partitions'][0]['committed']
        self.assertLess(waits, 200_000)
        self.assertEqual(box.run('pgrep -u alice -x ringway'), 0)

    def it_has_healed(self, said, status):
        self.done(said, status)  # of who waited, too
        wait_until(lambda: box.run('ringway status') == 0, 'a healed disk')
        self.saw(200_000)
        box.say('ringway consume orders -o start -e -f "%v\\n" | cmp - <(seq 200000)')
        self.killed = self.pid()
        packages.next_version(box, packages.BUILT)

    def it_is_the_next_version(self, said, status):
        self.done(said, status)
        self.assertIn('+next', box.say("dpkg-query -W -f '${Version}' ringway"))
        self.assertNotIn(self.pid(), (0, self.killed))
        box.say('echo 200001 | runuser -u alice -- ringway produce orders')
        self.saw(200_001)

    def it_is_gone(self, said, status):
        self.done(said, status)
        self.assertEqual(box.say('pgrep -l ringway; getent passwd ringway; getent group ringway; :'), '')

    def nothing_is_left(self, said, status):
        self.done(said, status)
        self.assertEqual(packages.places(box) - self.before, set())


if __name__ == '__main__':
    unittest.main()
