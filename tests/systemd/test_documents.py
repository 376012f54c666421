"""Every command in the documents for users, run as it stands there, by root on a machine with the service (box.py)."""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / 'systemd'), str(TESTS / 'support')]
from box import Box, PATIENCE_SECONDS, why_not
from bus import wait_until
from tmux import ENDED, Terminal

ROOT = TESTS.parent
BUILD = os.environ['BUILD']
DOCUMENTS = ('README.md', 'daemon/README.md', 'daemon/TUNING.md')
COMMAND = re.compile(r'(sudo|ringwayd?|systemctl|systemd-sysusers|journalctl|printf|curl|sqlite3|install|\./|tools/)\b|\./')
# In a sentence or a table, what stands between backquotes and begins so is one, if it is more than the name of a verb; of
# benchmarks that is enough.
IN_A_SENTENCE = re.compile(r'(ringwayd?|systemctl|systemd-analyze|journalctl|gpasswd|ps|lscpu|kill|fsfreeze|docker|echo|meson|ninja|'
                           r'c\+\+|man) (?!install$)')
NAME = re.compile(r'(?!ringway bench [a-z]+$)ringway( [a-z]+)*|(systemctl|systemd-analyze) (--user|[a-z]+)')

# Lines that take a tree to build, or a disk to freeze: the files that run them, and what stands there.
ELSEWHERE = {
    './tools/quickstart [FILE…]': ('tests/cli/test_quickstart.py', "['./tools/quickstart', *files]"),
    './tests/run [SUITE…]': ('tests/cli/test_runner.py', "['./tests/run', "),
    'tools/packaging/build && sudo apt install ./build-packages/ringway_*.deb ./build-packages/libringway0_*.deb':
        ('tests/packaging/packages.py', 'apt-get install '),
    'meson setup BUILD && ninja -C BUILD': ('tests/support/runner.py', "['meson', 'setup', "),
    'systemctl --user restart ringwayd':
        ('tests/systemd/test_units.py', "box.run(f'{user} systemctl --user restart ringwayd')"),
    'fsfreeze -u': ('tests/systemd/test_units.py', "box.say('fsfreeze -u /var/lib/ringway')"),
}
PROGRAM = re.search('^```cpp\n(.*?)^```', (ROOT / 'README.md').read_text(), re.MULTILINE | re.DOTALL)[1]
# Of README, by tests/packaging/test_newcomer.py.
FIRST_HOUR = re.compile(r'^## The first hour\n(.*?)^## ', re.MULTILINE | re.DOTALL)
STOP_AND_COPY = ('systemctl stop ringwayd.socket ringwayd.service; cp -aT /var/lib/ringway /root/state; '
                 'systemctl start ringwayd.socket ringwayd.service')
COPY_CATALOG = "sqlite3 /var/lib/ringway/catalog.db '.backup /root/catalog.db'"
PUT_BACK = ('systemctl stop ringwayd.socket ringwayd.service; test -e /root/state/catalog.db && rm -rf /var/lib/ringway/* && '
            'cp -aT /root/state /var/lib/ringway && systemctl start ringwayd.socket ringwayd.service')
PUT_CATALOG_BACK = ('install -m 600 -o ringway -g ringway /root/catalog.db /var/lib/ringway/new && rm -f '
                    '/var/lib/ringway/catalog.db* && mv /var/lib/ringway/new /var/lib/ringway/catalog.db')
