"""The verbs of `ringway` on the real binaries: what a shell sees of each, and every exit status."""

import json
import os
import pathlib
import pty
import re
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from bus import PATIENCE_SECONDS, stands_in_write, wait_until
from on_a_bus import OnABus

LONG = os.environ.get('RINGWAY_TEST_LONG') == '1'
NOBODY = 65534


def lines(count, width=40):
    """Lines of different lengths, empty ones too, all of them different."""
    return b''.join(b'%d %s\n' % (n, b'x' * (n * 7 % width)) if n % 100 else b'\n' for n in range(count))


class Verbs(OnABus):
    def run_ringway(self, *words, **options):
        return self.bus.run(*words, **options)

    def consumed(self, topic='t', *options):
        return self.bus.run('consume', topic, '-o', 'start', '-e', *options)

    def shown(self, verb, partition=0, topic='t'):
        """The partition, as that verb shows it."""
        return self.bus.json(*verb.split(), topic)['partitions'][partition]

    def file(self, content):
        path = self.bus.root / 'input'
        path.write_bytes(content)
        return path


class Status(Verbs):
    def test_status_ends_with_0_while_the_bus_serves(self):
        self.assertEqual(self.bus.json('status')['state'], 'serving')
        self.assertIn(b'serving', self.run_ringway('status'))

    def test_sessions_name_their_client(self):
        (session,) = self.bus.json('status')['sessions']
        self.assertEqual(session['client'].split()[0], 'ringway')  # it may go on with what it lacks
        self.assertRegex(session['version'], r'^\d+\.\d+\.\d+$')

    def test_a_client_that_ends_well_is_not_logged_as_dead(self):
        self.create()
        producer = self.bus.spawn('produce', 't')
        producer.stdin.write(b'1\n')
        producer.stdin.flush()
        wait_until(lambda: self.shown('inspect')['committed'] == 1, 'its record')
        # That it closed its handle and that it is gone are then seen in one go.
        self.bus.pause()
        producer.stdin.close()
        self.assertEqual(producer.wait(), 0)
        self.bus.resume()
        wait_until(lambda: producer.pid not in self.clients(), 'its end to be seen')
        self.assertNotIn('client_died', self.bus.log.read_text())

    def clients(self):
        return [session['pid'] for session in self.bus.json('status')['sessions']]

    def test_the_supervisor_refuses_unknown_options_as_the_command_does(self):
        for words, named in ((['--bogus'], "'--bogus'"), (['word'], "'word'"), (['--socket'], '--socket'),
                             (['--check-config', '--config', ''], "--config ''")):
            with self.subTest(words=words):
                ended = subprocess.run([os.environ['RINGWAYD'], *words], capture_output=True, text=True, check=False,
                                       timeout=PATIENCE_SECONDS)
                self.assertEqual(ended.returncode, 2)
                self.assertRegex(ended.stderr, rf'^ringwayd: .*{named}.*; see ringwayd --help\n$')

    def test_status_ends_with_1_when_nobody_serves(self):
        self.bus.kill()
        self.assertEqual(self.bus.refusal('status', status=1)['code'], 'unavailable')

    def test_status_ends_with_6_when_nobody_answers(self):
        self.bus.pause()
        error = self.bus.refusal('status', '--timeout', '200ms', status=6)
        self.assertEqual(error['code'], 'timeout')
        self.bus.resume()


