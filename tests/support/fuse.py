"""The kernel's FUSE messages, spoken directly and one at a time: what a file system of a test builds on."""

import ctypes
import errno
import mmap
import os
import struct

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
ENTRY_OUT = struct.Struct('=QQQQII')  # then the attributes
GETATTR_IN = struct.Struct('=IIQ')
SETATTR_IN = struct.Struct('=IIQQQQQQIIIIIII4x')
MAKE_IN = struct.Struct('=II')  # of a directory; a name behind it
CREATE_IN = struct.Struct('=IIII')
RENAME_IN = struct.Struct('=Q')
RENAME2_IN = struct.Struct('=QII')
OPEN_IN = struct.Struct('=II')
OPEN_OUT = struct.Struct('=QII')
TRANSFER_IN = struct.Struct('=QQIIQII')  # of a read and of a write
WRITE_OUT = struct.Struct('=II')
HANDLE_IN = struct.Struct('=Q')  # begins what a release, a sync or an allocation says
ALLOCATE_IN = struct.Struct('=QQQII')
STATFS_OUT = struct.Struct('=QQQQQIIII24x')
FORGET_IN = struct.Struct('=Q')
BATCH_FORGET_IN, FORGET_ONE = struct.Struct('=II'), struct.Struct('=QQ')
DIRECTORY_ENTRY = struct.Struct('=QQII')

LOOKUP, FORGET, GETATTR, SETATTR, MKDIR, UNLINK, RMDIR, RENAME = 1, 2, 3, 4, 9, 10, 11, 12
OPEN, READ, WRITE, STATFS, RELEASE, FSYNC, FLUSH_HANDLE, INIT = 14, 15, 16, 17, 18, 20, 25, 26
OPENDIR, READDIR, RELEASEDIR, FSYNCDIR, CREATE, INTERRUPT, DESTROY = 27, 28, 29, 30, 35, 36, 38
BATCH_FORGET, FALLOCATE, RENAME2 = 42, 43, 45
WITHOUT_REPLY = (FORGET, INTERRUPT, BATCH_FORGET)

libc = ctypes.CDLL(None, use_errno=True)


class Fuse:
    """A file system, once it is mounted; answer() is its maker's."""

    def mount(self, place, mode, options=''):
        self.kernel = os.open('/dev/fuse', os.O_RDWR)
        options = f'fd={self.kernel},rootmode={mode:o},user_id=0,group_id=0{options}'
        if libc.mount(b'ringway-test', os.fsencode(place), b'fuse', 0, options.encode()) != 0:
            raise OSError(ctypes.get_errno(), f'{place} cannot be served over FUSE')

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
            _, operation, unique, node, *_ = IN_HEADER.unpack_from(request)
            body = memoryview(request)[IN_HEADER.size:]
            if operation in WITHOUT_REPLY:
                self.forget(operation, node, body)
                continue
            try:
                reply, failed = self.answer(operation, node, body), 0
            except OSError as error:
                reply, failed = b'', error.errno
            os.writev(self.kernel, [OUT_HEADER.pack(OUT_HEADER.size + len(reply), -failed, unique), reply])

    def answer(self, operation, node, body):
        """What the kernel is told; an OSError for a refusal."""
        raise NotImplementedError

    def forget(self, operation, node, body):
        """The kernel knows a node no longer."""


def answer_init(body):
    _, minor, readahead, flags = INIT_IN.unpack_from(body)
    return INIT_OUT.pack(7, min(minor, 31), readahead, flags & (ASYNC_READ | BIG_WRITES | MAX_PAGES), 16, 12,
                         WRITE_BYTES_MAX, 1, PAGES_MAX, 0, 0)
