"""What earlier versions left on disk and in shared memory is read and gone on with: tests/fixtures."""

import gzip
import json
import os
import pathlib
import sqlite3
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


def schema_version(state_dir):
    catalog = sqlite3.connect(state_dir / 'catalog.db')
    try:
        return catalog.execute('PRAGMA user_version').fetchone()[0]
    finally:
        catalog.close()


def versions(told, schema):
    """Of shared memory, segments and catalog: what a fixture is of."""
    return {'layout': (told['layout'], told['layout_minor']), 'log': told['log'], 'catalog': schema}


def missing(now, there):
    """Which of the versions up to `now` no fixture is of, a line each. All count from 1, minor ones from 0."""
    lines = [] if now in there else [f'none is of {now} together']
    for what in ('log', 'catalog'):
        lines += [f'{what} {version}' for version in range(1, now[what] + 1) if version not in [one[what] for one in there]]
    layouts = {one['layout'] for one in there} | {now['layout']}
    for major in range(1, now['layout'][0] + 1):
        last = max((minor for of, minor in layouts if of == major), default=0)
        lines += [f'layout {major}.{minor}' for minor in range(last + 1)
                  if (major, minor) not in [one['layout'] for one in there]]
    return lines


class Missing(unittest.TestCase):
    """Of versions that do not exist yet."""
    FIRST = {'layout': (1, 0), 'log': 1, 'catalog': 1}

    def check(self, change, *lines):
        now = {**self.FIRST, **change}
        self.assertEqual(missing(now, [self.FIRST, now]), [])
        self.assertEqual(missing(now, [self.FIRST])[1:], list(lines))
        self.assertNotEqual(missing(now, [now]), [])

    def test_a_new_version_of_anything_demands_a_fixture_and_those_before_it(self):
        self.assertEqual(missing(self.FIRST, [self.FIRST]), [])
        self.check({'layout': (1, 1)}, 'layout 1.1')
        self.check({'layout': (2, 0)}, 'layout 2.0')
        self.check({'log': 2}, 'log 2')
        self.check({'catalog': 2}, 'catalog 2')

    def test_an_earlier_minor_version_is_missed(self):
        minors = [{**self.FIRST, 'layout': (1, minor)} for minor in range(4)]
        self.assertEqual(missing(minors[3], [minors[0], *minors[2:]]), ['layout 1.1'])
        later = {**self.FIRST, 'layout': (2, 0)}
        self.assertEqual(missing(later, [minors[0], *minors[2:], later]), ['layout 1.1'])


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

    def test_there_is_one_of_this_version_and_of_each_before_it(self):
        with Bus() as bus:
            now = versions(bus.json('--version'), schema_version(bus.state_dir))
        there = []
        for fixture in FIXTURES:
            bus = self.unpacked(fixture)
            self.addCleanup(bus.close)
            told = json.loads((fixture / 'expected.json').read_text())['versions']
            there.append(versions(told, schema_version(bus.state_dir)))
        self.assertEqual(missing(now, there), [], 'make fixtures of a new version with tests/fixtures/make')

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