class Topics(Verbs):
    def test_what_was_created_is_listed_and_described_as_chosen(self):
        created = self.create('plant/press', '--partitions', '3', '--ring', '64KiB', '--segment', '1MiB', '--sync',
                              'every_batch', '--retention-age', '2h', '--retention-bytes', '5MiB', '--read', 'root,@0')
        self.assertEqual(created['partitions'], 3)
        listed = self.bus.json('topic', 'list')
        self.assertEqual([(row['topic'], row['partitions'], row['uuid']) for row in listed],
                         [('plant/press', 3, created['uuid'])])
        described = self.bus.json('topic', 'describe', 'plant/press')
        self.assertEqual(described['uuid'], created['uuid'])
        self.assertEqual(len(described['partitions']), 3)
        self.assertEqual(described['partitions'][2],
                         {'partition': 2, 'first_offset': 0, 'committed': 0, 'written': 0, 'durable': 0,
                          'ring_bytes': 65536, 'log_bytes': described['partitions'][2]['log_bytes'],
                          'log_gaps': 0, 'state': 'serving'})
        settings = described['settings']
        self.assertEqual((settings['sync'], settings['segment_bytes'], settings['retention_age_ms'],
                          settings['retention_bytes'], settings['readers']),
                         ('every_batch', 1 << 20, 7_200_000, 5 << 20, ['root', '@0']))

    def test_a_file_of_the_log_is_shown_as_large_as_it_becomes(self):
        self.create('t', '--ring', '1MiB', '--segment', '256KiB')
        self.assertRegex(self.bus.run('topic', 'describe', 't').decode(), r'\nSegment: +256 KiB \(holds 512 KiB, half the ring\)\n')
        self.bus.run('topic', 'alter', 't', '--ring', '512KiB')
        self.assertRegex(self.bus.run('topic', 'describe', 't').decode(), r'\nSegment: +256 KiB\n')

    def test_a_second_topic_of_the_name_and_bad_names_are_refused(self):
        self.create()
        self.assertEqual(self.bus.refusal('topic', 'create', 't', status=1)['code'], 'exists')
        self.assertEqual(self.bus.refusal('topic', 'create', 'a//b', status=2)['code'], 'usage')
        self.assertEqual(self.bus.refusal('topic', 'create', 'u', '--ring', '3KiB', status=2)['code'], 'usage')
        self.assertIn('--ring', self.bus.refusal('topic', 'create', 'u', '--ring', 'big', status=2)['thing'])

    def test_a_refused_setting_is_named_by_its_flag(self):
        self.create()
        for words, flag in ((['create', 'u', '--ring', '3KiB'], '--ring'),
                            (['create', 'u', '--no-persist', '--when-disk-fails', 'memory'], '--when-disk-fails'),
                            (['alter', 't', '--stopped-after', '1ms'], '--stopped-after')):
            with self.subTest(words=words):
                self.assertEqual(self.bus.refusal('topic', *words, status=2)['thing'], flag)

    def test_a_setting_out_of_range_is_told_with_its_unit(self):
        for words, rule in ((['--stopped-after', '1ms'], '1 ms is outside 10 ms to 1h'),
                            (['--pin-budget', '2h'], '7200000 ms is outside 0 s to 1h'),
                            (['--segment', '1KiB'], '1024 B is outside 256 KiB to 1 TiB'),
                            (['--partitions', '0'], '0 is outside 1 to 10000')):
            with self.subTest(words=words):
                self.assertEqual(self.bus.refusal('topic', 'create', 'u', *words, status=2)['rule'], rule)

    def test_what_is_no_number_is_named_with_its_rule(self):
        for words, thing, rule in (
                (['topic', 'create', 'u', '--partitions', '-1'], "--partitions '-1'", 'from 0 to 4294967295'),
                (['topic', 'create', 'u', '--partitions', '4294967296'], "--partitions '4294967296'",
                 'from 0 to 4294967295'),
                (['topic', 'create', 'u', '--partitions', ''], "--partitions ''", 'from 0 to 4294967295'),
                (['produce', 'u', '-p', '1x'], "-p '1x'", 'from 0 to 4294967295'),
                (['produce', 'u', '--rate', '0'], "--rate '0'", 'from 1 to 18446744073709551615'),
                (['consume', 'u', '-n', '-1'], "-n '-1'", 'from 0 to 18446744073709551615'),
                (['consume', 'u', '-p', '0,x'], "-p 'x'", 'from 0 to 4294967295'),
                (['inspect', 'u', '--records', '18446744073709551616'], "--records '18446744073709551616'",
                 'from 0 to 18446744073709551615'),
                (['log', 'dump', 'u', '-p', '+1'], "-p '+1'", 'from 0 to 4294967295'),
                (['bench', 'repair', '--kills', '0'], "--kills '0'", 'from 1 to 1000000')):
            with self.subTest(words=words):
                error = self.bus.refusal(*words, status=2)
                self.assertEqual((error['thing'], error['rule'], error['fix']),
                                 (thing, f'is no whole number {rule}', 'write one, e.g. 1'))
        self.assertEqual(self.bus.refusal('topic', 'alter', 'u', '--ring', '', status=2)['thing'], "--ring ''")

    def test_help_tells_defaults_only_where_there_are_any(self):
        told = {verb: self.bus.run('topic', verb, '--help').decode() for verb in ('create', 'alter', 'list')}
        self.assertIn('default 16MiB', told['create'])
        self.assertIn('--ring', told['alter'])
        self.assertEqual(told['alter'].count('(default'), told['list'].count('(default'))  # what every verb takes

    def test_what_exists_or_does_not_comes_with_a_fix_that_helps(self):
        self.create()
        self.assertIn('another name', self.bus.refusal('topic', 'create', 't', status=1)['fix'])
        error = self.bus.refusal('topic', 'delete', 'nope', '--yes', status=3)
        self.assertEqual((error['thing'], error['fix']), ("topic 'nope'", 'see what there is: ringway topic list'))

    def test_who_names_a_pattern_is_not_told_to_create_it(self):
        for verb in (['consume', '-e'], ['produce'], ['topic', 'describe']):
            with self.subTest(verb=verb):
                error = self.bus.refusal(*verb, 'plant/+/temperature', status=2)
                self.assertEqual(error['rule'], "holds '+' or '#', which are kept for patterns")

    def test_who_follows_a_topic_that_is_deleted_is_told_what_to_do(self):
        self.create()
        consumer = self.bus.spawn('consume', 't', '-o', 'start', '--output', 'jsonl')
        self.run_ringway('produce', 't', stdin=b'x\n')
        consumer.stdout.readline()
        self.run_ringway('topic', 'delete', 't', '--yes')
        self.assertEqual(consumer.wait(), 3)
        self.assertIn('ringway topic list', json.loads(consumer.stderr.read().splitlines()[-1])['error']['fix'])

    def test_who_publishes_to_a_topic_that_is_deleted_is_told_in_the_end(self):
        self.create()
        producer = self.bus.spawn('produce', 't')
        producer.stdin.write(b'before\n')
        producer.stdin.flush()
        wait_until(lambda: self.shown('inspect')['committed'] == 1, 'its record')
        self.run_ringway('topic', 'delete', 't', '--yes')
        producer.stdin.write(b'behind\n')
        producer.stdin.close()
        self.assertEqual(producer.wait(), 3)
        self.assertIn(b'the topic was deleted', producer.stderr.read())

    def test_a_name_that_is_not_utf_8_is_refused_and_means_no_other_topic(self):
        self.create('caf\N{REPLACEMENT CHARACTER}')
        name = os.fsdecode(b'caf\xe9')
        for verb in (['topic', 'create'], ['topic', 'describe'], ['topic', 'delete', '--yes'], ['produce'],
                     ['consume', '-e'], ['inspect']):
            with self.subTest(verb=verb):
                error = self.bus.refusal(*verb, name, status=2)
                self.assertEqual((error['thing'], error['rule']), ("topic 'caf\\xe9'", 'is not valid UTF-8'))
        error = self.bus.refusal('consume', 'caf\N{REPLACEMENT CHARACTER}', '-e', '--cursor', name, status=2)
        self.assertEqual(error['thing'], "cursor 'caf\\xe9'")
        self.assertEqual(len(self.bus.json('topic', 'list')), 1)

    def test_delete_asks_or_needs_yes(self):
        self.create()
        self.assertIn('--yes', self.bus.refusal('topic', 'delete', 't', status=2)['fix'])
        terminal, slave = pty.openpty()
        child = self.bus.spawn('topic', 'delete', 't', stdin=slave)
        os.close(slave)
        os.write(terminal, b'n\n')
        self.assertEqual(child.wait(), 1)
        os.close(terminal)
        self.assertEqual(len(self.bus.json('topic', 'list')), 1)
        self.run_ringway('topic', 'delete', 't', '--yes')
        self.assertEqual(self.bus.json('topic', 'list'), [])

    def test_what_does_not_exist_is_exit_status_3(self):
        for verb in (['topic', 'describe'], ['topic', 'delete', '--yes'], ['produce'], ['consume'], ['inspect']):
            with self.subTest(verb=verb):
                self.assertEqual(self.bus.refusal(*verb, 'nowhere', status=3)['code'], 'not_found')
        for verb in (['log', 'verify'], ['log', 'dump']):
            with self.subTest(verb=verb):
                self.bus.refusal(*verb, 'nowhere', '--state-dir', self.bus.state_dir, status=3)
        self.assertIn('ringway topic create nowhere', self.bus.refusal('produce', 'nowhere', status=3)['fix'])

    def test_who_lacks_the_right_gets_4_and_is_told_which(self):
        if os.geteuid() != 0:
            self.skipTest('needs root to be somebody else')
        self.bus.root.chmod(0o755)
        self.bus.runtime_dir.chmod(0o755)
        self.create()
        for verb, right in ((['consume', '-e'], 'read'), (['produce'], 'write'), (['inspect'], 'read'),
                            (['topic', 'delete', '--yes'], '')):
            with self.subTest(verb=verb):
                error = self.bus.refusal(*verb, 't', status=4, user=NOBODY, group=NOBODY, extra_groups=[])
                self.assertEqual(error['code'], 'denied')
                self.assertIn(right, error['rule'])


