"""Runs one command with everything it starts, under a watchdog, and leaves nothing of it behind."""

import contextlib
import ctypes
import os
import pathlib
import select
import signal
import subprocess
import time

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
# What a process may take to notice that its test is over: a keeper whose directory is gone.
GRACE_SECONDS = 10

libc = ctypes.CDLL(None, use_errno=True)


class Watch:
    """The one Watch of this process makes it the reaper of orphans, so that a daemon which left its
    session is found too."""

    def __init__(self):
        libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self.wake, wake_writer = os.pipe()
        os.set_blocking(self.wake, False)
        os.set_blocking(wake_writer, False)
        signal.set_wakeup_fd(wake_writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def run(self, command, *, env, cwd, output, timeout):
        """Returns (exit status or -signal, None if the watchdog bit; command lines of what stayed behind).
        When it bites, `output` ends with where every thread stood."""
        process = subprocess.Popen(command, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=output,
                                   stderr=subprocess.STDOUT, start_new_session=True,
                                   preexec_fn=lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL))
        left = []
        try:
            status = self.wait(process.pid, timeout)
            if status is None:
                output.seek(0, os.SEEK_END)
                output.write(where_all_stand().encode())
            elif not self.childless(GRACE_SECONDS):
                left = [command_line(pid) for pid in descendants()]
        finally:
            self.kill_all()
            process.returncode = 0  # collected here, not by subprocess
        return status, left

    def wait(self, wanted, timeout):
        deadline = time.monotonic() + timeout if timeout else None
        while True:
            for pid, status in self.reap():
                if pid == wanted:
                    return status
            if not self.sleep_until(deadline):
                return None

    def childless(self, seconds):
        deadline = time.monotonic() + seconds
        while True:
            self.reap()
            if not descendants():
                return True
            if not self.sleep_until(deadline):
                return False

    def kill_all(self):
        self.reap()
        while pids := descendants():
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.sleep_until(time.monotonic() + 0.1)
            self.reap()

    def reap(self):
        ended = []
        try:
            while (found := os.waitpid(-1, os.WNOHANG))[0]:
                ended.append((found[0], os.waitstatus_to_exitcode(found[1])))
        except ChildProcessError:
            pass
        return ended

    def sleep_until(self, deadline):
        """Until a child ends (True) or the deadline has passed (False)."""
        rest = None if deadline is None else max(0, deadline - time.monotonic())
        if not select.select([self.wake], [], [], rest)[0]:
            return False
        try:
            while os.read(self.wake, 512):
                pass
        except BlockingIOError:
            pass
        return True


def descendants():
    """Every process below this one, those not yet reaped too."""
    children = {}
    for stat in pathlib.Path('/proc').glob('[0-9]*/stat'):
        try:
            parent = int(stat.read_text(errors='replace').rsplit(')', 1)[1].split()[1])
        except OSError:  # it has ended meanwhile
            continue
        children.setdefault(parent, []).append(int(stat.parent.name))
    found, todo = [], [os.getpid()]
    while todo:
        below = children.get(todo.pop(), [])
        found += below
        todo += below
    return found


def command_line(pid):
    try:
        words = pathlib.Path(f'/proc/{pid}/cmdline').read_text(errors='replace').split('\0')
        return f'{pid} {" ".join(words)}'.rstrip()
    except OSError:
        return str(pid)


def where_all_stand():
    """Of each thread below this process: state, what it waits for in the kernel, its system call."""
    lines = []
    for pid in descendants():
        lines.append(command_line(pid))
        for task in pathlib.Path(f'/proc/{pid}/task').glob('*'):
            told = [f'  {task.name}']
            for name in ('comm', 'wchan', 'syscall'):
                with contextlib.suppress(OSError):  # it has ended, or may not be looked at
                    told.append((task / name).read_text(errors='replace').strip())
            with contextlib.suppress(OSError):
                stat = (task / 'stat').read_text(errors='replace')
                told.insert(2, stat.rsplit(')', 1)[1].split()[0])
            lines.append(' '.join(told))
    return '\n'.join(['where all stand: thread, name, state, waits in, system call and arguments', *lines, ''])