# What is to be done first, where a line takes for granted what a reader has.
BEFORE = {
    'systemctl status ringwayd': 'systemctl start ringwayd',
    'ringwayd': 'systemctl stop ringwayd.socket ringwayd.service',
    'ringway log repair ticks --dry-run': 'pkill -x -INT ringwayd; while pgrep -x ringwayd; do sleep 0.05; done',
    'ringway status': 'ringwayd & until ringway status; do sleep 0.05; done',
    'systemd-sysusers && systemctl daemon-reload': 'pkill -x -INT ringwayd; rm -f quotes; userdel ringway',
    'journalctl RINGWAY_TOPIC=orders':
        'ringway topic create orders; until journalctl RINGWAY_TOPIC=orders | grep event; do sleep 0.05; done',
    PUT_BACK: 'ringway topic create later',
    PUT_CATALOG_BACK:
        'rm /var/lib/ringway/catalog.db*; systemctl kill -s KILL ringwayd; '
        'until journalctl -u ringwayd | grep "there is no catalog, but"; do sleep 0.05; done',
    'ringway cursor list NAME':
        'echo a record | ringway produce orders && ringway consume orders --cursor billing -o start -n 1',
    'ringway topic alter NAME --ring 16MiB': 'ringway inspect orders >was',
}
# What the line stands for, as somebody types it.
TYPED = {
    'ringway topic list | describe NAME | delete NAME':
        'ringway topic list && ringway topic describe ticks && ringway topic create t && ringway topic delete t --yes',
    'ringwayd [--config FILE] [--socket PATH] [--runtime-dir DIR] [--state-dir DIR]':
        'touch /tmp/file; ringwayd --config /tmp/file --socket /tmp/d/socket --runtime-dir /tmp/d --state-dir /tmp/s'
        ' --check-config',
    'ninja -C build install && ldconfig': f'ninja -C {BUILD} install && ldconfig',
    'c++ -std=c++20 PROGRAM.cpp -lringway':
        f"mkdir -p p && cd p && cat >program.cpp <<'E'\n{PROGRAM}E\nc++ -std=c++20 program.cpp -lringway -o program"
        ' && { ringwayd --runtime-dir /tmp/p/run --state-dir /tmp/p/state & } && export RINGWAY_SOCKET=/tmp/p/run/control.sock'
        ' && until ringway status; do sleep 0.05; done && ./program && kill %1 && wait %1',
    'kill -CONT N': '{ sleep 60 & } && kill -STOP $! && kill -CONT $! && ps -o stat= -p $! && kill $!',
    'kill -9 N': '{ sleep 60 & } && kill -9 $! && { wait $! || echo $?; }',
    'ringwayd --check-config --config FILE': 'touch /tmp/file; ringwayd --check-config --config /tmp/file',
    'ringway bench repair | restart | adopt | recover':
        'ringway bench repair && ringway bench restart && ringway bench adopt && ringway bench recover',
}
PLACEHOLDERS = {r'\bNAME\b': 'orders', r'\bCURSOR\b': 'billing', r'\bSIZE\b': '1MiB',
                '--wait …': '--wait throughput', '--claim …': '--claim 16', '--ring …': '--ring 1MiB'}
# By which a benchmark is over soon; each is given those of them that it knows.
SOON = {'--runs': '1', '--time': '10ms', '--bytes': '8M', '--log-bytes': '2M', '--kills': '2', '--restarts': '1',
        '--starts': '1', '--partitions': '40', '--used': '5', '--times': '1', '--within': '1us'}
