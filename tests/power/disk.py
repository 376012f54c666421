"""File systems on loop devices that lose their power: by the kernel's shutdown call, or block by block. For root only.

Everything lies in a tmpfs of a mount namespace of the test's own: what a killed test leaves ends with its processes.
"""

import bisect
import contextlib
import ctypes
import errno
import fcntl
import os
import pathlib
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import unittest

from bus import PATIENCE_SECONDS, wait_until
from fuse import NO_FUSE
from recorder import ENTRY, FLUSH, MOMENT
from small_disk import libc, private_mounts

SHUTDOWN = 0x8004587d  # _IOR('X', 125, uint32_t): ext4 and xfs
WITHOUT_LOG_FLUSH = 2
MNT_DETACH = 2

MAKE = {'ext4': ('mkfs.ext4', '-q', '-m', '0', '-E', 'nodiscard'), 'xfs': ('mkfs.xfs', '-q', '-K', '-s', 'size=4096')}
OPTIONS = {'ext4': 'loop', 'xfs': 'loop,nouuid'}  # xfs: images of one disk are mounted beside each other
MIB = {'ext4': 256, 'xfs': 320}  # mkfs.xfs makes nothing under 300

# What a medium writes whole or not at all. Ringway counts on 512 bytes; xfs cannot stand torn blocks of its own (it would
# go by their first sector), nor can ext4 a torn superblock, which it does not journal.
SECTOR_BYTES = {'ext4': 512, 'xfs': 4096}
SUPERBLOCK_END = 4096


class Refused(Exception):
    """What the system does not let a test do here, and its own words for it."""


class Scratch:
    """A directory in memory, of this process and its children only. Takes `mib` MiB at most."""

    def __init__(self, mib):
        if os.geteuid() != 0:
            raise unittest.SkipTest('needs root to mount file systems')
        try:
            private_mounts()
        except OSError as refused:
            raise unittest.SkipTest(f'no mount namespace of its own: {refused}') from refused
        self.path = pathlib.Path(tempfile.mkdtemp(prefix='ringway-power-'))
        try:
            command('mount', '-t', 'tmpfs', '-o', f'size={mib}m', 'ringway-test', self.path)
        except Refused as refused:
            self.path.rmdir()
            raise unittest.SkipTest(str(refused)) from refused

    def close(self):
        unmount(self.path)
        self.path.rmdir()


def skip_unless_mountable(scratch, kind):
    """Skips where such a file system cannot be made and mounted, saying why."""
    if shutil.which(MAKE[kind][0]) is None:
        raise unittest.SkipTest(f'{MAKE[kind][0]} is not installed')
    place = scratch.path / f'probe-{kind}'
    place.mkdir()
    try:
        image = make_image(place / 'image', kind)
        with contextlib.closing(Mounted(kind, image, place / 'mounted')):
            pass
    except Refused as refused:
        raise unittest.SkipTest(f'no {kind} on a loop device: {refused}') from refused
    finally:
        shutil.rmtree(place)


