"""GET /metrics: what it says, who may ask and how, and a real Prometheus that asks."""

import contextlib
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.parse
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from bus import Bus, PATIENCE_SECONDS, process_state, wait_until
from scrape import Samples, UnixConnection, answer, program, text_of

DAEMON = pathlib.Path(__file__).resolve().parents[2] / 'daemon'
OBSERVABILITY = DAEMON / 'observability'
DASHBOARD = OBSERVABILITY / 'ringway-dashboard.json'
RULES = OBSERVABILITY / 'ringway.rules.yml'
ALERTS_TEST = pathlib.Path(__file__).with_name('alerts.test.yml')
RECORDS = 1000
CONNECTIONS_MAX = 16  # at each socket


def metrics_socket(bus):
    return bus.runtime_dir / 'metrics.sock'


def scrape(bus):
    return Samples(text_of(metrics_socket(bus)))


def port_of(bus):
    return int(re.findall(r'event=serving_metrics .*listen=127\.0\.0\.1:(\d+)', bus.log.read_text())[-1])


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def lines(count, size=100):
    return b''.join(b'%0*d\n' % (size, number) for number in range(count))


class Content(unittest.TestCase):
    maxDiff = None

    def test_partitions_show_what_was_published(self):
        with Bus() as bus:
            bus.run('topic', 'create', 'orders', '--partitions', '2', '--ring', '1MiB')
            bus.run('produce', 'orders', '-p', '1', '--wait', 'durable', stdin=lines(RECORDS))
            said = scrape(bus)
            for name in ('committed_offset', 'written_offset', 'durable_offset', 'records_total'):
                self.assertEqual(said(f'ringway_partition_{name}', topic='orders', partition='1'), RECORDS, name)
                self.assertEqual(said(f'ringway_partition_{name}', topic='orders', partition='0'), 0, name)
            # 100 bytes and a header of 32, rounded up to units of 32.
            self.assertEqual(said('ringway_partition_bytes_total', topic='orders', partition='1'), RECORDS * 160)
            self.assertGreater(said('ringway_partition_log_bytes', topic='orders', partition='1'), RECORDS * 160)
            self.assertEqual(said('ringway_partition_first_offset', topic='orders', partition='1'), 0)
            self.assertEqual(said('ringway_topic_ring_bytes', topic='orders'), 1 << 20)
            self.assertGreaterEqual(said('ringway_sync_seconds_count', topic='orders'), 1)
            self.assertGreater(said('ringway_sync_seconds_sum', topic='orders'), 0)
            self.assertEqual(said('ringway_sync_seconds_bucket', topic='orders', le='+Inf'),
                             said('ringway_sync_seconds_count', topic='orders'))
            self.assertEqual(said('ringway_degraded'), 0)
            self.assertEqual(said('ringway_topics'), 1)
            self.assertAlmostEqual(said('ringway_start_time_seconds'), time.time(), delta=PATIENCE_SECONDS)

    def test_memory_and_disk_are_those_of_status_and_of_the_file_system(self):
        with Bus('limits.memory = "1GiB"') as bus:
            bus.run('topic', 'create', 'orders', '--partitions', '2', '--ring', '1MiB')
            said, memory = scrape(bus), bus.json('status')['memory']
            self.assertGreater(memory['used'], 2 << 20)
            self.assertEqual(said('ringway_memory_bytes'), memory['used'])
            self.assertEqual(said('ringway_memory_limit_bytes'), 1 << 30)
            disk = os.statvfs(bus.state_dir)
            self.assertEqual(said('ringway_disk_size_bytes'), disk.f_blocks * disk.f_frsize)
            self.assertEqual(said('ringway_disk_keep_free_bytes'), bus.json('status')['disk']['keep_free'])

            def free_now():
                disk = os.statvfs(bus.state_dir)
                return disk.f_bavail * disk.f_frsize
            # Others write there, too.
            wait_until(lambda: abs(scrape(bus)('ringway_disk_free_bytes') - free_now()) < 1 << 20, 'the same room')

    def test_what_is_used_of_a_ring_is_what_lies_between_tail_and_limit(self):
        with Bus() as bus:
            bus.run('topic', 'create', 'orders', '--partitions', '2', '--ring', '256KiB')
            bus.run('produce', 'orders', '-p', '1', '--wait', 'durable', stdin=lines(RECORDS))

            def used():
                said = scrape(bus)
                return [said('ringway_partition_ring_used_bytes', partition=partition) for partition in '01']

            def inspected():
                return [each['tail'] + each['ring_bytes'] - each['limit'] for each in bus.json('inspect', 'orders')['partitions']]
            # Nearly twice round; the limit follows in steps of a sixteenth.
            wait_until(lambda: inspected()[1] < 32 << 10, 'the limit to follow')
            self.assertGreater(inspected()[1], 0)
            wait_until(lambda: used() == inspected(), 'the same')
            self.assertEqual(used()[0], 0)

    def test_open_producers_are_counted(self):
        with Bus() as bus:
            bus.run('topic', 'create', 'orders')
            bus.run('topic', 'create', 'ticks')
            producers = [bus.spawn('produce', 'orders') for _ in range(2)]
            wait_until(lambda: scrape(bus)('ringway_topic_producers', topic='orders') == 2, 'both')
            self.assertEqual(scrape(bus)('ringway_topic_producers', topic='ticks'), 0)
            producers[0].communicate()
            wait_until(lambda: scrape(bus)('ringway_topic_producers', topic='orders') == 1, 'one to be gone')

    def test_counters_begin_anew_with_another_ring_and_offsets_go_on(self):
        with Bus() as bus:
            bus.run('topic', 'create', 'orders')
            bus.run('produce', 'orders', '--wait', 'durable', stdin=lines(10))
            bus.run('topic', 'alter', 'orders', '--ring', '1MiB')
            bus.run('produce', 'orders', '--wait', 'durable', stdin=lines(3))
            said = scrape(bus)
            self.assertEqual(said('ringway_partition_records_total', topic='orders'), 3)
            self.assertEqual(said('ringway_partition_committed_offset', topic='orders'), 13)
            self.assertEqual(said('ringway_rings_replaced_total', reason='altered'), 1)

    def test_consumers_show_their_lag_with_a_name_and_without(self):
        with Bus() as bus:
            bus.run('topic', 'create', 'orders')
            bus.run('produce', 'orders', '--wait', 'durable', stdin=lines(10))
            bus.run('consume', 'orders', '--cursor', 'billing', '-o', 'start', '-n', '4')
            said = scrape(bus)
            self.assertEqual(said('ringway_consumer_lag_records', consumer='billing'), 6)
            self.assertEqual(said('ringway_consumer_lag_bytes', consumer='billing'), 6 * 160)
            self.assertGreater(said('ringway_consumer_lag_seconds', consumer='billing'), 0)
            self.assertEqual(said('ringway_consumer_living', consumer='billing'), 0)
            follower = bus.spawn('consume', 'orders', '--cursor', 'billing')
            for _ in range(6):
                follower.stdout.readline()
            wait_until(lambda: scrape(bus)('ringway_consumer_lag_records', consumer='billing') == 0, 'no lag')
            self.assertEqual(scrape(bus)('ringway_consumer_living', consumer='billing'), 1)
            nameless = bus.spawn('consume', 'orders', '-o', 'start')
            nameless.stdout.readline()
            wait_until(lambda: scrape(bus)('ringway_topic_consumers', topic='orders') == 2, 'two consumers')
            said = scrape(bus)
            self.assertEqual(said('ringway_nameless_consumers', topic='orders'), 1)
            self.assertEqual(said('ringway_consumer_lag_records', topic='orders', consumer=''), 0)
            self.assertEqual(said('ringway_clients', state='connected'), 2)

    def test_a_consumer_that_stands_still_lags_in_records_bytes_and_seconds(self):
        with Bus() as bus:
            bus.run('topic', 'create', 'orders')
            bus.run('produce', 'orders', stdin=lines(1))
            slow = bus.spawn('consume', 'orders', '-o', 'start')
            slow.stdout.readline()
            os.kill(slow.pid, 19)  # SIGSTOP
            bus.run('produce', 'orders', '--wait', 'durable', stdin=lines(50))
            published = time.time()
            time.sleep(0.6)  # the inventory is half a second old at most, and so is its lag at least
            said = scrape(bus)
            lag = said('ringway_consumer_lag_seconds', consumer='')
            self.assertEqual(said('ringway_consumer_lag_records', consumer=''), 50)
            self.assertEqual(said('ringway_consumer_lag_bytes', consumer=''), 50 * 160)
            self.assertGreater(lag, 0.5)
            self.assertLess(lag, time.time() - published + PATIENCE_SECONDS)

    def test_how_long_records_took_is_sampled_by_who_consumes_them_live(self):
        with Bus() as bus:
            bus.run('topic', 'create', 'orders')
            bus.run('produce', 'orders', stdin=lines(1))
            def latency(part, **labels):
                return scrape(bus)(f'ringway_consume_latency_seconds_{part}', topic='orders', **labels)
            follower = bus.spawn('consume', 'orders', '-o', 'start')
            follower.stdout.readline()
            time.sleep(0.6)
            self.assertEqual(latency('count'), 0)  # that was there before
            os.kill(follower.pid, 19)  # SIGSTOP
            bus.run('produce', 'orders', stdin=lines(1))
            time.sleep(1.1)
            os.kill(follower.pid, 18)  # SIGCONT
            follower.stdout.readline()
            wait_until(lambda: latency('count') == 1, 'a sample')
            self.assertEqual(latency('bucket', le='1'), 0)
            self.assertEqual(latency('bucket', le='+Inf'), 1)
            self.assertGreater(latency('sum'), 1.1)
            follower.kill()
            follower.wait()
            wait_until(lambda: scrape(bus)('ringway_topic_consumers', topic='orders') == 0, 'nobody')
            self.assertEqual(latency('count'), 1)
            # Replay is no sample either.
            bus.run('consume', 'orders', '-o', 'start', '-e')
            time.sleep(0.6)
            self.assertEqual(latency('count'), 1)

    def test_what_was_read_long_ago_makes_no_lag_older(self):
        with Bus() as bus:
            bus.run('topic', 'create', 'orders')
            bus.run('produce', 'orders', '--wait', 'durable', stdin=lines(10))
            bus.run('consume', 'orders', '--cursor', 'billing', '-o', 'start', '-n', '10')
            time.sleep(3)
            bus.run('produce', 'orders', '--wait', 'durable', stdin=lines(1))
            published = time.time()
            said = scrape(bus)
            self.assertEqual(said('ringway_consumer_lag_records', consumer='billing'), 1)
            self.assertEqual(said('ringway_consumer_lag_bytes', consumer='billing'), 160)
            self.assertLess(said('ringway_consumer_lag_seconds', consumer='billing'), time.time() - published + 2)

    def test_a_lag_beyond_the_ring_is_at_least_what_is_said(self):
        with Bus() as bus:
            bus.run('topic', 'create', 'orders', '--ring', '64KiB')
            bus.run('produce', 'orders', '--wait', 'durable', stdin=lines(4))
            bus.run('consume', 'orders', '--cursor', 'billing', '-o', 'start', '-n', '4')
            began = time.time()
            bus.run('produce', 'orders', '--wait', 'durable', stdin=lines(4000))
            time.sleep(0.6)  # so old is all of it by now
            said = scrape(bus)
            self.assertEqual(said('ringway_consumer_lag_records', consumer='billing'), 4000)
            # Nothing of it is left in the ring, which has gone round several times.
            self.assertGreater(said('ringway_consumer_lag_bytes', consumer='billing'), 0)
            self.assertLessEqual(said('ringway_consumer_lag_bytes', consumer='billing'), 4000 * 160)
            self.assertGreater(said('ringway_consumer_lag_seconds', consumer='billing'), 0.5)
            self.assertLess(said('ringway_consumer_lag_seconds', consumer='billing'), time.time() - began)

    def test_consumers_without_a_name_are_shown_together(self):
        with Bus() as bus:
            bus.run('topic', 'create', 'orders')
            bus.run('produce', 'orders', '--wait', 'durable', stdin=lines(1))
            followers = [bus.spawn('consume', 'orders', '-o', 'start') for _ in range(3)]
            for follower in followers:
                follower.stdout.readline()
            os.kill(followers[1].pid, 19)  # SIGSTOP
            bus.run('produce', 'orders', '--wait', 'durable', stdin=lines(50))
            for follower in (followers[0], followers[2]):
                for _ in range(50):
                    follower.stdout.readline()
            wait_until(lambda: scrape(bus)('ringway_nameless_consumers', topic='orders') == 3, 'three consumers')
            said = scrape(bus)
            self.assertEqual(said.labels('ringway_consumer_lag_records'), [{'topic': 'orders', 'consumer': ''}])
            self.assertEqual(said('ringway_consumer_lag_records', topic='orders'), 50)
            self.assertEqual(said('ringway_consumer_lag_bytes', topic='orders'), 50 * 160)

    def test_a_topic_that_is_held_up_says_why(self):
        with Bus() as bus:
            bus.run('topic', 'create', 'ticks', '--no-persist', '--ring', '64KiB', '--partitions', '2')
            slow = bus.spawn('consume', 'ticks', '-o', 'start')
            for partition in range(2):
                bus.run('produce', 'ticks', '-p', str(partition), stdin=lines(1))
                slow.stdout.readline()
            os.kill(slow.pid, 19)
            for partition in range(2):
                bus.spawn('produce', 'ticks', '-p', str(partition), stdin=subprocess.PIPE).stdin.write(lines(600))
            wait_until(lambda: scrape(bus)('ringway_held_partitions', reason='slow_consumer') == 2, 'both holds')
            said = scrape(bus)
            for partition in '01':
                self.assertEqual(said('ringway_partition_held', topic='ticks', partition=partition, reason='slow_consumer'), 1)
            self.assertEqual(said('ringway_degraded'), len(bus.json('status', status=5)['degraded']))
            self.assertEqual(said('ringway_degraded'), 1)

    def test_names_of_topics_are_escaped(self):
        with Bus() as bus:
            bus.run('topic', 'create', 'a"b\\c')
            self.assertEqual(scrape(bus)('ringway_topic_served', topic='a"b\\c'), 1)

    def test_consumers_beyond_the_limit_are_counted(self):
        most, more = 256, 3
        with Bus() as bus:
            bus.run('topic', 'create', 'orders')
            bus.run('produce', 'orders', stdin=lines(1))
            for number in range(most + more):
                bus.run('consume', 'orders', '--cursor', f'c{number:03}', '-o', 'start', '-n', '1')
            said = scrape(bus)
            self.assertEqual(len(said.labels('ringway_consumer_lag_records')), most)
            self.assertEqual(said('ringway_consumers_left_out'), more)


