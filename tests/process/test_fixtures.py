"""What earlier versions left on disk and in shared memory is read and gone on with: tests/fixtures."""

import gzip
import json
import os
import pathlib
import sys
import unittest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS / 'support'))
from bus import Bus
from keeper import Keeper, sealed_memory, start_keeper

FIXTURES = sorted(path.parent for path in (TESTS / 'fixtures').glob('*/expected.json'))


def lines_of(path):
    return gzip.decompress(path.with_name(path.name + '.gz').read_bytes()).decode().split('\n')


def number_of(line):
    """Of the record that a line "partition offset time key record N ..." speaks of."""
    return int(line.split()[5])


class Fixtures(unittest.TestCase):
    maxDiff = 2000

    def unpacked(self, fixture):
        """A bus, not started, whose state directory is the fixture's."""
        bus = Bus()
        for path in (fixture / 'state').rglob('*.gz'):
            to = bus.state_dir / path.relative_to(fixture / 'state').with_suffix('')
            to.parent.mkdir(parents=True, exist_ok=True)
            to.write_bytes(gzip.decompress(path.read_bytes()))
        return bus

    def records(self, bus):
        lines = bus.run('consume', 'fixture', '-o', 'start', '-e', '-f', '%p %o %t %k %v\\n')
        return sorted(line.decode() for line in lines.splitlines())

    def behind_cursor(self, bus):
        return sorted(bus.run('consume', 'fixture', '--cursor', 'reader', '-e', '-f', '%p %o\\n').decode().splitlines())

    def assert_goes_on(self, bus, before):
        """A new record comes behind all that there were, in its partition."""
        bus.run('produce', 'fixture', '-p', '0', '--wait', 'durable', stdin=b'and on\n')
        last = [line.split() for line in set(self.records(bus)) - set(before)]
        offsets = [int(line.split()[1]) for line in before if line.startswith('0 ')]
        self.assertEqual([words[0] for words in last], ['0'])
        self.assertGreater(int(last[0][1]), max(offsets))
        self.assertEqual(bus.json('status')['degraded'], [])
        self.assertIn(b'ok', bus.run('log', 'verify', 'fixture'))

    def test_there_is_one_of_this_version(self):
        with Bus() as bus:
            now = json.loads(bus.run('--version', '--output', 'json'))
        versions = [json.loads((fixture / 'expected.json').read_text())['versions'] for fixture in FIXTURES]
        for what in ('layout', 'log'):
            self.assertIn(now[what], [version[what] for version in versions],
                          'a new version: make its fixtures with tests/fixtures/make')

    def test_catalog_and_segments_are_served_without_the_memory(self):
        for fixture in FIXTURES:
            with self.subTest(fixture=fixture.name):
                on_disk = [line for line in lines_of(fixture / 'records') if number_of(line) < 3010]
                bus = self.unpacked(fixture)
                self.addCleanup(bus.close)
                bus.start()
                self.assertEqual(self.records(bus), on_disk)
                offsets = {tuple(line.split()[:2]) for line in on_disk}
                self.assertEqual(self.behind_cursor(bus),
                                 [line for line in lines_of(fixture / 'behind_cursor') if tuple(line.split()) in offsets])
                self.assert_goes_on(bus, on_disk)

    def test_living_memory_is_adopted(self):
        for fixture in FIXTURES:
            with self.subTest(fixture=fixture.name):
                expected = json.loads((fixture / 'expected.json').read_text())
                bus = self.unpacked(fixture)
                bus.runtime_dir.mkdir()
                keeper = start_keeper(os.environ['RINGWAYD'], bus.runtime_dir, bus.state_dir)
                self.addCleanup(bus.close)
                self.addCleanup(keeper.wait)
                self.addCleanup(keeper.kill)  # a zombie of ours until then
                with Keeper(bus.runtime_dir, bus.state_dir) as kept:
                    for number, entry in enumerate(json.loads((fixture / 'memory' / 'index.json').read_text())):
                        content = gzip.decompress((fixture / 'memory' / f'{number}.gz').read_bytes())
                        memory = sealed_memory(entry['name'], content)
                        kept.put(entry['name'], entry['meta'], memory)
                        os.close(memory)
                bus.start()
                records = lines_of(fixture / 'records')
                self.assertEqual(self.records(bus), records)
                self.assertEqual(bus.run('consume', 'memory', '-o', 'start', '-e').decode().splitlines(),
                                 expected['memory_records'])
                self.assertEqual(self.behind_cursor(bus), lines_of(fixture / 'behind_cursor'))
                self.assertEqual(bus.log.read_text().count('ring_adopted'), 2)
                self.assert_goes_on(bus, records)


if __name__ == '__main__':
    unittest.main()
