"""The descriptor keeper's protocol, as a supervisor speaks it: for tests that play one."""

import array
import fcntl
import json
import os
import socket
import subprocess


class Keeper:
    """A connection to the living keeper of a runtime directory."""

    def __init__(self, runtime_dir, state_dir):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(60)
        self.socket.connect(f'{runtime_dir}/keeper.sock')
        self.last_id = 0
        self.call(op='attach', state_dir=os.path.realpath(state_dir))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def call(self, descriptors=(), **request):
        self.last_id += 1
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', descriptors))] if descriptors else []
        self.socket.sendmsg([json.dumps({'id': self.last_id, **request}).encode()], rights)
        text, ancillary, _, _ = self.socket.recvmsg(1 << 20, socket.CMSG_SPACE(253 * 4), socket.MSG_CMSG_CLOEXEC)
        reply = json.loads(text)
        if 'error' in reply:
            raise RuntimeError(f'keeper: {reply["error"]}')
        received = array.array('i')
        for _, _, data in ancillary:
            received.frombytes(data[:len(data) - len(data) % received.itemsize])
        return reply, list(received)

    def list(self):
        """Of everything kept: name, meta, descriptor (the caller's to close)."""
        kept, more = [], True
        while more:
            reply, descriptors = self.call(op='list', after=kept[-1][0] if kept else '')
            kept += [(entry['name'], entry['meta'], fd) for entry, fd in zip(reply['kept'], descriptors, strict=True)]
            more = reply['more']
        return kept

    def put(self, name, meta, descriptor):
        self.call(op='put', name=name, meta=meta, descriptors=[descriptor])


def start_keeper(program, runtime_dir, state_dir):
    """Returns when it is ready; it ends with its runtime directory."""
    child = subprocess.Popen([program, '--keeper', str(runtime_dir), os.path.realpath(state_dir)],
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    if child.stdout.readline() != b'ready\n':
        raise RuntimeError('the keeper did not start')
    child.stdout.close()
    return child


def sealed_memory(name, content):
    """A memory file as the supervisor makes it, with that content."""
    fd = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.fchmod(fd, 0o600)
    os.truncate(fd, len(content))
    os.pwrite(fd, content, 0)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
    return fd
