"""tools/packages.bash against a dpkg-query and an apt-get that only pretend."""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import textwrap
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIBRARY = ROOT / 'tools/packages.bash'
POLICY = '#!/bin/sh\nexit 42\n'


class Packages(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.place = pathlib.Path(directory.name)
        self.place.chmod(0o755)
        self.bin, self.policy = self.place / 'bin', self.place / 'sbin/policy-rc.d'
        self.script = shutil.copy(LIBRARY, self.place)  # where another user may read it
        self.bin.mkdir()
        self.policy.parent.mkdir()
        self.fake('dpkg-query', "printf 'installed here\\ninstalled second\\nconfig-files gone\\n'")
        self.fake('sudo', 'exit 1')
        self.apt('true')

    def fake(self, name, body):
        path = self.bin / name
        path.write_text(f'#!/bin/bash\n{textwrap.dedent(body)}\n')
        path.chmod(0o755)

    def apt(self, install, plan='Inst absent (1.0 Debian:12 [amd64])', second=None):
        self.fake('apt-get', f'''
            echo "$*" >>{self.place}/calls
            case "$*" in
              *update*) ;;
              *--simulate*--target-release*) echo '{second or plan}' ;;
              *--simulate*) echo '{plan}' ;;
              *) sh {self.policy}; echo $? >{self.place}/policy_status; {install} ;;
            esac''')

    def calls(self):
        calls = self.place / 'calls'
        return calls.read_text().splitlines() if calls.exists() else []

    def bash(self, script, as_nobody=False):
        drop = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] \
            if as_nobody and os.geteuid() == 0 else []
        return subprocess.run(
            [*drop, 'bash', '-c',
             f'set -euo pipefail; source {self.script}; policy_rc_d={self.policy}\n{script}'],
            env={'PATH': f'{self.bin}:/usr/sbin:/usr/bin:/sbin:/bin', 'HOME': '/nonexistent'},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)

    def assert_services_were_held(self):
        self.assertEqual((self.place / 'policy_status').read_text(), '101\n')

    def test_nothing_missing_does_nothing(self):
        done = self.bash("some_packages=(here 'first|second'); require_packages some")
        self.assertEqual((done.returncode, done.stdout, self.calls()), (0, '', []))

    def test_missing_are_named_by_their_first_alternative(self):
        done = self.bash("missing_packages here 'absent|other' gone 'first|second'")
        self.assertEqual(done.stdout.split(), ['absent', 'gone'])

    def test_without_root_the_apt_line_is_printed(self):
        done = self.bash('some_packages=(here absent gone); require_packages some', as_nobody=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn('apt-get update && apt-get install --yes --no-install-recommends --no-upgrade '
                      '--no-remove absent gone\n', done.stderr)
        self.assertEqual(self.calls(), [])

    def test_what_will_be_installed_is_shown_and_services_are_held(self):
        done = self.bash('install_packages absent')
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout, 'To be installed:\n  absent\n')
        self.assert_services_were_held()
        self.assertEqual(list(self.policy.parent.iterdir()), [])

    def test_a_policy_that_was_there_comes_back_as_it_was(self):
        self.policy.write_text(POLICY)
        self.policy.chmod(0o750)
        before = self.policy.stat()
        self.assertEqual(self.bash('install_packages absent').returncode, 0)
        self.assert_services_were_held()
        after = self.policy.stat()
        self.assertEqual((after.st_ino, after.st_mode, after.st_mtime_ns),
                         (before.st_ino, before.st_mode, before.st_mtime_ns))
        self.assertEqual(list(self.policy.parent.iterdir()), [self.policy])

    def test_a_policy_comes_back_when_apt_fails(self):
        self.policy.write_text(POLICY)
        self.apt('exit 100')
        self.assertEqual(self.bash('install_packages absent').returncode, 100)
        self.assert_services_were_held()
        self.assertEqual(self.policy.read_text(), POLICY)

    def test_a_policy_comes_back_after_a_signal(self):
        self.policy.write_text(POLICY)
        for signal, status in (('HUP', 129), ('INT', 130), ('TERM', 143)):
            with self.subTest(signal=signal):
                self.apt(f'kill -{signal} $PPID')
                self.assertEqual(self.bash('install_packages absent').returncode, status)
                self.assertEqual(self.policy.read_text(), POLICY)

    def test_what_a_killed_run_left_is_put_right(self):
        self.policy.write_text(POLICY)
        self.bash('hold_services; kill -9 $$')
        self.assertNotEqual(self.policy.read_text(), POLICY)
        self.assertEqual(self.bash('install_packages absent').returncode, 0)
        self.assertEqual(self.policy.read_text(), POLICY)

    def test_without_a_policy_a_killed_run_leaves_none_to_the_next(self):
        self.bash('hold_services; kill -9 $$')
        self.assertTrue(self.policy.exists())
        self.assertEqual(self.bash('install_packages absent').returncode, 0)
        self.assertEqual(list(self.policy.parent.iterdir()), [])

    def test_an_upgrade_is_refused_and_named(self):
        self.apt('true', plan='Inst libold [1.0] (2.0 Debian:12 [amd64])')
        done = self.bash('install_packages absent')
        self.assertEqual(done.returncode, 1)
        self.assertIn('libold 1.0 -> 2.0', done.stderr)
        self.assertFalse((self.place / 'policy_status').exists())

    def test_what_is_installed_takes_the_version_of_what_is_here(self):
        self.apt('true', plan='Inst libold [1.0] (2.0 Debian:12 [amd64])')
        self.fake('apt-cache', '[[ $* == "show libold-dev=1.0" ]] && echo Package: libold-dev; true')
        (self.bin / 'apt-get').rename(self.bin / 'newest')
        self.fake('apt-get', f"""
            case "$*" in
              *--simulate*" other libold-dev=1.0") echo 'Inst other (3.0 Debian:12 [amd64])' ;;
              *) exec {self.bin}/newest "$@" ;;
            esac""")
        done = self.bash('install_packages other libold-dev')
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(self.calls()[-1], '^install .*--no-upgrade .* other libold-dev=1.0$')

    def test_continuous_integration_upgrades_what_must_be(self):
        self.apt('true', plan='Inst absent (1.0 Debian:12 [amd64])\nInst libold [1.0] (2.0 Debian:12 [amd64])')
        self.fake('apt-cache', 'true')
        done = self.bash('CI=true install_packages absent')
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn('To be installed:\n  absent libold\n', done.stdout)
        self.assertRegex(self.calls()[-1], '^install (?!.*--no-upgrade).* absent$')

    def test_the_plain_release_is_taken_where_a_newer_one_would_upgrade(self):
        self.apt('true', plan='Inst libold [1.0] (2.0 Debian:12 [amd64])',
                 second='Inst absent (1.0 Debian:12 [amd64])')
        done = self.bash('install_packages absent')
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(self.calls()[-1], '--target-release=[a-z]+ .*absent$')

    def test_the_build_of_debian_packages_begins_with_what_is_missing(self):
        tree = self.place / 'tree/tools'
        (tree / 'packaging').mkdir(parents=True)
        shutil.copy(LIBRARY, tree)
        build = shutil.copy(ROOT / 'tools/packaging/build', tree / 'packaging')
        done = self.bash(f'{build} {self.place}/packages', as_nobody=True)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, 'Packages missing here: .*meson.*debhelper')
        self.assertFalse((self.place / 'packages').exists())

    def test_all_that_debian_packages_are_built_with_is_installed_for_them(self):
        control = (ROOT / 'tools/packaging/debian/control').read_text()
        named = re.sub(r'\s*\([^)]*\)', '', re.search(r'^Build-Depends: ((?:.*\n )*.*)', control, re.MULTILINE)[1])
        installed = self.bash('printf "%s\\n" "${build_packages[@]}" "${packaging_packages[@]}"').stdout.splitlines()
        self.assertEqual({package.strip().replace('debhelper-compat', 'debhelper').replace(' | ', '|')
                          for package in named.split(',')} - set(installed), set())


if __name__ == '__main__':
    unittest.main()
