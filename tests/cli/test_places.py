"""`inspect` and `log` look into the bus that was named, also where another has topics of the same name."""

import json
import os
import pathlib
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from bus import Bus, wait_until
from small_disk import private_mounts


class Apart(Bus):
    """A bus whose control socket does not lie in its runtime directory."""

    def __init__(self):
        super().__init__()
        self.socket = self.root / 'elsewhere' / 'bus.sock'
        self.socket.parent.mkdir()
        self.env['RINGWAY_SOCKET'] = str(self.socket)


class Directories(unittest.TestCase):
    def test_one_that_may_not_be_made_is_refused_with_the_reason(self):
        bus = Bus()
        self.addCleanup(bus.close)
        nobody = {'user': 65534, 'group': 65534, 'extra_groups': []} if os.geteuid() == 0 else {}
        program = bus.program('RINGWAYD', nobody)
        bus.root.chmod(0o555)
        ended = subprocess.run([program, '--runtime-dir', bus.root / 'new', '--state-dir', bus.root / 'new'],
                               env={**bus.env, 'HOME': str(bus.root)}, capture_output=True, text=True, check=False,
                               timeout=60, **nobody)
        bus.root.chmod(0o755)
        self.assertEqual(ended.returncode, 1)
        self.assertIn(f'ringwayd: {bus.root}/new: cannot be created: Permission denied; ', ended.stderr)


class Modes(unittest.TestCase):
    """Of what is made, whatever umask its maker was started with."""

    def test_only_the_owner_can_read_and_write_it(self):
        bus = Bus()
        self.addCleanup(bus.close)
        bus.start(before_exec=lambda: os.umask(0o777))
        bus.json('topic', 'create', 't')
        bus.run('produce', 't', '--wait', 'written', stdin=b'a\n')
        bundle = bus.root / 'bundle.tar'
        bus.run('debug', 'bundle', bundle, preexec_fn=lambda: os.umask(0o777))
        made = [bundle, *(path for path in bus.state_dir.rglob('*') if path.is_file())]
        self.assertGreater(len(made), 4)
        self.assertEqual({path: oct(path.stat().st_mode & 0o777) for path in made}, dict.fromkeys(made, oct(0o600)))


class TwoBuses(unittest.TestCase):
    def bus(self, make=Bus):
        bus = make()
        self.addCleanup(bus.close)
        bus.start()
        bus.env['HOME'] = str(bus.root)  # nothing at the usual places
        for name in ('XDG_STATE_HOME', 'XDG_RUNTIME_DIR'):
            bus.env.pop(name, None)
        bus.uuid = bus.json('topic', 'create', 't')['uuid']
        bus.run('produce', 't', '--wait', 'durable', stdin=str(bus.root).encode() + b'\n')
        return bus

    def content(self, bus):
        return str(bus.root).encode() + b'\n'

    def set_up(self, make=Bus):
        self.other = self.bus()
        self.named = self.bus(make)

    def test_status_tells_the_places(self):
        self.set_up()
        status = self.named.json('status')
        self.assertEqual([status[name] for name in ('socket', 'runtime_dir', 'state_dir')],
                         [str(self.named.socket), str(self.named.runtime_dir), str(self.named.state_dir)])
        self.assertIn(str(self.named.state_dir).encode(), self.named.run('status'))

    def test_log_reads_the_state_of_the_bus_that_was_named(self):
        self.set_up()
        self.assertEqual(self.named.json('log', 'verify', 't')['uuid'], self.named.uuid)
        self.assertEqual(self.named.run('log', 'dump', 't'), self.content(self.named))
        elsewhere = {**self.named.env, 'RINGWAY_SOCKET': str(self.other.socket)}
        ended = subprocess.run(self.named.command('log', 'dump', 't', '--socket', self.named.socket), env=elsewhere,
                               capture_output=True, check=True)
        self.assertEqual(ended.stdout, self.content(self.named))

    def test_and_with_its_supervisor_stopped_or_dead(self):
        self.set_up()
        self.named.pause()
        self.assertEqual(self.named.run('log', 'dump', 't'), self.content(self.named))
        self.named.resume()
        self.named.kill()
        self.assertEqual(self.named.run('log', 'dump', 't'), self.content(self.named))

    def test_where_nobody_can_say_the_usual_place_is_read_and_that_is_told(self):
        self.set_up()
        self.named.stop()
        wait_until(lambda: not self.named.keepers(), 'the keeper to end')
        self.named.env['XDG_STATE_HOME'] = str(self.named.root / 'usual')
        (self.named.root / 'usual').mkdir()
        (self.named.root / 'usual' / 'ringway').symlink_to(self.named.state_dir)
        self.assertEqual(self.named.run('log', 'dump', 't'), self.content(self.named))
        self.assertIn(str(self.named.root / 'usual' / 'ringway'), self.named.stderr)

    def test_inspect_finds_the_keeper_of_a_bus_whose_socket_lies_elsewhere(self):
        self.set_up(Apart)
        self.assertEqual(self.named.json('inspect', 't')['uuid'], self.named.uuid)
        self.assertIn(b'the keeper', self.named.run('inspect', 't'))

    def test_inspect_of_what_the_bus_does_not_have_is_not_another_bus_s(self):
        self.set_up()
        self.other.run('topic', 'create', 'theirs')
        self.assertEqual(self.named.refusal('inspect', 'theirs', status=3)['code'], 'not_found')
        self.named.kill()
        self.assertEqual(self.named.refusal('inspect', 'theirs', status=3)['code'], 'not_found')
        self.assertEqual(json.loads(self.named.run('inspect', self.named.uuid, '--output', 'json'))['topic'], 't')


@unittest.skipIf(os.geteuid() != 0, 'needs root for a /run of its own')
class LoginSession(unittest.TestCase):
    """Where nobody says which bus: every login session has a runtime directory, few have a bus in it."""

    def bus(self, socket):
        bus = Bus()
        self.addCleanup(bus.close)
        bus.socket = socket
        return bus.start()

    def test_the_host_s_bus_is_found_unless_the_session_has_one(self):
        private_mounts()
        subprocess.run(['mount', '-t', 'tmpfs', 'ringway-test', '/run'], check=True)
        self.addCleanup(subprocess.run, ['umount', '/run'], check=True)
        host = self.bus(pathlib.Path('/run/ringway/control.sock'))
        own = pathlib.Path('/run/user/7/ringway/control.sock')
        host.env['XDG_RUNTIME_DIR'] = str(own.parents[1])
        del host.env['RINGWAY_SOCKET']
        for directory in (own.parents[2], own.parents[1], own.parent):
            self.assertEqual(host.json('status')['socket'], str(host.socket))
            directory.mkdir()
        self.bus(own)
        self.assertEqual(host.json('status')['socket'], str(own))


if __name__ == '__main__':
    unittest.main()
