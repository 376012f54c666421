"""log repair: a damaged log is sound again, without what was damaged and with all else, and what was cut is kept."""

import hashlib
import json
import os
import pathlib
import pty
import pwd
import re
import shutil
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from bus import wait_until
from on_a_bus import OnABus

RECORDS = 40_000
NOBODY = pwd.getpwnam('nobody')
LOST = re.compile(r'offsets? (\d+)(?: to (\d+))? (?:is|are) missing: (.*)')


def value(offset):
    return b'%d:' % offset + b'v' * (offset % 90)


def flip(path, at, bits=1):
    with open(path, 'r+b') as file:
        file.seek(at)
        (byte,) = file.read(1)
        file.seek(at)
        file.write(bytes([byte ^ bits]))


def zero(path, at, count):
    with open(path, 'r+b') as file:
        file.seek(at)
        file.write(bytes(count))


def in_front_of(file):
    """The name of a segment that begins one offset in front of that one."""
    return file.with_name(f'{int(file.stem) - 1:020}.log')


# What is done to the files of the log, oldest first: four blocks of 256 KiB each, the last has fewer.
DAMAGES = {
    'a byte of data': lambda files: flip(files[1], 400_000),
    'a byte of a header': lambda files: flip(files[1], 33),
    'a whole header': lambda files: zero(files[1], 0, 4096),
    'the header of the first': lambda files: zero(files[0], 0, 4096),
    'a block of zeros': lambda files: zero(files[1], 64 * 4096, 256 * 1024),
    'the table': lambda files: zero(files[1], 4096, 4096),
    'a file cut short': lambda files: os.truncate(files[1], 300_000),
    'a file with nothing in it': lambda files: os.truncate(files[1], 0),
    'the first with nothing in it': lambda files: os.truncate(files[0], 0),
    'a file that is missing': lambda files: files[1].unlink(),
    'two files that are missing': lambda files: (files[1].unlink(), files[2].unlink()),
    'garbage that has a name': lambda files: in_front_of(files[-1]).write_bytes(os.urandom(10_000)),
    'a file of another place': lambda files: shutil.copy(files[2], in_front_of(files[-1])),
    'a copy with a broken magic': lambda files: (shutil.copy(files[2], in_front_of(files[2])),
                                                        flip(in_front_of(files[2]), 0)),
    'a byte of the last': lambda files: flip(files[-1], 100_000),
    'the header of the last': lambda files: zero(files[-1], 0, 4096),
    'the last cut short': lambda files: os.truncate(files[-1], 60_000),
    'one that is missing, and the slots in front of it': lambda files: (zero(files[0], 8192, 3 * 8192),
                                                                        files[1].unlink()),
    'the last is missing': lambda files: files[-1].unlink(),
    'all of it is missing': lambda files: [file.unlink() for file in files],
    'much at once': lambda files: (flip(files[0], 400_000), zero(files[1], 0, 4096), files[2].unlink(),
                                   zero(files[-1], 70_000, 4096)),
}
# Nothing of it held a record that others do not, or its checksum tells what it was.
HARMLESS = {'a byte of a header', 'garbage that has a name', 'a file of another place', 'a copy with a broken magic'}


