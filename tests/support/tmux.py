"""A terminal of a test: a tmux server of its own that one program runs in."""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile

from bus import PATIENCE_SECONDS, wait_until

ENDED = 'ended with'


class Terminal:
    """Owns its tmux server, which close() ends with all that runs in it."""

    def __init__(self, command, env=None, size=(80, 24)):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix='ringway-tmux-'))
        words = ' '.join(f"'{word}'" for word in command)
        setting = ' '.join(f"{name}='{value}'" for name, value in (env or {}).items())
        # A shell behind it shows how the terminal was left.
        self.tmux('-f', '/dev/null', 'new-session', '-d', '-x', size[0], '-y', size[1],
                  f'env {setting} {words}; echo {ENDED} $?; exec cat', env=True)

    def tmux(self, *words, env=False):
        # tmux insists on a UTF-8 client where it is to keep other characters than ASCII.
        environment = {**os.environ, 'LC_ALL': 'C.UTF-8'} if env else None
        return subprocess.run(['tmux', '-u', '-S', self.root / 'socket', *map(str, words)], env=environment, check=True,
                              capture_output=True, text=True, timeout=PATIENCE_SECONDS).stdout

    def screen(self):
        return self.tmux('capture-pane', '-p')

    def coloured(self):
        return re.search(r'\033\[[\d;]*3[0-7]m', self.tmux('capture-pane', '-p', '-e')) is not None

    def press(self, *keys):
        self.tmux('send-keys', *keys)

    def resize(self, columns, rows):
        self.tmux('resize-window', '-x', columns, '-y', rows)

    def wait_for(self, text):
        """The screen, once it has that text."""
        try:
            return wait_until(lambda: (screen := self.screen()) and (text in screen) and screen, f'{text!r}')
        except TimeoutError as late:
            raise TimeoutError(f'{late} on\n{self.screen()}') from late

    def cursor_shown(self):
        return self.tmux('display-message', '-p', '#{cursor_flag}#{alternate_on}').strip() == '10'

    def close(self):
        subprocess.run(['tmux', '-S', self.root / 'socket', 'kill-server'], check=False, capture_output=True)
        shutil.rmtree(self.root)