# What it prints, where that is its point and no other test has it; of what goes on, behind which it is ended by Ctrl-C.
SAYS = {
    'systemctl status ringwayd': r'(?s)Active: active \(running\).*Status: "Serving \d+ topics?, \d+ clients?"',
    'ringway produce ticks -K : < quotes': '2 records, 13 bytes',
    "ringway consume ticks -o start -e -f '%p %o %k=%v\\n'": r'(?m)^0 0 ACME=100\n1 0 IBM=200$',
    'ringway consume ticks --cursor billing -o start': '200',
    'ringway topic alter ticks --ring 64MiB': r'Ring +16 MiB +64 MiB\n',
    'ringway topic list | describe NAME | delete NAME': r'(?s)ticks +4 +yes .*SETTINGS.*Deleted: yes\n',
    'ringway cursor list ticks': r'(?m)^ticks +billing +0 +\d+ +0 +no +nobody$',
    'ringway cursor delete ticks billing': r'Deleted: yes\n',
    'ringway acl grant ticks --read nobody': r'nobody +read +topic\nroot +everything +owner',
    'ringway inspect ticks': r'(?m)Supervisor: +pid \d+, alive$',
    'ringway inspect ticks --post-mortem': r'LAST RECORDS\n.*\n +0 +0 .* 7 .*\n +1 +0 .* 6 ',
    'ringway topic trim ticks --before @-7d --yes': r'(?s)WHY NO MORE\n +0 +0 .*\n +3 +0 ',
    'ringway topic trim NAME --before end --yes': r'WHY NO MORE\n +0 +\d+ ',
    'ninja -C build install && ldconfig': r'/usr/local/bin|no work to do',
    "curl -s --unix-socket /run/ringway/metrics.sock -w '%{stderr}%{time_total} s\\n' http://localhost/metrics | wc -l":
        r'(?m)^0\.\d+ s$[^$]*^\d{2,}$',
    "ringway doctor --output json | jq -r '.findings[] | select(.fix) | .fix'": r'\w+ ',
    'journalctl -u ringwayd -p warning': r'ringwayd',
    'kill -CONT N': r'\A[RSD]',
    'kill -9 N': r'137\n\Z',
    'ringway log verify ticks': r'(?m)(^ +\d +.* ok\n){4}',
    'ringway log repair ticks --dry-run': r'nothing to repair\n',
    'ringway status': r'State: +serving\n',
    'ringway doctor': r'\d+ errors?, \d+ warnings?, \d+ notes?',
    'ringway top': r'(?m)^(ticks|orders) ',
    'ringwayd [--config FILE] [--socket PATH] [--runtime-dir DIR] [--state-dir DIR]': r'is right\n',
    'ringwayd --check-config --config FILE': r'is right\n',
    'ringwayd --check-config': r'is right\n',
    'ringwayd --print-config': r'(?m)^state_dir = "/root/\.local/state/ringway" +# HOME$',
    'ringwayd --help': r'(?s)--state-dir .*keep_free = "5%"',
    'journalctl RINGWAY_TOPIC=orders': 'event=topic_created topic=orders ',
    'ringway status --watch --interval 5s --output jsonl': '"state":"serving"',
    'curl --unix-socket /run/ringway/metrics.sock http://localhost/metrics': r'(?m)^ringway_build_info{.*} 1$',
    'ringway inspect orders --post-mortem --records 20': 'IN MEMORY ONLY',
    'ringway log verify orders': r' ok\n',
    'ringway log repair orders --state-dir /var/lib/ringway --dry-run': r'nothing to repair\n',
    'ringway log repair orders --state-dir /var/lib/ringway --yes': r'nothing to repair\n',
    'systemctl show ringwayd -p Environment': 'RINGWAYD_DESCRIPTOR_STORE=service',
    'systemctl stop ringwayd.service': r'can still be activated by:\n  ringwayd\.socket',
    'ringway topic describe NAME': r'(?s)Log written by: .* DURABLE ',
    'ps -eLo pid,stat,comm': r'(?s)(\d+) \S+ +ringwayd\n.*\1 \S+ +flusher\n',
    'ringway cursor list NAME': r'(?m)^TOPIC .* PROTECTS .*\norders +billing ',
    'ringway cursor delete NAME CURSOR': r'Deleted: yes\n',
    'ringway inspect --post-mortem NAME': r'LAST RECORDS\n.*\n +0 +0 ',
    'ringway bench ring --output json': '"line_ns":',
    'c++ -std=c++20 PROGRAM.cpp -lringway': r'\d/\d+ ACME 7 bytes\n',
    'man ringway': r'(?s)NAME\n +ringway +- +.*ringway-topic-create\(1\)',
    'lscpu -e': r'CORE L1\S+',
    'systemd-analyze security ringwayd': r'Overall exposure level .*: \d\.\d ',
}
# What says behind it, and how, that it was done.
SEEN = {
    'sudo systemctl restart ringwayd': ('ringway status', r'State: +serving\n'),
    'systemctl restart ringwayd': ('ringway status', r'State: +serving\n'),
    "printf 'ACME:100\\nIBM:200\\n' > quotes": ('cat quotes', '^ACME:100\nIBM:200\n$'),
    'ringway topic create ticks --partitions 4 --retention-age 7d':
        ('ringway topic describe ticks', r'(?s)Partitions: +4\n.*Retention age: +7d\n'),
    'ringway topic alter ticks --when-pinned copy --retired-max 1GiB':
        ('ringway topic describe ticks', r'Retired max: +1 GiB\nWhen pinned: +copy\n'),
    'ringway topic export ticks > ticks.jsonl':
        ('ringway topic import copy --create <ticks.jsonl', r'Records: 2\n'),
    'ringway debug bundle': ('tar -tf $(ls -t ringway-debug-*.tar | head -n 1)', r'/manifest\.json\n'),
    'ringwayd --sample-config':
        ('ringwayd --sample-config >/tmp/sample && ringwayd --check-config --config /tmp/sample', 'is right'),
    'systemd-sysusers && systemctl daemon-reload': ('getent passwd ringway', '/var/lib/ringway'),
    'systemctl daemon-reload': ('systemctl show -p NeedDaemonReload ringwayd', 'NeedDaemonReload=no'),
    'systemctl enable --now ringwayd':
        ('for is in active enabled; do systemctl is-$is ringwayd ringwayd.socket; done', '(active\n){2}(enabled\n){2}'),
    'systemctl stop ringwayd.socket ringwayd.service':
        ('systemctl is-active ringwayd ringwayd.socket || :', '(inactive\n){2}'),
    'systemctl start ringwayd.socket ringwayd.service': ('systemctl is-active ringwayd ringwayd.socket', '(active\n){2}'),
    STOP_AND_COPY: ('ls /root/state; systemctl is-active ringwayd', r'(?s)catalog\.db\n.*topics\nactive\n'),
    COPY_CATALOG: ("sqlite3 /root/catalog.db 'SELECT name FROM topics'", r'orders\n'),
    PUT_BACK: ('ringway topic list', '(?s)^(?!.*later).*orders'),
    PUT_CATALOG_BACK: ('until ringway topic describe orders; do sleep 0.05; done; journalctl -u ringwayd | grep event= | tail -n 20',
                       r'(?s)event=ring_adopted topic=orders .*event=serving '),
    'gpasswd --add prometheus ringway': ('id prometheus', r'\(ringway\)'),
    'ringway topic alter NAME --retention-bytes 10GiB': ('ringway topic describe orders', r'Retention bytes: +10 GiB\n'),
    'ringway topic alter NAME --when-disk-fails memory': ('ringway topic describe orders', r'When disk fails: +memory\n'),
    'ringway topic alter NAME --when-stopped fence --stopped-after 2s':
        ('ringway topic describe orders', r'When stopped: +fence\nStopped after: +2 s\n'),
    'ringway topic alter NAME --ring 16MiB': ('ringway inspect orders | diff was - || :', '> Ring generation:'),
    'ringway topic alter NAME --ring SIZE': ('ringway topic describe orders', r'Ring: +1 MiB\n'),
}
GOES_ON = ('ringway consume ticks --cursor billing -o start', 'ringway status --watch --interval 5s --output jsonl')
EXAMINATIONS = ('ringway doctor',)  # the exit status is what they found