class Service(unittest.TestCase):
    maxDiff = None

    def test_the_socket_is_for_user_and_group_and_goes_with_an_orderly_stop(self):
        with Bus() as bus:
            bus.run('status')  # answered by who has made it
            self.assertEqual(stat.S_IMODE(metrics_socket(bus).stat().st_mode), 0o660)
            bus.restart()  # over the socket of one that was killed
            bus.run('status')
            scrape(bus)
            self.assertEqual(bus.stop(), 0)
            self.assertFalse(metrics_socket(bus).exists())

    def test_it_can_be_off_and_elsewhere(self):
        with Bus('metrics_socket = "off"') as bus:
            self.assertFalse(metrics_socket(bus).exists())
            printed = subprocess.run([os.environ['RINGWAYD'], '--config', bus.config, '--print-config'],
                                     capture_output=True, text=True, check=True).stdout
            self.assertRegex(printed, r'metrics_socket = [\'"]off[\'"]')
        bus = Bus()
        bus.env['RINGWAYD_METRICS_SOCKET'] = str(bus.root / 'm')
        with bus:
            bus.run('status')
            Samples(text_of(bus.root / 'm'))

    def test_an_address_that_others_reach_is_refused(self):
        for address in ('0.0.0.0:9464', '192.0.2.1:9464', '[::]:9464', 'localhost:9464', '127.0.0.1', '127.0.0.1:99999'):
            done = subprocess.run([os.environ['RINGWAYD'], '--check-config', '--metrics-listen', address],
                                  capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 2, address)
            self.assertIn(f"'{address}' is no port of a loopback address", done.stderr)
            self.assertIn('write 127.0.0.1:PORT', done.stderr)

    def test_a_port_that_is_taken_is_said_and_the_bus_serves(self):
        with socket.socket() as other:
            other.bind(('127.0.0.1', 0))
            other.listen()
            with Bus(f'metrics_listen = "127.0.0.1:{other.getsockname()[1]}"') as bus:
                self.assertIn('event=metrics_not_served', bus.log.read_text())
                self.assertIn('cannot be bound', bus.json('status', status=5)['degraded'][0])
                self.assertEqual(scrape(bus)('ringway_degraded'), 1)

    def test_other_methods_paths_and_huge_requests_are_refused(self):
        with Bus() as bus:
            def status(*request, **more):
                return answer(UnixConnection(metrics_socket(bus)), *request, **more)[0]
            self.assertEqual(status('GET', '/'), 404)
            self.assertEqual(status('GET', '/metrics/'), 404)
            self.assertEqual(answer(UnixConnection(metrics_socket(bus)), 'HEAD')[2], '')
            for method in ('POST', 'PUT', 'DELETE', 'OPTIONS', 'BREW'):
                got, headers, _ = answer(UnixConnection(metrics_socket(bus)), method, body=b'x' * 10)
                self.assertEqual((got, headers['Allow']), (405, 'GET, HEAD'), method)
            self.assertIn(status('GET', headers={'X': 'x' * 200_000}), (413, 431))
            for rubbish in (b'\0' * 5000, b'GET\r\n\r\n', b'\xff\xfe HTTP/9.9\r\n\r\n' * 100):
                with socket.socket(socket.AF_UNIX) as rude, contextlib.suppress(OSError):
                    rude.settimeout(PATIENCE_SECONDS)
                    rude.connect(str(metrics_socket(bus)))
                    rude.sendall(rubbish)
                    rude.shutdown(socket.SHUT_WR)
                    while rude.recv(4096):
                        pass
            scrape(bus)

    def test_who_says_nothing_and_who_does_not_read_hold_up_neither_bus_nor_scrapes_for_long(self):
        with Bus() as bus, contextlib.ExitStack() as stack:
            bus.run('topic', 'create', 'many', '--partitions', '1000', '--ring', '64KiB')
            for number in range(CONNECTIONS_MAX):
                rude = stack.enter_context(socket.socket(socket.AF_UNIX))
                rude.connect(str(metrics_socket(bus)))
                if number % 2:
                    rude.sendall(b'GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n')
            began = time.monotonic()
            bus.run('produce', 'many', '--wait', 'durable', stdin=lines(100))
            bus.run('status')
            self.assertLess(time.monotonic() - began, PATIENCE_SECONDS / 2)
            self.assertEqual(len(scrape(bus).labels('ringway_partition_records_total')), 1000)

    def test_who_sends_a_request_byte_by_byte_keeps_no_place_for_long(self):
        with Bus() as bus, contextlib.ExitStack() as stack:
            rude = []
            for _ in range(CONNECTIONS_MAX):
                rude.append(stack.enter_context(socket.socket(socket.AF_UNIX)))
                rude[-1].connect(str(metrics_socket(bus)))
                rude[-1].sendall(b'GET /metrics HTTP/1.1\r\nX: ')
            began = time.monotonic()
            alive = set(rude)
            while alive and time.monotonic() - began < PATIENCE_SECONDS:
                for one in list(alive):
                    try:
                        one.sendall(b'x')
                    except OSError:
                        alive.discard(one)
                time.sleep(0.2)
            self.assertEqual(alive, set())
            # With a request that is whole there is half a minute, with one that comes only three seconds.
            self.assertLess(time.monotonic() - began, 15)
            scrape(bus)


