"""A file system that passes everything on to a directory, until it is told that its device fails: for root only.

    failing_disk.py BACKING MOUNTED FLAG

While a file FLAG exists, writes, allocations and syncs of what has FLAG's content in its path fail with EIO (an empty
FLAG: all of them). All else works, as it does from the caches of a real system. Ends when it is unmounted.
"""

import errno
import os
import pathlib
import shutil
import stat
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
import fuse
from bus import PATIENCE_SECONDS, wait_until

ROOT = 1
OF_HANDLE = 1  # of getattr_flags
MODE, UID, GID, SIZE, HANDLE = 1, 2, 4, 8, 64  # of setattr's `valid`
FROM_PAGES = 1  # of write_flags: a mapped file's page, of which nobody awaits news


class Server(fuse.Fuse):
    def __init__(self, backing, flag):
        self.flag = pathlib.Path(flag)
        self.nodes = {ROOT: [os.open(backing, os.O_PATH), 1]}  # a descriptor each, and how often the kernel has it
        self.numbers = {}  # by device and inode
        self.last = ROOT
        self.listings = {}

    def answer(self, operation, node, body):
        answers = {
            fuse.INIT: self.init, fuse.STATFS: self.statfs, fuse.LOOKUP: self.lookup, fuse.GETATTR: self.getattr,
            fuse.SETATTR: self.setattr, fuse.MKDIR: self.mkdir, fuse.UNLINK: self.unlink, fuse.RMDIR: self.rmdir,
            fuse.RENAME: self.rename, fuse.RENAME2: self.rename2, fuse.CREATE: self.create, fuse.OPEN: self.open,
            fuse.READ: self.read, fuse.WRITE: self.write, fuse.FALLOCATE: self.allocate, fuse.FSYNC: self.sync,
            fuse.RELEASE: self.release, fuse.OPENDIR: self.opendir, fuse.READDIR: self.readdir,
            fuse.RELEASEDIR: self.releasedir, fuse.FSYNCDIR: self.sync_directory,
            fuse.FLUSH_HANDLE: self.nothing, fuse.DESTROY: self.nothing}
        if operation not in answers:
            raise OSError(errno.ENOSYS, 'not of this disk')
        return answers[operation](node, body)

    def forget(self, operation, node, body):
        if operation == fuse.FORGET:
            self.drop(node, *fuse.FORGET_IN.unpack_from(body))
        elif operation == fuse.BATCH_FORGET:
            count, _ = fuse.BATCH_FORGET_IN.unpack_from(body)
            for i in range(count):
                self.drop(*fuse.FORGET_ONE.unpack_from(body, fuse.BATCH_FORGET_IN.size + i * fuse.FORGET_ONE.size))

    def drop(self, node, times):
        self.nodes[node][1] -= times
        if node != ROOT and self.nodes[node][1] <= 0:
            descriptor, _ = self.nodes.pop(node)
            status = os.fstat(descriptor)
            del self.numbers[status.st_dev, status.st_ino]
            os.close(descriptor)

    def check(self, descriptor):
        """Whether the device does what is asked of it."""
        try:
            failing = self.flag.read_text()
        except FileNotFoundError:
            return
        if failing in os.readlink(path_of(descriptor)):
            raise OSError(errno.EIO, 'told to fail')

    def descriptor(self, node):
        return self.nodes[node][0]

    def entry(self, parent, name):
        descriptor = os.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=self.descriptor(parent))
        status = os.fstat(descriptor)
        key = status.st_dev, status.st_ino
        if key in self.numbers:
            os.close(descriptor)
        else:
            self.last += 1
            self.numbers[key] = self.last
            self.nodes[self.last] = [descriptor, 0]
        node = self.numbers[key]
        self.nodes[node][1] += 1
        return fuse.ENTRY_OUT.pack(node, 0, 0, 0, 0, 0) + attributes(status)

    def nothing(self, *_):
        return b''

    def init(self, _, body):
        return fuse.answer_init(body)

    def statfs(self, *_):
        disk = os.statvfs(path_of(self.descriptor(ROOT)))
        return fuse.STATFS_OUT.pack(disk.f_blocks, disk.f_bfree, disk.f_bavail, disk.f_files, disk.f_ffree,
                                    disk.f_bsize, disk.f_namemax, disk.f_frsize, 0)

    def lookup(self, node, body):
        return self.entry(node, name_at(body))

    def getattr(self, node, body):
        flags, _, handle = fuse.GETATTR_IN.unpack_from(body)
        return fuse.ATTRIBUTES_OUT.pack(0, 0, 0) + attributes(
            os.fstat(handle if flags & OF_HANDLE else self.descriptor(node)))

    def setattr(self, node, body):
        valid, _, handle, size, *_, mode, _, uid, gid = fuse.SETATTR_IN.unpack_from(body)
        path = path_of(self.descriptor(node))
        if valid & SIZE:
            os.truncate(handle if valid & HANDLE else path, size)
        if valid & MODE:
            os.chmod(path, stat.S_IMODE(mode))
        if valid & (UID | GID):
            os.chown(path, uid if valid & UID else -1, gid if valid & GID else -1)
        return fuse.ATTRIBUTES_OUT.pack(0, 0, 0) + attributes(os.fstat(self.descriptor(node)))

    def mkdir(self, node, body):
        mode, _ = fuse.MAKE_IN.unpack_from(body)
        name = name_at(body, fuse.MAKE_IN.size)
        os.mkdir(name, mode, dir_fd=self.descriptor(node))
        return self.entry(node, name)

    def unlink(self, node, body):
        os.unlink(name_at(body), dir_fd=self.descriptor(node))
        return b''

    def rmdir(self, node, body):
        os.rmdir(name_at(body), dir_fd=self.descriptor(node))
        return b''

    def rename(self, node, body, names=fuse.RENAME_IN.size):
        target, = fuse.RENAME_IN.unpack_from(body)
        name, new_name = bytes(body[names:]).split(b'\0')[:2]
        os.rename(name, new_name, src_dir_fd=self.descriptor(node), dst_dir_fd=self.descriptor(target))
        return b''

    def rename2(self, node, body):
        _, flags, _ = fuse.RENAME2_IN.unpack_from(body)
        if flags:
            raise OSError(errno.EINVAL, 'not of this disk')
        return self.rename(node, body, fuse.RENAME2_IN.size)

    def create(self, node, body):
        flags, mode, *_ = fuse.CREATE_IN.unpack_from(body)
        name = name_at(body, fuse.CREATE_IN.size)
        handle = os.open(name, backing_flags(flags) | os.O_CREAT, mode, dir_fd=self.descriptor(node))
        return self.entry(node, name) + fuse.OPEN_OUT.pack(handle, 0, 0)

    def open(self, node, body):
        flags, _ = fuse.OPEN_IN.unpack_from(body)
        return fuse.OPEN_OUT.pack(os.open(path_of(self.descriptor(node)), backing_flags(flags)), 0, 0)

    def release(self, _, body):
        os.close(*fuse.HANDLE_IN.unpack_from(body))
        return b''

    def read(self, _, body):
        handle, position, length, *_ = fuse.TRANSFER_IN.unpack_from(body)
        return os.pread(handle, length, position)

    def write(self, _, body):
        handle, position, length, flags, *_ = fuse.TRANSFER_IN.unpack_from(body)
        if not flags & FROM_PAGES:
            self.check(handle)
        begin = fuse.TRANSFER_IN.size
        return fuse.WRITE_OUT.pack(os.pwrite(handle, body[begin:begin + length], position), 0)

    def allocate(self, _, body):
        handle, position, length, mode, _ = fuse.ALLOCATE_IN.unpack_from(body)
        self.check(handle)
        if mode:
            raise OSError(errno.EOPNOTSUPP, 'not of this disk')
        os.posix_fallocate(handle, position, length)
        return b''

    def sync(self, _, body):
        handle, = fuse.HANDLE_IN.unpack_from(body)
        self.check(handle)
        os.fdatasync(handle)
        return b''

    def opendir(self, node, _):
        handle = os.open(path_of(self.descriptor(node)), os.O_RDONLY | os.O_DIRECTORY)
        self.listings[handle] = sorted(os.scandir(handle), key=lambda entry: entry.name)
        return fuse.OPEN_OUT.pack(handle, 0, 0)

    def readdir(self, _, body):
        handle, position, length, *_ = fuse.TRANSFER_IN.unpack_from(body)
        listed = b''
        for number, entry in enumerate(self.listings[handle][position:], position + 1):
            name = os.fsencode(entry.name)
            kind = entry.stat(follow_symlinks=False).st_mode >> 12
            one = fuse.DIRECTORY_ENTRY.pack(entry.inode(), number, len(name), kind) + name
            one += bytes(-len(one) % 8)
            if len(listed) + len(one) > length:
                break
            listed += one
        return listed

    def releasedir(self, _, body):
        handle, = fuse.HANDLE_IN.unpack_from(body)
        del self.listings[handle]
        os.close(handle)
        return b''

    def sync_directory(self, _, body):
        return self.sync(None, body)