box = None


def setUpModule():
    global box
    reason = why_not()
    if reason:
        raise unittest.SkipTest(reason)
    box = Box()
    unittest.addModuleCleanup(box.close)
    box.install(BUILD)


def blocks(text):
    """The lines of indented code, without comments."""
    before = ''
    for line in text.splitlines():
        code = line.startswith('    ') and (not before.strip() or before.startswith('    '))
        if code and not line.startswith('     '):
            yield re.sub(r'\s{2,}#.*', '', line).strip()
        before = line


def commands(text):
    """Those of the blocks, and then those of sentences and tables."""
    for line in blocks(text):
        if COMMAND.match(line):
            yield line
    for span in re.findall(r'`([^`]+)`', re.sub(r'```.*?```|^    .*?$', '', text, flags=re.DOTALL | re.MULTILINE)):
        line = ' '.join(span.split())
        if IN_A_SENTENCE.match(line) and not NAME.fullmatch(line):
            yield line


def soon(benchmark):
    known = box.say(re.match('ringway bench [a-z]+', benchmark)[0] + ' --help')
    flags = (f'{flag} {value}' for flag, value in SOON.items() if f'  {flag} ' in known and flag not in benchmark)
    return ' '.join(('TMPDIR=/var/lib/ringway', benchmark.strip(), *flags, ''))


