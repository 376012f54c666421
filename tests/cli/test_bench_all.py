"""`ringway bench all`: every row of the plan, what it refuses, and that nothing is left behind of it."""

import json
import os
import pathlib
import signal
import sys
import tempfile
import unittest
from xml.etree import ElementTree

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from bus import command_line, pids, wait_until
from small_disk import SmallDisk, private_mounts
from test_bench import FIGURES, TWO_CPUS, BenchCase

SHORT = ('--runs', '1', '--time', '10ms', '--bytes', '2M', '--times', '1')
AT_ONCE = ('--within', '1us')
ROWS = [
    'line', 'cursor_ring_64_claim_1', 'cursor_ring_64_claim_16', 'cursor_ring_64_claim_64', 'record_copy',
    'memcpy_cached', 'memcpy_beyond', 'futex_wake', 'device_write_reserved', 'device_write_written', 'read_warm',
    'read_cold', 'write_fdatasync',
    'ring_64_claim_1', 'ring_64_claim_16', 'ring_64_claim_64',
    'ring_64_claim_1_exclusive', 'ring_64_claim_1_exclusive_to_shared',
    'ring_1024_claim_1', 'ring_65536_claim_1',
    'ring_64_claim_1_producers_2', 'ring_64_claim_1_producers_2_to_one', 'ring_64_claim_1_producers_2_smallest_share',
    'latency_64_p50', 'latency_64_p99', 'wake_64', 'wake_64_nobody_asleep',
    'idle_10000_cpu', 'idle_10000_memory', 'idle_10000_beside', 'idle_10000_among',
    'repair', 'adopt', 'adopt_1000',
    'durable_64', 'durable_64_producers_64', 'durable_64_producers_64_to_one',
    'spill_1024_producer', 'spill_1024_live', 'fanout_64_consumers_8', 'fanout_64_consumers_8_from_log',
    'replay_1024_warm', 'replay_64_warm', 'replay_1024_cold', 'replay_64_cold',
    'persist_1024', 'persist_1024_default_ring', 'recover', 'persist_64', 'persist_64_default_ring',
    'restart', 'restart_orderly',
]


def current_umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