def path_of(descriptor):
    return f'/proc/self/fd/{descriptor}'


def name_at(body, begin=0):
    return bytes(body[begin:]).split(b'\0')[0]


def backing_flags(flags):
    """Pages are read before a part of them is written, and come whole and in place."""
    access = os.O_RDONLY if flags & os.O_ACCMODE == os.O_RDONLY else os.O_RDWR
    return access | flags & (os.O_TRUNC | os.O_EXCL)


def attributes(status):
    times = status.st_atime_ns, status.st_mtime_ns, status.st_ctime_ns
    seconds, rest = zip(*(divmod(time, 1_000_000_000) for time in times))
    return fuse.ATTRIBUTES.pack(status.st_ino, status.st_size, status.st_blocks, *seconds, *rest, status.st_mode,
                                status.st_nlink, status.st_uid, status.st_gid, status.st_rdev, 4096, 0)


class FailingDisk:
    """Mounted at `path`; close() leaves nothing of it. Skips where FUSE is not to be had."""

    def __init__(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix='ringway-disk-'))
        self.path, self.flag = self.root / 'mounted', self.root / 'failing'
        backing = self.root / 'backing'
        for directory in (self.path, backing):
            directory.mkdir()
        self.server = subprocess.Popen([sys.executable, __file__, backing, self.path, self.flag],
                                       stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        wait_until(lambda: self.server.poll() is not None or self.path.is_mount(), 'the disk')
        if self.server.poll() is not None:
            with self.server.stderr as stderr:
                said = stderr.read().decode().strip()
            shutil.rmtree(self.root)
            if self.server.returncode == fuse.NO_FUSE:
                raise unittest.SkipTest(said)
            raise AssertionError(f'the disk ended with {self.server.returncode}: {said}')

    def fail(self, where=''):
        """What has `where` in its path, from now on."""
        there = self.root / 'next'
        there.write_text(where)
        there.rename(self.flag)

    def heal(self):
        self.flag.unlink()

    def close(self):
        # A killed process lets go of its files a little after its end.
        wait_until(lambda: fuse.libc.umount2(os.fsencode(self.path), 0) == 0, f'{self.path} to be unmounted')
        with self.server.stderr as stderr:
            said = stderr.read().decode()
        if self.server.wait(PATIENCE_SECONDS) != 0:
            raise AssertionError(f'the disk ended with {self.server.returncode}: {said}')
        shutil.rmtree(self.root)


def main():
    backing, mounted, flag = sys.argv[1:]
    os.umask(0)
    server = Server(backing, flag)
    try:
        server.mount(mounted, stat.S_IFDIR | 0o755, ',default_permissions,allow_other')
    except OSError as refused:
        print(f'no FUSE here: {refused}', file=sys.stderr)
        sys.exit(fuse.NO_FUSE)
    server.serve()


if __name__ == '__main__':
    main()