class Documents(unittest.TestCase):
    maxDiff = None

    def test_every_command_does_what_it_is_there_for(self):
        ran = set()
        for document in DOCUMENTS:
            for line in dict.fromkeys(commands(FIRST_HOUR.sub('## ', (ROOT / document).read_text()))):
                ran.add(line)
                with self.subTest(document=document, line=line):
                    self.run_line(line)
        known = {line for table in (ELSEWHERE, BEFORE, TYPED, SAYS, SEEN, GOES_ON) for line in table}
        self.assertEqual(known - ran, set(), 'stand in no document any more')

    def run_line(self, line):
        if line in ELSEWHERE:
            path, wanted = ELSEWHERE[line]
            self.assertIn(wanted, (ROOT / path).read_text())
            return
        if line in BEFORE:
            box.run(f'cd /root && {BEFORE[line]}')
        typed = TYPED.get(line, line).replace('sudo ', '')
        for placeholder, stands_for in PLACEHOLDERS.items():
            typed = re.sub(placeholder, stands_for, typed)
        typed = re.sub('ringway bench [^&]*', lambda benchmark: soon(benchmark[0]), typed)
        if line == 'ringwayd':
            self.start(typed)
            box.say('until ringway status >/dev/null 2>&1; do sleep 0.05; done')
        elif line == 'ringway top':
            self.look_at(typed, SAYS[line])
        elif line in GOES_ON:
            self.follow(typed, SAYS[line])
        else:
            # The exit status of an examination is what it found.
            said = box.say(f'set -o pipefail; cd /root && {typed}' + (' || [[ $? =~ ^[15]$ ]]' if line.startswith(EXAMINATIONS) else ''))
            self.assertTrue(line in SAYS or line in SEEN or 'ringway bench' in line, f'prints, and nobody looks: {said}')
            self.assertRegex(said, SAYS.get(line, r'\S' if 'ringway bench' in line else r'\A'))
        if line in SEEN:
            look, wanted = SEEN[line]
            self.assertRegex(box.say(f'cd /root && {look}'), wanted)

    def start(self, typed, output=subprocess.DEVNULL):
        process = box.start(f'cd /root && exec {typed}', stdin=subprocess.DEVNULL, stdout=output,
                            stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def follow(self, typed, wanted):
        """It goes on until Ctrl-C, which is no failure."""
        with tempfile.NamedTemporaryFile() as output:
            process = self.start(typed, output)
            wait_until(lambda: re.search(wanted, pathlib.Path(output.name).read_text()), wanted)
        self.assertIsNone(process.poll())
        box.say(f'pkill -INT -f "^{typed}$"')
        self.assertEqual(process.wait(PATIENCE_SECONDS), 0)

    def look_at(self, typed, wanted):
        """On a terminal, until q."""
        terminal = Terminal(box.command(f'cd /root && TERM=screen-256color exec {typed}'), size=(100, 24))
        self.addCleanup(terminal.close)
        wait_until(lambda: re.search(wanted, terminal.screen()), f'{wanted} on the screen')
        terminal.press('q')
        terminal.wait_for(f'{ENDED} 0')


if __name__ == '__main__':
    unittest.main()