def command(*words):
    done = subprocess.run(list(map(str, words)), stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode != 0:
        raise Refused(f'{words[0]}: {(done.stderr or done.stdout).decode(errors="replace").strip()}')


def make_image(path, kind):
    """A sparse file that holds an empty file system."""
    with open(path, 'wb') as file:
        file.truncate(MIB[kind] << 20)
    command(*MAKE[kind], path)
    return path


def unmount(path):
    """A killed process lets go of its files a little after its end."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while libc.umount2(os.fsencode(path), 0) != 0:
        error = ctypes.get_errno()
        if error != errno.EBUSY or time.monotonic() > deadline:
            libc.umount2(os.fsencode(path), MNT_DETACH)  # nothing of it may stay
            raise OSError(error, f'{path} cannot be unmounted: {os.strerror(error)}')
        time.sleep(0.002)


class Mounted:
    """The file system in `image`, mounted over a loop device that goes with it."""

    def __init__(self, kind, image, path):
        self.path = path
        path.mkdir(exist_ok=True)
        command('mount', '-o', OPTIONS[kind], image, path)

    def sync(self):
        """All of it, and nothing else of this machine."""
        with self.directory() as descriptor:
            libc.syncfs(descriptor)

    def cut_power(self):
        """From now on nothing reaches the device; what its journal has not committed is lost."""
        with self.directory() as descriptor:
            fcntl.ioctl(descriptor, SHUTDOWN, struct.pack('=I', WITHOUT_LOG_FLUSH))

    @contextlib.contextmanager
    def directory(self):
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def close(self):
        unmount(self.path)


class RecordedDisk:
    """A disk whose writes and flushes are recorded, beginning with an empty file system (`base`)."""

    def __init__(self, place, kind):
        self.kind = kind
        place.mkdir()
        self.base, self.log, self.moment = place / 'base', place / 'log', place / 'moment'
        image, self.file = place / 'image', place / 'disk'
        make_image(self.base, kind)
        copy_sparse(self.base, image)
        self.moment.write_bytes(bytes(MOMENT.size))
        self.file.touch()
        self.server = subprocess.Popen(
            [sys.executable, pathlib.Path(__file__).with_name('recorder.py'), image, self.log, self.moment, self.file],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            wait_until(lambda: self.server.poll() is not None or self.file.stat().st_size > 0, 'the recorder')
            if self.server.poll() is not None:
                said = self.server.stderr.read().decode().strip()
                if self.server.returncode == NO_FUSE:
                    raise unittest.SkipTest(said)
                raise AssertionError(f'the recorder ended with {self.server.returncode}: {said}')
            self.mounted = Mounted(kind, self.file, place / 'mounted')
        except BaseException:
            self.end_server()
            raise

    def now(self):
        return MOMENT.unpack(self.moment.read_bytes())[0]

    def close(self):
        self.mounted.close()
        self.end_server()

    def end_server(self):
        if self.server.poll() is None:
            unmount(self.file)
            self.server.wait(PATIENCE_SECONDS)
        self.server.stderr.close()


class Replay:
    """The disk as it was after the first entries of a recording: images for ever later points of it."""

    def __init__(self, recorded):
        self.sector_bytes = SECTOR_BYTES[recorded.kind]
        self.log = recorded.log.read_bytes()
        self.entries = list(read_entries(self.log))
        self.flushes = [index for index, (position, _, _) in enumerate(self.entries) if position == FLUSH]
        self.settled = recorded.base.with_name('settled')
        copy_sparse(recorded.base, self.settled)
        self.at = 0

    def last_flush(self, point):
        """How many entries the last flush among the first `point` entries made safe."""
        before = bisect.bisect_left(self.flushes, point)
        return self.flushes[before - 1] + 1 if before else 0

    def go_to(self, point):
        """Applies all that lies before `point`; never back."""
        with open(self.settled, 'r+b') as image:
            for entry in self.entries[self.at:point]:
                self.apply(image, entry)
        self.at = max(self.at, point)

    def image(self, path, until, seed=None):
        """What is settled, and of the entries from there to `until` all; with a seed only what may have reached the
        medium: of each write all, nothing, or any of its sectors."""
        copy_sparse(self.settled, path)
        chance = random.Random(seed)
        with open(path, 'r+b') as image:
            for entry in self.entries[self.at:until]:
                fate = 'all' if seed is None else chance.choice(('all', 'nothing', 'some', 'some'))
                if fate == 'all':
                    self.apply(image, entry)
                elif fate == 'some':
                    self.apply_some(image, entry, chance)

    def apply_some(self, image, entry, chance):
        position, begin, length = entry
        done = 0
        while done < length:
            whole = self.sector_bytes if position + done >= SUPERBLOCK_END else SUPERBLOCK_END - position - done
            piece = min(whole, length - done)
            if chance.getrandbits(1):
                self.apply(image, (position + done, begin + done, piece))
            done += piece

    def apply(self, image, entry):
        position, begin, length = entry
        if position != FLUSH:
            os.pwrite(image.fileno(), memoryview(self.log)[begin:begin + length], position)


def read_entries(log):
    """Position, place in the log, and length of each; a last one that was cut off is none."""
    at = 0
    while at + ENTRY.size <= len(log):
        position, length = ENTRY.unpack_from(log, at)
        at += ENTRY.size
        if at + length > len(log):
            return
        yield position, at, length
        at += length


def copy_sparse(source, target):
    with open(source, 'rb') as there, open(target, 'wb') as here:
        end = os.fstat(there.fileno()).st_size
        here.truncate(end)
        at = 0
        while at < end:
            try:
                begin = os.lseek(there.fileno(), at, os.SEEK_DATA)
            except OSError as nothing_more:
                if nothing_more.errno == errno.ENXIO:
                    return
                raise
            at = os.lseek(there.fileno(), begin, os.SEEK_HOLE)
            os.lseek(here.fileno(), begin, os.SEEK_SET)
            while begin < at:
                begin += os.sendfile(here.fileno(), there.fileno(), begin, at - begin)
