"""A disk whose every write and flush is recorded: one file, served over FUSE, for a loop device to lie on.

    recorder.py IMAGE LOG MOMENT FILE

FILE, a plain file, shows what IMAGE holds until it is unmounted; then this program ends. What is written goes into
IMAGE and into LOG, in the order in which it came, one entry each; MOMENT, eight bytes that others map, says how many
entries LOG has. It is counted up before the writer hears that it is done: whoever is told something and then looks at
MOMENT knows a point of LOG at which what he was told had come true. The kernel's FUSE messages are spoken directly, one
at a time, so that LOG is one order and no write overtakes a flush.
"""

import ctypes
import errno
import mmap
import os
import stat
import struct
import sys

# An entry: position and length, then so many bytes. A flush has no bytes, and this position.
ENTRY = struct.Struct('<QI')
FLUSH = 0xffffffffffffffff
MOMENT = struct.Struct('<Q')

WRITE_BYTES_MAX = 1 << 20
PAGES_MAX = 256
ASYNC_READ, BIG_WRITES, MAX_PAGES = 1 << 0, 1 << 5, 1 << 22
DIRECT_IO = 1

NO_FUSE = 77  # exit status

IN_HEADER = struct.Struct('=IIQQIIIHH')
OUT_HEADER = struct.Struct('=IiQ')
INIT_IN = struct.Struct('=IIII')
INIT_OUT = struct.Struct('=IIIIHHIIHHI28x')
ATTRIBUTES = struct.Struct('=QQQQQQIIIIIIIIII')
ATTRIBUTES_OUT = struct.Struct('=QII')
OPEN_OUT = struct.Struct('=QII')
TRANSFER_IN = struct.Struct('=QQIIQII')  # of a read and of a write
WRITE_OUT = struct.Struct('=II')
STATFS_OUT = struct.Struct('=QQQQQIIII24x')

FORGET, GETATTR, SETATTR, OPEN, READ, WRITE, STATFS, RELEASE, FSYNC = 2, 3, 4, 14, 15, 16, 17, 18, 20
FLUSH_HANDLE, INIT, INTERRUPT, DESTROY, BATCH_FORGET = 25, 26, 36, 38, 42
WITHOUT_REPLY = (FORGET, INTERRUPT, BATCH_FORGET)

libc = ctypes.CDLL(None, use_errno=True)


class Recorder:
    def __init__(self, image, log, moment):
        self.image = os.open(image, os.O_RDWR)
        self.bytes = os.fstat(self.image).st_size
        self.log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with open(moment, 'r+b') as file:
            self.moment = mmap.mmap(file.fileno(), MOMENT.size)
        self.entries = MOMENT.unpack(self.moment)[0]

    def mount(self, file):
        self.kernel = os.open('/dev/fuse', os.O_RDWR)
        options = f'fd={self.kernel},rootmode={stat.S_IFREG | 0o600:o},user_id=0,group_id=0'
        if libc.mount(b'ringway-test', os.fsencode(file), b'fuse', 0, options.encode()) != 0:
            raise OSError(ctypes.get_errno(), f'{file} cannot be served over FUSE')

    def serve(self):
        """Until it is unmounted."""
        while True:
            try:
                request = os.read(self.kernel, WRITE_BYTES_MAX + mmap.PAGESIZE)
            except InterruptedError:
                continue
            except OSError as error:
                if error.errno == errno.ENODEV:
                    return
                if error.errno == errno.ENOENT:
                    continue  # it was taken back
                raise
            _, operation, unique, *_ = IN_HEADER.unpack_from(request)
            if operation in WITHOUT_REPLY:
                continue
            try:
                reply, failed = self.answer(operation, memoryview(request)[IN_HEADER.size:]), 0
            except OSError as error:
                reply, failed = b'', error.errno
            os.writev(self.kernel, [OUT_HEADER.pack(OUT_HEADER.size + len(reply), -failed, unique), reply])

    def answer(self, operation, body):
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
            major, minor, readahead, flags = INIT_IN.unpack_from(body)
            return INIT_OUT.pack(7, min(minor, 31), readahead, flags & (ASYNC_READ | BIG_WRITES | MAX_PAGES),
                                 16, 12, WRITE_BYTES_MAX, 1, PAGES_MAX, 0, 0)
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
        recorder.mount(file)
    except OSError as refused:
        print(f'no FUSE here: {refused}', file=sys.stderr)
        sys.exit(NO_FUSE)
    recorder.serve()


if __name__ == '__main__':
    main()
