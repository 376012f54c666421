"""A bus whose supervisor is nobody in particular, with honest users on it and a dishonest one, all of them
really somebody else.

    with self.peace():           honest traffic on a topic of its own; at the end all of it must have arrived
        self.attack('scribble', ...)
"""

import contextlib
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from bus import PATIENCE_SECONDS, Bus, process_state, wait_until

SUPERVISOR, HONEST, ATTACKER, OUTSIDER = 61001, 61002, 61003, 61004
LONG = 'RINGWAY_TEST_LONG' in os.environ


def person(uid):
    return {'user': uid, 'group': uid, 'extra_groups': []}


class Bystander:
    """An honest program that is left in peace, or should be."""

    def __init__(self, case, role, topic):
        self.case, self.role = case, role
        self.process = case.launch('BYSTANDER', HONEST, role, case.bus.socket, topic)
        case.assertEqual(self.process.stdout.readline(), b'started\n', role)

    def tell(self, text):
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def end(self):
        """What it said at the end, and that it came to an end of its own."""
        self.process.stdin.close()
        said = [line.decode().strip() for line in self.process.stdout]
        self.case.assertEqual(self.process.wait(PATIENCE_SECONDS), 0, f'{self.role}: {said}')
        return said

    def await_word(self, word):
        """Until it says so; what it says before is passed over."""
        for line in self.process.stdout:
            if line.decode().strip() == word:
                return
        self.case.fail(f'{self.role} ended with {self.process.wait(PATIENCE_SECONDS)} before it said {word}')

    def outcomes(self):
        """How often it met with what, of a victim."""
        return {word: int(count) for word, count in (line.split()[1:] for line in self.end())}


class AmongStrangers(unittest.TestCase):
    CONFIG = ''
    RING = '256KiB'

    def setUp(self):
        if os.geteuid() != 0:
            self.skipTest('needs root to be somebody else')
        self.seed = int(os.environ.get('RINGWAY_TEST_SEED', random.SystemRandom().randrange(1 << 32)))
        print(f'RINGWAY_TEST_SEED={self.seed}', flush=True)
        self.bus = Bus(self.CONFIG)
        self.addCleanup(self.bus.close)
        self.bus.root.chmod(0o755)
        os.chown(self.bus.root, SUPERVISOR, SUPERVISOR)
        self.start()
        self.create('others', '--read', HONEST, '--write', HONEST)
        self.create('t', '--read', f'{HONEST},{ATTACKER}', '--write', f'{HONEST},{ATTACKER}')

    def start(self):
        self.bus.start(**person(SUPERVISOR))
        self.bus.run('status', status=None)  # by now it has adopted what there was

    def create(self, topic, *options):
        return self.bus.json('topic', 'create', topic, '--ring', self.RING, *options)['uuid']

    def launch(self, program, uid, *words):
        """A program of this suite, run by that user, ended with the bus at the latest."""
        path = self.bus.root / pathlib.Path(os.environ[program]).name
        if not path.exists():
            shutil.copy(os.environ[program], path)
        child = subprocess.Popen([path, *map(str, words)], env=self.bus.env, stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd='/', **person(uid))
        self.bus.children.append(child)
        return child

    def begin_attack(self, *words, uid=ATTACKER):
        return self.launch('HOSTILE_CLIENT', uid, *words)

    def end_attack(self, attack, status=0):
        """Its report: what it tried, and what it says came of it."""
        said, _ = attack.communicate(timeout=PATIENCE_SECONDS * 2)
        self.assertEqual(attack.returncode, status, said.decode(errors='replace'))
        return [line for line in said.decode().splitlines() if line]

    def attack(self, *words, uid=ATTACKER, status=0):
        return self.end_attack(self.begin_attack(*words, uid=uid), status)

    @contextlib.contextmanager
    def peace(self, topic='others'):
        """Honest traffic on a topic: everything arrives, in order and whole, and the supervisor lives on."""
        consumer, producer = Bystander(self, 'consume', topic), Bystander(self, 'produce', topic)
        try:
            yield
        except BaseException:
            for bystander in (consumer, producer):  # or they would go on beside the next ones
                bystander.process.kill()
            raise
        self.assert_serving()
        word, count, longest = producer.end()[-1].split()
        self.assertEqual(word, 'published')
        consumer.tell(f'{count}\n')
        said = consumer.end()
        self.assertEqual(said[-1].split()[:2], ['consumed', count])
        self.assertGreater(int(count), 0)
        self.assert_serving()
        print(f'{self.id().rsplit(".", 1)[1]}: {count} records of bystanders, longest wait of the producer '
              f'{longest} ms, of the consumer {said[-1].split()[2]} ms', flush=True)

    def assert_serving(self):
        """The very process that the test started; nobody else would start another."""
        self.assertIsNone(self.bus.daemon.poll(), self.bus.log.read_text()[-3000:])
        self.assertEqual(self.bus.json('status', status=None)['pid'], self.bus.daemon.pid)
        self.assertIn(self.bus.run_for_status('status'), (0, 5))

    def assert_all_refused(self, report, expected):
        """At least so many things were tried, and nothing of it was let happen or failed for another reason."""
        self.assertEqual([line for line in report if 'ALLOWED' in line or ' missed ' in line], [])
        refused = [line for line in report if 'refused' in line]
        self.assertGreaterEqual(len(refused), expected, report)

    def assert_all_allowed(self, report, expected):
        """So many things were tried, and each of them happened: what is refused elsewhere can be done."""
        self.assertEqual([line for line in report if not line.endswith(' ALLOWED')], [])
        self.assertEqual(len(report), expected, report)

    def partition_state(self, topic='t'):
        return self.bus.json('topic', 'describe', topic)['partitions'][0]['state']

    def wait_for_quarantine(self, topic='t'):
        wait_until(lambda: self.partition_state(topic) == 'quarantined', f'{topic} to be quarantined')

    def logged(self, pattern):
        return re.search(pattern, self.bus.log.read_text())