class BenchAll(BenchCase):
    @unittest.skipUnless(TWO_CPUS, 'needs two CPUs')
    def test_all_rows_are_those_of_the_verbs(self):
        report = self.report_directory()
        rows = self.results('all', *SHORT, '--report', report)
        self.assert_is_report(report, rows)
        # These are one row that says why, where a machine has no room for them.
        always = lambda name: not name.startswith('idle_') and not name.endswith('_default_ring')
        self.assertEqual([row['name'] for row in rows if always(row['name'])], [name for name in ROWS if always(name)])
        self.assertLessEqual({row['name'] for row in rows}, {'idle_10000', *ROWS})
        for row in rows:
            self.assertLessEqual({'name', 'about', 'settings', *FIGURES, 'limit', 'ratio', 'better', 'target', 'pass', 'runs',
                                  'command'}, set(row))
            if not row.get('not_measured'):
                self.assertEqual(len(row['runs']), 1, row['name'])
            self.assertLessEqual(row['written']['bytes'], row['written']['most'], row['command'])
        commands = {row['name']: row['command'] for row in rows}
        self.assertEqual(commands['ring_64_claim_16'], 'ringway bench ring --claim 16 --runs 1 --time 10ms')
        self.assertEqual(commands['persist_64'], 'ringway bench persist --size 64 --bytes 2M --limit-bytes 2M --runs 1 '
                                                 '--log-bytes 2M --starts 1')
        # A command gives the very row, and less than the least is not judged.
        (again,) = self.results(*commands['ring_1024_claim_1'].split()[2:])
        (row,) = (row for row in rows if row['name'] == 'ring_1024_claim_1')
        self.assertEqual({name: value for name, value in again['settings'].items() if name != 'load'},
                         {name: value for name, value in row['settings'].items() if name != 'load'})
        self.assertEqual({row.get('pass') for row in rows if row['settings'].get('time_ms')} - {None}, set())

    def test_what_the_time_was_over_for_is_not_measured(self):
        rows = self.results('all', *AT_ONCE)
        self.assertEqual({row['not_measured'] for row in rows}, {'1 us were over'})
        self.assertEqual({row['pass'] for row in rows}, {None})
        self.assertLessEqual({row['name'] for row in rows}, {'limits', 'idle_10000', *ROWS})

    def test_the_table_ends_with_how_many_passed_and_missed(self):
        lines = self.run_bench('all', *AT_ONCE).splitlines()
        self.assertRegex(lines[0], 'ROW +FIGURE +LIMIT +RATIO +OF THE REPEATS +TARGET')
        self.assertRegex(lines[1], 'limits .*not measured: 1 us were over')
        self.assertEqual(lines[-1], f'{len(lines) - 2} rows: {len(lines) - 2} not measured')

    def test_what_it_takes_is_said_before(self):
        with self.spawn('all', *AT_ONCE) as child:
            _, err = child.communicate(timeout=60)
        self.assertRegex(err, r'benchmarks: they write 3\d(\.\d)? GiB below .*, up to 40 GiB where repeats are done again, '
                              r'and hold up to .* of memory')

    def test_a_signal_in_the_middle_leaves_nothing(self):
        report = self.report_directory()
        with self.spawn('all', *SHORT, '--report', report) as child:
            wait_until(lambda: len(self.mine()) > 1, 'a supervisor and its keeper')
            child.send_signal(signal.SIGINT)
            child.communicate(timeout=60)
            self.assertEqual(child.returncode, -signal.SIGINT)
            self.assert_nothing_is_left()
        self.assertFalse(os.path.exists(report))

    def report_directory(self):
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        return str(pathlib.Path(place.name) / 'speed')

    def assert_is_report(self, directory, rows):
        """One page that stands for itself, with everything that was measured; no text runs into another."""
        self.assertEqual(os.listdir(directory), ['index.html'])
        text = (pathlib.Path(directory) / 'index.html').read_text(encoding='utf-8')
        self.assertNotRegex(text, r'http|src=|href=|url\(|@import')
        page = ElementTree.fromstring(text)
        words = ' '.join(page.itertext())
        for row in rows:
            self.assertIn(row['name'], words)
            self.assertIn(row['command'], words)
        self.assertIn(f'ringway bench all {" ".join(SHORT)}', words)
        for fact in ('Processor', 'Memory', 'Kernel', 'Disk', 'Version', 'Measured', 'Took'):
            self.assertIn(fact, words)
        drawings = page.findall('.//svg')
        self.assertGreaterEqual(len(drawings), 6)
        for drawing in drawings:
            self.assert_nothing_overlaps(drawing)
        places = [float(each.get('cx')) for each in drawings[0].findall('circle')]
        ranges = [float(each.get('x')) for each in drawings[0].findall('rect')]
        self.assertGreater(len(places), 10)
        for place, begin in zip(places, ranges, strict=True):
            self.assertAlmostEqual(place, begin, delta=0.2)  # of one repeat

    def assert_nothing_overlaps(self, drawing):
        _, _, width, height = map(float, drawing.get('viewBox').split())
        boxes = []
        for text in drawing.findall('text'):
            long = float(text.get('textLength', 6.7 * len(text.text)))
            x, y = float(text.get('x')), float(text.get('y'))
            left = {'label': x - long, 'tick': x - long / 2}.get(text.get('class'), x)
            boxes.append((left, y - 10, left + long, y + 3, text.text))
        for number, (left, top, right, bottom, text) in enumerate(boxes):
            self.assertTrue(-1 <= left and right <= width + 1 and bottom <= height, text)
            for other in boxes[number + 1:]:
                apart = right <= other[0] or other[2] <= left or bottom <= other[1] or other[3] <= top
                self.assertTrue(apart, f'{text!r} runs into {other[4]!r}')

    def test_a_report_takes_the_place_of_the_one_there(self):
        directory = pathlib.Path(self.report_directory())
        directory.mkdir()
        (directory / 'index.html').write_text('old')
        with self.spawn('all', *SHORT, '--report', str(directory)) as child:
            wait_until(lambda: len(self.mine()) > 1, 'a supervisor and its keeper')
            child.send_signal(signal.SIGINT)
            child.communicate(timeout=60)
        self.assertEqual([(directory / name).read_text() for name in os.listdir(directory)], ['old'])
        self.run_bench('all', *AT_ONCE, '--report', str(directory))
        self.assertEqual(os.listdir(directory), ['index.html'])
        page = directory / 'index.html'
        ElementTree.fromstring(page.read_text(encoding='utf-8'))
        self.assertEqual(page.stat().st_mode & 0o777, 0o644 & ~current_umask())

    def test_a_place_that_no_report_can_have_is_refused_before_anything_runs(self):
        directory = pathlib.Path(self.report_directory())
        file = directory.parent / 'file'
        file.touch()
        for place, rule in ((directory / 'below', 'No such file or directory'), (file, 'Not a directory')):
            with self.subTest(place=place):
                error = self.run_bench('all', '--report', str(place), status=1)
                self.assertIn(str(place), error)
                self.assertIn(rule, error)

    def test_what_fails_is_said_and_the_others_go_on(self):
        with self.spawn('all', *SHORT, '--within', '20s', '--daemon', '/no/ringwayd', '--output', 'json') as child:
            out, err = child.communicate(timeout=120)
        self.assertEqual(child.returncode, 3)
        rows = json.loads(out)
        self.assertIn('/no/ringwayd: cannot be run: No such file or directory', [row.get('not_measured') for row in rows])
        self.assertEqual(rows[-1]['name'], 'restart')
        self.assertRegex(err.splitlines()[-1], '"error".*ringway bench .*/no/ringwayd')
        self.assert_nothing_is_left()

    def test_what_is_typed_is_text_on_the_page(self):
        directory = self.report_directory()
        self.run_bench('all', *AT_ONCE, '--daemon', '/no/<b>&"it"', '--report', directory)
        page = ElementTree.parse(pathlib.Path(directory) / 'index.html')
        self.assertIn('ringway bench all --within 1us --daemon /no/<b>&"it"', ' '.join(page.getroot().itertext()))

    def others(self, script):
        """A program in place of tests/bench/peers."""
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        program = pathlib.Path(place.name) / 'others'
        program.write_text('#!/bin/sh\n' + script)
        program.chmod(0o755)
        return str(program)

    def test_others_stand_beside_them(self):
        none = ('p50_ns', 'limit', 'ratio', 'target', 'pass', 'ratio_of', 'not_measured', 'not_judged')
        rate = {'name': 'peer_pigeon_throughput_64', 'about': 'by hand', 'records_per_s': 2.0, 'better': 'higher',
                'settings': {'size_bytes': 64, 'persisted': 'paper'}, 'judged': 'median', 'runs': [], **dict.fromkeys(none)}
        directory = self.report_directory()
        rows = self.results('all', *AT_ONCE, '--time', '20ms', '--kafka', 'k:9', '--report', directory,
                            '--peers', self.others(f"[ \"$*\" = '--output json --time 20ms --kafka k:9' ] || exit 1\n"
                                                   f"echo '{json.dumps([rate])}'\n"))
        self.assertEqual(rows[-1], {**rate, 'command': 'ringway-peers --output json --time 20ms --kafka k:9'})
        text = ' '.join(ElementTree.parse(pathlib.Path(directory) / 'index.html').getroot().itertext())
        self.assertIn('What others pass on', text)
        self.assertIn('pigeon, 64 B', text)
        self.assertIn('on disk: paper', text)

    @unittest.skipUnless(TWO_CPUS, 'needs two CPUs')
    def test_what_ringway_does_stands_first_among_others_of_that_size(self):
        none = ('p50_ns', 'limit', 'ratio', 'target', 'pass', 'ratio_of', 'not_measured', 'not_judged')
        rows = [{'name': f'peer_pigeon_throughput_{size}', 'about': 'by hand', 'records_per_s': 2.0, 'better': 'higher',
                 'settings': {'size_bytes': size, 'persisted': 'paper'}, 'judged': 'median', 'runs': [], **dict.fromkeys(none)}
                for size in (1024, 64)]
        directory = self.report_directory()
        self.run_bench('all', *SHORT, '--report', directory, '--peers', self.others(f"echo '{json.dumps(rows)}'\n"))
        page = ElementTree.parse(pathlib.Path(directory) / 'index.html').getroot()
        (section,) = (each for each in page.iter('section') if each.find('h2').text == 'What others pass on')
        labels = [text.text for text in section.iter('text') if text.get('class') == 'label']
        small = labels.index('pigeon, 64 B')
        for part, size in ((labels[:small + 1], '64 B'), (labels[small + 1:], '1 KiB')):
            # Through memory and, where that was measured, to the disk.
            self.assertIn(part[:-1], [[f'Ringway, {size}'], 2 * [f'Ringway, {size}']])
            self.assertEqual(part[-1], f'pigeon, {size}')

    def test_others_that_cannot_be_measured_are_named(self):
        for words, status, rule in ((('--peers', '/no/such'), 2, '--peers /no/such: cannot be run: No such file'),
                                    (('--kafka', 'k:9'), 2, "--kafka k:9: is measured by the others' program; give --peers"),
                                    (('--peers', self.others('echo []; exit 3')), 1, 'did not measure its rows'),
                                    (('--peers', self.others('echo nonsense')), 1, 'did not measure its rows')):
            with self.subTest(words=words):
                self.assertIn(rule, self.run_bench('all', *AT_ONCE, *words, status=status))

    def test_a_signal_ends_the_others_too(self):
        program = self.others('exec sleep 1000')
        with self.spawn('all', *AT_ONCE, '--peers', program) as child:
            asleep = lambda: [pid for pid in pids() if command_line(pid)[:2] == ['sleep', '1000']]
            wait_until(asleep, 'the others')
            child.send_signal(signal.SIGINT)
            child.communicate(timeout=60)
            self.assertEqual(child.returncode, -signal.SIGINT)
        self.assertEqual(asleep(), [])

    def test_more_than_it_may_write_is_refused(self):
        self.assertRegex(self.run_bench('all', '--bytes', '900TiB', status=2), 'persist|replay|limits|more than (40|16) GiB')
        self.assertIn('this would write up to', self.run_bench('all', '--runs', '100', '--bytes', '512M', status=2))

    def test_a_flag_that_a_benchmark_refuses_is_refused_before_anything_runs(self):
        error = self.run_bench('all', '--time', '1ms', status=2)
        self.assertIn('is too short to measure anything (of ringway bench limits ', error)
        self.assertIn('--runs', self.run_bench('all', '--runs', '0', status=2))

    @unittest.skipUnless(os.geteuid() == 0, 'needs root to mount a small file system')
    def test_no_room_is_refused_before_anything_runs(self):
        private_mounts()
        disk = SmallDisk('ext4', 24)
        self.addCleanup(disk.close)
        self.env['TMPDIR'] = str(disk.path)
        self.assertRegex(self.run_bench('all', status=1), 'has .* free, and this takes .* set TMPDIR to another disk')


if __name__ == '__main__':
    unittest.main()
