"""A small file system of its own, to be filled: for root only."""

import ctypes
import errno
import os
import pathlib
import shutil
import subprocess
import tempfile

CLONE_NEWNS = 0x00020000

libc = ctypes.CDLL(None, use_errno=True)


def private_mounts():
    """What this process mounts from now on is seen by it and its children only, and ends with them.

    In a chroot, whose root is no mount, it may be seen outside until it is unmounted.
    """
    if libc.unshare(CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), 'no mount namespace of our own')
    mounts = pathlib.Path('/proc/self/mountinfo').read_text().splitlines()
    if any(line.split()[4] == '/' for line in mounts):
        subprocess.run(['mount', '--make-rprivate', '/'], check=True)


class SmallDisk:
    """A mounted file system of `mib` MiB, "tmpfs" or "ext4" (on a loop device); close() leaves nothing of it."""

    def __init__(self, kind, mib):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix='ringway-disk-'))
        self.path = self.root / 'mounted'
        self.path.mkdir()
        self.filler = self.path / 'filler'
        if kind == 'tmpfs':
            command = ['mount', '-t', 'tmpfs', '-o', f'size={mib}m', 'ringway-test', self.path]
        else:
            image = self.root / 'image'
            with open(image, 'wb') as file:
                file.truncate(mib << 20)
            # Nothing is set aside for root, which is who fills it.
            subprocess.run(['mkfs.ext4', '-q', '-m', '0', image], check=True)
            command = ['mount', '-o', 'loop', image, self.path]
        try:
            subprocess.run(command, check=True)
        except BaseException:
            shutil.rmtree(self.root)
            raise

    def fill(self):
        """Takes all the space that is left, to the last block."""
        with open(self.filler, 'ab', buffering=0) as file:
            piece = bytes(1 << 20)
            while piece:
                try:
                    file.write(piece)
                    os.fsync(file.fileno())
                except OSError as refused:
                    if refused.errno != errno.ENOSPC:
                        raise
                    piece = piece[:len(piece) // 2]

    def free(self):
        self.filler.unlink()

    def close(self):
        subprocess.run(['umount', self.path], check=True)
        shutil.rmtree(self.root)