class LogRepair(OnABus):
    def setUp(self):
        super().setUp()
        self.uuid = self.create('t', '--ring', '64KiB', '--segment', '1MiB')['uuid']
        self.produce('t', [value(offset) for offset in range(RECORDS)])
        self.directory = self.bus.state_dir / 'topics' / self.uuid / '0'
        self.assertGreater(len(self.files()), 3)
        self.where = ['t', '--state-dir', self.bus.state_dir]

    def files(self):
        return sorted(self.directory.glob('*.log'))

    def hashes(self):
        return {str(path.relative_to(self.directory)): hashlib.sha256(path.read_bytes()).hexdigest()
                for path in self.directory.rglob('*') if path.is_file()}

    def repair(self, *options, status=0, **more):
        return self.bus.json('log', 'repair', *self.where, *options, status=status, **more)

    def verify(self, status=0):
        (one,) = self.bus.json('log', 'verify', *self.where, status=status)['partitions']
        return one

    def told(self):
        """Offset → the reason with which the last command told that it is missing."""
        told = {}
        for first, last, why in LOST.findall(self.bus.stderr):
            for offset in range(int(first), int(last or first) + 1):
                told[offset] = why
        return told

    def consume(self):
        """What a consumer sees, offset → value; and what it is told of the rest."""
        lines = self.bus.run('consume', 't', '-e', '-o', 'start', '-f', '%o %v\\n', status=None).splitlines()
        pairs = [line.split(b' ', 1) for line in lines]
        self.assertEqual([int(offset) for offset, _ in pairs], sorted({int(offset) for offset, _ in pairs}))
        return {int(offset): got for offset, got in pairs}, self.told()

    def dump(self):
        lines = self.bus.run('log', 'dump', *self.where, '-f', '%o %v\\n', status=None).splitlines()
        return {int(offset): got for offset, got in (line.split(b' ', 1) for line in lines)}

    def stop(self, orderly):
        if orderly:
            self.assertEqual(self.bus.stop(), 0)
        else:
            self.bus.kill()
            self.bus.kill_keeper()

    def give_to_nobody(self):
        self.bus.root.chmod(0o755)
        for path in (self.bus.state_dir, *self.bus.state_dir.rglob('*')):
            os.chown(path, NOBODY.pw_uid, NOBODY.pw_gid)

    def check(self, before, harmless, orderly):
        """It verifies, starts, gives all that was whole, tells of the rest, and goes on behind all that ever was."""
        report = self.verify()
        lost = {offset for hole in report['lost'] for offset in range(hole['from_offset'], hole['to_offset'])}
        if harmless:
            before = {offset: value(offset) for offset in range(RECORDS)}
        self.assertEqual(self.dump(), before)
        self.bus.start()
        self.bus.run('status')  # nothing needs attention
        seen, told = self.consume()
        self.assertEqual(seen, before)
        for offset, got in seen.items():
            self.assertEqual(got, value(offset))
        self.assertEqual(seen.keys() & told.keys(), set())
        if orderly:
            self.assertEqual(seen.keys() | lost, set(range(RECORDS)))
            self.assertEqual(seen.keys() | told.keys(), set(range(RECORDS)))
            self.assertEqual(set(told.values()) - {'lost on disk'}, set())
        self.bus.run('produce', 't', '--wait', 'durable', stdin=b'new\n')
        new = int(self.bus.run('consume', 't', '-o', '-1', '-n', '1', '-f', '%o'))
        self.assertGreaterEqual(new, RECORDS)
        if orderly:
            self.assertEqual(new, RECORDS)
        seen, _ = self.consume()
        self.assertEqual(seen.pop(new), b'new')
        self.assertEqual(seen, before)
        self.verify()

    def test_after_any_damage_it_is_sound_and_all_else_is_read(self):
        self.stop(orderly=True)
        whole = self.bus.root / 'whole'
        shutil.copytree(self.bus.state_dir, whole)
        for what, damage in DAMAGES.items():
            with self.subTest(what):
                shutil.rmtree(self.bus.state_dir)
                shutil.copytree(whole, self.bus.state_dir)
                damage(self.files())
                self.verify(status=5)
                before, damaged = self.dump(), self.hashes()
                would = self.repair('--dry-run', status=5)
                self.assertEqual(self.hashes(), damaged)
                did = self.repair('--yes')
                self.assertEqual(did['findings'], would['findings'])
                self.assertTrue(did['repaired'])
                self.assertEqual(self.repair('--yes')['findings'], [])
                self.check(before, what in HARMLESS, orderly=True)
                self.assertEqual(self.bus.stop(), 0)

    def test_where_no_orderly_stop_says_how_far_it_went_the_next_start_does_the_rest(self):
        self.stop(orderly=False)
        whole = self.bus.root / 'whole'
        shutil.copytree(self.bus.state_dir, whole)
        for what, damage in DAMAGES.items():
            if what in ('the last is missing', 'all of it is missing'):
                continue  # nothing tells that it was there
            with self.subTest(what):
                shutil.rmtree(self.bus.state_dir)
                shutil.copytree(whole, self.bus.state_dir)
                damage(self.files())
                before = self.dump()
                self.repair('--yes')
                self.check(before, what in HARMLESS, orderly=False)
                self.stop(orderly=False)

    def test_a_ring_that_lives_goes_on_over_it(self):
        self.bus.kill()
        for what in ('a byte of data', 'a whole header', 'the header of the last'):
            with self.subTest(what):
                DAMAGES[what](self.files())
                self.repair('--yes')
                self.bus.start()
                self.produce('t', [b'new'])
                seen, told = self.consume()
                self.assertEqual(max(seen), max(RECORDS, *seen))
                self.assertEqual({offset: got for offset, got in seen.items() if offset < RECORDS},
                                 {offset: value(offset) for offset in seen if offset < RECORDS})
                self.assertEqual(set(range(RECORDS)) - seen.keys(), {at for at in told if at < RECORDS})
                self.bus.kill()

    def test_what_is_cut_is_kept_byte_for_byte_and_goes_back_in(self):
        self.stop(orderly=True)
        DAMAGES['much at once'](self.files())
        before = {path.name: path.read_bytes() for path in self.files()}
        did = self.repair('--yes')
        (kept,) = did['kept']
        cut = pathlib.Path(kept['cut'])
        self.assertEqual(cut.parent, self.directory)
        self.assertRegex(cut.name, r'^cut-\d{8}T\d{6}Z$')
        note = (cut / 'what-was-cut.txt').read_text()
        for finding in did['findings']:
            self.assertIn(f'{finding["file"]}: {finding["wrong"]}.', note)
            if finding['from_offset'] is not None:
                self.assertIn(f'offsets {finding["from_offset"]} to {finding["to_offset"] - 1} are lost', note)
            if finding['deed'] == 'take_out':
                self.assertEqual((cut / finding['file']).read_bytes(), before[finding['file']])
            if finding['deed'] == 'write_off':
                piece = (cut / f'{finding["file"]}.at-{finding["file_pos"]}').read_bytes()
                at = finding['file_pos']
                self.assertEqual(piece, before[finding['file']][at:at + len(piece)])
                self.assertGreater(len(piece), 0)
        for finding in did['findings']:
            if finding['deed'] == 'fill_in':
                (self.directory / finding['file']).unlink()
        for file in cut.iterdir():  # as the note says
            if '.at-' in file.name:
                name, at = file.name.split('.at-')
                with open(self.directory / name, 'r+b') as into:
                    into.seek(int(at))
                    into.write(file.read_bytes())
            elif file.suffix == '.log':
                file.rename(self.directory / file.name)
        self.assertEqual({path.name: path.read_bytes() for path in self.files()}, before)

    def test_deleting_the_topic_takes_it_and_retention_and_trim_leave_it_alone(self):
        self.stop(orderly=True)
        damaged = self.files()[1]
        DAMAGES['a whole header'](self.files())
        cut = pathlib.Path(self.repair('--yes')['kept'][0]['cut'])
        self.bus.start()
        (trimmed,) = self.bus.json('topic', 'trim', 't', '--before', 'end', '--yes')
        self.assertGreater(trimmed['segments'], 2)
        self.assertEqual({path.name for path in cut.iterdir()}, {'what-was-cut.txt', damaged.name})
        self.bus.run('topic', 'delete', 't', '--yes')
        wait_until(lambda: not cut.exists(), 'what was cut to go')

    def test_without_yes_nothing_is_touched(self):
        self.stop(orderly=True)
        DAMAGES['much at once'](self.files())
        before = self.hashes()
        error = self.bus.refusal('log', 'repair', *self.where, status=2)
        self.assertEqual((error['thing'], error['fix']), ("topic 't'", 'add --yes'))
        self.repair('--dry-run', status=5)
        self.assertEqual(self.hashes(), before)

    def test_a_sound_log_is_left_as_it_is(self):
        self.stop(orderly=True)
        before = self.hashes()
        report = self.repair()
        self.assertEqual((report['repaired'], report['findings'], report['kept']), (False, [], []))
        self.assertEqual(self.hashes(), before)

    def test_while_a_supervisor_serves_it_is_refused(self):
        error = self.bus.refusal('log', 'repair', *self.where, '--yes', status=1)
        self.assertEqual(error['code'], 'busy')
        self.assertIn(f'is in use by ringwayd with pid {self.bus.daemon.pid}', error['rule'])
        self.assertEqual(error['fix'], f'stop it first: kill {self.bus.daemon.pid}')

    def test_another_repair_that_is_at_it_is_waited_for_or_killed(self):
        self.stop(orderly=True)
        DAMAGES['a byte of data'](self.files())
        person, terminal = pty.openpty()
        asked = self.bus.spawn('log', 'repair', *self.where, stdin=terminal)
        os.close(terminal)
        said = b''
        while b'[y/N]' not in said:
            said += os.read(asked.stderr.fileno(), 1000)
        error = self.bus.refusal('log', 'repair', *self.where, '--yes', status=1)
        self.assertEqual(error['code'], 'busy')
        self.assertIn(f'is in use by ringway with pid {asked.pid}', error['rule'])
        self.assertEqual(error['fix'], 'let it end; where it waits for somebody, end it: kill -9 that pid, '
                                       'and repair then, which does the rest')
        asked.send_signal(signal.SIGSTOP)  # waiting would not help
        asked.kill()
        asked.wait()
        os.close(person)
        self.assertTrue(self.repair('--yes')['repaired'])

    def test_what_has_a_segment_s_name_and_is_no_file_is_refused(self):
        self.stop(orderly=True)
        one = self.files()[1]
        elsewhere = self.bus.root / 'elsewhere'
        one.rename(elsewhere)
        for what, make in (('a link', lambda: one.symlink_to(elsewhere)), ('a directory', one.mkdir),
                           ('a pipe', lambda: os.mkfifo(one))):
            with self.subTest(what):
                make()
                hashes = self.hashes()
                error = self.bus.refusal('log', 'repair', *self.where, '--yes', status=1)
                self.assertEqual((error['thing'], error['rule'], error['fix']),
                                 (str(one), 'is no regular file',
                                  'put the file itself there, or move it out of the directory'))
                self.assertEqual(self.hashes(), hashes)
                self.assertEqual(list(self.directory.glob('cut-*')), [])
                one.rmdir() if what == 'a directory' else one.unlink()
        elsewhere.rename(one)
        self.assertEqual(self.repair('--yes')['findings'], [])

    def test_what_fills_in_is_not_written_through_a_link(self):
        self.stop(orderly=True)
        DAMAGES['a whole header'](self.files())
        precious = self.bus.root / 'precious'
        precious.write_bytes(b'of somebody else')
        unborn = self.files()[1].with_name(self.files()[1].name + '.new')
        unborn.symlink_to(precious)
        self.repair('--yes')
        self.assertEqual(precious.read_bytes(), b'of somebody else')
        self.assertFalse(unborn.is_symlink())
        self.assertTrue(self.files()[1].is_file() and not self.files()[1].is_symlink())
        self.verify()

    @unittest.skipUnless(os.geteuid() == 0, 'needs root to be somebody else')
    def test_refused_on_the_way_it_says_what_was_done_and_what_was_not(self):
        uuid = self.create('two', '--partitions', '2', '--ring', '64KiB', '--segment', '1MiB')['uuid']
        for p in ('0', '1'):
            self.bus.run('produce', 'two', '-p', p, '--wait', 'durable', stdin=b'%s\n' % (b'v' * 500) * 10_000)
        self.stop(orderly=True)
        both = [self.bus.state_dir / 'topics' / uuid / p for p in ('0', '1')]
        for directory in both:
            flip(sorted(directory.glob('*.log'))[1], 400_000)
        self.give_to_nobody()
        both[1].chmod(0o500)
        where = ['two', '--state-dir', self.bus.state_dir]
        did = self.bus.json('log', 'repair', *where, '--yes', status=1)
        error = json.loads(self.bus.stderr.splitlines()[-1])['error']
        self.assertEqual({finding['partition'] for finding in did['findings']}, {0})
        (kept,) = did['kept']
        self.assertEqual(pathlib.Path(kept['cut']).parent, both[0])
        self.assertTrue(error['thing'].startswith(f'{both[1]}/cut-'))
        self.assertEqual(error['fix'], 'repair again once that is mended; nothing of partition 1 was changed')
        both[1].chmod(0o700)
        did = self.bus.json('log', 'repair', *where, '--yes')
        self.assertEqual({finding['partition'] for finding in did['findings']}, {1})

    @unittest.skipUnless(os.geteuid() == 0, 'needs root to be somebody else')
    def test_refused_in_the_middle_it_says_where_what_was_cut_so_far_is(self):
        self.stop(orderly=True)
        DAMAGES['a byte of a header'](self.files())
        DAMAGES['a byte of data'](self.files())
        one = self.files()[1]
        damaged = one.read_bytes()
        self.give_to_nobody()
        one.chmod(0o400)  # may be kept, and not be written over
        did = self.bus.refusal('log', 'repair', *self.where, '--yes', status=1)
        self.assertEqual(did['thing'], str(one))
        (cut,) = self.directory.glob('cut-*')
        self.assertEqual(did['fix'], f'repair again once that is mended; what was cut so far is in {cut}')
        pieces = {path.name: path.read_bytes() for path in cut.iterdir() if '.at-' in path.name}
        self.assertEqual(len(pieces), 2)
        for name, piece in pieces.items():
            at = int(name.split('.at-')[1])
            self.assertEqual(piece, damaged[at:at + len(piece)])
        one.chmod(0o600)
        self.repair('--yes')
        self.verify()

    @unittest.skipUnless(os.geteuid() == 0, 'needs root to be somebody else')
    def test_root_reads_nothing_there_that_its_owner_may_not(self):
        self.stop(orderly=True)
        roots_own = self.bus.root / 'roots-own'
        roots_own.mkdir()
        catalog = self.bus.state_dir / 'catalog.db'
        shutil.copy(catalog, roots_own)
        self.give_to_nobody()
        catalog.unlink()
        catalog.symlink_to(roots_own / 'catalog.db')  # which its owner may do at any time
        roots_own.chmod(0o700)
        error = self.bus.refusal('log', 'repair', *self.where, '--dry-run', status=4)
        self.assertEqual(error['thing'], str(catalog))
        self.assertEqual(error['rule'], f'nobody (uid {NOBODY.pw_uid}), as whom root works there, may not read it')
        self.assertEqual(error['fix'], f'give it to that owner: chown {NOBODY.pw_uid} {catalog}')
        self.assertEqual([path.name for path in roots_own.iterdir()], ['catalog.db'])

    @unittest.skipUnless(os.geteuid() == 0, 'needs root')
    def test_root_is_not_told_to_act_as_root(self):
        self.stop(orderly=True)
        self.bus.root.chmod(0o755)
        read_only = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
        ended = subprocess.run(['unshare', '-m', 'sh', '-c', read_only, self.bus.state_dir,
                                *self.bus.command('log', 'repair', *self.where, '--yes', '--output', 'json')],
                               env=self.bus.env, capture_output=True, check=False)
        error = json.loads(ended.stderr.splitlines()[-1])['error']
        self.assertEqual((error['thing'], error['rule']), (str(self.bus.state_dir), 'is read-only'))
        self.give_to_nobody()
        self.bus.state_dir.chmod(0o500)
        error = self.bus.refusal('log', 'repair', *self.where, '--yes', status=4)
        self.assertIn(f'its owner nobody (uid {NOBODY.pw_uid})', error['rule'])
        self.assertEqual(error['fix'], f'give its owner the right to: chmod u+rwx {self.bus.state_dir}')
        self.bus.state_dir.chmod(0o700)

    def test_what_is_wrong_is_named(self):
        self.create('memory', '--no-persist')
        self.stop(orderly=True)
        for words, status, thing in ((['none', '--state-dir', self.bus.state_dir], 3, "topic 'none'"),
                                     (['t', '--state-dir', '/nowhere'], 3, '/nowhere'),
                                     (['memory', '--state-dir', self.bus.state_dir], 2, "topic 'memory'"),
                                     ([*self.where, '-p', '4'], 2, '-p 4')):
            with self.subTest(words=words):
                self.assertEqual(self.bus.refusal('log', 'repair', *words, status=status)['thing'], thing)

    @unittest.skipUnless(os.geteuid() == 0, 'needs root to be somebody else')
    def test_who_may_not_write_there_is_refused_and_root_works_as_the_owner(self):
        self.stop(orderly=True)
        DAMAGES['much at once'](self.files())
        self.bus.root.chmod(0o755)
        somebody = {'user': NOBODY.pw_uid, 'group': NOBODY.pw_gid, 'extra_groups': []}
        self.bus.refusal('log', 'repair', *self.where, '--yes', status=4, **somebody)
        self.give_to_nobody()
        self.repair('--yes')
        self.assertEqual({path.stat().st_uid for path in self.bus.state_dir.rglob('*')}, {NOBODY.pw_uid})

    def test_killed_at_any_moment_it_is_as_before_or_repaired_and_is_done_again(self):
        self.stop(orderly=True)
        DAMAGES['much at once'](self.files())
        damaged = self.bus.root / 'damaged'
        shutil.copytree(self.bus.state_dir, damaged)
        before = self.dump()
        began = time.monotonic()
        self.repair('--yes')
        took = time.monotonic() - began
        finished = 0
        for moment in range(24):
            shutil.rmtree(self.bus.state_dir)
            shutil.copytree(damaged, self.bus.state_dir)
            repairing = self.bus.spawn('log', 'repair', *self.where, '--yes')
            time.sleep(took * moment / 20)
            repairing.send_signal(signal.SIGKILL)
            finished += repairing.wait() == 0
            self.assertEqual(self.dump(), before)
            self.repair('--yes')
            self.verify()
            self.assertEqual(self.dump(), before)
        self.assertLess(finished, 24)
        self.check(before, False, orderly=True)


if __name__ == '__main__':
    unittest.main()
