"""`ringway bench`: what it prints, and that nothing is left behind of what it started."""

import json
import os
import pathlib
import resource
import signal
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from bus import command_line, pids, wait_until

SMALL = ('--runs', '2', '--ring', '64K')
VERBS = ('limits', 'ring', 'latency', 'wake', 'persist', 'replay', 'durable', 'fanout', 'spill', 'scale', 'idle',
         'repair', 'restart', 'adopt', 'recover', 'all')
SHAPE = ('--topics', '2', '--partitions', '3')


class BenchCase(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        # On a disk, as TMPDIR may not be.
        place = tempfile.TemporaryDirectory(dir='/var/tmp')
        self.addCleanup(place.cleanup)
        self.place = pathlib.Path(place.name)
        self.env = {**os.environ, 'TMPDIR': place.name}

    def spawn(self, *words, cpus=None, files=None):
        def limit():
            if cpus:
                os.sched_setaffinity(0, cpus)
            if files:
                resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
        return subprocess.Popen([os.environ['RINGWAY'], 'bench', *words], env=self.env, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=limit)

    def run_bench(self, *words, status=0, **limits):
        child = self.spawn(*words, **limits)
        out, err = child.communicate(timeout=240)
        self.assertEqual(child.returncode, status, err)
        self.assert_nothing_is_left()
        return out if status == 0 else err

    def results(self, *words, **how):
        return json.loads(self.run_bench(*words, '--output', 'json', **how))

    def mine(self):
        return [pid for pid in pids() if any(self.place.name in word for word in command_line(pid))]

    def assert_nothing_is_left(self):
        self.assertEqual(list(self.place.iterdir()), [])
        self.assertEqual(self.mine(), [])


class Bench(BenchCase):
    def assert_is_result(self, result, name, samples, runs=2):
        self.assertEqual(result['name'], name)
        self.assertEqual(result['samples'], samples * runs)
        self.assertEqual([run['samples'] for run in result['runs']], [samples] * runs)
        self.assertEqual(result['better'], 'lower')
        self.assertEqual(result['settings']['ring_bytes'], 65536)
        self.assertLessEqual({*FIGURES, 'limit', 'ratio', 'target', 'pass'}, set(result))
        for figures in (result, *result['runs']):
            # 0 of repair: this machine let the measuring process wait until all was over.
            self.assertLessEqual(0, figures['p50_ns'])
            self.assertLessEqual(figures['p50_ns'], figures['p99_ns'])
            self.assertLessEqual(figures['p99_ns'], figures['max_ns'])

    def test_repair(self):
        (result,) = self.results('repair', '--kills', '5', *SMALL)
        self.assert_is_result(result, 'repair', 5)
        self.assertEqual(result['target'], 1_000_000)
        judged = sorted(run['p99_ns'] for run in result['runs'])[0]
        self.assertEqual((result['target_of'], result['judged']), ('p99_ns', judged))
        self.assertIs(result['pass'], judged < 1_000_000)
        self.assertLess(result['p50_ns'], result['from_kill']['p50_ns'])

    def test_restart(self):
        killed, stopped = self.results('restart', '--restarts', '2', '--rate', '5000', *SHAPE, *SMALL)
        self.assert_is_result(killed, 'restart', 2)
        self.assert_is_result(stopped, 'restart_orderly', 2)
        self.assertEqual(killed['settings']['partitions'], 6)
        self.assertEqual(killed['target'], 300_000_000)
        self.assertEqual((stopped['target'], stopped['pass']), (None, None))
        for result in (killed, stopped):
            for series in ('new_client', 'old_client', 'ended', 'producer_pause', 'consumer_pause'):
                self.assertEqual(result[series]['samples'], 4)
                self.assertLess(0, result[series]['p50_ns'])
            slower = [max(run['new_client']['max_ns'], run['old_client']['max_ns']) for run in result['runs']]
            self.assertEqual([run['max_ns'] for run in result['runs']], slower)

    def test_one_kind_of_restart_alone(self):
        (result,) = self.results('restart', '--ending', 'orderly', '--restarts', '1', '--rate', '1000', *SHAPE, *SMALL)
        self.assert_is_result(result, 'restart_orderly', 1)

    def test_adopt(self):
        (result,) = self.results('adopt', '--starts', '3', *SHAPE, *SMALL)
        self.assert_is_result(result, 'adopt', 3)

    def test_recover_says_of_how_much_and_judges_no_less(self):
        (result,) = self.results('recover', '--starts', '2', '--log-bytes', '2MiB', *SMALL)
        self.assertEqual(result['samples'], 4)
        self.assertGreaterEqual(result['settings']['log_bytes'], 2 << 20)
        self.assertIsNone(result['pass'])

    def test_the_table_names_settings_target_and_verdict(self):
        out = self.run_bench('repair', '--kills', '2', *SMALL)
        self.assertRegex(out, r'(?s)kills 2, .*ring 64 KiB.*\nall +readable pidfd to record seen +4 .*'
                              r'\ntarget: p99 below 1 ms: (pass|miss) \(')

    def test_a_signal_ends_it_and_leaves_nothing(self):
        for number, words in ((signal.SIGINT, ('restart', '--restarts', '1000', *SHAPE)),
                              (signal.SIGTERM, ('adopt', '--starts', '1000000', *SHAPE)),
                              (signal.SIGHUP, ('recover', '--starts', '30', '--log-bytes', '1M')),
                              *3 * [(signal.SIGINT, ('repair', '--kills', '1000000'))]):
            with self.subTest(words=words), self.spawn(*words, *SMALL) as child:
                # The second one is, at first, the supervisor's child that forks the keeper.
                wait_until(lambda: len(self.mine()) > 1, 'a supervisor and its keeper')
                child.send_signal(number)
                child.communicate(timeout=60)
                self.assertEqual(child.returncode, -number)
                self.assert_nothing_is_left()

    def test_a_bus_that_somebody_uses_cannot_be_named(self):
        for verb in VERBS:
            with self.subTest(verb=verb):
                help_text = self.run_bench(verb, '--help')
                for option, value in (('--socket', '/run/x.sock'), ('--timeout', '1s')):
                    self.assertNotIn(option, help_text)
                    error = self.run_bench(verb, option, value, status=2)
                    self.assertIn(f'{option}: is no option of ringway bench {verb}; ', error)

    def test_a_missing_daemon_is_named(self):
        self.assertIn('/no/ringwayd', self.run_bench('adopt', '--daemon', '/no/ringwayd', *SMALL, status=3))


FIGURES = ('records_per_s', 'bytes_per_s', 'p50_ns', 'p99_ns', 'p999_ns', 'cpu_ns_per_record')
SHORT = ('--time', '10ms')
COMPARED = ('limits', 'ring', 'latency', 'wake', 'persist', 'replay', 'durable', 'fanout', 'spill', 'scale', 'idle')
FEW_IDLE = ('--partitions', '40', '--used', '5')
TWO_CPUS = len(os.sched_getaffinity(0)) > 1


def median(values):
    ordered = sorted(values)
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2


class Limited(BenchCase):
    """The verbs that hold something against a limit of the machine. How fast it is is not judged here."""

    def assert_is_row(self, row, name, runs):
        self.assertEqual(row['name'], name)
        self.assertEqual(len(row['runs']), runs)
        for figures in (row, *row['runs']):
            self.assertLessEqual(set(FIGURES), set(figures))
        self.assertLessEqual(0, row['redone'])
        self.assertLessEqual(row['redone'], runs)
        self.assertIn('cpus', row['settings'])
        self.assertEqual(len(row['settings']['pinned']), 2)
        if row['limit'] is not None:
            self.assertLessEqual({*FIGURES, 'variant', 'slot_bytes', 'ring_bytes', 'line_ns'}, set(row['limit']))
        ratios = [run['ratio'] for run in row['runs'] if run['ratio'] is not None]
        if ratios:
            self.assertAlmostEqual(row['ratio'], median(ratios), delta=0.002)
            self.assertEqual((row['ratio_min'], row['ratio_max']), (min(ratios), max(ratios)))
        self.assert_is_judged(row, ratios)

    def assert_is_judged(self, row, ratios):
        enough = len(ratios) == len(row['runs']) if row['judged'] == 'median' else ratios
        if row['target'] is None or row['not_judged'] or len(row['runs']) < 5 or not enough:
            self.assertIsNone(row['pass'])
            return
        best = {'higher': max, 'lower': min}[row['better']]
        judged = median(ratios) if row['judged'] == 'median' else best(ratios)
        if abs(judged - row['target']) > 0.002:  # else it depends on digits that are not printed
            self.assertIs(row['pass'], (judged > row['target']) == (row['better'] == 'higher'))

    def assert_was_measured(self, row, *figures):
        """In some repeat at least: a busy machine may let none of the processes run in another one."""
        for figure in figures:
            self.assertTrue(any(run[figure] is not None and run[figure] > 0 for run in row['runs']), figure)

    @unittest.skipUnless(TWO_CPUS, 'needs two CPUs')
    def test_limits(self):
        rows = {row['name']: row for row in self.results('limits', '--runs', '2', '--bytes', '2M', *SHORT)}
        self.assertEqual(list(rows), ['line', 'cursor_ring_64_claim_1', 'cursor_ring_64_claim_16', 'cursor_ring_64_claim_64',
                                      'record_copy', 'memcpy_cached', 'memcpy_beyond', 'futex_wake',
                                      'device_write_reserved', 'device_write_written', 'read_warm', 'read_cold',
                                      'write_fdatasync'])
        for name, row in rows.items():
            self.assert_is_row(row, name, 0 if row['not_measured'] else 2)
        self.assert_was_measured(rows['line'], 'p50_ns')
        for claim, target in ((1, 3.2), (16, 6.5), (64, 7)):
            row = rows[f'cursor_ring_64_claim_{claim}']
            self.assert_was_measured(row, 'records_per_s', 'bytes_per_s', 'cpu_ns_per_record')
            self.assertEqual((row['target'], row['judged']), (target, 'best'))
            for run in row['runs']:
                if run['ratio'] is not None and run['ratio'] < 1000:
                    line = (run['line_ns']['before'] + run['line_ns']['after']) / 2
                    self.assertAlmostEqual(run['ratio'], run['records_per_s'] * line / 1e9, delta=run['ratio'] / 50)
        self.assert_was_measured(rows['record_copy'], 'p50_ns', 'p99_ns', 'p999_ns')
        self.assert_was_measured(rows['memcpy_cached'], 'bytes_per_s')
        self.assert_was_measured(rows['memcpy_beyond'], 'bytes_per_s')
        self.assertIsNone(rows['memcpy_cached']['records_per_s'])
        for state in ('reserved', 'written'):
            row = rows[f'device_write_{state}']
            if row['not_measured']:
                self.assertRegex(row['not_measured'], 'O_DIRECT|io_uring')
            else:
                self.assert_was_measured(row, 'records_per_s', 'bytes_per_s', 'cpu_ns_per_record')
                self.assertIn(f'{state} blocks', row['runs'][0]['variant'])
        for kind in ('warm', 'cold'):
            self.assert_was_measured(rows[f'read_{kind}'], 'bytes_per_s')
            self.assert_resident(rows[f'read_{kind}'], kind)
        self.assert_was_measured(rows['write_fdatasync'], 'p50_ns', 'p99_ns', 'records_per_s')

    def assert_resident(self, row, kind):
        for run in row['runs']:
            as_wanted = run['resident'] <= 0.01 if kind == 'cold' else run['resident'] >= 0.99
            self.assertEqual(run['bytes_per_s'] is not None, as_wanted)

    @unittest.skipUnless(TWO_CPUS, 'needs two CPUs')
    def test_persist(self):
        rows = self.results('persist', '--bytes', '8M', '--runs', '5')
        if rows[0]['not_measured']:
            return self.assertRegex(rows[0]['not_measured'], 'O_DIRECT|io_uring')
        row, beside = rows
        self.assert_is_row(row, 'persist_1024', 5)
        self.assert_is_row(beside, 'persist_1024_default_ring', 5)
        for each, bytes_each in ((row, 8 << 20), (beside, 1 << 20)):
            self.assert_was_measured(each, 'records_per_s', 'bytes_per_s', 'cpu_ns_per_record')
            self.assertLessEqual(bytes_each, sum(run['bytes'] for run in each['runs']))
            for run in each['runs']:
                self.assertLess(0, run['limit']['bytes_per_s'])
                self.assertAlmostEqual(run['bytes'] / run['bytes_per_s'], run['seconds'], delta=0.001)
        self.assertEqual((row['target'], row['pass'], beside['target']), (0.8, None, None))
        self.assertRegex(row['not_judged'], 'takes 8 GiB and 5 s, and these were ')
        self.assertEqual((row['settings']['ring_bytes'], beside['settings']['ring_bytes']), (64 << 20, 16 << 20))
        self.assertEqual((row['limit']['slot_bytes'], row['ratio_of']), (1056, 'bytes_per_s'))
        self.assertIn('reserved blocks', row['limit']['variant'])

    @unittest.skipUnless(TWO_CPUS, 'needs two CPUs')
    def test_the_log_of_all_repeats_is_recovered(self):
        rows = self.results('persist', '--bytes', '8M', '--runs', '2', '--recover', '--starts', '3', '--log-bytes', '16M')
        if rows[0]['not_measured']:
            return self.assertRegex(rows[0]['not_measured'], 'O_DIRECT|io_uring')
        row, beside, recovered = rows
        self.assertEqual([each['settings']['log'] for each in (row, beside)], ['one of all repeats', 'made anew in each repeat'])
        self.assertEqual((recovered['name'], recovered['samples'], recovered['pass']), ('recover', 3, None))
        self.assertEqual(recovered['settings']['ring_bytes'], 64 << 20)
        # What was there was not written again.
        self.assertLess((16 << 20) - 1, recovered['settings']['log_bytes'])
        self.assertLess(recovered['settings']['log_bytes'], 24 << 20)

    @unittest.skipUnless(TWO_CPUS, 'needs two CPUs')
    def test_small_records_persisted_in_claims(self):
        row = self.results('persist', '--size', '64', '--claim', '16', '--bytes', '2M', '--runs', '1')[0]
        self.assertEqual((row['name'], row['pass']), ('persist_64_claim_16', None))
        if not row['not_measured']:
            self.assertEqual((row['target'], row['limit']['slot_bytes']), (0.6, 96))

    @unittest.skipUnless(TWO_CPUS, 'needs two CPUs')
    def test_replay(self):
        for kind, words, target in (('warm', (), 0.8), ('cold', ('--cold',), 0.8), ('warm', ('--size', '64'), 0.5)):
            with self.subTest(words=words):
                (row,) = self.results('replay', '--bytes', '4M', *words)
                self.assert_is_row(row, f'replay_{64 if target == 0.5 else 1024}_{kind}', 5)
                self.assert_was_measured(row, 'bytes_per_s', 'records_per_s', 'cpu_ns_per_record')
                self.assert_resident(row, kind)
                self.assertEqual((row['target'], row['ratio_of']), (target, 'bytes_per_s'))
                self.assertEqual(row['limit']['variant'], 'read of 1 MiB')
                self.assertLessEqual(4 << 20, row['settings']['segments_bytes'])

    @unittest.skipUnless(TWO_CPUS, 'needs two CPUs')
    def test_durable(self):
        (row,) = self.results('durable', *SHORT)
        self.assert_is_row(row, 'durable_64', 5)
        self.assert_was_measured(row, 'p50_ns', 'p99_ns', 'p999_ns', 'records_per_s', 'samples')
        self.assertEqual((row['target'], row['better'], row['ratio_of']), (1.25, 'lower', 'p50_ns'))
        self.assertEqual(row['limit']['slot_bytes'], 96)

    @unittest.skipUnless(TWO_CPUS, 'needs two CPUs')
    def test_durable_by_another_sync(self):
        (row,) = self.results('durable', '--sync', 'interval', *SHORT)
        self.assert_is_row(row, 'durable_64_interval', 5)
        self.assertEqual((row['target'], row['settings']['sync']), (None, 'interval'))
        self.assert_was_measured(row, 'p50_ns', 'p99_ns', 'samples')
        (row,) = self.results('durable', '--sync', 'never', *SHORT)
        self.assert_is_row(row, 'durable_64_never', 5)

    @unittest.skipUnless(TWO_CPUS, 'needs two CPUs')
    def test_many_durable_producers_stand_beside_one(self):
        row, to_one = self.results('durable', '--producers', '64', '--runs', '1', '--time', '200ms')
        self.assert_is_row(row, 'durable_64_producers_64', 1)
        self.assert_is_row(to_one, 'durable_64_producers_64_to_one', 1)
        self.assertEqual((row['target'], to_one['target'], to_one['limit']['variant']), (None, 20, 'one producer'))
        self.assertEqual((row['better'], to_one['better']), ('lower', 'higher'))
        self.assert_was_measured(to_one, 'records_per_s')

    @unittest.skipUnless(TWO_CPUS, 'needs two CPUs')
    def test_fanout(self):
        row, share = self.results('fanout', '--ring', '64K', '--bytes', '4M')
        self.assert_is_row(row, 'fanout_64_consumers_8', 5)
        self.assert_is_row(share, 'fanout_64_consumers_8_from_log', 5)
        self.assert_was_measured(row, 'records_per_s', 'bytes_per_s', 'cpu_ns_per_record')
        self.assertEqual((row['target'], row['better'], row['ratio_of']), (0.85, 'higher', 'records_per_s'))
        self.assertEqual((row['limit']['variant'], row['limit']['slot_bytes']), ('one consumer', 96))
        self.assertEqual((row['settings']['topic'], row['settings']['ring_bytes']), ('default, persisted', 65536))
        for run, same in zip(row['runs'], share['runs'], strict=True):
            self.assert_were_served(run, 8)
            self.assert_were_served(run['limit'], 1)
            self.assertEqual(same['ratio'], run['from_log_share'])
        self.assertEqual((share['target'], share['limit']), (None, None))

    def assert_were_served(self, run, consumers):
        self.assertEqual(len(run['consumers']), consumers)
        self.assertLessEqual((4 << 20) // 5 // 96, run['records'])
        self.assertEqual(run['from_log'], sum(each['from_log'] for each in run['consumers']))
        self.assertAlmostEqual(run['from_log_share'], run['from_log'] / sum(each['records'] for each in run['consumers']),
                               delta=0.001)
        self.assertEqual(run['last_reader_seconds'], max(each['seconds'] for each in run['consumers']))
        for each in run['consumers']:
            self.assertLessEqual(run['records'], each['records'])  # some of the warm-up's, too
            self.assertLessEqual(each['from_log'], each['records'])

    @unittest.skipUnless(TWO_CPUS, 'needs two CPUs')
    def test_fanout_to_others_than_promised_is_not_judged(self):
        row = self.results('fanout', '--size', '1K', '--consumers', '3', '--wait', 'throughput', '--bytes', '4M')[0]
        self.assert_is_row(row, 'fanout_1024_consumers_3', 5)
        self.assertEqual((row['target'], row['settings']['wait']), (None, 'throughput'))

    @unittest.skipUnless(TWO_CPUS, 'needs two CPUs')
    def test_more_than_the_disk_has_room_for_is_not_measured(self):
        for words in (('persist', '--bytes', '900TiB'), ('replay', '--bytes', '900TiB'), ('fanout', '--bytes', '900TiB'),
                      ('spill', '--time', '365d')):
            with self.subTest(words=words):
                (row,) = self.results(*words)
                self.assertRegex(row['not_measured'], 'has .* free, and this takes')
                self.assertEqual((row['runs'], row['pass']), ([], None))

    @unittest.skipUnless(TWO_CPUS, 'needs two CPUs')
    def test_spill(self):
        producer, live = self.results('spill', '--rate', '20000', '--ring', '64K', '--time', '200ms')
        for row, name in ((producer, 'producer'), (live, 'live')):
            self.assert_is_row(row, f'spill_1024_{name}', 5)
            self.assert_was_measured(row, 'records_per_s', 'fell', 'came_back', 'records_from_disk')
            self.assertEqual((row['target'], row['better'], row['ratio_of']), (0.95, 'higher', 'records_per_s'))
            self.assertEqual((row['limit']['variant'], row['settings']['rate']), ('without it', 20000))
            self.assertNotIn('fell', row['runs'][0]['limit'])
        self.assert_was_measured(live, 'p50_ns', 'p99_ns', 'p999_ns')
        for one, other in zip(producer['runs'], live['runs'], strict=True):
            self.assertEqual(one['records_per_s'], other['producer_records_per_s'])

    @unittest.skipUnless(TWO_CPUS, 'needs two CPUs')
    def test_scale(self):
        rows = self.results('scale', '--ring', '1M', '--runs', '2', *SHORT)
        for row, partitions, ring in zip(rows, (4, 16, 64), (256, 64, 64), strict=True):
            self.assert_is_row(row, f'scale_64_partitions_{partitions}', 2)
            self.assert_was_measured(row, 'records_per_s', 'bytes_per_s', 'cpu_ns_per_record')
            self.assertEqual((row['target'], row['limit']['variant']), (None, '1 partition'))
            self.assertEqual((row['settings']['ring_bytes'], row['limit']['ring_bytes']), (ring << 10, 1 << 20))

    @unittest.skipUnless(TWO_CPUS, 'needs two CPUs')
    def test_idle(self):
        rows = self.results('idle', *FEW_IDLE, '--rate', '2000', '--runs', '2', '--time', '100ms')
        for row, suffix in zip(rows, ('cpu', 'memory', 'beside', 'among'), strict=True):
            self.assert_is_row(row, f'idle_40_{suffix}', 2)
            self.assertEqual((row['target'], row['better']), (None, 'lower'))
            self.assertEqual((row['settings']['partitions'], row['settings']['used']), (40, 5))
            self.assertEqual(row['settings']['ring_bytes'], 65536)
        cpu, memory, beside, among = rows
        for run in cpu['runs']:
            self.assertAlmostEqual(run['ratio'], run['cpu_percent'], delta=0.001)
            self.assertLessEqual(run['keeper_cpu_percent'], run['cpu_percent'] + 0.001)
        for run in memory['runs']:
            own = (run['own_bytes'] - run['without']['own_bytes']) / 1024 / 40
            self.assertAlmostEqual(run['ratio'], own, delta=0.001)
            self.assertLess(run['ratio'], 64)  # the rings are not in it
        for row in (beside, among):
            self.assert_was_measured(row, 'records_per_s', 'cpu_ns_per_record')
            self.assertEqual(row['ratio_of'], 'cpu_ns_per_record')

    def test_more_partitions_than_there_is_room_for_are_not_measured(self):
        for words, limits, why in ((('--ring', '4G'), {}, 'of memory are available, and this takes'),
                                   ((), {'files': 700}, 'may have 700 files open, and this takes')):
            with self.subTest(words=words):
                (row,) = self.results('idle', *words, **limits)
                self.assertRegex(row['not_measured'], why if TWO_CPUS else 'two CPUs')
                self.assertEqual((row['name'], row['runs'], row['pass']), ('idle_10000', [], None))

    @unittest.skipUnless(TWO_CPUS, 'needs two CPUs')
    def test_ring(self):
        (row,) = self.results('ring', '--ring', '1M', *SHORT)
        self.assert_is_row(row, 'ring_64_claim_1', 5)
        self.assert_was_measured(row, 'records_per_s', 'bytes_per_s', 'cpu_ns_per_record')
        self.assertEqual((row['limit']['slot_bytes'], row['limit']['ring_bytes']), (96, 1 << 20))
        self.assertEqual((row['target'], row['better'], row['ratio_of']), (0.9, 'higher', 'records_per_s'))
        self.assertEqual(row['settings']['wait'], 'adaptive')
        for run in row['runs']:
            reached = {name: rate for name, rate in run['limit']['variants'].items() if rate is not None}
            self.assertEqual(run['limit']['variant'], max(reached, key=reached.get, default='plain'))
        for each in row['limit']['variants']:
            rates = [run['limit']['variants'][each['variant']] for run in row['runs']]
            rates = [rate for rate in rates if rate is not None]
            self.assertAlmostEqual(each['records_per_s'] or 0, median(rates) if rates else 0, delta=1)

    @unittest.skipUnless(TWO_CPUS, 'needs two CPUs')
    def test_ring_in_other_shapes(self):
        (row,) = self.results('ring', '--claim', '16', '--wait', 'throughput', '--runs', '1', *SHORT)
        self.assert_is_row(row, 'ring_64_claim_16', 1)
        self.assertEqual((row['target'], row['settings']['wait']), (0.7, 'throughput'))
        (row,) = self.results('ring', '--size', '1K', '--consumers', '2', '--runs', '1', *SHORT)
        self.assert_is_row(row, 'ring_1024_claim_1_consumers_2', 1)
        self.assertEqual((row['target'], row['limit']['slot_bytes']), (None, 1056))

    @unittest.skipUnless(TWO_CPUS, 'needs two CPUs')
    def test_an_exclusive_producer_stands_beside_one_that_shares(self):
        row, shared = self.results('ring', '--exclusive', '--runs', '2', *SHORT)
        self.assert_is_row(row, 'ring_64_claim_1_exclusive', 2)
        self.assert_is_row(shared, 'ring_64_claim_1_exclusive_to_shared', 2)
        self.assertIsNone(row['target'])
        self.assertEqual((shared['target'], shared['limit']['variant']), (1.2, 'shared'))

    @unittest.skipUnless(TWO_CPUS, 'needs two CPUs')
    def test_two_producers_stand_beside_one_and_tell_their_shares(self):
        rows = self.results('ring', '--producers', '2', '--runs', '2', '--time', '100ms')
        for row, suffix in zip(rows, ('', '_to_one', '_smallest_share'), strict=True):
            self.assert_is_row(row, f'ring_64_claim_1_producers_2{suffix}', 2)
        self.assertEqual([row['target'] for row in rows], [None, 0.6, 0.3])
        self.assertIsNone(rows[2]['limit'])
        for run in rows[2]['runs']:
            self.assertEqual(run['ratio'], min(run['shares']))
            self.assertIn(round(sum(run['shares']), 2), (0, 1))

    @unittest.skipUnless(TWO_CPUS, 'needs two CPUs')
    def test_latency(self):
        rows = self.results('latency', *SHORT)
        for row, name, target in zip(rows, ('p50', 'p99'), (1.3, 2), strict=True):
            self.assert_is_row(row, f'latency_64_{name}', 5)
            self.assert_was_measured(row, 'p50_ns', 'p99_ns', 'p999_ns')
            self.assertEqual((row['target'], row['better'], row['ratio_of']), (target, 'lower', f'{name}_ns'))
            self.assertEqual((row['limit']['slot_bytes'], row['settings']['wait']), (96, 'latency'))
            for run in row['runs']:
                reached = [ns for ns in run['limit']['variants'].values() if ns is not None]
                self.assertEqual(run['limit'][f'{name}_ns'], min(reached, default=None))

    @unittest.skipUnless(TWO_CPUS, 'needs two CPUs')
    def test_latency_at_a_rate(self):
        rows = self.results('latency', '--rate', '10000', '--runs', '2', '--time', '50ms')
        for row, name in zip(rows, ('p50', 'p99'), strict=True):
            self.assert_is_row(row, f'latency_64_rate_10000_{name}', 2)
            self.assertEqual(row['settings']['rate'], 10000)
            self.assert_was_measured(row, 'p50_ns', 'samples')

    @unittest.skipUnless(TWO_CPUS, 'needs two CPUs')
    def test_wake(self):
        row, quiet = self.results('wake', '--ring', '64K', '--time', '50ms')
        self.assert_is_row(row, 'wake_64', 5)
        self.assert_was_measured(row, 'p50_ns', 'p99_ns', 'p999_ns', 'samples', 'waker_p50_ns')
        self.assertEqual((row['target'], row['better'], row['ratio_of']), (1.2, 'lower', 'p50_ns'))
        self.assertEqual((row['limit']['variant'], row['settings']['wait']), ('futex', 'adaptive'))
        self.assertEqual(row['settings']['asleep_us'], 200)
        self.assert_is_row(quiet, 'wake_64_nobody_asleep', 0 if quiet['not_measured'] else 5)
        self.assertEqual((quiet['target'], quiet['better'], quiet['limit']), (1, 'lower', None))
        if quiet['not_measured']:
            return self.assertRegex(quiet['not_measured'], 'ptrace|x86-64')
        self.assertEqual(quiet['settings']['publishes_counted'], 32768 // 96)
        for run in quiet['runs']:
            self.assertEqual(run['counted'], 32768 // 96)
            self.assertLessEqual(run['stepped'], quiet['settings']['publishes_stepped'])
            self.assertGreaterEqual(run['locked_instructions'], run['stepped'])
        # A machine that is too busy to let the supervisor see what is published lets nobody be quiet all the time.
        self.assertEqual(quiet['ratio_min'], 1)

    @unittest.skipUnless(TWO_CPUS, 'needs two CPUs')
    def test_another_locked_instruction_of_a_publish_is_a_miss(self):
        self.env['RINGWAY_WITHOUT'] = 'membarrier'  # then publishers need a fence
        quiet = self.results('wake', '--ring', '64K', *SHORT)[1]
        if not quiet['not_measured']:
            self.assertEqual(quiet['ratio_min'], 2)
            self.assertIsNot(quiet['pass'], True)

    @unittest.skipUnless(TWO_CPUS, 'needs two CPUs')
    def test_wake_of_one_that_sleeps_at_once(self):
        row, quiet = self.results('wake', '--size', '1K', '--wait', 'throughput', '--runs', '1', '--time', '50ms')
        self.assert_is_row(row, 'wake_1024', 1)
        self.assertEqual((row['target'], row['settings']['wait']), (None, 'throughput'))
        self.assertEqual((quiet['name'], quiet['settings']['size_bytes']), ('wake_64_nobody_asleep', 64))

    @unittest.skipUnless(TWO_CPUS, 'needs two CPUs')
    def test_the_table_of_a_row_names_limit_ratio_and_verdict(self):
        out = self.run_bench('ring', *SHORT)
        self.assertRegex(out, r"(?s)size 64 B, claim 1, .*\nREPEAT +RECORDS +LIMIT'S .*\n"
                              r'ratio of records_per_s: .* in the median of 5 repeats.*\n'
                              r'target: at least 0.9 in the median: (pass|miss|not judged)')

    def test_with_one_cpu_nothing_is_measured(self):
        one = {min(os.sched_getaffinity(0))}
        for verb in COMPARED:
            with self.subTest(verb=verb):
                (row,) = self.results(verb, cpus=one)
                self.assertEqual((row['not_measured'], row['runs'], row['pass']), ('needs two CPUs', [], None))
                self.assertIn('not measured: needs two CPUs', self.run_bench(verb, cpus=one))

    @unittest.skipUnless(TWO_CPUS, 'needs two CPUs')
    def test_a_signal_ends_these_too(self):
        for verb in COMPARED:
            words = (verb, '--runs', '777', *(FEW_IDLE if verb == 'idle' else ()))
            with self.subTest(verb=verb), self.spawn(*words) as child:
                mine = lambda: [pid for pid in pids() if command_line(pid)[1:-1] == ['bench', *words]]
                wait_until(lambda: len(mine()) > 1, 'a process that is measured')
                child.send_signal(signal.SIGINT)
                child.communicate(timeout=60)
                self.assertEqual(child.returncode, -signal.SIGINT)
                self.assertEqual(mine(), [])
                self.assert_nothing_is_left()

    def test_what_cannot_be_measured_is_refused(self):
        for words, rule in ((('ring', '--size', '20'), 'a multiple of 16'),
                            (('ring', '--exclusive', '--producers', '2'), 'is the only one'),
                            (('ring', '--time', '1ms'), 'too short'),
                            (('latency', '--size', '0'), 'a multiple of 16'),
                            (('wake', '--wait', 'latency'), 'never sleeps'),
                            (('wake', '--time', '1ms'), 'too short'),
                            (('limits', '--time', '1ms'), 'too short'),
                            (('limits', '--bytes', '1K'), 'too little'),
                            (('persist', '--bytes', '1K'), 'too little'),
                            (('replay', '--size', '20'), 'a multiple of 16'),
                            (('durable', '--time', '1ms'), 'too short'),
                            (('fanout', '--bytes', '1K'), 'too little'),
                            (('fanout', '--size', '20'), 'a multiple of 16'),
                            (('fanout', '--consumers', '1'), '2'),
                            (('spill', '--size', '20'), 'a multiple of 16'),
                            (('spill', '--rate', '0'), 'from 1000'),
                            (('scale', '--time', '1ms'), 'too short'),
                            (('idle', '--time', '1ms'), 'too short'),
                            (('idle', '--partitions', '40'), 'is more than the 40 there are')):
            with self.subTest(words=words):
                self.assertIn(rule, self.run_bench(*words, status=2))

    @unittest.skipUnless(TWO_CPUS, 'needs two CPUs')
    def test_claims_that_do_not_fit_the_ring_are_refused(self):
        self.assertIn('no room for four claims', self.run_bench('ring', '--ring', '64K', '--claim', '1024', status=2))


if __name__ == '__main__':
    unittest.main()
