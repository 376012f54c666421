"""A file system for the directory of one topic that can be as full as it is, at any moment: for root only."""

import ctypes
import errno
import os
import subprocess

from small_disk import libc

MS_REMOUNT = 32
ROOM_BYTES = 1 << 30


class CrampedDisk:
    """A tmpfs over `directory`, with what is in there; nobody may have that open.

    close() takes it away; it is gone as soon as nobody has it open any more.
    """

    def __init__(self, directory):
        self.path = directory
        before = directory.with_name('before')
        directory.rename(before)
        directory.mkdir()
        subprocess.run(['mount', '-t', 'tmpfs', '-o', f'size={ROOM_BYTES}', 'ringway-test', directory], check=True)
        subprocess.run(['cp', '-a', f'{before}/.', directory], check=True)
        subprocess.run(['rm', '-r', before], check=True)

    def fill(self):
        """From now on there is no block more than there is."""
        while True:
            disk = os.statvfs(self.path)
            if self.resize((disk.f_blocks - disk.f_bfree) * disk.f_frsize):
                return

    def free(self):
        self.resize(ROOM_BYTES)

    def resize(self, size):
        """False: by now there is more on it."""
        if libc.mount(None, os.fsencode(self.path), None, MS_REMOUNT, b'size=%d' % size) == 0:
            return True
        if (error := ctypes.get_errno()) != errno.EINVAL:
            raise OSError(error, os.strerror(error), str(self.path))
        return False

    def close(self):
        subprocess.run(['umount', '--lazy', self.path], check=True)
