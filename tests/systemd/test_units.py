"""The units under a real systemd (box.py): what the service manager does with ringwayd, and gets of it."""

import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from box import Box, PATIENCE_SECONDS, why_not
from traffic import Traffic

BUILD = os.environ['BUILD']
MANUAL = pathlib.Path(__file__).resolve().parents[2] / 'daemon/README.md'
THREAD_STOP = pathlib.Path(__file__).with_name('thread_stop')

box = None


def setUpModule():
    global box
    reason = why_not()
    if reason:
        raise unittest.SkipTest(reason)
    box = Box()
    unittest.addModuleCleanup(box.close)
    box.install(BUILD)
    box.say('useradd alice && useradd bob')


class Units(unittest.TestCase):
    def setUp(self):
        box.say('systemctl start ringwayd.socket')
        self.addCleanup(box.say, 'systemctl stop ringwayd.socket ringwayd.service;'
                        ' systemctl reset-failed; rm -rf /var/lib/ringway/* /etc/ringway/*'
                        ' /etc/systemd/system/ringwayd*; systemctl daemon-reload')

    def drop_in(self, *lines):
        text = '\n'.join(('[Service]', *lines))
        box.say('mkdir -p /etc/systemd/system/ringwayd.service.d'
                f" && echo '{text}' >/etc/systemd/system/ringwayd.service.d/test.conf"
                ' && systemctl daemon-reload')

    def override_early(self, *lines):
        """A drop-in that what `systemctl edit` writes counts more than."""
        self.drop_in(*lines)
        box.say('mv /etc/systemd/system/ringwayd.service.d/{test,a}.conf; systemctl daemon-reload;'
                ' systemctl restart ringwayd')

    def property(self, name, unit='ringwayd.service'):
        return box.say(f'systemctl show {unit} -p {name} --value').strip()

    def pid(self):
        return int(self.property('MainPID'))

    def pid_that_says_it_serves(self):
        return json.loads(box.say('ringway status --output json'))['pid']

    def events(self, name):
        """What the journal has of it, as a dict of fields each, the oldest first."""
        lines = box.say(f'journalctl -o json RINGWAY_EVENT={name}').splitlines()
        return [json.loads(line) for line in lines]

    def await_(self, what, condition):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            if time.monotonic() > deadline:
                self.fail(f'{what} did not come\n' + box.say('journalctl -u ringwayd -n 50'))
            time.sleep(0.02)

    def await_successor(self, pid):
        """The next process serves."""
        self.await_('a successor', lambda: self.pid() not in (0, pid)
                    and self.property('ActiveState') == 'active')

    def test_a_start_is_over_when_the_bus_serves(self):
        before = len(self.events('serving'))
        box.say('systemctl start ringwayd')
        self.assertEqual(len(self.events('serving')) - before, 1)
        self.assertEqual(self.property('User'), 'ringway')

    def test_the_status_line_says_what_it_does(self):
        box.say('ringway topic create t')
        self.await_('a status line',
                    lambda: self.property('StatusText').startswith('Serving 1 topic, '))

    def test_a_client_that_starts_first_waits_for_the_bus(self):
        self.assertEqual(self.property('ActiveState'), 'inactive')
        box.say('ringway topic create early && ringway topic describe early')
        self.assertEqual(self.property('ActiveState'), 'active')

    def test_killed_under_traffic_it_loses_and_doubles_nothing(self):
        traffic = Traffic(self, box)
        adopted = len(self.events('ring_adopted'))
        for _ in range(4):
            time.sleep(0.3)
            pid = self.pid()
            box.say(f'kill -9 {pid}')
            self.await_successor(pid)
        traffic.check_whole()
        self.assertEqual(len(self.events('ring_adopted')) - adopted, 4)

    def test_a_restart_leaves_the_rings_to_the_next_one_under_traffic(self):
        traffic = Traffic(self, box)
        left = len(self.events('left'))
        for _ in range(4):
            time.sleep(0.3)
            box.say('systemctl restart ringwayd')
        traffic.check_whole()
        self.assertEqual(len(self.events('left')) - left, 4)

    def test_a_stop_drains_to_the_disk_and_keeps_nothing_in_memory(self):
        box.say('ringway topic create t && seq 1 100000 | ringway produce t')
        self.assertGreater(int(self.property('NFileDescriptorStore')), 0)
        box.say('systemctl stop ringwayd')
        self.assertEqual(self.property('Result'), 'success')
        adopted = len(self.events('ring_adopted'))
        box.say('ringway consume t -o start -e -f "%v\\n" | cmp - <(seq 1 100000)')

        self.assertEqual(len(self.events('ring_adopted')), adopted)

    def test_a_restart_of_the_socket_leaves_the_rings_too(self):
        box.say('ringway topic create t && seq 1 1000 | ringway produce t')
        adopted = len(self.events('ring_adopted'))
        box.say('systemctl restart ringwayd.socket')
        box.say('ringway consume t -o start -e -f "%v\\n" | cmp - <(seq 1 1000)')
        self.assertEqual(len(self.events('ring_adopted')) - adopted, 1)

    def test_rings_outlive_a_new_systemd_too(self):
        box.say('ringway topic create t && seq 1 1000 | ringway produce t')
        box.say('systemctl daemon-reexec && systemctl daemon-reload')
        adopted, pid = len(self.events('ring_adopted')), self.pid()
        box.say(f'kill -9 {pid}')
        self.await_successor(pid)
        self.assertEqual(len(self.events('ring_adopted')) - adopted, 1)

    def test_a_thousand_topics_are_handed_over(self):
        box.say('systemctl start ringwayd && seq 1000'
                ' | xargs -P 4 -I N ringway topic create topic-N --ring 64KiB >/dev/null')
        adopted, pid = len(self.events('ring_adopted')), self.pid()
        box.say(f'kill -9 {pid}')
        self.await_successor(pid)
        self.assertEqual(len(self.events('ring_adopted')) - adopted, 1000)

    def test_a_store_is_not_given_up_for_another_while_it_holds_rings(self):
        box.say('ringway topic create t && seq 1 1000 | ringway produce t')
        self.drop_in('Environment=RINGWAYD_DESCRIPTOR_STORE=keeper')
        box.say('systemctl restart ringwayd || :')
        self.assertIn('the service manager holds 3 descriptors of living rings',
                      box.say('journalctl -u ringwayd -n 20'))
        self.drop_in()
        adopted = len(self.events('ring_adopted'))
        self.await_successor(0)
        box.say('ringway consume t -o start -e -f "%v\\n" | cmp - <(seq 1 1000)')
        self.assertEqual(len(self.events('ring_adopted')) - adopted, 1)

    def check_it_is_restarted_with_one_thread_wedged(self, thread, named):
        """`named`: the threads that it says stand still before it is ended."""
        before = len(self.events('thread_stands_still'))
        self.drop_in('WatchdogSec=3s')
        box.say('ringway topic create t && seq 1 1000 | ringway produce t')
        pid = self.pid()
        stopper = box.start(f'exec {THREAD_STOP} {pid} {thread}', stdout=subprocess.PIPE)
        self.addCleanup(stopper.stdout.close)
        self.addCleanup(stopper.wait)
        self.addCleanup(stopper.kill)
        self.assertEqual(stopper.stdout.readline(), 'stopped\n')
        self.await_successor(pid)
        self.assertIn(f'ringwayd.service: Killing process {pid} (ringwayd) with signal SIGABRT',
                      box.say('journalctl -u ringwayd'))
        stood = self.events('thread_stands_still')[before:]
        self.assertEqual([event['RINGWAY_THREAD'] for event in stood], named)
        box.say('ringway consume t -o start -e -f "%v\\n" | cmp - <(seq 1 1000)')

    def test_a_wedged_flusher_is_restarted(self):
        self.check_it_is_restarted_with_one_thread_wedged('flusher', ['flusher'])

    def test_a_wedged_maker_of_memory_is_restarted(self):
        self.check_it_is_restarted_with_one_thread_wedged('maker', ['maker'])

    def test_a_wedged_thread_of_metrics_is_restarted(self):
        self.check_it_is_restarted_with_one_thread_wedged('metrics', ['metrics'])

    def test_who_reads_metrics_slowly_wedges_nothing(self):
        before = len(self.events('thread_stands_still'))
        self.drop_in('WatchdogSec=1s')
        box.say('ringway topic create t --partitions 1000 --ring 64KiB')
        pid = self.pid()
        box.say("""python3 - <<'END'
import socket, time
reader = socket.socket(socket.AF_UNIX)
reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
reader.connect('/run/ringway/metrics.sock')
reader.sendall(b'GET /metrics HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n')
for _ in range(40):  # four times what the watchdog allows
    assert reader.recv(1000)
    time.sleep(0.1)
END""")
        self.assertEqual(self.pid(), pid)
        self.assertEqual(self.events('thread_stands_still')[before:], [])

    def test_a_wedged_control_thread_is_restarted(self):
        self.check_it_is_restarted_with_one_thread_wedged('ringwayd', [])  # it names the others

    def test_a_stopped_supervisor_is_restarted(self):
        self.drop_in('WatchdogSec=3s')
        box.say('ringway topic create t && seq 1 1000 | ringway produce t')
        pid = self.pid()
        box.say(f'kill -STOP {pid}')
        self.await_successor(pid)
        self.assertIn('Watchdog timeout', box.say('journalctl -u ringwayd'))
        box.say('ringway consume t -o start -e -f "%v\\n" | cmp - <(seq 1 1000)')

    def test_the_status_line_says_what_is_amiss_until_it_is_mended(self):
        self.disk_of_its_own('24M')
        box.say("echo 'disk.keep_free = \"0%\"' >/etc/ringway/ringwayd.toml")  # it makes no room by itself
        box.say('ringway topic create t --ring 256KiB --segment 1MiB && seq 1000 | ringway produce t --wait durable')
        filler = '/var/lib/ringway/filler'
        box.say(f'dd if=/dev/zero of={filler} bs=4K status=none', status=1)
        producer = box.start('seq 1001 50000 | ringway produce t', stderr=subprocess.PIPE)
        self.addCleanup(producer.communicate)
        self.addCleanup(box.run, f'rm -f {filler}; pkill -KILL -x ringway')
        self.await_status("Serving 1 topic, 1 client; degraded: topic 't' partition 0: disk_full")
        box.say(f'rm {filler}')
        said = producer.communicate(timeout=PATIENCE_SECONDS)[1]
        self.assertEqual(producer.returncode, 0, said)
        self.await_status('Serving 1 topic, 0 clients')
        box.say('ringway consume t -o start -e -f "%v\\n" | cmp - <(seq 1 50000)')

    def test_a_stop_that_waits_for_room_on_the_disk_is_not_ended_by_the_watchdog(self):
        self.drop_in('WatchdogSec=3s')
        self.disk_of_its_own('24M')
        box.say("mkdir -p /etc/ringway && echo 'disk.keep_free = \"0%\"' >/etc/ringway/ringwayd.toml")
        box.say('ringway topic create t --ring 256KiB --segment 1MiB && seq 1000 | ringway produce t --wait durable')
        filler = '/var/lib/ringway/filler'
        self.addCleanup(box.run, f'rm -f {filler}')
        box.say(f'dd if=/dev/zero of={filler} bs=4K status=none', status=1)
        # Until the segment's room is used up, and then what the ring has for itself.
        box.run('seq 1001 50000 | timeout 2 ringway produce t')
        last = int(box.say("ringway inspect t --output json | jq .partitions[0].committed"))
        stop = box.start('systemctl stop ringwayd.socket ringwayd.service')
        time.sleep(8)
        self.assertIsNone(stop.poll(), 'it has not waited')
        box.say(f'rm {filler}')
        stop.wait(PATIENCE_SECONDS)
        self.assertEqual(self.property('Result'), 'success')
        box.say('systemctl start ringwayd')
        box.say(f'ringway consume t -o start -e -f "%v\\n" | cmp - <(seq 1 {last})')

    def await_status(self, line):
        """What people see of the service."""
        self.await_(f'the status line {line}',
                    lambda: f'Status: "{line}"\n' in box.say('systemctl status ringwayd'))

    def disk_of_its_own(self, size):
        """The state directory on a file system that is not the box's."""
        box.say('mknod /dev/loop-control c 10 237; for n in $(seq 0 63); do mknod /dev/loop$n b 7 $n; done;'
                f' truncate -s {size} /var/tmp/image && mkfs.ext4 -q -m 0 /var/tmp/image')
        self.addCleanup(box.run, 'rm -f /dev/loop* /var/tmp/image')
        if box.run('mount -o loop /var/tmp/image /var/lib/ringway') != 0:
            self.skipTest('takes a loop device')
        self.addCleanup(box.say, 'systemctl stop ringwayd.socket ringwayd.service; umount /var/lib/ringway')
        box.say('chown ringway: /var/lib/ringway')

    def disk_that_hangs(self, *lines):
        """The state directory on a disk that `fsfreeze` keeps from answering; a producer that is given lines, and who
        follows it, both connected."""
        self.disk_of_its_own('128M')
        self.drop_in('WatchdogSec=2s', 'TimeoutAbortSec=1s', 'TimeoutStopSec=1s', *lines)
        box.say('ringway topic create t --segment 256KiB; : >/tmp/seen')
        consumer = box.start('exec ringway consume t -o start -n 3000 -f "%v\\n" >/tmp/seen', stderr=subprocess.PIPE)
        producer = box.start('exec ringway produce t', stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        for process in (consumer, producer):
            self.addCleanup(process.communicate)
        self.addCleanup(box.run, 'pkill -KILL -x ringway')
        self.publish(producer, 1)
        self.await_('all to be durable', lambda: self.partition()['durable'] == 1000)
        self.addCleanup(box.run, 'fsfreeze -u /var/lib/ringway')
        box.say('fsfreeze -f /var/lib/ringway')
        return producer, consumer

    def partition(self):
        return json.loads(box.say('ringway topic describe t --output json'))['partitions'][0]

    def publish(self, producer, first):
        """A thousand lines, which the consumer is to see at once."""
        producer.stdin.write(''.join(f'{line}\n' for line in range(first, first + 1000)))
        producer.stdin.flush()
        self.await_('what was published',
                    lambda: box.say('wc -l </tmp/seen').strip() == str(first + 999))

    def check_all_went_on(self, producer, consumer):
        self.publish(producer, 2001)
        for process in (producer, consumer):
            said = process.communicate(timeout=PATIENCE_SECONDS)[1]
            self.assertEqual(process.returncode, 0, said)
        box.say('cmp /tmp/seen <(seq 3000)')
        self.await_('all to be durable', lambda: self.partition()['durable'] == 3000)
        box.say('ringway consume t -o start -e -f "%v\\n" | cmp - <(seq 3000)')

    def test_a_disk_that_hangs_keeps_the_log_waiting_and_nobody_else(self):
        producer, consumer = self.disk_that_hangs()
        if 'io_uring' not in box.say('ringway topic describe t | grep "Log written by"').split()[-1]:
            self.skipTest('takes io_uring')
        pid = self.pid()
        self.publish(producer, 1001)
        time.sleep(4)  # twice what the watchdog allows
        self.assertEqual(self.pid(), pid)
        stuck = self.partition()
        self.assertEqual((stuck['committed'], stuck['durable']), (2000, 1000))
        box.say('ringway status')
        box.say('fsfreeze -u /var/lib/ringway')
        self.check_all_went_on(producer, consumer)
        self.assertEqual(self.pid(), pid)

    def test_a_flusher_that_hangs_in_the_disk_is_replaced_when_that_answers(self):
        before = len(self.events('thread_stands_still'))
        adopted = len(self.events('ring_adopted'))
        producer, consumer = self.disk_that_hangs('Environment=RINGWAY_WITHOUT=io_uring')
        pid = self.pid()
        producer.stdin.write(''.join(f'{line}\n' for line in range(1001, 2001)))
        producer.stdin.flush()
        self.await_('the watchdog', lambda: self.property('Result') == 'watchdog')
        # It cannot be ended before the disk answers, and the next one not begin; the bus goes on in memory.
        self.await_('an attempt', lambda: int(self.property('NRestarts')) > 0)
        self.assertEqual(box.say(f'ps -o state= -p {pid}').strip(), 'D')
        self.await_('what was published', lambda: box.say('wc -l </tmp/seen').strip() == '2000')
        box.say('fsfreeze -u /var/lib/ringway')
        self.await_successor(pid)
        self.check_all_went_on(producer, consumer)
        self.assertEqual([event['RINGWAY_THREAD'] for event in self.events('thread_stands_still')[before:]],
                         ['flusher'])
        self.assertEqual(len(self.events('ring_adopted')) - adopted, 1)

    def test_a_full_descriptor_store_refuses_topics_and_keeps_what_it_has(self):
        self.drop_in('FileDescriptorStoreMax=20')
        box.say('ringway topic create one && seq 1 1000 | ringway produce one')
        said = box.say('for topic in $(seq 9); do ringway topic create more-$topic || exit; done',
                       status=1)
        self.assertIn('FileDescriptorStoreMax=', said)
        box.say('ringway topic delete more-1 --yes')  # room for who is to read
        pid = self.pid()
        box.say(f'kill -9 {pid}')
        self.await_successor(pid)
        box.say('ringway consume one -o start -e -f "%v\n" | cmp - <(seq 1 1000)')

    def test_a_limit_of_descriptors_that_is_reached_is_named(self):
        self.drop_in('LimitNOFILE=64')
        said = ''
        for n in range(30):
            said = box.say(f'ringway topic create t{n} --ring 64KiB || :')
            if 'Too many open files' in said:
                break
        self.assertIn('raise the limit of open files (ulimit -n, LimitNOFILE=)', said)
        self.assertNotIn('does not answer', said)

    def test_memory_that_is_used_up_refuses_topics_and_kills_nobody(self):
        self.addCleanup(box.say, 'rm -r /etc/systemd/system/ringway.slice.d')
        box.say('mkdir /etc/systemd/system/ringway.slice.d'
                ' && printf "[Slice]\\nMemoryMax=128M\\n" >/etc/systemd/system/ringway.slice.d/test.conf')
        self.drop_in('Environment=RINGWAYD_LIMITS_MEMORY=1GiB')
        box.say('ringway topic create first --ring 16MiB')
        box.say('systemctl restart ringwayd')  # whose memory stays where it counts
        pid = self.pid()
        said = box.say('for topic in $(seq 9); do'
                       ' ringway topic create big-$topic --ring 16MiB || exit; done', status=1)
        self.assertRegex(said, r'shared memory cannot be reserved: /sys/fs/cgroup/\S*ringway\.slice/memory\.\S+ leaves \d')
        box.say('seq 1 200000 | ringway produce first'
                ' && ringway consume first -o start -e -f "%v\\n" | cmp - <(seq 1 200000)')
        self.assertEqual(self.pid(), pid, box.say('journalctl -u ringwayd -n 30; journalctl -k -n 20'))

    def test_the_journal_has_fields(self):
        box.say('ringway topic create named')
        created = self.events('topic_created')[-1]
        self.assertEqual((created['RINGWAY_TOPIC'], created['PRIORITY'], created['RINGWAY_BY_UID']),
                         ('named', '6', '0'))
        self.assertTrue(created['MESSAGE'].startswith('event=topic_created topic=named '))

    def check_exposure(self, sentence):
        """At most 2.0, and what the manual says; what systemd has to say about it."""
        said = box.say('systemd-analyze security --threshold=20 ringwayd')
        (told,) = re.findall(sentence, MANUAL.read_text())
        self.assertEqual(re.search(r'Overall exposure level .*: (\d\.\d) ', said)[1], told)
        return said

    def test_a_bundle_has_the_configuration_of_the_service(self):
        box.say('systemctl start ringwayd && ringway debug bundle /tmp/bundle.tar')
        said = box.say('tar -xOf /tmp/bundle.tar ringway-debug/config.txt; rm /tmp/bundle.tar')
        self.assertRegex(said, r'state_dir = "/var/lib/ringway"')
        self.assertRegex(said, r'descriptor_store = "service" .*RINGWAYD_DESCRIPTOR_STORE')

    def bundle(self):
        """The files of a bundle by their names, and its manifest."""
        box.say('ringway debug bundle /tmp/bundle.tar --patience 5s')
        names = box.say('tar -tf /tmp/bundle.tar').split()
        files = {name.removeprefix('ringway-debug/'): box.say(f'tar -xOf /tmp/bundle.tar {name}') for name in names
                 if 'host/' not in name}
        box.say('rm /tmp/bundle.tar')
        return files, json.loads(files['manifest.json'])

    def check_bundle(self, supervisor):
        files, manifest = self.bundle()
        self.assertEqual(manifest['supervisor'], supervisor)
        self.assertIn('/var/lib/ringway/catalog.db', files['segments.txt'])
        self.assertIn('Id=ringwayd.service', files['unit.txt'])
        self.assertIn('ringwayd', files['journal.txt'])
        self.assertIn('topics/0001/log-verify.json', files)
        return files

    def test_a_bundle_of_a_service_that_is_stopped_or_refuses_to_start_has_all_there_is(self):
        self.drop_in('WatchdogSec=0')
        box.say('ringway topic create t && echo one | ringway produce t --wait durable')
        service = r'descriptor_store = "service" .*RINGWAYD_DESCRIPTOR_STORE'
        pid = self.pid()
        box.say(f'kill -STOP {pid}')
        files = self.check_bundle(pid)
        box.say(f'kill -CONT {pid}')
        self.assertIn('State:\tT', files['supervisor/status'])
        self.assertRegex(files['config.txt'], service)
        box.say('echo "limits.topic = 1" >/etc/ringway/ringwayd.toml; systemctl restart ringwayd || :')
        files = self.check_bundle(None)
        self.assertIn("did you mean 'limits.topics'?", files['config.txt.err'])
        self.assertIn("did you mean 'limits.topics'?", files['journal.txt'])
        box.say('rm /etc/ringway/ringwayd.toml; systemctl stop ringwayd.socket ringwayd.service')
        files = self.check_bundle(None)
        self.assertRegex(files['config.txt'], service)
        self.assertIn('"/var/lib/ringway"', files['config.txt'])

    def test_its_exposure_is_small_and_what_stays_open_is_explained(self):
        box.say('systemctl start ringwayd')
        said = self.check_exposure(r'`systemd-analyze security ringwayd` gives it (\d\.\d)')
        left_open = re.findall(r'^✗ (\w+)=', said, re.MULTILINE)
        self.assertIn('PrivateUsers', left_open)
        explained = re.search(r'^# Left open:\n((?:# .*\n)+)', box.say('systemctl cat ringwayd.service'), re.MULTILINE)[1]
        self.assertEqual([name for name in left_open if f'{name}=' not in explained], [])

    def test_a_second_bus_has_its_own_place(self):
        self.addCleanup(box.say, 'systemctl stop ringwayd@lab.socket ringwayd@lab.service;'
                        ' rm -rf /var/lib/ringway-lab')
        box.say('systemctl start ringwayd@lab.socket'
                ' && ringway topic create t --socket /run/ringway-lab/control.sock')
        said = box.say('ringway topic describe t', status=3)
        self.assertIn("'t'", said)
        self.assertIn('/var/lib/ringway-lab',
                      box.say('ringway status --socket /run/ringway-lab/control.sock'))

    def test_who_leaves_the_service_aside_is_told_so(self):
        box.say('systemctl start ringwayd && ringway topic create t')
        self.addCleanup(box.say, 'rm -rf /root/own /etc/ringway')
        alone = 'env -u XDG_RUNTIME_DIR HOME=/root/own '
        # By hand, as root: another bus, with the service's sockets if that did not have them.
        said = box.say(f'{alone}ringwayd 2>&1', status=1)
        self.assertRegex(said, r'event=starting config=none state_dir=/root/own/\S+ state_dir_from=HOME '
                               'runtime_dir=/run/ringway runtime_dir_from=default socket=/run/ringway/control.sock')
        self.assertRegex(said, 'event=not_the_service .*systemctl start ringwayd; or name --runtime-dir and')
        # A user's bus that was there, and does not run.
        with_own = 'mkdir -p /root/own/run; XDG_RUNTIME_DIR=/root/own/run HOME=/root/own '
        self.assertNotIn('own bus', box.say(f'{with_own} ringway topic list 2>&1'))
        box.say('mkdir -p /root/own/.local/state/ringway && touch /root/own/.local/state/ringway/catalog.db')
        self.assertIn("ringway: this user's own bus (its state is in /root/own/.local/state/ringway) does not run: the "
                      "host's is asked, at /run/ringway/control.sock; ", box.say(f'{with_own} ringway topic list 2>&1'))
        self.assertNotIn('own bus', box.say(f'{with_own} RINGWAY_SOCKET=/run/ringway/control.sock ringway topic list 2>&1'))

    def test_what_root_started_by_hand_is_named_to_the_service_it_keeps_from_starting(self):
        box.say('systemctl stop ringwayd.socket ringwayd.service')
        self.addCleanup(box.say, 'pkill -KILL -x ringwayd; rm -rf /root/own')
        self.assertIn('/run/ringway/control.sock: nobody listens at this socket; systemctl start ringwayd, or name',
                      box.say('ringway topic list --timeout 1s 2>&1', status=1))
        by_hand = 'env -u XDG_RUNTIME_DIR HOME=/root/own ringwayd'
        box.say(f'setsid {by_hand} >/dev/null 2>&1 </dev/null & until ringway status >/dev/null 2>&1; do sleep 0.1; done')
        pid = self.pid_that_says_it_serves()

        def refused_with(said):
            box.run('systemctl start ringwayd')
            self.await_('the refusal', lambda: said in box.say('journalctl -u ringwayd -n 5 -o cat'))
            box.run('systemctl stop ringwayd.socket ringwayd.service; systemctl reset-failed ringwayd')
        # Alive, without a topic and with one.
        in_use = f'/run/ringway: is in use by ringwayd with pid {pid}; end that one (kill {pid}; '
        refused_with(in_use)
        box.run('systemctl start ringwayd')
        found = self.carry_out('service')
        self.assertIn(in_use, found['what'])
        self.assertTrue(found['fix'].startswith(f'kill {pid}  # '), found)
        box.say('systemctl stop ringwayd.socket ringwayd.service')
        box.say(f'setsid {by_hand} >/dev/null 2>&1 </dev/null & until ringway status >/dev/null 2>&1; do sleep 0.1; done')
        pid = self.pid_that_says_it_serves()
        # Dead, and its keeper has nothing that would be lost.
        box.say(f'kill -9 {pid}; systemctl start ringwayd; ringway topic list; systemctl stop ringwayd.socket ringwayd.service')
        # Dead, and its keeper has a ring.
        box.say(f'setsid {by_hand} >/dev/null 2>&1 </dev/null & until ringway topic create t; do sleep 0.1; done')
        box.say(f'kill -9 {self.pid_that_says_it_serves()}')
        keeper = box.say('pgrep -xo ringwayd').strip()
        refused_with(f'a keeper (pid {keeper}) holds living rings for /run/ringway, of a supervisor that died; start that '
                     'once more and end it with Ctrl-C (ringwayd --runtime-dir /run/ringway --state-dir '
                     f'/root/own/.local/state/ringway); or lose what is in no log (kill {keeper})')
        box.say('setsid ringwayd --runtime-dir /run/ringway --state-dir /root/own/.local/state/ringway >/dev/null 2>&1 '
                '</dev/null & until ringway status >/dev/null 2>&1; do sleep 0.1; done; pkill -INT -xn ringwayd')
        self.await_('its end', lambda: not box.say('pgrep -x ringwayd; true').strip())
        box.say('systemctl start ringwayd && ringway topic list')

    def test_a_state_directory_elsewhere_is_opened_as_the_refusal_says(self):
        self.addCleanup(box.say, 'rm -rf /srv/bus')
        box.say('systemctl stop ringwayd.socket ringwayd.service; mkdir -p /etc/ringway;'
                """ echo 'state_dir = "/srv/bus"' >/etc/ringway/ringwayd.toml""")
        box.run('systemctl start ringwayd')
        self.await_('the refusal', lambda: 'ReadWritePaths=/srv/bus below [Service]' in
                    box.say('journalctl -u ringwayd -n 20'))
        box.say('install -d -o ringway -g ringway /srv/bus')
        self.drop_in('ReadWritePaths=/srv/bus')
        box.say('systemctl reset-failed; systemctl restart ringwayd')
        self.assertIn('/srv/bus (state)', box.say('ringway status'))

    def test_a_reload_reads_the_configuration_again_and_says_what_changed(self):
        box.say('ringway topic create t')
        pid = self.pid()
        box.say('echo "limits.topics = 1" >/etc/ringway/ringwayd.toml'
                ' && systemctl reload ringwayd')
        self.await_('the event', lambda: any(
            event['RINGWAY_KEY'] == 'limits.topics' and event['RINGWAY_TO'] == '1'
            for event in self.events('config_changed')))
        self.assertIn('limits.topics', box.say('ringway topic create second', status=1))
        box.say('echo "limits.topic = 1" >/etc/ringway/ringwayd.toml')
        box.say('systemctl reload ringwayd', status=1)
        self.assertIn("did you mean 'limits.topics'?", box.say('journalctl -u ringwayd -n 5'))
        box.say('systemctl kill --signal=HUP ringwayd')
        self.await_('a refusal', lambda: self.events('config_refused'))
        self.assertEqual(self.pid(), pid)

    def test_a_start_that_is_refused_is_tried_again_with_pauses_that_keep_the_rings(self):
        box.say('ringway topic create t --sync never && echo one | ringway produce t')
        adopted = len(self.events('ring_adopted'))
        box.say('echo "limits.topic = 1" >/etc/ringway/ringwayd.toml')
        box.run('systemctl restart ringwayd')
        for _ in range(2):
            self.await_('a pause', lambda: self.property('SubState') == 'stop-post')
            self.await_('the next', lambda: self.property('SubState') != 'stop-post')
        box.say('rm /etc/ringway/ringwayd.toml')
        self.await_('a start', lambda: self.property('ActiveState') == 'active')
        self.assertEqual(len(self.events('ring_adopted')) - adopted, 1)
        self.assertEqual(box.say('ringway consume t -o start -e'), 'one\n')

    def test_memory_of_rings_is_charged_to_the_supervisor_whoever_fills_it(self):
        def charged():
            for usage in ('memory/ringway.slice/memory.usage_in_bytes', 'ringway.slice/memory.current'):
                if box.run(f'test -e /sys/fs/cgroup/{usage}') == 0:
                    return int(box.say(f'cat /sys/fs/cgroup/{usage}'))
            return self.fail('no group of the slice is there')

        scope = 'systemd-run --quiet --scope -p MemoryMax=24M -p MemorySwapMax=0'
        self.assertNotEqual(box.run(f'{scope} python3 -c "b\'x\' * (64 << 20)"'), 0)  # as a client's own
        box.say('ringway status')  # starts it
        before = charged()
        box.say('ringway topic create t --ring 64MiB')
        box.say(f'seq 1 2000000 | {scope} ringway produce t')  # some 90 MB
        self.assertGreaterEqual(charged() - before, 64 << 20)
        box.say(f'{scope} ringway consume t -o -1000000 -e -f "%v\\n"'
                ' | cmp - <(seq 1000001 2000000)')

    def test_at_rest_it_takes_little(self):
        box.say('ringway topic create t && seq 1 100000 | ringway produce t')
        pid = self.pid()

        def used():
            ns = box.say(f'cat /proc/{pid}/task/*/schedstat | awk "{{ ns += \\$1 }} END {{ print ns }}"')
            return int(ns), time.monotonic_ns()

        def share_during(act):
            (cpu, began), _, (more, ended) = used(), act(), used()
            return (more - cpu) / (ended - began)
        time.sleep(1)  # until what was published is on the disk
        share = statistics.median(share_during(lambda: time.sleep(3)) for _ in range(3))
        own = sum(int(box.say(f'grep {kind} /proc/{pid}/status').split()[1]) for kind in ('RssAnon', 'RssFile')) / 1024
        print(f'at rest: {share:.2%} of a core, {own:.1f} MiB beyond its rings')
        self.assertLess(share, 0.005)
        self.assertLess(own, 30e6 / (1 << 20))
        work = share_during(lambda: box.say('seq 1 1000000 | ringway produce t'))
        self.assertGreater(work, 0.005)  # what it does is seen

    def test_a_user_has_a_bus_without_root(self):
        user = 'runuser -u alice -- env XDG_RUNTIME_DIR=/run/user/$(id -u alice)'
        self.addCleanup(box.say, 'systemctl stop user@$(id -u alice); rm -rf /home/alice')
        box.say('mkdir -p /home/alice && chown alice /home/alice && systemctl start user@$(id -u alice)')
        box.say(f'{user} systemctl --user start ringwayd && seq 1 1000 >/tmp/lines'
                f' && {user} ringway topic create mine && {user} ringway produce mine </tmp/lines')
        for act in ('restart', 'kill --signal=KILL'):
            box.say(f'{user} systemctl --user {act} ringwayd')
            self.await_('the bus', lambda: box.run(f'{user} ringway status') == 0)
            box.say(f'{user} ringway consume mine -o start -e | cmp - /tmp/lines')
        self.assertIn('ring_adopted', box.say('journalctl _UID=$(id -u alice) -o cat'))
        box.say('mkdir -p /home/alice/.config/ringway && echo "limits.topic = 1" >/home/alice/.config/ringway/ringwayd.toml')
        box.say(f'{user} systemctl --user reload ringwayd', status=1)
        box.run(f'{user} systemctl --user restart ringwayd')
        self.await_('a pause', lambda: 'stop-post' in box.say(f'{user} systemctl --user show ringwayd -p SubState'))
        box.say('rm /home/alice/.config/ringway/ringwayd.toml')
        self.await_('the bus', lambda: box.run(f'{user} ringway status') == 0)
        box.say(f'{user} ringway consume mine -o start -e | cmp - /tmp/lines')
        self.assertIn('/home/alice/.local/state/ringway', box.say(f'{user} ringway status'))
        self.assertEqual(self.property('ActiveState'), 'inactive')  # the host's has nothing to do with it

    def test_the_examples_are_drop_ins_that_work(self):
        examples = '/usr/local/share/doc/ringway/examples'
        self.addCleanup(box.say, 'rm -rf /etc/systemd/system/ringway.slice.d && systemctl daemon-reload')
        box.say(f'cd {examples} && for file in *.conf; do path=$(sed -n "1s/# //p" $file)'
                ' && mkdir -p $(dirname $path) && cp $file $path; done && systemctl daemon-reload')
        box.say('systemctl start ringwayd && ringway topic create t --ring 1MiB')
        pid = self.pid()
        self.assertEqual(box.say(f'taskset -pc {pid}').split()[-1], '0')
        self.assertEqual(int(box.say(f'grep CapEff /proc/{pid}/status').split()[1], 16), 1 << 5)  # CAP_KILL
        self.assertIn('bind:0', box.say(f'cat /proc/{pid}/numa_maps'))
        self.assertEqual(self.property('MemoryMax', 'ringway.slice'), str(8 << 30))
        # A limit that is below any host's memory shows whose it is.
        box.say("sed -i 's/^MemoryMax=.*/MemoryMax=512M/' /etc/systemd/system/ringway.slice.d/*.conf"
                ' && systemctl daemon-reload && systemctl restart ringwayd')
        self.assertEqual(json.loads(box.say('ringway status --output json'))['memory']['limit'], 256 << 20)
        self.assertIn('limits.memory', box.say('ringway topic create u --partitions 4 --ring 64MiB', status=1))

    def test_shells_find_the_completion_that_is_installed(self):
        """Where each looks by itself (fish below /usr/local only when told to); what they offer then is tests/cli/test_completion.py's."""
        # bash-completion loads a file of the command's name from below XDG_DATA_DIRS (its README); it need not be here.
        self.assertRegex(box.say('. /usr/local/share/bash-completion/completions/ringway && complete -p ringway'), ' ringway$')
        self.assertIn('topic\t', box.say("""XDG_DATA_DIRS=/usr/local/share fish -c 'complete -C "ringway to"'"""))
        self.assertEqual(box.say("zsh -fc 'autoload -U compinit && compinit -D && print $_comps[ringway]'"), '_ringway\n')

    def crash_of_everything(self):
        """Of a producer in mid-claim, a consumer with a cursor, and the supervisor: their pids."""
        self.addCleanup(box.run, 'pkill -KILL -x claimant; pkill -KILL -x ringway')
        box.say(f'install {BUILD}/tests/cli/claimant /usr/local/bin; ringway topic create t && seq 1 100 | ringway produce t')
        consumer = box.start('exec ringway consume t --cursor billing -o start', stdout=subprocess.PIPE)
        claimant = box.start('exec claimant t', stdout=subprocess.PIPE)
        for client in (consumer, claimant):
            self.addCleanup(client.communicate)
            self.addCleanup(client.kill)
            client.stdout.readline()
        pids = [int(box.say(f'pgrep -xn {program}')) for program in ('claimant', 'ringway')] + [self.pid()]
        box.say(f'kill -9 {" ".join(map(str, reversed(pids)))}')  # the supervisor first: it is to see nobody die
        return pids

    def test_after_a_crash_of_everything_the_journal_names_who_died_in_a_claim(self):
        producer, _, supervisor = self.crash_of_everything()
        self.await_successor(supervisor)
        self.await_('the repair', lambda: [(each['RINGWAY_TOPIC'], each['RINGWAY_PARTITION'])
                                           for each in self.events('claim_repaired')
                                           if each['RINGWAY_PID'] == str(producer)] == [('t', '0')])

    def test_a_start_that_is_held_back_leaves_all_to_a_post_mortem(self):
        drop_in = '/etc/systemd/system/ringwayd.service.d'
        self.addCleanup(box.say, 'rm -f /run/ringwayd-hold')
        box.say(f'mkdir -p {drop_in} && cp /usr/local/share/doc/ringway/examples/post-mortem.conf {drop_in}'
                ' && systemctl daemon-reload && systemctl start ringwayd && touch /run/ringwayd-hold')
        producer, consumer, supervisor = self.crash_of_everything()
        self.await_('the next start', lambda: self.property('SubState') == 'start-pre')
        found = json.loads(box.say('ringway inspect t --post-mortem --output json --records 101'))
        self.assertEqual((found['source'], found['supervisor']), ('memory', {'pid': supervisor, 'process': 'dead'}))
        self.assertEqual([(each['pid'], each['process']) for each in found['producers']], [(producer, 'dead')])
        (cursor,) = found['cursors']
        self.assertEqual((cursor['name'], cursor['pid'], cursor['process']), ('billing', consumer, 'dead'))
        self.assertEqual([each['offset'] for each in found['records']], list(range(101)))
        self.assertEqual((found['records'][-1]['pid'], found['records'][-1]['process']), (producer, 'dead'))
        box.say('rm /run/ringwayd-hold')
        self.await_successor(supervisor)
        self.assertEqual(box.say('ringway consume t -o start -e | tail -n 1'), 'before\n')

    def check_a_user_is_ended_with_a_drop_in(self, program, options, event, lines):
        """Who is in the way of topic `program`, and of whoever publishes so many lines to it."""
        self.addCleanup(box.run, f'pkill -KILL -x {program}')
        box.say(f'install {BUILD}/tests/cli/{program} /usr/local/bin')
        box.say(f'ringway topic create {program} --write alice --read alice {options} && echo first | ringway produce {program}')
        client = box.start(f'exec setpriv --reuid alice --regid alice --clear-groups {program} {program}', stdout=subprocess.PIPE)
        self.addCleanup(client.communicate)
        self.addCleanup(client.kill)  # nsenter, which stops with it
        client.stdout.readline()
        box.say(f'pkill -STOP -x {program}')
        pid = box.say(f'pgrep -x {program}').strip()
        behind = box.start(f'seq -f %01000g {lines} | ringway produce {program}', stderr=subprocess.PIPE)
        self.addCleanup(behind.communicate)

        def told(event):
            return [each for each in self.events(event) if each['RINGWAY_TOPIC'] == program]
        self.await_('the refusal', lambda: told(f'{event}_not_killed'))
        (refusal,) = told(f'{event}_not_killed')
        self.assertRegex(refusal['RINGWAY_WHY'], rf'^pid {pid} .* give its unit the drop-in kill\.conf of the examples$')
        box.say(f'pgrep -x {program}')
        drop_in = '/etc/systemd/system/ringwayd.service.d'
        box.say(f'mkdir -p {drop_in} && cp /usr/local/share/doc/ringway/examples/kill.conf {drop_in}'
                ' && systemctl daemon-reload && systemctl restart ringwayd')
        self.await_('its end', lambda: told(f'{event}_killed'))
        self.assertEqual([each['RINGWAY_PID'] for each in told(f'{event}_killed')], [pid])
        self.assertEqual(behind.wait(PATIENCE_SECONDS), 0)

    def test_a_producer_of_another_user_is_ended_with_the_drop_in_that_the_refusal_names(self):
        self.check_a_user_is_ended_with_a_drop_in('claimant', '--when-stopped kill --stopped-after 50ms',
                                                  'stopped_producer', lines=1)

    def test_a_consumer_of_another_user_is_ended_with_the_drop_in_that_the_refusal_names(self):
        self.check_a_user_is_ended_with_a_drop_in(
            'holder', '--ring 64KiB --when-pinned kill --pin-budget 20ms --retired-max 4KiB', 'pinning_consumer', lines=100)

    def test_metrics_are_at_their_socket_and_with_a_drop_in_at_a_port(self):
        box.say('systemctl start ringwayd && until test -S /run/ringway/metrics.sock; do sleep 0.05; done')
        ask = 'su alice -c "curl -s --unix-socket /run/ringway/metrics.sock http://x/metrics"'
        box.say(ask, status=7)  # curl: it could not connect
        self.addCleanup(box.say, 'gpasswd --delete alice ringway')
        box.say('gpasswd --add alice ringway')
        self.assertIn('ringway_build_info{', box.say(ask))
        box.say('echo metrics_listen = \\"127.0.0.1:9464\\" >/etc/ringway/ringwayd.toml && systemctl restart ringwayd'
                ' && rm /etc/ringway/ringwayd.toml')
        self.await_('a refusal', lambda: any('drop-in metrics-port.conf' in event['RINGWAY_WHY']
                                             for event in self.events('metrics_not_served')))
        drop_in = '/etc/systemd/system/ringwayd.service.d'
        self.addCleanup(box.say, f'rm -rf {drop_in}; systemctl daemon-reload')
        box.say(f'mkdir -p {drop_in} && cp /usr/local/share/doc/ringway/examples/metrics-port.conf {drop_in}'
                ' && systemctl daemon-reload && systemctl restart ringwayd && ip link set lo up')
        self.assertIn('ringway_build_info{', box.say('curl -s http://127.0.0.1:9464/metrics'))
        self.check_exposure(r'\(`systemd-analyze security` then gives it (\d\.\d)\)')

    def finding(self, check, ask='ringway doctor --output json'):
        """The first thing that doctor says of a check."""
        _, said = box.outcome(ask)
        return [each for each in json.loads(said)['findings'] if each['check'] == check][0]

    def carry_out_setting(self, check, setting):
        found = self.carry_out(check)
        self.assertRegex(found['fix'],
                         rf'^systemctl edit ringwayd && systemctl restart ringwayd  # \[Service\] {setting}$')
        return found

    def carry_out(self, check, *ask, before=':'):
        """A finding that is gone when its fix was typed as it stands, in a shell where `before` was."""
        found = self.finding(check, *ask)
        self.assertIn(found['severity'], ('note', 'warning', 'error'), found)
        command, _, setting = found['fix'].partition('  # ')
        if 'systemctl edit ' in command:  # which wants a terminal, and an editor that writes what is behind it
            lines = setting.replace('] ', ']\n', 1).replace(' and, below it, ', '\n')
            box.say(f"echo '{lines}' >/tmp/setting; printf '#!/bin/bash\n%s\n'"
                    """ 'sed -i "/^### Lines below/e cat /tmp/setting" "$1"' >/tmp/editor; chmod +x /tmp/editor""")
            box.say(f"{before}; SYSTEMD_EDITOR=/tmp/editor script -qec '{command}' /dev/null")
        else:
            box.say(f'{before}; {found["fix"]}')
        self.await_(f'the end of {found}', lambda: self.finding(check, *ask)['severity'] == 'ok')
        return found

    def test_doctor_says_why_the_service_does_not_start_and_its_fix_mends_that(self):
        box.say('ringway topic create t && seq 1 1000 | ringway produce t')
        box.say('echo "limits.topic = 1" >/etc/ringway/ringwayd.toml; systemctl restart ringwayd || :')
        told = "did you mean 'limits.topics'?"
        # Its rings are in the service manager's store, which is not to be ended.
        orphans = self.finding('orphaned_memory')
        self.assertIn("in the service manager's store", orphans['what'])
        self.assertNotIn('kill', orphans['fix'])
        said = box.say('ringway status --timeout 1s', status=6)
        self.assertIn(told, said)
        self.assertIn('vi} /etc/ringway/ringwayd.toml && systemctl restart ringwayd', said)
        # Who may not read the journal is told by the file.
        self.assertIn(told, self.finding('service', 'su alice -c "ringway doctor --output json"')['what'])
        found = self.carry_out('service', before='export EDITOR="sed -i s/topic/topics/"')
        self.assertIn(told, found['what'])
        self.assertEqual(self.finding('orphaned_memory')['severity'], 'ok')
        box.say('ringway consume t -o start -e -f "%v\\n" | cmp - <(seq 1 1000)')

    def test_fixes_of_doctor_that_are_carried_out_make_its_findings_go(self):
        box.say('systemctl start ringwayd')
        box.say(f'kill -STOP {self.pid()}')
        self.assertEqual(self.carry_out('service')['fix'], f'kill -CONT {self.pid()}')
        box.say('systemctl stop ringwayd.socket ringwayd.service')
        self.assertEqual(self.carry_out('service')['fix'], 'systemctl start ringwayd')
        self.override_early('LimitNOFILE=256')
        self.assertRegex(self.carry_out('descriptors')['fix'],
                         '^systemctl edit ringwayd && systemctl restart ringwayd  # ')
        self.override_early('LimitMEMLOCK=64K', 'Environment=RINGWAYD_LIMITS_MEMORY=64TiB')
        self.carry_out_setting('locked_memory', 'LimitMEMLOCK=64M')
        self.carry_out_setting('memory', 'Environment=RINGWAYD_LIMITS_MEMORY=[0-9]+MiB')

    def test_a_descriptor_store_that_is_nearly_full_is_given_more(self):
        self.override_early('FileDescriptorStoreMax=16')
        box.say('for n in 1 2 3 4 5; do ringway topic create t$n --ring 64KiB; done')
        self.carry_out_setting('descriptor_store', 'FileDescriptorStoreMax=64')

    def test_limits_of_a_group_are_found_and_raised_where_they_are(self):
        self.override_early('TasksMax=12', 'CPUQuota=50%', 'MemoryMax=512M', 'Environment=RINGWAYD_LIMITS_MEMORY=1GiB')
        self.carry_out_setting('tasks', 'TasksMax=[0-9]+')
        self.assertIn('50 % of a processor', self.carry_out_setting('cpu_quota', 'CPUQuota=')['what'])
        self.assertRegex(self.carry_out_setting('memory', 'Environment=RINGWAYD_LIMITS_MEMORY=[0-9]+MiB')['what'],
                         'ringwayd.service/memory.')

    def test_a_socket_that_a_dead_one_left_is_taken_over_by_doctors_fix(self):
        box.say('systemctl stop ringwayd.socket ringwayd.service; mkdir /run/ringway; python3 -c \'import socket;'
                ' socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET).bind("/run/ringway/control.sock")\'')
        self.assertRegex(self.carry_out('stale_sockets')['fix'], '^systemctl restart ringwayd  # takes its place')

    def test_a_bus_that_would_go_with_its_users_session_stays_behind_doctors_fix(self):
        as_alice = 'runuser -u alice -- env XDG_RUNTIME_DIR=/run/user/$(id -u alice)'
        self.addCleanup(box.say, 'loginctl disable-linger alice; systemctl stop user@$(id -u alice); rm -rf /home/alice')
        box.say('mkdir -p /home/alice && chown alice /home/alice && systemctl start user@$(id -u alice)')
        box.say(f'systemctl stop ringwayd.socket ringwayd.service; {as_alice} systemctl --user start ringwayd')
        found = self.carry_out('logout', f'{as_alice} ringway doctor --output json')
        self.assertEqual(found['fix'], 'loginctl enable-linger alice')

    def test_a_socket_whose_file_was_removed_is_made_again_and_the_rings_live_on(self):
        box.say('ringway topic create t --sync never && echo one | ringway produce t')
        adopted = len(self.events('ring_adopted'))
        box.say('rm /run/ringway/control.sock')
        said = box.say('ringway status', status=1)
        self.assertIn('control.sock was removed', said)
        self.assertEqual(self.carry_out('service')['fix'], 'systemctl restart ringwayd.socket')
        self.assertEqual(box.say('ringway consume t -o start -e'), 'one\n')
        self.assertEqual(len(self.events('ring_adopted')) - adopted, 1)

    def test_metrics_that_are_not_served_are_behind_doctors_fix(self):
        box.say('mkdir -p /etc/ringway && echo metrics_listen = \\"127.0.0.1:9464\\" >/etc/ringway/ringwayd.toml'
                ' && ip link set lo up && systemctl start ringwayd')
        # The unit keeps the port from it, and then somebody else does.
        self.assertRegex(self.carry_out('service')['fix'], r'^systemctl edit ringwayd && .* PrivateNetwork=no and, below it, ')
        other = box.start('exec python3 -c "import socket, sys; s = socket.create_server((\'127.0.0.1\', 9465)); '
                          'print(1, flush=True); sys.stdin.read()"', stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(other.communicate)
        other.stdout.readline()
        box.say('sed -i s/9464/9465/ /etc/ringway/ringwayd.toml && systemctl restart ringwayd')
        found = self.carry_out('service', before='export EDITOR="sed -i s/9465/9466/"')
        self.assertEqual(found['fix'], '${EDITOR:-vi} /etc/ringway/ringwayd.toml && systemctl restart ringwayd'
                         '  # another metrics_listen')
        self.assertIn('ringway_build_info{', box.say('curl -s http://127.0.0.1:9466/metrics'))

    def test_what_the_installed_readme_links_to_is_installed(self):
        linked = box.say(r"cd /usr/local/share/doc/ringway && grep -oP '\]\(\K[^)#]+' README.md | sort -u"
                         ' | xargs ls -d').splitlines()
        self.assertIn('lib/log/README.md', linked)

    def test_a_kernel_that_does_not_prove_who_connects_is_no_finding(self):
        def findings():
            return {each['check'] for each in json.loads(box.outcome('ringway doctor --output json')[1])['findings']
                    if each['fix']}
        box.say('systemctl start ringwayd')
        before = findings()
        self.drop_in('Environment=RINGWAY_WITHOUT=peerpidfd')
        box.say('systemctl restart ringwayd')
        self.assertIn('peerpidfd', box.say('ringway status'))
        self.assertEqual(findings(), before)

    def test_what_a_filter_of_the_unit_refuses_is_allowed_and_nothing_else(self):
        self.override_early('SystemCallFilter=~io_uring_setup membarrier')
        before = self.property('SystemCallFilter').split()
        for check, call in (('io_uring', 'io_uring_setup'), ('membarrier', 'membarrier')):
            self.assertEqual(self.carry_out(check)['fix'], 'systemctl edit ringwayd && systemctl restart ringwayd  # '
                             f'[Service] SystemCallFilter={call}')
            before.append(call)
        self.assertEqual(sorted(self.property('SystemCallFilter').split()), sorted(before))

    def test_what_the_environment_asks_to_do_without_is_used_again(self):
        self.override_early('Environment=RINGWAY_WITHOUT=io_uring,membarrier')
        self.carry_out('membarrier')
        self.assertEqual(self.finding('io_uring')['severity'], 'ok')

    def test_a_unit_without_a_filter_is_given_none(self):
        """Of its user's service manager, which sees another one's filter on it."""
        user = 'runuser -u alice -- env XDG_RUNTIME_DIR=/run/user/$(id -u alice)'
        drop_in = '/etc/systemd/system/user@.service.d'
        self.addCleanup(box.say, f'systemctl stop user@$(id -u alice); rm -rf /home/alice {drop_in}; systemctl daemon-reload')
        box.say(f'mkdir -p /home/alice {drop_in} && chown alice /home/alice'
                f' && printf "[Service]\nSystemCallFilter=~membarrier\nSystemCallErrorNumber=EPERM\n" >{drop_in}/test.conf'
                ' && systemctl daemon-reload && systemctl start user@$(id -u alice)')
        box.say(f'systemctl stop ringwayd.socket ringwayd.service; {user} systemctl --user start ringwayd')
        found = self.finding('membarrier', f'{user} ringway doctor --output json')
        self.assertEqual(found['severity'], 'warning', found)
        self.assertTrue(found['fix'].startswith('allow membarrier in the seccomp profile'), found)

    def test_the_fix_for_a_full_disk_makes_room_on_a_small_one(self):
        self.disk_of_its_own('24M')
        box.say("mkdir -p /etc/ringway && echo 'disk.keep_free = \"0%\"' >/etc/ringway/ringwayd.toml")
        box.say('ringway topic create small --ring 256KiB --segment 1MiB && seq 10 | ringway produce small')
        box.say('ringway topic create t --ring 256KiB --segment 1MiB && seq 100000 | ringway produce t --wait durable')
        box.say('dd if=/dev/zero of=/var/lib/ringway/filler bs=4K status=none', status=1)
        producer = box.start('seq 100001 130000 | ringway produce t --wait durable', stderr=subprocess.PIPE)
        self.addCleanup(producer.communicate)
        self.addCleanup(box.run, 'rm -f /var/lib/ringway/filler; pkill -KILL -x ringway')
        self.await_status("Serving 2 topics, 1 client; degraded: topic 't' partition 0: disk_full")
        fix = self.finding('disk_room')['fix']
        self.assertRegex(fix, '^ringway topic trim t --before end  # deletes [0-9.]+ MiB')
        # On a terminal it asks.
        found = self.carry_out('service', before='ringway() { command ringway "$@" --yes; }')
        self.assertEqual(found['fix'], fix)
        said = producer.communicate(timeout=PATIENCE_SECONDS)[1]
        self.assertEqual(producer.returncode, 0, said)
        self.assertEqual(self.finding('disk_room')['severity'], 'ok')

    def test_a_fix_names_the_unit_of_the_bus_that_is_meant(self):
        self.addCleanup(box.say, 'systemctl stop ringwayd@lab.socket ringwayd@lab.service'
                        ' user@$(id -u alice); rm -rf /var/lib/ringway-lab /home/alice')
        box.say('systemctl start ringwayd@lab && systemctl stop ringwayd@lab.socket ringwayd@lab.service')
        lab = 'ringway doctor --output json --socket /run/ringway-lab/control.sock'
        self.assertEqual(self.carry_out('service', lab)['fix'], 'systemctl start ringwayd@lab')
        box.say('mkdir -p /home/alice && chown alice /home/alice && systemctl start user@$(id -u alice)')
        as_alice = 'runuser -u alice -- env XDG_RUNTIME_DIR=/run/user/$(id -u alice)'
        box.say('systemctl stop ringwayd.socket')  # whose bus is everybody's who has no other
        ask = f'{as_alice} ringway doctor --output json'
        self.assertEqual(self.carry_out('service', ask, before=f'systemctl() {{ {as_alice} systemctl "$@"; }}')['fix'],
                         'systemctl --user start ringwayd')

    def test_a_lost_file_of_the_log_is_no_news_behind_doctors_fix(self):
        box.say('systemctl start ringwayd && ringway topic create t --ring 64KiB --segment 1MiB'
                ' && seq 100000 | ringway produce t --wait durable && rm $(ls /var/lib/ringway/topics/*/0/*.log | sed -n 2p)')
        box.say('ringway consume t -o start -e >/dev/null', status=1)
        box.say('ringway status', status=5)
        self.assertIn('is gone', self.carry_out('service')['what'])
        box.say('ringway status')
        said = box.say('ringway consume t -o start -e 2>&1 >/dev/null', status=1)
        self.assertIn('lost on disk', said)

    def test_a_repair_names_the_unit_that_is_to_stop(self):
        self.addCleanup(box.say, 'systemctl stop ringwayd@lab.socket ringwayd@lab.service; rm -rf /var/lib/ringway-lab')
        box.say('systemctl start ringwayd ringwayd@lab && ringway topic create t'
                ' && ringway topic create t --socket /run/ringway-lab/control.sock')
        for name, unit in (('ringway', 'ringwayd'), ('ringway-lab', 'ringwayd@lab')):
            said = box.say(f'ringway log repair t --yes --state-dir /var/lib/{name} 2>&1', status=1)
            stop = re.search(r'stop it first: (.*)', said)[1]
            self.assertEqual(stop, f'systemctl stop {unit}.socket {unit}.service')
            box.say(f'{stop} && ringway log repair t --yes --state-dir /var/lib/{name}')

    def test_doctor_outside_takes_no_living_supervisor_in_here_for_dead(self):
        box.say('ringway topic create t')
        inner = self.pid()
        statuses = pathlib.Path('/proc').glob('[0-9]*/status')
        seen = subprocess.run(['grep', '-lsP', rf'^NSpid:.*\t{inner}$', *statuses], capture_output=True, text=True,
                              check=False).stdout
        outer = [path.split('/')[2] for path in seen.splitlines()]
        self.assertTrue(outer)
        said = subprocess.run([os.environ['RINGWAY'], 'doctor', '--output', 'json'], capture_output=True, text=True,
                              check=False, timeout=PATIENCE_SECONDS).stdout
        for finding in json.loads(said)['findings']:
            if finding['check'] == 'orphaned_memory':  # of others there may be some
                self.assertNotRegex(finding['what'], rf'supervisor {inner}\b|pid ([0-9]+ )*({"|".join(outer)})\b')

    def test_a_user_publishes_another_consumes_and_a_third_is_refused(self):
        box.say('ringway topic create orders --write alice --read bob')
        box.say('su alice -c "seq 1 10 | ringway produce orders"')
        box.say('su bob -c "ringway consume orders -o start -e -f %v\\\\\\\\n" | cmp - <(seq 1 10)')
        box.say('useradd carol; su carol -c "ringway consume orders -o start -e"', status=4)
        looked_at = json.loads(box.say('su bob -c "ringway inspect orders --output json" 2>/dev/null'))
        self.assertEqual(looked_at['partitions'][0]['committed'], 10)
        self.assertIn('orders', box.say('su carol -c "ringway inspect orders"', status=4))


if __name__ == '__main__':
    unittest.main()