class Prometheus(unittest.TestCase):
    """A real one, on a port of its own."""
    maxDiff = None

    def start(self, stack, target):
        root = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix='ringway-prometheus-')))
        config = root / 'prometheus.yml'
        config.write_text('global: {scrape_interval: 200ms, scrape_timeout: 200ms}\n'
                          'scrape_configs:\n'
                          '  - job_name: ringway\n'
                          f'    static_configs: [{{targets: ["{target}"]}}]\n')
        self.url = f'127.0.0.1:{free_port()}'
        log = stack.enter_context(open(root / 'log', 'wb'))
        process = subprocess.Popen(
            [program('prometheus'), f'--config.file={config}', f'--storage.tsdb.path={root / "data"}',
             f'--web.listen-address={self.url}'], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        stack.callback(process.wait)
        stack.callback(process.kill)

    def ask(self, query):
        """The values of an instant query, by their labels; none while there is nobody to answer."""
        url = f'http://{self.url}/api/v1/query?{urllib.parse.urlencode({"query": query})}'
        with contextlib.suppress(OSError, http.client.HTTPException), urllib.request.urlopen(url) as answered:
            return [float(result['value'][1]) for result in json.load(answered)['data']['result']]
        return []

    def await_value(self, query, value):
        wait_until(lambda: self.ask(query) == [value], f'{query} to be {value}')

    def test_it_has_what_was_published_and_read(self):
        with Bus('metrics_listen = "127.0.0.1:0"') as bus, contextlib.ExitStack() as stack:
            bus.run('status')
            self.start(stack, f'127.0.0.1:{port_of(bus)}')
            bus.run('topic', 'create', 'orders', '--partitions', '4')
            bus.run('produce', 'orders', '--wait', 'durable', stdin=lines(RECORDS))
            bus.run('consume', 'orders', '--cursor', 'billing', '-o', 'start', '-n', '300')
            self.await_value('up{job="ringway"}', 1)
            for level in ('committed', 'written', 'durable'):
                self.await_value(f'sum(ringway_partition_{level}_offset{{topic="orders"}})', RECORDS)
            self.await_value('sum(ringway_partition_records_total)', RECORDS)
            self.await_value('sum(ringway_partition_bytes_total)', RECORDS * 160)
            self.await_value('ringway_consumer_lag_records{consumer="billing"}', RECORDS - 300)
            self.await_value('count(ringway_build_info)', 1)
            quantile = 'histogram_quantile(0.5, sum by (le) (ringway_sync_seconds_bucket)) < 10'
            wait_until(lambda: self.ask(quantile), quantile)
            follower = bus.spawn('consume', 'orders', '-o', 'end')
            quantile = 'histogram_quantile(0.99, sum by (topic, le) (ringway_consume_latency_seconds_bucket)) < 60'
            def is_known():
                bus.run('produce', 'orders', stdin=lines(1))
                return self.ask(quantile)
            wait_until(is_known, quantile)
            self.await_value('ringway_consume_latency_seconds_count - ignoring (le) '
                             'ringway_consume_latency_seconds_bucket{le="+Inf"}', 0)
            follower.kill()
            # It sees the supervisor go, and the next one.
            bus.kill()
            self.await_value('up{job="ringway"}', 0)

    def test_promtool_finds_nothing_to_complain_of(self):
        with Bus() as bus:
            bus.run('topic', 'create', 'orders')
            bus.run('produce', 'orders', '--wait', 'durable', stdin=lines(1))
            bus.run('consume', 'orders', '--cursor', 'billing', '-o', 'start', '-n', '1')
            checked = subprocess.run([program('promtool'), 'check', 'metrics'], input=text_of(metrics_socket(bus)),
                                     capture_output=True, text=True, check=False)
            self.assertEqual((checked.returncode, checked.stdout, checked.stderr), (0, '', ''))


class Observability(unittest.TestCase):
    """The files that are installed for Prometheus and Grafana."""
    maxDiff = None

    def test_the_rules_are_right_and_their_alerts_fire_when_they_are_to(self):
        with tempfile.TemporaryDirectory() as place:
            for file in (RULES, ALERTS_TEST):
                shutil.copy(file, place)
            for what, file in (('check', RULES), ('test', ALERTS_TEST)):
                done = subprocess.run([program('promtool'), what, 'rules', pathlib.Path(place) / file.name],
                                      capture_output=True, text=True, check=False)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        alerts = set(re.findall(r'- alert: (\w+)', RULES.read_text()))
        self.assertEqual(alerts, set(re.findall(r'alertname="(\w+)"', ALERTS_TEST.read_text())))

    def test_each_metric_of_dashboard_and_rules_is_one_that_is_served(self):
        with Bus() as bus:
            bus.run('topic', 'create', 'orders')
            kinds = scrape(bus).kinds
        served = {*kinds, *(f'{name}_{part}' for name, kind in kinds.items() if kind == 'histogram'
                            for part in ('bucket', 'sum', 'count'))}
        panels = json.loads(DASHBOARD.read_text())['panels']
        expressions = [target['expr'] for panel in panels for target in panel['targets']]
        used = set(re.findall(r'\bringway_\w+', ' '.join(expressions)))
        used |= set(re.findall(r'\bringway_\w+', RULES.read_text() + (DAEMON / 'README.md').read_text()))
        self.assertGreater(len(used), 15)
        self.assertEqual(used - served, set())

    def test_the_expressions_of_manual_and_dashboard_are_such(self):
        """As promtool sees it: each as a rule."""
        of_manual = re.findall(r'^    (histogram_quantile\(.*)$', (DAEMON / 'README.md').read_text(), re.MULTILINE)
        self.assertEqual(len(of_manual), 1)
        rules = [{'record': 'x', 'expr': expr} for expr in of_manual]
        for panel in json.loads(DASHBOARD.read_text())['panels']:
            for target in panel['targets']:
                expr = target['expr'].replace('$__rate_interval', '1m').replace('$instance', '.*').replace('$topic', '.*')
                rules.append({'record': 'x', 'expr': expr, 'labels': {'of': f'{panel["title"]} {target["refId"]}'}})
        with tempfile.NamedTemporaryFile('w', suffix='.json') as file:
            json.dump({'groups': [{'name': 'dashboard', 'rules': rules}]}, file)
            file.flush()
            done = subprocess.run([program('promtool'), 'check', 'rules', file.name], capture_output=True, text=True,
                                  check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


class Manual(unittest.TestCase):
    """The table of families in the operator's manual: a row names some, their labels, and what they say."""
    maxDiff = None
    # Whose values the manual cannot know.
    OPEN_ENDED = {'topic', 'partition', 'consumer', 'event', 'what', 'version', 'layout', 'protocol'}

    @classmethod
    def setUpClass(cls):
        table = (DAEMON / 'README.md').read_text().split('| `ringway_…` | labels | |\n|---|---|---|\n')[1].split('\n\n')[0]
        rows = [row.split('|')[1:-1] for row in table.splitlines()]
        quoted = re.compile(r'`(\w+)`')
        cls.rows = [(quoted.findall(names), quoted.findall(labels), says.strip()) for names, labels, says in rows]
        with Bus() as bus:
            cls.said = cls.everything(bus)

    @classmethod
    def everything(cls, bus):
        """A sample of each family: also of what is held up, and of consumers with and without a name."""
        bus.run('topic', 'create', 'orders')
        bus.run('produce', 'orders', '--wait', 'durable', stdin=lines(10))
        bus.run('consume', 'orders', '--cursor', 'billing', '-o', 'start', '-n', '4')
        bus.run('topic', 'create', 'ticks', '--no-persist', '--ring', '64KiB')
        bus.run('produce', 'ticks', stdin=lines(1))
        slow = bus.spawn('consume', 'ticks', '-o', 'start')
        slow.stdout.readline()
        os.kill(slow.pid, signal.SIGSTOP)
        bus.spawn('produce', 'ticks').stdin.write(lines(600))
        wait_until(lambda: scrape(bus)('ringway_held_partitions', reason='slow_consumer') == 1, 'a hold')
        return scrape(bus)

    def served(self, name):
        """The labels of a family's samples, as text has them."""
        parts = ('_bucket', '_sum', '_count') if self.said.kinds[name] == 'histogram' else ('',)
        return [labels for part in parts for labels in self.said.labels(name + part)]

    def test_it_has_every_family_and_no_other_each_with_its_labels(self):
        there = {f'ringway_{name}': set(labels) for names, labels, _ in self.rows for name in names}
        self.assertEqual(len(there), sum(len(names) for names, _, _ in self.rows), 'named twice')
        # One without a value is none to Prometheus.
        self.assertEqual(there, {name: {label for labels in self.served(name) for label, value in labels.items() if value}
                                 - {'le'} for name in self.said.kinds})
        self.assertEqual([name for name in there if not self.served(name)], [])

    def test_it_says_of_what_type_each_is(self):
        for names, _, says in self.rows:
            for name in names:
                kind = 'histogram' if says.startswith('histogram: ') else 'counter' if name.endswith('_total') else 'gauge'
                self.assertEqual(self.said.kinds[f'ringway_{name}'], kind, name)

    def test_it_has_every_value_that_a_label_of_its_own_can_have(self):
        for (name, *more), labels, says in self.rows:
            if len(labels) != 1 or more or labels[0] in self.OPEN_ENDED:
                continue
            with self.subTest(family=name):
                values = {theirs[labels[0]] for theirs in self.served(f'ringway_{name}')}
                self.assertEqual(values, set(re.findall(r'`(\w+)`', says)))

    def test_each_kind_of_trouble_is_there_and_together_they_are_what_is_degraded(self):
        table = (DAEMON / 'README.md').read_text().split('| `what` | |\n|---|---|\n')[1].split('\n\n')[0]
        kinds = {name for row in table.splitlines() for name in re.findall(r'`(\w+)`', row.split('|')[1])}
        self.assertEqual({labels['what'] for labels in self.served('ringway_troubles')}, kinds)
        self.assertEqual(self.said('ringway_troubles', what='slow_consumer'), 1)
        self.assertEqual(sum(self.said('ringway_troubles', what=kind) for kind in kinds), self.said('ringway_degraded'))

    def test_it_names_every_event_that_is_counted_and_those_that_are_not(self):
        table = (DAEMON / 'README.md').read_text().split('| event | means |\n|---|---|\n')[1].split('\n\n')[0]
        events = {name for row in table.splitlines() for name in re.findall(r'`(\w+)`', row.split('|')[1])}
        says = next(says for names, _, says in self.rows if names == ['events_total'])
        counted = {labels['event'] for labels in self.served('ringway_events_total')}
        self.assertEqual(counted, events - set(re.findall(r'`(\w+)`', says)))


class Versions(unittest.TestCase):
    def test_status_says_of_which_version_each_client_is(self):
        with Bus() as bus, socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as old:
            old.connect(str(bus.socket))
            old.send(b'{"id":1,"op":"hello","protocol":1,"client":"ancient"}')
            old.recv(4096)
            said = bus.json('status')
            self.assertEqual([(one['client'], one['version'], one['pid']) for one in said['sessions']
                              if one['client'] == 'ancient'], [('ancient', 'unknown', os.getpid())])
            self.assertEqual({one['version'] for one in said['sessions'] if one['client'] == 'ringway'},
                             {said['version']})
            table = bus.run('status').decode()
            self.assertRegex(table, r'CLIENT +VERSION')
            self.assertRegex(table, r'ancient +unknown')

    def test_a_client_that_has_not_spoken_to_this_supervisor_yet_is_of_the_version_that_it_told_the_one_before(self):
        with Bus() as bus:
            bus.run('topic', 'create', 't')
            consumer = bus.spawn('consume', 't')
            # What it told stays where it has something open.
            told = lambda: {one['pid']: one['version'] for one in bus.json('status')['sessions'] if one['handles']}
            version = wait_until(lambda: told().get(consumer.pid), 'the consumer')
            consumer.send_signal(signal.SIGSTOP)
            wait_until(lambda: process_state(consumer.pid) == 'T', 'it to stand still')
            bus.restart()
            self.assertEqual(told()[consumer.pid], version)
            self.assertNotEqual(version, 'unknown')
            consumer.send_signal(signal.SIGCONT)


if __name__ == '__main__':
    unittest.main()
