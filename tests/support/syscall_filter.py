"""A seccomp filter for a child process: system calls that the kernel refuses, or that nobody may make.

    subprocess.Popen(…, preexec_fn=refuse('io_uring', errno.EPERM))
    subprocess.Popen(…, preexec_fn=forbid('io_uring'))     # killed by SIGSYS at the first use
    subprocess.Popen(…, preexec_fn=pretend('fdatasync'))   # never done, and every call says ok

Everything the child starts has the filter, too.
"""

import ctypes
import dataclasses
import os
import platform
import socket
import struct

PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, SECCOMP_MODE_FILTER = 22, 38, 2
RET_ALLOW, RET_ERRNO, RET_KILL_PROCESS = 0x7fff0000, 0x00050000, 0x80000000
LOAD, EQUAL, AND, RETURN = 0x20, 0x15, 0x54, 0x06  # BPF: ld abs word, jeq, and, ret
NUMBER, FIRST_ARGUMENT = 0, 16  # offsets in struct seccomp_data

SO_PEERPIDFD, F_ADD_SEALS = 77, 1033

libc = ctypes.CDLL(None, use_errno=True)


@dataclasses.dataclass(frozen=True)
class Use:
    """One way into the kernel: a call, and what its arguments must have in common (index, mask, value)."""
    number: dict  # by machine
    arguments: tuple = ()


def everywhere(number):
    return {'x86_64': number, 'aarch64': number}


USES = {
    'io_uring': Use(everywhere(425)),
    'futex_waitv': Use(everywhere(449)),
    'membarrier': Use({'x86_64': 324, 'aarch64': 283}),
    'peerpidfd': Use({'x86_64': 55, 'aarch64': 209},
                     ((1, 0xffffffff, socket.SOL_SOCKET), (2, 0xffffffff, SO_PEERPIDFD))),
    'o_direct': Use({'x86_64': 257, 'aarch64': 56}, ((2, os.O_DIRECT, os.O_DIRECT),)),
    'seals': Use({'x86_64': 72, 'aarch64': 25}, ((1, 0xffffffff, F_ADD_SEALS),)),
    'fallocate': Use({'x86_64': 285, 'aarch64': 47}),
    'fdatasync': Use({'x86_64': 75, 'aarch64': 83}),
}


def refuse(use, error):
    return lambda: install(program(use, RET_ERRNO | error))


def forbid(use):
    return lambda: install(program(use, RET_KILL_PROCESS))


def pretend(use):
    """It is not done, and reported as done."""
    return refuse(use, 0)


def program(name, verdict):
    use = USES[name]
    instructions = [(LOAD, 0, 0, NUMBER), (EQUAL, 0, None, use.number[platform.machine()])]
    for index, mask, value in use.arguments:
        instructions += [(LOAD, 0, 0, FIRST_ARGUMENT + 8 * index), (AND, 0, 0, mask), (EQUAL, 0, None, value)]
    instructions += [(RETURN, 0, 0, verdict), (RETURN, 0, 0, RET_ALLOW)]
    last = len(instructions) - 1
    return b''.join(struct.pack('=HBBI', code, yes, last - at - 1 if no is None else no, value)
                    for at, (code, yes, no, value) in enumerate(instructions))


class FilterProgram(ctypes.Structure):
    _fields_ = [('length', ctypes.c_ushort), ('code', ctypes.c_char_p)]


def install(code):
    described = FilterProgram(len(code) // 8, code)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 or \
            libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(described), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), 'no seccomp filter can be installed')