class ProduceAndConsume(Verbs):
    def test_what_goes_in_comes_out_byte_for_byte(self):
        self.create()
        content = lines(5000) + b'no newline at the end \xff\x00'
        self.run_ringway('produce', 't', self.file(content))
        self.assertEqual(self.consumed(), content + b'\n')
        self.assertEqual(self.consumed('t', '-f', '%v\\n'), content + b'\n')

    def test_standard_input_and_files_are_read_in_order(self):
        self.create()
        report = self.bus.json('produce', 't', self.file(b'a\nb'), '-', stdin=b'c\n\nd\n')
        self.assertEqual(self.consumed(), b'a\nb\nc\n\nd\n')
        self.assertEqual((report['records'], report['bytes']), (5, 4))
        self.assertGreaterEqual(report['seconds'], 0)

    def test_keys_headers_and_partitions_arrive(self):
        self.create('t', '--partitions', '4')
        self.run_ringway('produce', 't', '-K', ':', '-H', 'a=1', '-H', 'b=', '-p', '2', stdin=b'k:v:w\n:\n')
        records = [json.loads(line) for line in self.consumed('t', '--output', 'jsonl').splitlines()]
        self.assertEqual([(r['topic'], r['partition'], r['offset'], r['key'], r['value'], r['headers'])
                          for r in records],
                         [('t', 2, n, key, value, [{'key': 'a', 'value': '1'}, {'key': 'b', 'value': ''}])
                          for n, (key, value) in enumerate([('k', 'v:w'), ('', '')])])
        self.assertEqual(json.loads(self.consumed('t', '--output', 'json')), records)
        self.assertEqual(self.consumed('t', '-f', '%p %o %k %h{%k=%v;}|'), b'2 0 k a=1;b=;|2 1  a=1;b=;|')

    def test_json_of_bytes_that_are_no_text_is_base64(self):
        self.create()
        self.run_ringway('produce', 't', stdin=b'\xff\n')
        self.assertEqual(json.loads(self.consumed('t', '--output', 'jsonl'))['value'], {'base64': '/w=='})
        self.assertEqual(self.consumed('t', '--output', 'json', '-p', '0').count(b'offset'), 1)

    def test_length_prefixed_records_hold_any_bytes(self):
        self.create()
        framed = b''.join(len(r).to_bytes(4, 'big') + r for r in (b'\n\n', b'', bytes(range(256))))
        self.run_ringway('produce', 't', '--length-prefixed', stdin=framed)
        self.assertEqual(self.consumed('t', '-f', '%V{big32}%v'), framed)

    def test_a_line_without_key_is_an_error_naming_file_and_line(self):
        self.create()
        path = self.file(b'k:v\nno key\n')
        error = self.bus.refusal('produce', 't', '-K', ':', path, status=1)
        self.assertIn(str(path), error['thing'])
        self.assertIn('line 2', error['thing'])

    def test_a_missing_topic_is_created_on_request(self):
        self.run_ringway('produce', 'new', '--create', stdin=b'x\n')
        self.assertEqual(self.consumed('new'), b'x\n')

    def test_a_record_larger_than_a_quarter_of_the_ring_is_refused_with_both_numbers(self):
        self.create('t', '--ring', '64KiB')
        error = self.bus.refusal('produce', 't', stdin=b'y' * 20_000 + b'\n', status=1)
        self.assertIn('20000', error['rule'])
        self.assertIn(str(16 * 1024 - 32), error['rule'])

    def test_what_was_published_before_it_failed_is_told(self):
        self.create('t', '--ring', '64KiB')
        content = b'one\n' + b'y' * 20_000 + b'\nthree\n'
        report = json.loads(self.run_ringway('produce', 't', '--output', 'json', stdin=content, status=1))
        self.assertEqual((report['records'], report['bytes']), (1, 3))
        self.assertEqual(self.consumed(), b'one\n')
        self.run_ringway('produce', 't', stdin=content, status=1)
        self.assertRegex(self.bus.stderr.splitlines()[0], '^ringway: 1 record, 3 bytes in ')

    def test_a_level_is_waited_for(self):
        self.create()
        self.run_ringway('produce', 't', '--wait', 'durable', stdin=lines(1000))
        self.assertEqual(self.shown('topic describe')['durable'], 1000)
        self.assertEqual(self.bus.refusal('produce', 't', '--wait', 'soon', status=2)['code'], 'usage')

    def test_each_line_of_a_slow_input_is_visible_at_once(self):
        self.create()
        consumer = self.bus.spawn('consume', 't', '-o', 'start')
        producer = self.bus.spawn('produce', 't')
        for line in (b'one\n', b'two\n', b'three\n'):
            producer.stdin.write(line)
            producer.stdin.flush()
            self.assertEqual(consumer.stdout.readline(), line)

    def test_rate_paces(self):
        self.create()
        report = self.bus.json('produce', 't', '--rate', '100', stdin=b'x\n' * 30)
        self.assertGreaterEqual(report['seconds'], 0.28)

    def test_sigint_ends_both_quietly_with_0(self):
        self.create()
        consumer = self.bus.spawn('consume', 't', '-o', 'start')
        producer = self.bus.spawn('produce', 't')
        producer.stdin.write(b'read before the signal\n')
        producer.stdin.flush()
        self.assertEqual(consumer.stdout.readline(), b'read before the signal\n')
        for child in (producer, consumer):
            child.send_signal(signal.SIGINT)
            self.assertEqual(child.wait(), 0)
        self.assertEqual(consumer.stderr.read(), b'')

    def test_sigint_while_the_ring_is_full_tells_what_is_waited_for_and_what_was_not_published(self):
        self.create('t', '--ring', '64KiB')
        content = b'first\n' + lines(5000)
        producer = self.bus.spawn('produce', 't', '-', self.file(content[6:]), '--timeout', '1s')
        producer.stdin.write(content[:6])
        producer.stdin.flush()
        wait_until(lambda: self.shown('inspect')['committed'] == 1, 'the first record')
        self.bus.pause()  # nothing becomes durable
        producer.stdin.close()
        self.assertIn(b'ringway: waiting: ', producer.stderr.readline())
        producer.send_signal(signal.SIGINT)
        ending = producer.stderr.readline().decode()
        self.assertEqual(producer.wait(), 6)
        told, error = producer.stderr.read().decode().splitlines()
        published = int(re.match(r'ringway: ([0-9]+) records, ', told)[1])
        self.assertLess(published, 5001)
        self.assertRegex(ending, rf'^ringway: ending: record {published + 1} is waited for, up to 1 s: .*; a second')
        self.assertRegex(error, rf"^ringway: topic 't', record {published + 1}: is not published, nor is what comes "
                                r'behind it: the ring stays full: .*; publish them again$')
        self.bus.resume()
        self.assertEqual(self.consumed(), b''.join(content.splitlines(keepends=True)[:published]))

    def test_on_a_terminal_what_is_waited_for_takes_the_place_of_the_progress(self):
        self.create('t', '--ring', '64KiB')
        ours, theirs = pty.openpty()
        producer = self.bus.spawn('produce', 't', stderr=theirs)
        os.close(theirs)
        producer.stdin.write(b'first\n')
        producer.stdin.flush()
        wait_until(lambda: self.shown('inspect')['committed'] == 1, 'the first record')
        self.bus.pause()  # nothing becomes durable
        producer.stdin.write(lines(5000))
        producer.stdin.close()
        seen = b''
        while b'waiting: ' not in seen:
            seen += os.read(ours, 4096)
        self.bus.resume()
        self.assertEqual(producer.wait(), 0)
        os.close(ours)
        self.assertRegex(seen, rb'[0-9]+ records?\x1b\[K\r\x1b\[Kringway: waiting: ')

    def test_a_reader_that_leaves_ends_consume_quietly_with_0(self):
        self.create()
        self.run_ringway('produce', 't', stdin=lines(20_000))
        consumer = self.bus.spawn('consume', 't', '-o', 'start')
        self.assertTrue(consumer.stdout.readline())
        consumer.stdout.close()
        self.assertEqual(consumer.wait(), 0)
        self.assertEqual(consumer.stderr.read(), b'')

    def test_a_reader_that_leaves_is_noticed_when_nothing_comes(self):
        self.create()
        self.run_ringway('produce', 't', stdin=b'one\n')
        consumer = self.bus.spawn('consume', 't', '-o', 'start')
        self.assertEqual(consumer.stdout.readline(), b'one\n')
        consumer.stdout.close()
        self.assertEqual(consumer.wait(PATIENCE_SECONDS), 0)

    def test_offset_ranges_are_those_of_rpk(self):
        self.create()
        self.run_ringway('produce', 't', stdin=b''.join(b'%d\n' % n for n in range(100)))

        def read(text, *options):
            return [int(word) for word in self.run_ringway('consume', 't', '-o', text, *options).split()]

        everything = list(range(100))
        for text, wanted in (('start', everything), ('end', []), ('+95', everything[95:]), ('-3', everything[97:]),
                             ('42', everything[42:]), ('@1', everything), ('@-1h', everything)):
            with self.subTest(text=text):
                self.assertEqual(read(text, '-e'), wanted)
        for text, wanted in (('10:20', everything[10:20]), (':5', everything[:5]), ('97:end', everything[97:]),
                             (':end', everything), ('@1:2', []), ('@-1h:end', everything)):
            with self.subTest(text=text):
                self.assertEqual(read(text), wanted)
        self.assertEqual(read('start', '-n', '7'), everything[:7])
        self.assertEqual(read('50', '-n', '2'), [50, 51])
        self.assertEqual(read('start', '-n', '0', '-e'), everything)
        for count in ('-1', '1x', ''):
            self.assertIn('-n', self.bus.refusal('consume', 't', '-n', count, '-e', status=2)['thing'])
        error = self.bus.refusal('consume', 't', '-o', '@foo', status=2)
        self.assertIn('@foo', error['thing'])
        self.assertIn('RFC 3339', error['fix'])
        self.assertEqual(self.bus.refusal('consume', 't', '-o', 'yesterday', status=2)['code'], 'usage')

    def test_help_says_what_a_time_is_wherever_one_is_taken_and_names_every_verb_of_topics(self):
        for verb in (('consume',), ('topic', 'export'), ('topic', 'trim')):
            self.assertIn(b'\nTIME is RFC 3339', self.run_ringway(*verb, '--help'))
        about = ' '.join(self.run_ringway('--help').decode().split())
        verbs = re.findall(r'^  (\w+)', self.run_ringway('topic', '--help').decode().split('Subcommands:')[1], re.MULTILINE)
        self.assertIn('export', verbs)
        said = re.search(r' topic (Create, .*?) topics', about)[1].lower()
        self.assertEqual(sorted(re.findall(r'\w+', said.replace(' and ', ' '))), sorted(verbs))

    def test_what_other_tools_call_it_is_told_by_its_name_here(self):
        for words, name in ((('ls',), 'ringway topic list'), (('topic', 'ls'), 'ringway topic list'),
                            (('describe', 't'), 'ringway topic describe'),
                            (('pub', 't'), 'ringway produce'), (('sub', 't'), 'ringway consume'),
                            (('version',), 'ringway --version'), (('consume', 't', '--group', 'g'), '--cursor')):
            self.assertTrue(self.bus.refusal(*words, status=2)['fix'].startswith(f'did you mean {name}? '), words)
        self.assertNotIn('--cursor', self.bus.refusal('produce', 't', '--group', 'g', status=2)['fix'])

    def test_an_offset_that_does_not_exist_yet_is_waited_for(self):
        self.create()
        consumer = self.bus.spawn('consume', 't', '-o', '2:4')
        self.run_ringway('produce', 't', stdin=b'a\nb\nc\nd\ne\n')
        self.assertEqual(consumer.stdout.read(), b'c\nd\n')
        self.assertEqual(consumer.wait(), 0)

    def test_what_comes_right_after_the_look_at_the_end_is_not_passed_over(self):
        self.create()
        # It stands between that look and its first step while nobody takes its note of having to wait.
        notes, full = os.pipe()
        with open(notes, 'rb', buffering=0) as notes, open(full, 'wb', buffering=0) as full:
            os.set_blocking(full.fileno(), False)
            filled = 0
            while written := full.write(bytes(4096)):
                filled += written
            os.set_blocking(full.fileno(), True)
            consumer = self.bus.spawn('consume', 't', '-o', '2:4', stderr=full)
            wait_until(lambda: stands_in_write(consumer.pid, 2), 'its note')
            self.run_ringway('produce', 't', stdin=b'a\nb\nc\nd\ne\n')
            while filled:
                filled -= len(notes.read(min(filled, 4096)))
            self.assertEqual(consumer.stdout.read(), b'c\nd\n')
            self.assertEqual(consumer.wait(), 0)
            self.assertIn(b'offset 2 does not exist yet, the end is 0: waiting', notes.read(4096))

    def test_meta_only_prints_no_content(self):
        self.create()
        self.run_ringway('produce', 't', '-K', ':', stdin=b'secret:hidden\n')
        self.assertRegex(self.consumed('t', '--meta-only'), rb'^0\t0\t[-0-9]+T[:.0-9]+Z\t6\t6\n$')
        record = json.loads(self.consumed('t', '--meta-only', '--output', 'jsonl'))
        self.assertEqual(record['offset'], 0)
        self.assertNotIn('value', record)
        self.assertEqual((record['key'], record['headers']), ('secret', []))
        self.assertEqual(self.consumed('t', '--meta-only', '-f', '%k [%v] %V'), b'secret [] 6')

    def test_chosen_partitions_only(self):
        self.create('t', '--partitions', '3')
        for p in range(3):
            self.run_ringway('produce', 't', '-p', p, stdin=b'%d\n' % p)
        self.assertEqual(sorted(self.consumed('t', '-p', '0,2').split()), [b'0', b'2'])
        self.assertEqual(sorted(self.consumed('t', '-p', '1', '-p', '2').split()), [b'1', b'2'])
        self.assertEqual(self.bus.refusal('consume', 't', '-p', '3', status=2)['code'], 'usage')

    def test_inspect_tells_no_offset_of_a_partition_that_a_consumer_does_not_read(self):
        self.create('t', '--partitions', '2')
        self.run_ringway('produce', 't', '-p', '1', stdin=b'1\n')
        consumer = self.bus.spawn('consume', 't', '-p', '1', '-o', 'start')
        self.assertEqual(consumer.stdout.readline(), b'1\n')
        wait_until(lambda: self.shown('inspect', partition=1)['cursors'][0]['offset'] == 1, 'the offset')
        cursor = self.shown('inspect')['cursors'][0]
        self.assertEqual((cursor['pid'], cursor['offset'], cursor['lag']), (consumer.pid, None, None))

    def test_a_named_cursor_goes_on_where_its_output_ended(self):
        self.create()
        self.run_ringway('produce', 't', stdin=b'1\n2\n3\n4\n5\n')
        read = ['consume', 't', '-o', 'start', '--cursor', 'billing']
        self.assertEqual(self.run_ringway(*read, '-n', '2'), b'1\n2\n')
        self.assertEqual(self.run_ringway(*read, '-n', '2'), b'3\n4\n')
        self.bus.restart()
        self.assertEqual(self.run_ringway(*read, '-e'), b'5\n')
        self.assertEqual(self.run_ringway(*read, '-e'), b'')
        self.assertEqual(self.bus.refusal(*read[:3], '2:4', '--cursor', 'billing', status=2)['code'], 'usage')

    def test_a_cursor_has_one_holder_whose_pid_the_second_learns(self):
        self.create()
        self.run_ringway('produce', 't', stdin=b'1\n')
        holder = self.bus.spawn('consume', 't', '-o', 'start', '--cursor', 'c')
        self.assertEqual(holder.stdout.readline(), b'1\n')
        error = self.bus.refusal('consume', 't', '--cursor', 'c', status=1)
        self.assertEqual(error['code'], 'busy')
        self.assertIn(str(holder.pid), error['rule'])

    def test_a_cursor_is_deleted_once_nobody_holds_it(self):
        self.create()
        self.run_ringway('produce', 't', stdin=b'1\n2\n')
        holder = self.bus.spawn('consume', 't', '-o', 'start', '--cursor', 'c')
        self.assertEqual(holder.stdout.readline(), b'1\n')
        error = self.bus.refusal('cursor', 'delete', 't', 'c', status=1)
        self.assertEqual(error['code'], 'busy')
        self.assertIn(str(holder.pid), error['rule'])
        holder.send_signal(signal.SIGINT)
        self.assertEqual(holder.wait(), 0)
        self.assertEqual(self.bus.json('cursor', 'delete', 't', 'c'), {'topic': 't', 'cursor': 'c', 'deleted': True})
        for words in (['t', 'c'], ['nowhere', 'c']):
            self.assertEqual(self.bus.refusal('cursor', 'delete', *words, status=3)['code'], 'not_found')
        self.assertEqual(self.run_ringway('consume', 't', '-o', 'start', '--cursor', 'c', '-e'), b'1\n2\n')

    def test_cursors_are_listed_with_their_lag_and_holder(self):
        self.assertEqual(self.bus.json('cursor', 'list'), [])
        for topic, partitions in (('other', 1), ('t', 2)):
            self.create(topic, '--partitions', partitions)
        self.run_ringway('produce', 't', '-p', '1', stdin=b'1\n2\n3\n')
        self.run_ringway('consume', 't', '-p', '1', '-o', 'start', '-n', '2', '--cursor', 'left')
        self.run_ringway('consume', 'other', '-e', '--cursor', 'c')
        held = self.bus.spawn('consume', 't', '-o', 'start', '--cursor', 'held')
        self.assertEqual(held.stdout.readline(), b'1\n')
        row = lambda *cells: dict(zip(('topic', 'cursor', 'partition', 'committed', 'lag', 'holder_pid'), cells), protects=False)
        of_t = [row('t', 'held', 0, 0, 0, held.pid), row('t', 'held', 1, 3, 0, held.pid),
                row('t', 'left', 0, None, None, None), row('t', 'left', 1, 2, 1, None)]
        wait_until(lambda: self.bus.json('cursor', 'list', 't') == of_t, 'all of them')
        self.assertEqual(self.bus.json('cursor', 'list'), [row('other', 'c', 0, 0, 0, None), *of_t])
        self.assertRegex(self.run_ringway('cursor', 'list', 't').decode(), r't +left +0 +- +- +no +nobody\nt +left +1 +2 +1')
        self.assertEqual(self.bus.refusal('cursor', 'list', 'nowhere', status=3)['thing'], "topic 'nowhere'")

    def test_a_cursor_is_not_moved_over_what_nobody_took(self):
        self.create()
        content = lines(200_000)
        self.run_ringway('produce', 't', self.file(content))
        reader, writer = os.pipe()
        stuck = self.bus.spawn('consume', 't', '-o', 'start', '--cursor', 'c', stdout=writer)
        os.close(writer)
        taken = os.read(reader, 10)
        stuck.kill()
        stuck.wait()
        os.close(reader)
        wait_until(lambda: not any(c['pid'] for c in self.shown('inspect')['cursors']), 'the cursor to be free')
        rest = self.run_ringway('consume', 't', '-o', 'start', '--cursor', 'c', '-e')
        self.assertTrue(content.endswith(rest))
        pipe_bytes = 64 * 1024
        self.assertLessEqual(len(content) - len(rest), pipe_bytes + len(taken))
        self.assertEqual(taken, content[:10])

    def test_overwritten_records_are_one_line_and_no_failure(self):
        self.create('t', '--no-persist', '--when-full', 'overwrite', '--ring', '64KiB')
        self.run_ringway('produce', 't', stdin=b''.join(b'%d\n' % n for n in range(10_000)))
        seen = self.run_ringway('consume', 't', '-o', '0', '-e').split()
        self.assertEqual(seen, [b'%d' % n for n in range(int(seen[0]), 10_000)])
        self.assertEqual(len(self.bus.stderr.splitlines()), 1)
        self.assertEqual(self.bus.refusal('log', 'verify', 't', '--state-dir', self.bus.state_dir, status=2)['code'],
                         'usage')


