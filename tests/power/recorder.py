"""A disk whose every write and flush is recorded: one file, served over FUSE, for a loop device to lie on.

    recorder.py IMAGE LOG MOMENT FILE

FILE, a plain file, shows what IMAGE holds until it is unmounted; then this program ends. What is written goes into
IMAGE and into LOG, in the order in which it came, one entry each; MOMENT, eight bytes that others map, says how many
entries LOG has. It is counted up before the writer hears that it is done: whoever is told something and then looks at
MOMENT knows a point of LOG at which what he was told had come true. The kernel's FUSE messages are spoken directly, one
at a time, so that LOG is one order and no write overtakes a flush.
"""

import errno
import mmap
import os
import pathlib
import stat
import struct
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from fuse import (ATTRIBUTES, ATTRIBUTES_OUT, DESTROY, DIRECT_IO, FLUSH_HANDLE, FSYNC, GETATTR, INIT, NO_FUSE, OPEN,
                  OPEN_OUT, READ, RELEASE, SETATTR, STATFS, STATFS_OUT, TRANSFER_IN, WRITE, WRITE_OUT, Fuse, answer_init)

# An entry: position and length, then so many bytes. A flush has no bytes, and this position.
ENTRY = struct.Struct('<QI')
FLUSH = 0xffffffffffffffff
MOMENT = struct.Struct('<Q')


class Recorder(Fuse):
    def __init__(self, image, log, moment):
        self.image = os.open(image, os.O_RDWR)
        self.bytes = os.fstat(self.image).st_size
        self.log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with open(moment, 'r+b') as file:
            self.moment = mmap.mmap(file.fileno(), MOMENT.size)
        self.entries = MOMENT.unpack(self.moment)[0]

    def answer(self, operation, _, body):
        if operation == WRITE:
            _, position, length, *_ = TRANSFER_IN.unpack_from(body)
            content = body[TRANSFER_IN.size:TRANSFER_IN.size + length]
            os.pwrite(self.image, content, position)
            self.record(position, content)
            return WRITE_OUT.pack(length, 0)
        if operation == FSYNC:
            self.record(FLUSH, b'')
            return b''
        if operation == READ:
            _, position, length, *_ = TRANSFER_IN.unpack_from(body)
            return os.pread(self.image, length, position)
        if operation == OPEN:
            return OPEN_OUT.pack(1, DIRECT_IO, 0)
        if operation in (GETATTR, SETATTR):
            return ATTRIBUTES_OUT.pack(3600, 0, 0) + ATTRIBUTES.pack(
                1, self.bytes, self.bytes // 512, 0, 0, 0, 0, 0, 0, stat.S_IFREG | 0o600, 1, 0, 0, 0, 4096, 0)
        if operation == STATFS:
            return STATFS_OUT.pack(0, 0, 0, 0, 0, 4096, 255, 4096, 0)
        if operation == INIT:
            return answer_init(body)
        if operation in (RELEASE, FLUSH_HANDLE, DESTROY):
            return b''
        raise OSError(errno.ENOSYS, 'not of this disk')

    def record(self, position, content):
        os.writev(self.log, [ENTRY.pack(position, len(content)), content])
        self.entries += 1
        MOMENT.pack_into(self.moment, 0, self.entries)


def main():
    image, log, moment, file = sys.argv[1:]
    recorder = Recorder(image, log, moment)
    try:
        recorder.mount(file, stat.S_IFREG | 0o600)
    except OSError as refused:
        print(f'no FUSE here: {refused}', file=sys.stderr)
        sys.exit(NO_FUSE)
    recorder.serve()


if __name__ == '__main__':
    main()
