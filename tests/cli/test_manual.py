"""The manual pages are there, are clean, and say what --help says; every example in them runs."""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tests' / 'support'))
from bus import PATIENCE_SECONDS, wait_until
from on_a_bus import OnABus
from tmux import ENDED, Terminal

PAGES = sorted(pathlib.Path(os.environ['MANUAL']).glob('*.[158]'))


def shown(page):
    """As people read it, but with one space between words."""
    text = subprocess.run(['man', '-l', page], env={**os.environ, 'MANWIDTH': '300'},
                          check=True, capture_output=True, text=True).stdout
    return re.sub(r'\s+', ' ', text)


def told(*words):
    return subprocess.run([os.environ['RINGWAY'], *words, '--help'], check=True, capture_output=True,
                          text=True).stdout


def verbs(*words):
    """All verbs, as words, by what --help lists."""
    listed = re.search(r'^Subcommands:\n((?:  .*\n)*)', told(*words), re.MULTILINE)
    if not listed:
        return [words]
    names = re.findall(r'^  (\S+)', listed[1], re.MULTILINE)
    return [verb for name in names for verb in verbs(*words, name)]


def examples(page):
    """Its commands, without what is explained behind them; none where it shows none."""
    found = re.search(r'^\.SH EXAMPLES\n\.nf\n(.*?)^\.fi', page.read_text(), re.MULTILINE | re.DOTALL)
    text = found[1] if found else ''
    for roff, plain in ((r'\-', '-'), (r'\(aq', "'"), (r'\(ti', '~'), (r'\e', '\\')):
        text = text.replace(roff, plain)
    return uncommented(text)


def told_examples(*words):
    """Those of --help."""
    found = re.search(r'^Examples:\n((?:  .*\n)*)', told(*words), re.MULTILINE)
    return uncommented(found[1] if found else '')


def uncommented(lines):
    return [re.sub(r'\s+# .*', '', line.strip()) for line in lines.splitlines()]


def has_child(pid):
    return any(file.read_text() for file in pathlib.Path(f'/proc/{pid}/task').glob('*/children'))


class Manual(unittest.TestCase):
    @unittest.skipUnless(shutil.which('man'), 'needs man')
    def test_no_page_has_a_warning(self):
        for page in PAGES:
            if page.read_text().startswith('.so '):
                self.assertTrue((page.parent / pathlib.Path(page.read_text().split()[1]).name).exists())
                continue
            with self.subTest(page=page.name):
                said = subprocess.run(['man', '--warnings', '-E', 'UTF-8', '-l', '-Tutf8', '-Z', page], check=True,
                                      stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True).stderr
                self.assertEqual(said, '')
                subprocess.run(['lexgrog', page], check=True, stdout=subprocess.DEVNULL)  # for whatis

    def test_every_verb_has_its_page_with_examples(self):
        pages = {page.name: page for page in PAGES}
        named = {'-'.join(('ringway', *words)) + '.1': words for words in ((), *verbs())}
        of_nouns = {f'ringway-{words[0]}.1' for words in verbs() if len(words) > 1}
        self.assertEqual(set(named) | of_nouns, {name for name in pages if name.endswith('.1')})
        self.assertLessEqual({'ringwayd.8', 'ringwayd.toml.5'}, set(pages))
        for name, words in named.items():
            with self.subTest(verb=' '.join(words)):
                shown = told_examples(*words)
                self.assertTrue(shown)
                self.assertEqual(shown, examples(pages[name]))
                for command in shown:
                    self.assertIn(' '.join(('ringway', *words)), command)

    def test_the_words_that_fit_an_option_are_shown_as_completion_offers_them(self):
        """What checks an option may add to its type name, by which completion goes."""
        for words in verbs():
            with self.subTest(verb=' '.join(words)):
                self.assertNotRegex(told(*words), r'\n +(-\w,)?--\S+ \S*\{')

    @unittest.skipUnless(shutil.which('man'), 'needs man')
    def test_the_page_of_a_noun_has_its_verbs(self):
        page = shown(pathlib.Path(os.environ['MANUAL'], 'ringway-topic.1'))
        self.assertEqual(re.findall(r'(ringway-topic-\w+)\(1\)', page),
                         ['-'.join(('ringway', *words)) for words in verbs() if words[0] == 'topic'])

    @unittest.skipUnless(shutil.which('man'), 'needs man')
    def test_a_page_has_the_options_and_their_values(self):
        page = shown(pathlib.Path(os.environ['MANUAL'], 'ringway-topic-create.1'))
        for words in ('ringway topic create [OPTIONS] NAME', '--sync every_batch|interval|never', '--partitions N',
                      'SIZE is an integer, of bytes or with KiB', 'Needs --no-persist',
                      'ringway topic create orders --partitions 4'):
            self.assertIn(words, page)
        page = shown(pathlib.Path(os.environ['MANUAL'], 'ringwayd.toml.5'))
        for words in ('limits.memory = "0B"', 'RINGWAYD_LIMITS_MEMORY', 'Counts from the next start on.'):
            self.assertIn(words, page)

    @unittest.skipUnless(shutil.which('man'), 'needs man')
    def test_the_pages_of_verbs_with_formats_have_their_grammar(self):
        for name in ('consume', 'log-dump'):
            page = shown(pathlib.Path(os.environ['MANUAL'], f'ringway-{name}.1'))
            grammar = page[page.index(' FORMAT What --format prints'):]
            for word in ('%t', '%k', '%v', '%p', '%o', '%x', '%T', '%K', '%V', '%H', '%d', '%h', '%%', '%{', '%}',
                         '{hex}', '{base64}', '{base64raw}', '{ascii}', '{byte}', '{ns}', '{rfc3339}', '{strftime[',
                         *(f'{{hex{bits}}}' for bits in (64, 32, 16, 8, 4)),
                         *(f'{{{end}{bits}}}' for end in ('big', 'little') for bits in (64, 32, 16, 8)),
                         r'\n \t \r \0 \\ \xNN'):
                self.assertIn(f' {word}', grammar, name)