class WithoutASupervisor(Verbs):
    def test_a_supervisor_that_does_not_answer_is_told_after_a_second(self):
        self.bus.pause()
        self.addCleanup(self.bus.resume)
        for words, hint in ((['topic', 'list'], "; 'ringway status' says why"), (['status'], '')):
            error = self.bus.refusal(*words, '--timeout', '1500ms', status=6)
            self.assertEqual(error['rule'].split(':')[0], 'the supervisor did not answer within 1.5 s')
            self.assertEqual(self.bus.stderr.splitlines()[0],
                             f'ringway: no supervisor answers at {self.bus.socket} yet: waiting, up to 1.5 s{hint}')
        error = self.bus.refusal('topic', 'create', 't', '--timeout', '200ms', status=6)
        self.assertEqual(error['rule'], 'the supervisor did not answer within 200 ms')
        self.assertEqual(len(self.bus.stderr.splitlines()), 1)

    COUNT = 2_000_000 if LONG else 200_000

    def killed_meanwhile(self, *options, content):
        """Publishes the content while the supervisor is killed and comes back, more than once."""
        producer = self.bus.spawn('produce', 't', *options, stderr=subprocess.DEVNULL)
        pieces = [content[at:at + len(content) // 8 + 1] for at in range(0, len(content), len(content) // 8 + 1)]
        for number, piece in enumerate(pieces):
            if number in (2, 5):
                self.bus.kill()
                started = producer.stdin.write(piece[:100])
                self.bus.start()
                piece = piece[started:]
            producer.stdin.write(piece)
        producer.stdin.close()
        self.assertEqual(producer.wait(), 0)

    def test_nothing_is_lost_when_the_supervisor_is_killed_while_producing(self):
        self.create('t', '--partitions', '1')
        content = lines(self.COUNT)
        self.killed_meanwhile(content=content)
        self.assertEqual(self.consumed('t', '-f', '%v\\n'), content)

    def test_nor_with_keys(self):
        self.create('t', '--partitions', '1')
        content = b''.join(b'%d:%s\n' % (n % 97, line) for n, line in enumerate(lines(self.COUNT // 2).split(b'\n')))
        self.killed_meanwhile('-K', ':', content=content)
        self.assertEqual(self.consumed('t', '-f', '%k:%v\\n'), content)

    def test_nor_in_four_partitions_where_each_key_keeps_its_order(self):
        self.create('t', '--partitions', '4')
        content = b''.join(b'%d:%d\n' % (n % 97, n) for n in range(self.COUNT // 2))
        self.killed_meanwhile('-K', ':', content=content)

        def by_key(text):
            keys = {}
            for line in text.splitlines():
                keys.setdefault(line.split(b':')[0], []).append(line)
            return keys

        self.assertEqual(by_key(self.consumed('t', '-f', '%k:%v\\n')), by_key(content))
        used = [p for p in self.bus.json('topic', 'describe', 't')['partitions'] if p['committed']]
        self.assertEqual(len(used), 4)

    def test_a_follower_rides_over_the_restart(self):
        self.create()
        consumer = self.bus.spawn('consume', 't', '-o', 'start')
        producer = self.bus.spawn('produce', 't')
        for number in range(6):
            if number == 2:
                self.bus.kill()  # nobody needs it for this
            if number == 4:
                self.bus.start()
            producer.stdin.write(b'%d\n' % number)
            producer.stdin.flush()
            self.assertEqual(consumer.stdout.readline(), b'%d\n' % number)

    def inspect_while(self, publishing, topic='t'):
        """One client publishes; what inspect says of it."""
        partition = self.shown('inspect', topic=topic)
        self.assertEqual(partition['committed'], 3)
        self.assertEqual([p['pid'] for p in partition['producers']], [publishing.pid])
        for field in ('first_offset', 'written', 'durable', 'ring_bytes', 'log_bytes', 'state', 'tail', 'limit',
                      'generation', 'fill', 'cursors', 'holes', 'repairs'):
            self.assertIn(field, partition)
        records = self.bus.json('inspect', topic, '--records', '2')['partitions'][0]['records']
        self.assertEqual([(r['offset'], r['value']) for r in records], [(1, 'b'), (2, 'c')])
        return self.bus.json('inspect', topic)['supervisor']['process']

    def publishing(self):
        self.create()
        producer = self.bus.spawn('produce', 't')
        producer.stdin.write(b'a\nb\nc\n')
        producer.stdin.flush()
        wait_until(lambda: self.shown('inspect')['committed'] == 3, 'three records')
        return producer

    def test_inspect_shows_the_rings_with_the_supervisor_killed(self):
        producer = self.publishing()
        self.assertEqual(self.inspect_while(producer), 'alive')
        self.bus.kill()
        self.assertEqual(self.inspect_while(producer), 'dead')
        self.run_ringway('inspect', 't')
        self.assertIn(f'supervisor {self.bus.daemon.pid}: is dead; start ringwayd again\n', self.bus.stderr)

    def test_inspect_shows_the_rings_with_the_supervisor_stopped(self):
        producer = self.publishing()
        self.bus.pause()
        self.assertEqual(self.inspect_while(producer), 'stopped')
        self.run_ringway('inspect', 't')
        self.assertIn(f'supervisor {self.bus.daemon.pid}: is stopped; let it go on (SIGCONT)\n', self.bus.stderr)
        self.bus.resume()

    def test_inspect_shows_the_rings_with_everything_but_one_client_killed(self):
        producer = self.publishing()
        uuid = self.bus.json('inspect', 't')['uuid']  # others on this machine may have a topic of that name
        self.bus.kill()
        self.bus.kill_keeper()
        self.assertEqual(self.inspect_while(producer, uuid), 'dead')
        self.assertIn(f'/proc/{producer.pid}/fd'.encode(), self.run_ringway('inspect', uuid))

    def test_inspect_names_cursors_held_or_not(self):
        producer = self.publishing()
        self.run_ringway('consume', 't', '-o', 'start', '-n', '1', '--cursor', 'left')
        held = self.bus.spawn('consume', 't', '-o', 'start', '--cursor', 'held')
        for _ in range(3):
            held.stdout.readline()

        def cursors():
            return {c['name']: (c['pid'], c['offset'], c['lag']) for c in self.shown('inspect')['cursors']}

        wait_until(lambda: cursors() == {'left': (None, 1, 2), 'held': (held.pid, 3, 0)}, 'both cursors')
        self.bus.kill()
        self.assertEqual(cursors()['held'], (held.pid, 3, 0))
        self.assertEqual(producer.poll(), None)


class Exclusive(Verbs):
    """A topic with one producer, which is faster, until another one comes."""

    def setUp(self):
        super().setUp()
        self.create('t', '--partitions', '2')
        self.owner = self.bus.spawn('produce', 't', '--exclusive')
        wait_until(self.holder, 'the exclusive producer')

    def holder(self):
        return self.bus.json('topic', 'describe', 't')['exclusive_pid']

    def modes(self):
        return [producer['mode'] for producer in self.shown('inspect')['producers']]

    def test_its_holder_is_shown(self):
        self.assertEqual(self.holder(), self.owner.pid)
        self.assertEqual(self.bus.json('status')['exclusive'], [{'topic': 't', 'exclusive_pid': self.owner.pid}])
        self.assertEqual(self.modes(), ['exclusive'])
        for verb in (['topic', 'describe', 't'], ['status'], ['inspect', 't']):
            self.assertIn(str(self.owner.pid).encode(), self.run_ringway(*verb))

    def test_a_second_one_is_refused_and_told_who_has_it(self):
        error = self.bus.refusal('produce', 't', '--exclusive', status=1)
        self.assertEqual(error['code'], 'busy')
        self.assertIn(f'pid {self.owner.pid}', error['rule'])

    def test_an_ordinary_producer_comes_in_beside_it(self):
        self.owner.stdin.write(b'a\n')
        self.owner.stdin.flush()
        wait_until(lambda: self.consumed() == b'a\n', 'the first record')
        self.run_ringway('produce', 't', stdin=b'b\n')
        self.assertEqual(self.holder(), None)
        self.assertEqual(self.modes(), ['shared'])
        self.owner.communicate(b'c\n', timeout=60)
        self.assertEqual(sorted(self.consumed().split()), [b'a', b'b', b'c'])

    def test_it_still_has_the_topic_after_a_restart_of_the_supervisor(self):
        self.bus.restart()
        self.assertEqual(self.holder(), self.owner.pid)


class Log(Verbs):
    def setUp(self):
        super().setUp()
        self.uuid = self.create('t', '--segment', '256KiB', '--ring', '64KiB')['uuid']
        self.content = lines(30_000)
        self.run_ringway('produce', 't', '--wait', 'durable', self.file(self.content))
        self.where = ['t', '--state-dir', self.bus.state_dir]

    def verify(self, status=0):
        return self.bus.json('log', 'verify', *self.where, status=status)

    def test_a_sound_log_verifies_while_served_and_after_a_kill(self):
        for _ in range(2):
            report = self.verify()
            self.assertTrue(report['clean'])
            self.assertEqual(report['partitions'][0]['records'], 30_000)
            self.assertGreater(report['partitions'][0]['segments'], 1)
            self.assertEqual(report['partitions'][0]['holes'], [])
            self.bus.kill()

    def test_a_new_ring_that_holds_nothing_yet_is_no_damage_of_the_log(self):
        self.assertEqual(self.bus.stop(), 0)
        self.bus.start()
        report = self.verify()
        self.assertTrue(report['clean'])
        self.assertEqual(report['partitions'][0]['records'], 30_000)

    def test_nor_is_one_that_held_nothing_until_it_was_stopped(self):
        for _ in range(2):
            self.assertEqual(self.bus.stop(), 0)
            self.assertEqual(self.verify()['partitions'][0]['holes'], [])
            self.bus.start()

    def test_dump_prints_what_was_published_with_the_supervisor_dead(self):
        self.bus.kill()
        self.assertEqual(self.run_ringway('log', 'dump', *self.where), self.content)
        self.assertEqual(self.run_ringway('log', 'dump', *self.where, '-f', '%o %v\\n'),
                         b''.join(b'%d %s\n' % it for it in enumerate(self.content.split(b'\n')[:-1])))
        first = json.loads(self.run_ringway('log', 'dump', self.uuid, *self.where[1:], '--output', 'jsonl')
                           .splitlines()[0])
        self.assertEqual((first['partition'], first['offset'], first['value']), (0, 0, ''))

    def test_a_flipped_byte_is_a_hole_with_offsets_and_the_rest_stands(self):
        self.bus.kill()
        segment = sorted((self.bus.state_dir / 'topics' / self.uuid / '0').glob('*.log'))[0]
        with open(segment, 'r+b') as file:
            file.seek(200_000)
            byte = file.read(1)
            file.seek(200_000)
            file.write(bytes([byte[0] ^ 1]))
        report = self.verify(status=5)
        self.assertFalse(report['clean'])
        (hole,) = report['partitions'][0]['holes']
        self.assertEqual(hole['segment'], segment.name)
        self.assertLess(hole['from_offset'], hole['to_offset'])
        self.assertLess(hole['from_position'], hole['to_position'])
        self.assertEqual(report['partitions'][0]['records'] + hole['to_offset'] - hole['from_offset'], 30_000)
        self.run_ringway('log', 'dump', *self.where, status=1)
        self.assertIn(f'offsets {hole["from_offset"]} to {hole["to_offset"] - 1}', self.bus.stderr)
        # The cursor passes it just so.
        self.bus.start()
        seen = self.run_ringway('consume', 't', '-o', 'start', '-e', '-f', '%o\\n', status=1).split()
        self.assertEqual([int(offset) for offset in seen],
                         [*range(hole['from_offset']), *range(hole['to_offset'], 30_000)])

    def test_a_missing_state_directory_is_exit_status_3(self):
        self.bus.refusal('log', 'verify', 't', '--state-dir', '/nowhere', status=3)


if __name__ == '__main__':
    unittest.main()
