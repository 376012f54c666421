"""The storm's service manager: keeps ringwayd running, kills it, and knows when all memory was lost with it."""

import collections
import os
import signal
import time

from bus import process_state, wait_until


def now_ns():
    return time.monotonic_ns()


class Supervision:
    """`state` is down, starting, serving or stopping.

    A loss is [from_ns, to_ns]: somewhere in between neither supervisor nor keeper had the rings, so that what was
    not written may be gone. It is noted where that may have been so, never where the keeper certainly had them.
    """

    def __init__(self, bus):
        self.bus = bus
        self.state = 'down'
        self.start_at_ns = 0
        self.stopped = False
        self.losses = []
        self.repaired = set()  # pids whose claims were finished for them
        self.replaced = collections.Counter()  # rings, by the reason
        self.suspended = 0  # times that a log was left out, as its disk refused
        self.copying = set()  # pids of consumers that may hold nothing any more
        self.problems = []
        self.starts = 0
        self.disturbed_ns = now_ns()  # when something was last done to supervisor or keeper
        self.keeper = None
        self.keeper_stopped = False
        self.keeper_killed_ns = None  # until another one certainly has everything
        self.keeper_hit_in_start = False
        self.log_read = 0
        bus.log.touch()

    # What the log says

    def tick(self):
        self.read_log()
        daemon = self.bus.daemon
        if self.state != 'down' and daemon.poll() is not None:
            self.read_log()
            if self.state == 'starting' and self.keeper_hit_in_start:
                pass  # it could not get its rings; somebody starts it again
            elif self.state != 'stopping' or daemon.returncode not in (0, 1):
                self.problems.append(f'ringwayd ended with {daemon.returncode} while {self.state}: '
                                     f'{self.bus.log.read_text()[-600:]}')
            self.gone()
            self.start_at_ns = max(self.start_at_ns, now_ns())
        if self.state == 'down' and now_ns() >= self.start_at_ns:
            self.launch()

    def launch(self):
        self.state = 'starting'
        self.keeper_hit_in_start = self.keeper_stopped
        self.starts += 1
        self.bus.launch()

    def read_log(self):
        with open(self.bus.log, 'rb') as file:
            file.seek(self.log_read)
            text = file.read()
        whole = text.rfind(b'\n') + 1
        self.log_read += whole
        for line in text[:whole].decode(errors='replace').splitlines():
            fields = dict(word.split('=', 1) for word in line.split() if '=' in word)
            event = fields.get('event')
            if event == 'claim_repaired':
                self.repaired.add(int(fields['pid']))
            elif event == 'ring_replaced':
                self.replaced[fields['reason']] += 1
            elif event == 'log_suspended':
                self.suspended += 1
            elif event == 'consumer_copies':
                self.copying.add(int(fields['pid']))
            elif event == 'keeper_replaced':
                self.keeper_is(int(fields['pid']))
            elif event == 'serving':
                self.keeper_is(int(fields['keeper']))
                if self.state == 'starting' and int(fields['pid']) == self.bus.daemon.pid:
                    self.state = 'serving'
                    for loss in self.losses:
                        loss[1] = loss[1] or now_ns()

    def keeper_is(self, pid):
        if self.keeper != pid:
            self.keeper_killed_ns = None
            self.keeper_stopped = False
        self.keeper = pid

    def serves(self):
        return self.state == 'serving' and not self.stopped

    def has_keeper(self):
        return self.keeper_killed_ns is None and self.keeper is not None and not self.keeper_stopped

    # The supervisor

    def gone(self):
        """The supervisor is dead for certain."""
        self.state = 'down'
        self.stopped = False
        self.disturbed_ns = now_ns()
        if self.keeper_killed_ns is not None:
            self.note_loss(self.keeper_killed_ns)

    def kill(self, back_in_s):
        self.disturbed_ns = now_ns()
        self.read_log()
        self.bus.kill()
        self.read_log()
        self.gone()
        self.start_at_ns = now_ns() + int(back_in_s * 1e9)

    def end(self, back_in_s):
        """Asks for the orderly stop; tick() sees its end."""
        self.disturbed_ns = now_ns()
        self.bus.daemon.send_signal(signal.SIGTERM)
        self.state = 'stopping'
        self.start_at_ns = now_ns() + int(back_in_s * 1e9)

    def pause(self):
        self.disturbed_ns = now_ns()
        self.bus.pause()
        self.stopped = True

    def resume(self):
        self.stopped = False
        self.disturbed_ns = now_ns()
        self.bus.resume()

    # The keeper

    def note_loss(self, from_ns):
        self.losses.append([from_ns, None])

    def kill_keeper(self):
        """True when there was one."""
        self.read_log()
        self.disturbed_ns = now_ns()
        killed = self.bus.keepers()
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        if not killed:
            return False
        self.keeper_stopped = False
        self.keeper_killed_ns = now_ns()
        self.keeper = killed[-1]
        wait_until(lambda: not set(killed) & set(self.bus.keepers()), 'the keeper to die')
        if self.state == 'down':
            self.note_loss(self.keeper_killed_ns)
        elif self.state == 'starting':
            self.keeper_hit_in_start = True
            self.note_loss(self.keeper_killed_ns)
        return True

    def kill_with_keeper(self, others, order, back_in_s):
        """Supervisor, keeper and these pids, in an order drawn by this stream and with nothing in between."""
        self.disturbed_ns = now_ns()
        self.read_log()
        keepers = self.bus.keepers()
        pids = [*keepers, self.bus.daemon.pid, *others]
        order.shuffle(pids)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        self.bus.kill()
        wait_until(lambda: not set(keepers) & set(self.bus.keepers()), 'the keeper to die')
        self.read_log()
        self.keeper_killed_ns = None
        self.gone()
        self.start_at_ns = now_ns() + int(back_in_s * 1e9)
        if not self.kill_keeper():  # one that the supervisor started in its last moment
            self.keeper_killed_ns = now_ns()
            self.note_loss(self.keeper_killed_ns)

    def pause_keeper(self):
        """Its pid; None when it left just now with a supervisor that stops in order."""
        self.disturbed_ns = now_ns()
        pid = self.keeper
        try:
            os.kill(pid, signal.SIGSTOP)
        except ProcessLookupError:
            if self.state != 'stopping':
                raise
            return None
        wait_until(lambda: process_state(pid) in ('T', 'Z', ''), 'the keeper to stand still')
        self.keeper_stopped = True
        if self.state == 'starting':
            self.keeper_hit_in_start = True
        return pid

    def resume_keeper(self, pid):
        self.disturbed_ns = now_ns()
        if pid in self.bus.keepers():
            os.kill(pid, signal.SIGCONT)
        if pid == self.keeper:
            self.keeper_stopped = False
