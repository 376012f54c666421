"""Other topics, made, filled, read and deleted by the command line while the storm goes on."""

import subprocess
import threading
import time

LINES = 300
PATIENCE_SECONDS = 90


class Churn:
    """A thread of its own. `verb` is what is under way; what it finds wrong stands in `problems`."""

    def __init__(self, bus, supervision):
        self.bus, self.supervision = bus, supervision
        self.verb = ''
        self.cycles = 0
        self.completed = 0  # cycles of which every verb succeeded
        self.hit = {}  # verb: how often supervisor or keeper died under it
        self.problems = []
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def start(self):
        self.thread.start()

    def finish(self):
        self.ending.set()
        self.thread.join()

    def death(self):
        """Supervisor or keeper died right now."""
        if verb := self.verb:
            self.hit[verb] = self.hit.get(verb, 0) + 1

    def await_verb(self, verbs, seconds):
        """True when one of these is under way, within that time."""
        deadline = time.monotonic() + seconds
        while self.verb not in verbs:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.0005)
        return True

    def run(self):
        while not self.ending.is_set():
            try:
                self.cycle(f'churn/{self.cycles}')
            except subprocess.TimeoutExpired as hung:
                self.problems.append(f'hung: {hung}')
            except Exception as error:  # a thread's end must not go unnoticed
                self.problems.append(f'churn: {error!r}')
                return
            self.cycles += 1

    def do(self, verb, *words, stdin=b''):
        """(exit status, output). A failure must have a cause: something done to supervisor or keeper."""
        begun = time.monotonic_ns()
        self.verb = verb
        done = subprocess.run(self.bus.command(*words), input=stdin, env=self.bus.env, capture_output=True,
                              timeout=PATIENCE_SECONDS, check=False)
        self.verb = ''
        calm = self.supervision.disturbed_ns < begun - 2_000_000_000 and self.supervision.serves()
        if done.returncode != 0 and calm:
            self.problems.append(f'{verb} {words} in calm ended with {done.returncode}: {done.stderr.decode()[-300:]}')
        return done.returncode, done.stdout

    def cycle(self, topic):
        kind = ('--ring', '64KiB') if self.cycles % 3 else ('--partitions', '3', '--segment', '1MiB', '--ring', '64KiB')
        lines = [b'%d of cycle %d' % (i, self.cycles) for i in range(LINES)]
        created, _ = self.do('create', 'topic', 'create', topic, *kind)
        good = created == 0
        if created == 0:
            produced, _ = self.do('produce', 'produce', topic, '-p', '0', '--wait', 'durable',
                                  stdin=b'\n'.join(lines) + b'\n')
            consumed, text = self.do('consume', 'consume', topic, '-p', '0', '-o', 'start', '-e')
            if consumed == 0:
                self.compare(topic, lines, text.splitlines(), produced == 0)
            good = produced == consumed == 0
        while self.do('delete', 'topic', 'delete', '--yes', topic)[0] not in (0, 3):
            time.sleep(0.02)
            good = False
        self.completed += good

    def compare(self, topic, lines, got, all_durable):
        """All of it when it was told to be durable; else some of it, in order and once."""
        if all_durable:
            if got != lines:
                self.problems.append(f'{topic}: {len(lines)} records were durable, {len(got)} are there')
            return
        rest = iter(lines)
        if not all(line in rest for line in got):
            self.problems.append(f'{topic}: records out of order, doubled or foreign')
