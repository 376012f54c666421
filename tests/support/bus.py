"""A private bus for a test: a ringwayd in temporary directories, to be killed, stopped and started again."""

import contextlib
import json
import os
import pathlib
import platform
import shutil
import signal
import socket
import subprocess
import tempfile
import time

# Where a test waits for something another process does. Only a hang makes it pass.
PATIENCE_SECONDS = 60

WRITE = {'x86_64': '1', 'aarch64': '64'}  # the system call's number


def wait_until(condition, what):
    """The condition's first true value."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f'waited in vain for {what}')
        time.sleep(0.01)
    return value


class Bus:
    """Owns its directories and every process it started; close() leaves nothing of them.

    `config` is TOML, `env` is added to the environment of daemon and clients, `state_dir` lies somewhere else and
    is its owner's to remove, `before_exec` runs in each new process before it becomes daemon or client.
    """

    def __init__(self, config='', env=None, state_dir=None, before_exec=None):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix='ringway-bus-'))
        self.runtime_dir = self.root / 'run'
        self.state_dir = state_dir or self.root / 'state'
        self.socket = self.runtime_dir / 'control.sock'
        self.log = self.root / 'ringwayd.log'
        self.daemon = None
        self.children = []
        self.env = {key: value for key, value in os.environ.items() if key not in ('NO_COLOR', 'NOTIFY_SOCKET')}
        self.env['RINGWAY_SOCKET'] = str(self.socket)
        self.env.update(env or {})
        self.before_exec = before_exec
        self.config = self.root / 'ringwayd.toml'
        self.config.write_text(config)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()

    # The supervisor

    def launch(self, before_exec=None, **options):
        """Starts a ringwayd and does not wait until it serves."""
        with open(self.log, 'ab') as log:
            self.daemon = subprocess.Popen(
                [self.program('RINGWAYD', options), '--config', self.config, '--socket', self.socket, '--runtime-dir',
                 self.runtime_dir, '--state-dir', self.state_dir], env=self.env, stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, preexec_fn=before_exec or self.before_exec, **options)

    def start(self, before_exec=None, **options):
        self.launch(before_exec, **options)
        wait_until(self.serves, 'ringwayd')
        return self

    def serves(self):
        if self.daemon.poll() is not None:
            raise RuntimeError(f'ringwayd ended with {self.daemon.returncode}:\n{self.log.read_text()}')
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as probe:
            try:
                probe.connect(str(self.socket))
            except OSError:
                return False
        return True

    def kill(self):
        self.daemon.kill()
        self.daemon.wait()

    def restart(self):
        self.kill()
        return self.start()

    def pause(self):
        self.daemon.send_signal(signal.SIGSTOP)
        wait_until(lambda: process_state(self.daemon.pid) == 'T', 'ringwayd to stand still')

    def resume(self):
        self.daemon.send_signal(signal.SIGCONT)

    def stop(self):
        """The orderly end: drained, its keeper gone too."""
        self.daemon.send_signal(signal.SIGTERM)
        return self.daemon.wait(PATIENCE_SECONDS)

    def keepers(self):
        return [pid for pid in pids() if '--keeper' in (line := command_line(pid)) and str(self.runtime_dir) in line]

    def kill_keeper(self):
        for pid in self.keepers():
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not self.keepers(), 'the keeper to die')

    # Its clients

    def command(self, *words, options=()):
        return [self.program('RINGWAY', options), *map(str, words)]

    def program(self, variable, options):
        """The program's path; for another user of a copy, as the build may lie where only its owner may go."""
        path = pathlib.Path(os.environ[variable])
        if 'user' not in options:
            return path
        copy = self.root / path.name
        if not copy.exists():
            shutil.copy(path, copy)
        return copy

    def run(self, *words, stdin=b'', status=0, **options):
        """What `ringway words…` printed; its exit status must be as expected (None: any)."""
        options = {'preexec_fn': self.before_exec, **options}
        ended = subprocess.run(self.command(*words, options=options), input=stdin, env=self.env, capture_output=True,
                               timeout=PATIENCE_SECONDS * 2, check=False, **options)
        if status is not None and ended.returncode != status:
            raise AssertionError(f'ringway {" ".join(map(str, words))}: exit status {ended.returncode}, not {status}\n'
                                 f'{ended.stdout[-2000:].decode(errors="replace")}\n'
                                 f'{ended.stderr[-2000:].decode(errors="replace")}\n'
                                 f'{self.log.read_text()[-2000:]}')
        self.stderr = ended.stderr.decode()
        return ended.stdout

    def run_for_status(self, *words):
        return subprocess.run(self.command(*words), env=self.env, stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=PATIENCE_SECONDS, check=False).returncode

    def json(self, *words, **options):
        return json.loads(self.run(*words, '--output', 'json', **options))

    def troubles(self):
        """What `status` says needs attention, as programs read it: each of its lines for people is one of them."""
        report = self.json('status', status=None)
        assert [one['text'] for one in report['troubles']] == report['degraded'], report
        return report['troubles']

    def refusal(self, *words, status, **options):
        """The error that `ringway words…` ends with, as JSON has it."""
        self.run(*words, '--output', 'json', status=status, **options)
        return json.loads(self.stderr.splitlines()[-1])['error']

    def spawn(self, *words, **options):
        options = {'stdin': subprocess.PIPE, 'stdout': subprocess.PIPE, 'stderr': subprocess.PIPE,
                   'preexec_fn': self.before_exec, **options}
        child = subprocess.Popen(self.command(*words, options=options), env=self.env, **options)
        self.children.append(child)
        return child

    def close(self):
        for child in self.children:
            child.kill()
            child.wait()
            for pipe in (child.stdin, child.stdout, child.stderr):
                if pipe:
                    with contextlib.suppress(BrokenPipeError):
                        pipe.close()
        if self.daemon and self.daemon.poll() is None:
            self.daemon.kill()
            self.daemon.wait()
        shutil.rmtree(self.root)
        # Its keeper ends because the runtime directory is gone.
        wait_until(lambda: not self.keepers(), 'the keeper to end')


def pids():
    return [int(name) for name in os.listdir('/proc') if name.isdigit()]


def command_line(pid):
    try:
        return pathlib.Path(f'/proc/{pid}/cmdline').read_text(errors='replace').split('\0')
    except OSError:
        return []


def process_state(pid):
    """One letter, as ps shows it; '' when there is no such process."""
    try:
        return pathlib.Path(f'/proc/{pid}/stat').read_text(errors='replace').rsplit(')', 1)[1].split()[0]
    except OSError:
        return ''


def stands_in_write(pid, descriptor):
    """Whether a thread of the process is in that system call, on that descriptor."""
    for file in pathlib.Path(f'/proc/{pid}/task').glob('*/syscall'):
        with contextlib.suppress(OSError):
            number, *arguments = file.read_text().split()
            if number == WRITE[platform.machine()] and int(arguments[0], 16) == descriptor:
                return True
    return False
