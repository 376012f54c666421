"""The Debian packages: built, looked at by lintian, installed, upgraded, removed and purged under a real systemd."""

import json
import pathlib
import subprocess
import sys
import unittest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / part) for part in ('packaging', 'systemd', 'support')]
import packages
from box import Box, why_not
from traffic import Traffic

PROGRAM = '''
#include <ringway/ringway.hpp>
int main() {
  auto bus = ringway::Bus::connect();
  bus.create_topic("built");
  return bus.producer("built").publish("x").status == ringway::Status::ok ? 0 : 1;
}
'''

EMBEDDED = """
#include <ringway/embedded.hpp>
int main() {
  ringway::Embedded own;
  auto bus = own.connect();
  bus.create_topic("t", {});
  return bus.producer("t").publish("x").status == ringway::Status::ok ? 0 : 1;
}
"""
LAB = '--socket /run/ringway-lab/control.sock'

box = None


def setUpModule():
    global box
    reason = why_not()
    if reason:
        raise unittest.SkipTest(reason)
    box = Box(disk=False, root=packages.clean_root())  # what is purged is no mount
    unittest.addModuleCleanup(box.close)


class Debian(unittest.TestCase):
    def setUp(self):
        self.addCleanup(box.say, f'dpkg --purge {" ".join(packages.NAMES)} && apt-get autopurge')

    def install(self):
        packages.install(box, *packages.NAMES)

    def status(self):
        return json.loads(box.say('ringway status --output json'))

    def events(self, name, unit='ringwayd'):
        return len(box.say(f'journalctl -q -u {unit} -o cat RINGWAY_EVENT={name}').splitlines())

    def test_lintian_finds_no_error(self):
        said = subprocess.run(['lintian', '--fail-on', 'error', *packages.built().glob('*.deb')], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual(said.returncode, 0, said.stdout)

    def test_installed_it_serves_and_an_upgrade_under_traffic_is_one_restart_that_leaves_the_rings(self):
        self.install()
        box.say('systemctl is-enabled ringwayd ringwayd.socket && systemctl is-active ringwayd')
        box.say('cd /usr/share/doc/ringway && test -f README.md && test -f daemon/README.md && test -f daemon/TUNING.md'
                r" && cd daemon && grep -oh '](units/[^)]*' *.md | cut -c 3- | xargs ls")
        box.say('systemctl enable --now ringwayd@lab.socket'
                f' && ringway topic create kept {LAB} && seq 1000 | ringway produce kept {LAB}')
        self.addCleanup(box.say, 'systemctl disable --now ringwayd@lab.socket; systemctl stop ringwayd@lab;'
                                 ' rm -rf /var/lib/ringway-lab')
        traffic = Traffic(self, box)
        packages.next_version(box, '/tmp/upgrade')
        self.addCleanup(box.say, 'rm -r /tmp/upgrade')
        before = {event: self.events(event) for event in ('left', 'serving', 'ring_adopted')}
        seen = traffic.lines()
        box.say('apt-get install /tmp/upgrade/*.deb')
        self.assertGreater(traffic.lines(), seen)
        self.assertEqual(self.status()['version'], packages.NEXT)
        # The clients from before the upgrade, which go on, and who asks.
        self.assertEqual(sorted(session['version'] for session in self.status()['sessions']), ['0.1.0', '0.1.0', packages.NEXT])
        traffic.check_whole()
        for event, count in before.items():
            self.assertEqual(self.events(event) - count, 1, event)
        self.assertEqual(box.say('systemctl show ringwayd -p NRestarts --value').strip(), '0')  # none but for the upgrade
        self.assertIn('+next', box.say("dpkg-query -W -f '${Version}' ringway libringway0"))
        self.assertEqual(self.events('ring_adopted', unit='ringwayd@lab'), 1)
        self.assertEqual(box.say('readlink /proc/$(systemctl show ringwayd@lab -p MainPID --value)/exe').strip(), '/usr/bin/ringwayd')
        box.say(f'ringway consume kept -o start -e {LAB} | cmp - <(seq 1000)')

    def test_removed_it_leaves_the_log_and_purged_nothing(self):
        before = packages.places(box)
        self.install()
        uid, gid = box.say('id -u ringway && id -g ringway').split()
        box.say('ringway topic create t && seq 1 1000 | ringway produce t')
        box.say('apt-get remove ringway')
        box.say('systemctl is-active ringwayd.socket ringwayd', status=3)
        box.say('test -f /var/lib/ringway/catalog.db && ! test -e /run/ringway')
        self.install()
        box.say('ringway consume t -o start -e -f "%v\\n" | cmp - <(seq 1 1000)')
        # What an operator adds by the manual.
        box.say('useradd watcher && gpasswd --add watcher ringway')
        self.addCleanup(box.say, 'userdel watcher')
        box.say('mkdir -p /etc/systemd/system/ringwayd.service.d && cd /usr/share/doc/ringway/examples'
                ' && cp metrics-port.conf /etc/systemd/system/ringwayd.service.d && systemctl daemon-reload'
                ' && echo "limits.topics = 10" >/etc/ringway/ringwayd.toml && systemctl restart ringwayd'
                ' && systemctl enable --now ringwayd@lab.socket'
                f' && ringway topic create t {LAB}')
        box.say('apt-get remove ringway')
        box.say('systemctl is-active ringwayd@lab.socket', status=3)
        self.install()
        box.say(f'systemctl is-active ringwayd@lab.socket && ringway topic describe t {LAB}')
        box.say(f'apt-get autopurge {" ".join(packages.NAMES)}')
        self.assertEqual(box.say('getent passwd ringway; getent group ringway; pgrep -x ringwayd; :'), '')
        self.assertEqual(box.say(f'find / -xdev \\( -uid {uid} -o -gid {gid} \\) -print;'
                                 f' find /run /tmp /dev/shm \\( -uid {uid} -o -gid {gid} \\) -print'), '')
        self.assertEqual(packages.places(box) - before, set())

    def test_purged_it_empties_a_disk_that_is_mounted_for_it(self):
        self.install()
        box.say('systemctl stop ringwayd.socket ringwayd && mount -t tmpfs -o size=64m disk /var/lib/ringway'
                ' && systemctl start ringwayd && ringway topic create t --segment 1MiB')
        self.addCleanup(box.say, 'umount /var/lib/ringway && rm -r /var/lib/ringway')
        self.assertIn('/var/lib/ringway', box.say('apt-get purge ringway'))
        self.assertEqual(box.say('ls -A /var/lib/ringway'), '')

    def test_programs_are_built_against_it(self):
        self.install()
        box.say('apt-get install g++ cmake pkgconf', patience=600)
        box.say(f"mkdir -p /tmp/p && cd /tmp/p && cat >program.cpp <<'E'\n{PROGRAM}\nE\n"
                'c++ -std=c++20 program.cpp $(pkg-config --cflags --libs ringway) -o by-pkg-config'
                ' && ./by-pkg-config && ringway topic delete built --yes'
                " && printf 'cmake_minimum_required(VERSION 3.25)\\nproject(p CXX)\\nfind_package(ringway 0.1 REQUIRED)"
                "\\nadd_executable(p program.cpp)\\ntarget_link_libraries(p ringway::ringway)\\n' >CMakeLists.txt"
                ' && cmake -B by-cmake . && cmake --build by-cmake && by-cmake/p && ringway topic delete built --yes')

    def test_a_program_has_a_supervisor_of_its_own(self):
        self.install()
        box.say('apt-get install g++ cmake pkgconf && systemctl stop ringwayd.socket ringwayd', patience=600)
        box.say(f"mkdir -p /tmp/e && cd /tmp/e && cat >program.cpp <<'E'\n{EMBEDDED}\nE\n"
                'c++ -std=c++20 program.cpp $(pkg-config --cflags --libs ringway-embedded) -o by-pkg-config && ./by-pkg-config'
                " && printf 'cmake_minimum_required(VERSION 3.25)\\nproject(e CXX)\\nfind_package(ringway 0.1 REQUIRED)"
                "\\nadd_executable(e program.cpp)\\ntarget_link_libraries(e ringway::embedded)\\n' >CMakeLists.txt"
                ' && cmake -B by-cmake . && cmake --build by-cmake && by-cmake/e')

    def test_the_names_of_the_library_have_a_version(self):
        self.install()
        self.assertIn('RINGWAY_0', box.say('objdump -p /usr/lib/*/libringway.so.0 | sed -n "/Version definitions/,$ p"'))


if __name__ == '__main__':
    unittest.main()
