"""Completion in the shells themselves: what a person who presses Tab is offered, on a bus and without one."""

import contextlib
import os
import pathlib
import pty
import select
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tests' / 'support'))
from bus import PATIENCE_SECONDS
from on_a_bus import OnABus

SCRIPTS = ROOT / 'tools' / 'completion'
BASH = r'''
source "$1"; shift
compopt() { left_to_shell=$*; }
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
_ringway ringway "${COMP_WORDS[-1]}" "${COMP_WORDS[-2]}"
printf '%s\n' "${COMPREPLY[@]}" "${left_to_shell:+<$left_to_shell>}"
'''
# Tab, then what the line has become.
INTERACTIVE_BASH = r'''
PS1='ready>'; source {scripts}/ringway.bash; cd {place}
tell() {{ printf '%s\n' "$READLINE_LINE" >{answer}.new; READLINE_LINE=; mv {answer}.new {answer}; }}
bind -x '"\C-g": tell'; bind 'set enable-bracketed-paste off'; bind 'set bell-style none'
echo ready >{answer}
'''
ZSH = r'''
PS1='ready>'; fpath=({scripts} $fpath); autoload -U compinit; compinit -u -D
tell() {{ print -r -- "$BUFFER" >{answer}.new; mv {answer}.new {answer} }}; zle -N tell; bindkey '^G' tell
print -r ready >{answer}
'''