class Documents(unittest.TestCase):
    """What the documents for users call a verb or a flag is one. Of these commands all that are complete are run, too
    (tests/systemd/test_documents.py)."""

    FILES = ('README.md', 'daemon/README.md', 'daemon/TUNING.md')
    # Of other programs: systemctl, gpasswd, curl, apt.
    FOREIGN = {'--now', '--user', '--add', '--unix-socket', '--reinstall'}

    @classmethod
    def setUpClass(cls):
        cls.flags = {words: cls.flags_of(os.environ['RINGWAY'], *words) for words in verbs()}
        cls.daemon_flags = cls.flags_of(os.environ['RINGWAYD'])
        cls.texts = {name: (ROOT / name).read_text() for name in cls.FILES}

    @staticmethod
    def flags_of(*words):
        help_text = subprocess.run([*words, '--help'], check=True, capture_output=True, text=True).stdout
        return set(re.findall(r'(?<![\w-])--[a-z][a-z-]+', help_text)) | {'--help'}

    def commands(self):
        """All that begins with the name of the program, in sentences, tables, blocks and their comments; and what
        stands between backquotes and begins with a noun of verbs."""
        nouns = {words[0] for words in self.flags if len(words) > 1}
        for name, text in self.texts.items():
            prose = re.sub(r'```.*?```|\n    .*?(?=\n)', '', text, flags=re.DOTALL).replace('\n', ' ')
            blocks = re.findall(r'^    (.*)', text, re.MULTILINE)
            for span in (*re.findall(r'`([^`]+)`', prose), *blocks):
                for command in re.findall(r'(?<![\w/.-])ringwayd? [^#;&>|)]*', span):
                    yield name, command.split()
                words = span.split()
                if span not in blocks and len(words) > 1 and words[0] in nouns:
                    yield name, ['ringway', *words]

    def test_every_verb_that_is_named_is_there_and_has_the_flags(self):
        seen = 0
        for name, command in self.commands():
            with self.subTest(document=name, command=' '.join(command)):
                known = self.daemon_flags
                if command[0] == 'ringway' and re.fullmatch('[a-z]+', command[1]):
                    fitting = {words: flags for words, flags in self.flags.items()
                               if words == tuple(command[1:1 + len(words)])}
                    self.assertTrue(fitting or [words for words in self.flags if words[0] == command[1]
                                                and not re.match('[a-z]', ' '.join(command[2:]))], 'no such verb')
                    known = set().union(*(fitting or self.flags).values())
                elif command[0] == 'ringway':
                    known = set().union(*self.flags.values()) | {'--version'}
                for flag in re.findall(r'(?<!\S)--[a-z][a-z-]+', ' '.join(command)):
                    self.assertIn(flag, known)
                seen += 1
        self.assertGreater(seen, 50)

    def test_every_flag_that_is_named_is_one(self):
        known = self.daemon_flags.union(*self.flags.values(), self.FOREIGN)
        for name, text in self.texts.items():
            for flag in re.findall(r'(?<![\w-])--[a-z][a-z-]+', text):
                with self.subTest(document=name):
                    self.assertIn(flag, known)

    def test_every_figure_of_tuning_has_its_benchmark_and_the_cores_distance(self):
        """In its own paragraph or row of a table, or in front of that: its first row, or the paragraph before it."""
        seen, before = 0, ''
        for passage in self.texts['daemon/TUNING.md'].split('\n\n'):
            rows = passage.splitlines() if passage.startswith('|') else [f'{passage} ']
            head = f'{before} {rows[0]} ' if passage.startswith('|') else ''
            for row in rows:
                if re.search(r'\d (ns|us|M|M/s|records/s|% of a core)\W', row):
                    with self.subTest(row=row):
                        self.assertIn('`ringway bench ', head + row)
                        if re.search('ringway bench (ring|latency)', head + row):
                            self.assertRegex(head + row, r'\b(near|apart)\b')
                    seen += 1
            before = passage
        self.assertGreater(seen, 5)


