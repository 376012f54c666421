"""A real systemd to try units on: process 1 of namespaces of its own, up in a second.

Its root is this machine's or one of its own, copied on write into memory, but for /var/lib/ringway, which may be on a disk;
cgroups, network, /run, /tmp, /dev/shm are its own, and all of it is gone with it. Needs root, and a kernel that lets root mount."""

import contextlib
import ctypes
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

INIT = pathlib.Path(__file__).with_name('box_init')
CGROUPS = pathlib.Path('/sys/fs/cgroup')
CONTROLLERS = ('cpu', 'cpuacct', 'cpuset', 'memory', 'devices', 'freezer', 'blkio', 'pids')
PATIENCE_SECONDS = 60
PR_SET_PDEATHSIG = 1
ENVIRONMENT = {
    'PATH': '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    'LANG': 'C.UTF-8', 'HOME': '/root', 'SYSTEMD_PAGER': '', 'TERM': 'dumb'}


def why_not():
    """Why there can be no box on this machine; '' where there can."""
    if os.geteuid() != 0:
        return 'takes root'
    if not pathlib.Path('/lib/systemd/systemd').exists():
        return 'takes systemd'
    mounts = subprocess.run(['unshare', '--mount', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'],
                            capture_output=True, text=True)
    return '' if mounts.returncode == 0 else f'takes a root that may mount: {mounts.stderr.strip()}'


class Hierarchy:
    """A cgroup hierarchy of this machine, and the box's group in it."""

    def __init__(self, name, options, directory):
        own = {'unified': '', 'systemd': 'name=systemd'}.get(name, name)
        for line in pathlib.Path('/proc/self/cgroup').read_text().splitlines():
            _, controllers, path = line.split(':', 2)
            if own == controllers or own and own in controllers.split(','):
                self.home = directory / path.lstrip('/')
                break
        else:
            raise LookupError(f'this process is in no cgroup of {name}')
        self.words = f'{name}:{options}'
        self.group = self.home / f'ringway-box-{os.getpid()}-{time.monotonic_ns()}'

    def make(self):
        self.group.mkdir()
        if (self.group / 'cpuset.cpus').exists():
            for file in ('cpuset.cpus', 'cpuset.mems'):
                (self.group / file).write_text((self.home / file).read_text())

    def remove(self):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self.group.exists():
            # From below; what the box's last processes are still in goes with them.
            for directory, _, _ in os.walk(self.group, topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(directory)
            if time.monotonic() > deadline:
                raise TimeoutError(f'{self.group} cannot be removed')
            time.sleep(0.01)


def hierarchies():
    if (CGROUPS / 'cgroup.controllers').exists():
        return [Hierarchy('unified', '', CGROUPS)]
    return [Hierarchy('unified', '', CGROUPS / 'unified'),
            Hierarchy('systemd', 'none,name=systemd', CGROUPS / 'systemd'),
            *(Hierarchy(name, name, CGROUPS / name) for name in CONTROLLERS)]


class Box:
    """Close it. SIGTERM ends this process in a way that lets that happen."""

    def __init__(self, *, disk=True, root='/'):
        signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
        self.cgroups = hierarchies()
        self.root = root
        self.disk = tempfile.mkdtemp(prefix='ringway-box-', dir='/var/tmp') if disk else ''
        self.outer = None
        self.first = None
        try:
            for cgroup in self.cgroups:
                cgroup.make()
            self.boot()
        except BaseException:
            self.close()
            raise

    def boot(self):
        def enter():
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            for cgroup in self.cgroups:
                (cgroup.group / 'cgroup.procs').write_text('0')
        self.outer = subprocess.Popen(
            ['unshare', '--mount', '--pid', '--fork', '--kill-child', '--uts', '--ipc', '--cgroup',
             '--net', '--propagation', 'private', INIT, self.root, self.disk,
             *(cgroup.words for cgroup in self.cgroups)],
            preexec_fn=enter, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE)
        deadline = time.monotonic() + PATIENCE_SECONDS
        children = pathlib.Path(f'/proc/{self.outer.pid}/task/{self.outer.pid}/children')
        up = 'test -e /run/box && test -S /run/systemd/private'  # not this machine's
        while not self.first or self.run(up, namespaces=('-m', '-p', '-r')) != 0:
            if self.outer.poll() is not None:
                raise RuntimeError(f'the box did not start: {self.outer.stderr.read().decode()}')
            if time.monotonic() > deadline:
                raise TimeoutError('the box did not start')
            time.sleep(0.01)
            self.first = children.read_text().split()[:1]
        # Only systemd itself may be in the root of its cgroups.
        for cgroup in self.cgroups:
            (cgroup.home / 'cgroup.procs').write_text(str(self.outer.pid))
        self.run('systemctl is-system-running --wait')

    def install(self, build):
        """What `meson install` brings of a build, and what is done behind it."""
        self.say(f'meson install -C {build} --no-rebuild && ldconfig && systemd-sysusers && systemctl daemon-reload')

    def run(self, script, *, namespaces=('-a', '-r', '-w')):
        """The exit status of a bash script in the box."""
        return subprocess.run(self.command(script, namespaces), stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              timeout=PATIENCE_SECONDS).returncode

    def say(self, script, *, status=0, patience=PATIENCE_SECONDS):
        """What it prints; it must exit with `status`."""
        done = subprocess.run(self.command(script), stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=patience)
        if done.returncode != status:
            raise AssertionError(f'{script}: exit status {done.returncode}\n{done.stdout}')
        return done.stdout

    def outcome(self, script):
        """Its exit status, and what it prints on standard output."""
        done = subprocess.run(self.command(script), stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=PATIENCE_SECONDS)
        return done.returncode, done.stdout

    def start(self, script, **streams):
        """A process that goes on beside the test."""
        return subprocess.Popen(self.command(script), text=True, **streams)

    def command(self, script, namespaces=('-a', '-r', '-w')):
        words = [f'{name}={value}' for name, value in ENVIRONMENT.items()]
        return ['nsenter', '-t', self.first[0], *namespaces, '--', 'env', '-i', *words,
                'bash', '-c', script]

    def close(self):
        try:
            if self.first:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(self.first[0]), signal.SIGKILL)
            if self.outer is not None:
                self.outer.kill()
                self.outer.communicate()
            for cgroup in self.cgroups:
                cgroup.remove()
        finally:
            if self.disk:
                shutil.rmtree(self.disk)