class Completion(OnABus):
    def setUp(self):
        super().setUp()
        self.create('orders', '--partitions', '3')
        self.create('plant/press')
        self.create("it's a:b")
        self.bus.run('consume', 'orders', '-e', '--cursor', 'billing')
        self.env = {**self.bus.env, 'PATH': f'{pathlib.Path(os.environ["RINGWAY"]).parent}:{os.environ["PATH"]}'}

    def run_shell(self, *command):
        ended = subprocess.run(command, env=self.env, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                               timeout=PATIENCE_SECONDS, check=False)
        self.assertEqual(ended.stderr, '')
        return ended.stdout.splitlines()

    def bash(self, *words):
        """Words as bash splits them, the last one being typed."""
        return [line for line in self.run_shell('bash', '--norc', '-c', BASH, 'bash', SCRIPTS / 'ringway.bash', 'ringway',
                                                *words) if line]

    def fish(self, line):
        home = self.bus.root / 'home'
        home.mkdir(exist_ok=True)
        self.env.update(HOME=str(home), XDG_CONFIG_HOME=str(home), XDG_DATA_HOME=str(home))
        return [offered.split('\t')[0] for offered in self.run_shell(
            'fish', '--no-config', '-c', f'source {SCRIPTS}/ringway.fish; complete -C "$argv[1]"', line)]

    # What is true of all of them is asked of bash

    def test_verbs_and_their_nouns(self):
        self.assertIn('topic', self.bash(''))
        self.assertEqual(self.bash('prod'), ['produce'])
        self.assertEqual(self.bash('topic', 'de'), ['describe', 'delete'])
        self.assertEqual(self.bash('nonsense', ''), self.bash(''))

    def test_options_that_are_not_there_yet(self):
        offered = self.bash('consume', 'orders', '--')
        self.assertLessEqual({'--offset', '--cursor', '--format', '--socket', '--help'}, set(offered))
        self.assertNotIn('--cursor', self.bash('consume', 'orders', '--cursor', 'billing', '--'))
        self.assertIn('--partition', self.bash('consume', 'orders', '-p', '1', '--'))

    def test_values_that_can_be_counted(self):
        self.assertEqual(self.bash('topic', 'create', 'n', '--sync', ''), ['every_batch', 'interval', 'never'])
        self.assertEqual(self.bash('status', '--output', 'j'), ['json', 'jsonl'])
        self.assertEqual(self.bash('status', '--output', '=', 'jsonl'), ['jsonl'])
        self.assertEqual(self.bash('consume', 'orders', '-o', 's'), ['start'])
        self.assertEqual(self.bash('bench', 'ring', '--wait', ''), ['adaptive', 'latency', 'throughput'])
        self.assertEqual(self.bash('bench', 'durable', '--sync', ''), ['every_batch', 'interval', 'never'])
        self.assertEqual(self.bash('bench', 'restart', '--ending', ''), ['kill', 'orderly'])

    def test_topics_cursors_and_partitions_of_the_bus(self):
        for verb in (['consume'], ['produce'], ['inspect'], ['topic', 'describe'], ['topic', 'delete'], ['log', 'dump']):
            with self.subTest(verb=verb):
                self.assertEqual(self.bash(*verb, 'or'), ['orders'])
        self.assertEqual(self.bash('consume', 'p'), ['plant/press'])
        self.assertEqual(self.bash('consume', 'orders', '--cursor', ''), ['billing'])
        self.assertEqual(self.bash('cursor', 'delete', 'orders', ''), ['billing'])
        self.assertEqual(self.bash('consume', 'orders', '-p', ''), ['0', '1', '2'])
        self.assertEqual(self.bash('consume', 'orders', '-p', '0,'), ['0,0', '0,1', '0,2'])
        self.assertIn('@root', self.bash('topic', 'create', 'n', '--read', '@ro'))

    def test_a_name_is_quoted_as_the_shell_wants_it(self):
        self.assertEqual(self.bash('consume', 'it'), [r'it\'s\ a:b'])
        self.assertEqual(self.bash('consume', r'it\'s\ a', ':'), ['b'])
        self.assertEqual(self.bash('consume', '"it'), ["it's a:b"])
        self.assertEqual(self.bash('consume', "'it"), [r"it'\''s a:b"])
        self.assertEqual(self.bash('consume', r"'it'\''s"), ['s a:b'])
        self.assertEqual(self.bash('consume', '"it"'), [])

    def test_no_name_is_run_by_the_shell_that_completes_it(self):
        self.create('q$(touch ran)`touch ran`"\\!x\'; touch ran')
        self.assertEqual(self.bash('consume', '"q'), [r'''q\$(touch ran)\`touch ran\`\"\\"'!'"x'; touch ran'''])
        with tempfile.TemporaryDirectory() as place, self.interactive('bash', place) as typed:
            for start in ('q', '"q', "'q", '"q"\'$', 'q"$'):
                with self.subTest(start=start):
                    line = typed(f'ringway consume {start}\t\x07')
                    said = subprocess.run(['bash', '-c', f'ringway() {{ printf %s "$2"; }}; {line}'], cwd=place,
                                          capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=True)
                    self.assertEqual(said.stdout, 'q$(touch ran)`touch ran`"\\!x\'; touch ran', line)
                    # As somebody types it, whose shell looks into its history, too.
                    self.assertEqual(typed(f'{line[:-1]} -e >/dev/null 2>&1\nringway consume or\t\x07'),
                                     'ringway consume orders ')
            self.assertEqual(os.listdir(place), ['rc'])

    def test_a_name_that_looks_like_an_option_is_offered_where_it_is_a_name(self):
        self.bus.run('topic', 'create', '--', '--yes')
        self.assertNotIn('--yes', self.bash('topic', 'delete', ''))
        self.assertIn('--yes', self.bash('topic', 'delete', '--', ''))
        self.assertEqual(self.bash('topic', 'delete', '--', '--'), ['--yes'])

    def test_files_and_directories_are_left_to_the_shell(self):
        self.assertEqual(self.bash('produce', 'orders', ''), ['<-o default>'])
        self.assertEqual(self.bash('log', 'verify', 'orders', '--state-dir', ''), ['<-o dirnames>'])

    def test_the_bus_that_is_named_is_asked(self):
        socket = self.env.pop('RINGWAY_SOCKET')
        self.assertEqual(self.bash('consume', '--socket', socket, 'or'), ['orders'])
        self.assertEqual(self.bash('consume', '--socket', '/nowhere', 'or'), [])

    def test_without_a_bus_it_is_quiet_and_quick(self):
        self.bus.kill()
        self.assertEqual(self.bash('consume', ''), [])
        self.assertEqual(self.bash('topic', 'de'), ['describe', 'delete'])
        self.bus.start()
        self.bus.pause()  # it does not answer, and nobody waits ten seconds for that
        started = time.monotonic()
        self.assertEqual(self.bash('consume', ''), [])
        self.assertLess(time.monotonic() - started, 8)
        self.bus.resume()

    @unittest.skipUnless(shutil.which('fish'), 'needs fish')
    def test_fish(self):
        self.assertEqual(self.fish('ringway topic de'), ['delete', 'describe'])
        self.assertEqual(self.fish('ringway consume or'), ['orders'])
        self.assertEqual(self.fish('ringway consume orders --cursor '), ['billing'])
        self.assertEqual(self.fish('ringway status --output=j'), ['--output=json', '--output=jsonl'])
        self.assertEqual(self.fish('ringway topic create n --when-full '), ['block', 'overwrite'])
        (self.bus.root / 'home' / 'a-directory').mkdir()
        self.assertEqual(self.fish(f'ringway log dump orders --state-dir {self.bus.root}/home/a-'),
                         [f'{self.bus.root}/home/a-directory/'])

    @unittest.skipUnless(shutil.which('zsh'), 'needs zsh')
    def test_zsh(self):
        with tempfile.TemporaryDirectory() as place, self.interactive('zsh', place) as typed:
            for before, after in (('ringway topic des', 'ringway topic describe '),
                                  ('ringway consume or', 'ringway consume orders '),
                                  ('ringway consume it', r"ringway consume it\'s\ a:b "),
                                  ('ringway consume orders --cursor b', 'ringway consume orders --cursor billing '),
                                  ('ringway topic create n --sync e', 'ringway topic create n --sync every_batch '),
                                  ('ringway status --output=t', 'ringway status --output=table ')):
                with self.subTest(line=before):
                    self.assertEqual(typed(f'\x15{before}\t\x07'), after)

    @contextlib.contextmanager
    def interactive(self, shell, place):
        """A shell at a terminal: keys, and what it makes of them."""
        answer = pathlib.Path(place, 'answer')
        command, text = {'bash': (['bash', '--norc', '--noprofile', '-i'], INTERACTIVE_BASH),
                         'zsh': (['zsh', '-f', '-i'], ZSH)}[shell]
        pid, terminal = pty.fork()
        if pid == 0:
            os.execvpe(shell, command, {**self.env, 'TERM': 'dumb', 'HOME': place, 'ZDOTDIR': place, 'HISTFILE': ''})
        try:
            def typed(keys):
                os.write(terminal, keys.encode())

                def answered():
                    while select.select([terminal], [], [], 0.05)[0]:
                        os.read(terminal, 65536)
                    return answer.exists()
                self.wait_until(answered, f'{shell} to say what it made of {keys!r}')
                text = answer.read_text().rstrip('\n')
                answer.unlink()
                return text

            script = pathlib.Path(place, 'rc')
            script.write_text(text.format(scripts=SCRIPTS, answer=answer, place=place))
            self.assertEqual(typed(f'source {script}\n'), 'ready')
            yield typed
        finally:
            os.kill(pid, 9)
            os.waitpid(pid, 0)
            os.close(terminal)


if __name__ == '__main__':
    unittest.main()