class Examples(OnABus):
    """Each as it stands, in a shell, on a bus with the topics they speak of."""

    # Tells by its exit status how well this host is.
    JUDGES = re.compile('ringway doctor')
    # Takes a terminal, and ends by a key.
    DRAWS = re.compile(r'(NO_COLOR=1 )?ringway top(?!ic)')
    # Minutes of measuring.
    MEASURES = re.compile('ringway bench')
    # What ends by Ctrl-C, once it has opened its topic, or printed a line.
    FOLLOWS = re.compile(r'ringway consume orders(?! -o)|tail -F |.* --watch')

    def setUp(self):
        super().setUp()
        for topic in ('orders', 'access'):
            self.create(topic, '--partitions', '2')
        self.fill()
        self.place = self.bus.root / 'place'
        self.place.mkdir()
        for name in ('orders.txt', 'access.log'):
            (self.place / name).write_text('k 1\nk 2\n')
        (self.place / 'orders.jsonl').write_bytes(self.bus.run('topic', 'export', 'orders'))
        subprocess.run(['gzip', '-k', 'orders.jsonl'], cwd=self.place, check=True)

    def fill(self):
        for partition in ('0', '1'):
            self.bus.run('produce', 'orders', '-p', partition, '--wait', 'durable', stdin=b'a\nb\n' * 10)

    def run_example(self, command):
        for place in ('/backup/ringway', '/mnt/fast/ringway'):
            command = command.replace(place, str(self.bus.state_dir))
        command = command.replace('@staff', '@root')
        path = f'{pathlib.Path(os.environ["RINGWAY"]).parent}:{os.environ["PATH"]}'
        if self.DRAWS.match(command):
            return self.run_on_a_terminal(command, path)
        env = {**self.bus.env, 'PATH': path}
        child = subprocess.Popen(['bash', '-o', 'pipefail', '-c', command], cwd=self.place, env=env,
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                 start_new_session=True)
        self.bus.children.append(child)
        if self.FOLLOWS.match(command):
            if '--watch' in command:
                child.stdout.readline()
            else:
                wait_until(lambda: any(session['handles'] for session in self.bus.json('status')['sessions']),
                           f'{command} to follow')
            os.killpg(child.pid, signal.SIGINT)
            _, err = child.communicate(timeout=PATIENCE_SECONDS)
            self.assertNotIn('ringway: ', re.sub(r'ringway: \d+ records?, .*\n', '', err))
            return
        out, err = child.communicate(timeout=PATIENCE_SECONDS)
        verdicts = (0, 1, 5) if self.JUDGES.match(command) else (0,)
        self.assertIn(child.returncode, verdicts, f'{command}\n{out}\n{err}')
        self.assertNotIn('ringway: ', re.sub(r'ringway: \d+ records?, .*\n', '', err))

    def run_on_a_terminal(self, command, path):
        terminal = Terminal(['bash', '-c', command], {'RINGWAY_SOCKET': self.bus.socket, 'PATH': path,
                                                      'TERM': 'screen-256color', 'LC_ALL': 'C.UTF-8'})
        self.addCleanup(terminal.close)
        terminal.wait_for('orders')
        terminal.press('q')
        terminal.wait_for(f'{ENDED} 0')

    def test_every_example_runs(self):
        ran = 0
        for page in PAGES:
            for command in examples(page):
                if self.MEASURES.match(command):
                    continue
                with self.subTest(page=page.name, command=command):
                    self.prepare(command)
                    self.run_example(command)
                    ran += 1
        self.assertGreater(ran, 20)

    def test_every_example_of_a_benchmark_begins_to_measure(self):
        """Until it has a process for that; then it is told to end. What they measure, test_bench.py has."""
        peers = self.place / 'build/tests/bench/peers/ringway-peers'
        peers.parent.mkdir(parents=True)
        shutil.copy('/bin/true', peers)
        env = {**self.bus.env, 'PATH': f'{pathlib.Path(os.environ["RINGWAY"]).parent}:{os.environ["PATH"]}'}
        commands = [command for page in PAGES for command in examples(page) if self.MEASURES.match(command)]
        self.assertGreater(len(commands), 30)
        for command in commands:
            with self.subTest(command=command):
                with subprocess.Popen(['bash', '-c', f'exec {command}'], cwd=self.place, env=env, text=True,
                                      stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE) as child:
                    wait_until(lambda: child.poll() is not None or has_child(child.pid), f'{command} to begin')
                    child.send_signal(signal.SIGINT)
                    out, err = child.communicate(timeout=PATIENCE_SECONDS)
                self.assertEqual(child.returncode, -signal.SIGINT, f'{command}\n{out}\n{err}')

    def prepare(self, command):
        """What an example takes away is put back; what it makes is not there."""
        if self.bus.daemon.poll() is not None:
            self.bus.start()
        topics = [row['topic'] for row in self.bus.json('topic', 'list')]
        if 'orders' not in topics:
            self.create('orders', '--partitions', '2')
            self.fill()
        if 'topic create' in command:
            self.bus.run('topic', 'delete', command.split()[3], '--yes', status=None)
        if 'cursor delete' in command:
            self.bus.run('consume', 'orders', '-o', 'start', '-e', '--cursor', 'billing')
        if 'log repair' in command:
            self.bus.kill()


if __name__ == '__main__':
    unittest.main()
