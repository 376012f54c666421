"""topic export and import: what goes out comes in again to the byte, and a file that is not whole says so."""

import json
import pathlib
import signal
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'support'))
from on_a_bus import OnABus


class Export(OnABus):
    def setUp(self):
        super().setUp()
        self.create('t', '--partitions', '3', '--ring', '256KiB', '--sync', 'every_batch')
        values = [b'plain', b'', bytes(range(256)), b'\xff\xfe', 'grün "quoted" \\ \u2028'.encode(), b'x' * 30_000]
        for partition in range(3):
            framed = b''.join(len(value).to_bytes(4, 'big') + value for value in values)
            self.bus.run('produce', 't', '-p', str(partition), '--length-prefixed', '-H', 'trace=17', '-H', 'empty=',
                         stdin=framed)
        self.bus.run('produce', 't', '-K', ':', stdin=b'a:1\n:2\n\xff\x00:3\nkey:\n' * 20)
        self.bus.run('produce', 't', stdin=b'no key\n' * 20)

    def export(self, *options, topic='t', status=0):
        return self.bus.run('topic', 'export', topic, *options, status=status)

    def committed(self):
        return sum(partition['committed'] for partition in self.bus.json('topic', 'describe', 't')['partitions'])

    def content(self, topic):
        """All of it but offsets and producers, by partition."""
        lines = self.bus.run('consume', topic, '-o', 'start', '-e', '--output', 'jsonl').splitlines()
        records = [json.loads(line) for line in lines]
        kept = ('partition', 'timestamp_ns', 'key', 'value', 'headers')
        return {p: [[r[name] for name in kept] for r in records if r['partition'] == p] for p in range(3)}

    def test_a_round_trip_is_exact(self):
        exported = self.export()
        report = self.bus.json('topic', 'import', 'copy', '--create', stdin=exported)
        self.assertEqual(report['records'], 3 * 6 + 80 + 20)
        self.assertEqual(self.content('copy'), self.content('t'))
        again = self.export(topic='copy')
        lines = [[json.loads(line) for line in text.splitlines()] for text in (exported, again)]
        for head, *records in lines:
            head.pop('topic', None)
            for record in records:
                for name in ('topic', 'offset', 'producer'):
                    record.pop(name, None)
        first, second = (sorted(part, key=lambda record: record.get('partition', -1)) for part in lines)
        self.assertEqual(first, second)

    def test_a_topic_that_is_created_has_the_settings_but_no_rights(self):
        self.create('strict', '--read', 'root', '--ring', '64KiB', '--retention-age', '2d', '--when-stopped', 'kill')
        self.bus.run('topic', 'import', 'copy', '--create', stdin=self.export(topic='strict'))
        self.assertEqual(self.settings('copy'), {**self.settings('strict'), 'readers': []})

    def test_the_file_is_as_described(self):
        head, *records, end = [json.loads(line) for line in self.export('-p', '0').splitlines()]
        self.assertEqual((head['ringway_export'], head['topic'], head['settings']['partitions']), (1, 't', 3))
        self.assertEqual(end, {'end': True, 'records': len(records)})
        self.assertEqual({record['partition'] for record in records}, {0})
        self.assertEqual(records[3]['value'], {'base64': '//4='})
        self.assertEqual(records[0]['headers'], [{'key': 'trace', 'value': '17'}, {'key': 'empty', 'value': ''}])

    def test_a_range(self):
        self.assertEqual(len(self.export('-o', '0:2').splitlines()), 2 + 3 * 2)
        self.assertEqual(len(self.export('-o', 'end').splitlines()), 2)

    def test_it_is_published_behind_what_is_there_over_kill_9_of_the_supervisor(self):
        exported = self.export()
        before = self.committed()
        importing = self.bus.spawn('topic', 'import', 't')
        importing.stdin.write(exported[:len(exported) // 2])
        importing.stdin.flush()
        self.wait_until(lambda: self.committed() > before, 'the first of them')
        self.bus.restart()
        importing.stdin.write(exported[len(exported) // 2:])
        importing.stdin.close()
        self.assertEqual(importing.wait(), 0)
        for before_and_again in self.content('t').values():
            half = len(before_and_again) // 2
            self.assertEqual(before_and_again[:half], before_and_again[half:])

    def test_what_follows_the_last_line_is_refused_and_not_dropped(self):
        whole = self.export()
        lines = whole.count(b'\n')
        self.create('into', '--partitions', '3')
        error = self.bus.refusal('topic', 'import', 'into', status=2, stdin=whole * 2)
        self.assertEqual(error['thing'], f'standard input, line {lines + 1}')
        self.assertIn('stands behind the last line', error['rule'])
        self.assertEqual(self.content('into'), self.content('t'))

    def test_an_import_into_no_topic_is_told_how_it_is_made(self):
        error = self.bus.refusal('topic', 'import', 'copy', status=3, stdin=self.export())
        self.assertEqual(error['fix'], 'add --create, and it is made with the settings that it had')
        self.assertEqual(self.bus.refusal('topic', 'import', 'n' * 300, status=2, stdin=self.export())['code'], 'usage')

    def test_an_import_that_is_interrupted_says_so_and_how_far_it_came(self):
        head, *records = self.export('-p', '0').splitlines(keepends=True)
        before = self.committed()
        importing = self.bus.spawn('topic', 'import', 't')
        importing.stdin.write(head + records[0] + records[1])
        importing.stdin.flush()
        self.wait_until(lambda: self.committed() == before + 2, 'the first two')
        importing.send_signal(signal.SIGINT)
        self.assertEqual(importing.wait(), 1)
        self.assertIn(b'interrupted; 2 records are published; import it again, and go on with --from-line 4',
                      importing.stderr.read())

    def test_an_import_goes_on_at_the_line_that_the_one_before_tells(self):
        lines = self.export().splitlines(keepends=True)
        self.create('into', '--partitions', '3')
        error = self.bus.refusal('topic', 'import', 'into', status=2, stdin=b''.join(lines[:7] + [b'?'] + lines[7:]))
        self.assertEqual((error['thing'], error['rule']), ('standard input, line 8', 'is no line of JSON; 6 records are published'))
        self.assertIn('and go on with --from-line 8', error['fix'])
        error = self.bus.refusal('topic', 'import', 'into', '--from-line', '8', status=1, stdin=b''.join(lines[:20])[:-2])
        self.assertEqual((error['thing'], error['rule']),
                         ('standard input, line 20', 'is cut short: the file ends within it; 12 records are published'))
        self.assertIn('and go on with --from-line 20', error['fix'])
        report = self.bus.json('topic', 'import', 'into', '--from-line', '20', stdin=b''.join(lines)[:-1])
        self.assertEqual(report['records'], len(lines) - 20)
        self.assertEqual(self.content('into'), self.content('t'))
        error = self.bus.refusal('topic', 'import', 'into', '--from-line', '999', status=2, stdin=b''.join(lines))
        self.assertEqual((error['thing'], error['rule']),
                         ('--from-line 999', f'standard input has {len(lines)} lines; 0 records are published'))

    def test_a_record_too_large_says_how_many_came_before_it(self):
        head, *records = self.export('-p', '0').splitlines(keepends=True)
        self.create('small', '--partitions', '3', '--ring', '64KiB')
        large = json.dumps({'partition': 0, 'timestamp_ns': 0, 'value': 'x' * 100_000, 'headers': []}).encode() + b'\n'
        error = self.bus.refusal('topic', 'import', 'small', status=1, stdin=head + records[0] + large)
        self.assertIn('; 1 record is published', error['rule'])
        self.assertIn('and go on with --from-line 3', error['fix'])

    def test_a_line_without_end_is_not_waited_for(self):
        """A server that sends zeros, say: read until memory is gone."""
        head = self.export().splitlines(keepends=True)[0]
        self.create('small', '--partitions', '3', '--ring', '64KiB')
        for content, line in ((bytes(2 << 20), 1), (head + b'{"partition":0,"value":"' + b'a' * (2 << 20), 2)):
            with self.subTest(line=line):
                error = self.bus.refusal('topic', 'import', 'small', status=2, stdin=content)
                self.assertEqual(error['thing'], f'standard input, line {line}')
                self.assertIn('is longer than any line of such an export', error['rule'])

    def test_a_file_that_is_cut_short_or_wrong_says_so(self):
        whole = self.export()
        lines = whole.splitlines(keepends=True)
        self.create('one')
        self.create('into', '--partitions', '3')
        head, record = lines[0], lines[1]
        for content, status, thing, rule in (
                (b'', 2, 'standard input', 'is empty'),
                (b'hello\n', 2, 'standard input, line 1', 'is no line of JSON'),
                (head[:-20], 1, 'standard input, line 1', 'is cut short'),
                (record, 2, 'standard input, line 1', 'is not the head of an export'),
                (head.replace(b'_export":1', b'_export":9'), 1, 'standard input, line 1', 'is of version 9'),
                (b''.join(lines[:-1]), 1, 'standard input', 'its last line is missing'),
                (whole[:-20], 1, f'standard input, line {len(lines)}', 'is cut short: the file ends within it'),
                (head + record + b'{"end":true,"records":7}\n', 1, 'standard input, line 3', 'tells of 7 records'),
                (head + b'{"partition":0}\n', 2, 'standard input, line 2', 'timestamp_ns'),
                (head + record.replace(b'"partition":', b'"partition":1'), 2, 'standard input, line 2', 'is not one of 3'),
                (head + record.replace(b'"value":"plain"', b'"value":{"base64":"!"}'), 2, 'standard input, line 2',
                 'its value is neither')):
            with self.subTest(thing=thing, rule=rule):
                error = self.bus.refusal('topic', 'import', 'into', status=status, stdin=content)
                self.assertEqual(error['thing'], thing)
                self.assertIn(rule, error['rule'])
                self.assertTrue(error['fix'])
        error = self.bus.refusal('topic', 'import', 'one', status=2, stdin=whole)
        self.assertEqual((error['thing'], error['rule']), ("topic 'one'", 'it has 1 partitions, the export 3'))
        self.assertEqual(self.bus.refusal('topic', 'import', 'none', status=3, stdin=whole)['thing'], "topic 'none'")
        self.assertEqual(self.bus.refusal('topic', 'export', 'none', status=3)['thing'], "topic 'none'")


if __name__ == '__main__':
    unittest.main()
