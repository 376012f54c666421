"""The README's program compiles, links against the library as installed, and does what it says."""
import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tests' / 'support'))
from bus import Bus  # noqa: E402


class Readme(unittest.TestCase):
    def test_the_program_builds_and_runs(self):
        text = (ROOT / 'README.md').read_text()
        program = re.search(r'```cpp\n(.*?)```', text, re.DOTALL).group(1)
        with tempfile.TemporaryDirectory() as directory:
            source, binary = Path(directory, 'program.cpp'), Path(directory, 'program')
            source.write_text(program)
            library = Path(os.environ['RINGWAY_LIBRARY'])
            subprocess.run([*os.environ['CXX'].split(), '-std=c++20', '-Wall', '-Wextra', '-Werror',
                            '-Wno-missing-field-initializers', f'-I{ROOT}/lib/include', source,
                            '-o', binary, f'-L{library.parent}', '-lringway',
                            f'-Wl,-rpath,{library.parent}'], check=True)
            with Bus() as bus:
                ran = subprocess.run([binary], env={**os.environ, 'RINGWAY_SOCKET': str(bus.socket)},
                                     check=True, capture_output=True, text=True)
        lines = ran.stdout.splitlines()
        self.assertEqual([line.split(' ', 1)[1] for line in lines], ['ACME 7 bytes', 'ACME 8 bytes'])

    def test_pkg_config_asks_for_no_other_package(self):
        packages = Path(os.environ['RINGWAY_LIBRARY']).parents[1] / 'meson-private'
        for name in ('ringway', 'ringway-embedded'):
            with self.subTest(package=name):
                subprocess.run(['pkg-config', '--cflags', '--libs', name],
                               env={**os.environ, 'PKG_CONFIG_PATH': '', 'PKG_CONFIG_LIBDIR': str(packages)}, check=True,
                               stdout=subprocess.DEVNULL)

    def test_the_libraries_show_only_what_public_headers_name(self):
        headers = '\n'.join(path.read_text() for path in (ROOT / 'lib/include/ringway').iterdir())
        defined = set(re.findall(r'(?:class|struct) (\w+)(?: final)?(?: :[^;{]*)? {', headers))
        functions = set(re.findall(r'\b(\w+)\(', headers))
        for variable, name in (('RINGWAY_LIBRARY', 'Producer'), ('RINGWAY_EMBEDDED', 'Embedded')):
            with self.subTest(library=os.environ[variable]):
                listed = subprocess.run(['nm', '--dynamic', '--defined-only', '--demangle', os.environ[variable]], check=True,
                                        stdout=subprocess.PIPE, text=True).stdout.splitlines()
                symbols = [line.split(' ', 2)[2] for line in listed if not line.endswith(' A RINGWAY_0')]
                own = re.compile(r'(?:[\w ]+ for )?ringway::(\w+)')
                self.assertEqual([symbol for symbol in symbols if not own.match(symbol)], [])
                shown = {own.match(symbol)[1] for symbol in symbols}
                self.assertIn(name, shown)
                self.assertEqual(shown - defined - functions, set())

    def test_a_build_for_another_kind_of_machine_is_refused(self):
        with tempfile.TemporaryDirectory() as directory:
            machine = Path(directory) / 'machine'
            machine.write_text(f"[binaries]\ncpp = {os.environ['CXX'].split()!r}\n[host_machine]\nsystem = 'linux'\n"
                               "cpu_family = 's390x'\ncpu = 's390x'\nendian = 'big'\n")
            refused = subprocess.run(['meson', 'setup', '--cross-file', machine, directory + '/build', ROOT],
                                     capture_output=True, text=True)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn('Ringway needs a 64-bit little-endian Linux; this build is for linux on s390x', refused.stdout)

    def test_who_asks_pkg_config_is_given_no_definitions_of_other_libraries(self):
        packages = Path(os.environ['RINGWAY_LIBRARY']).parents[1] / 'meson-private'
        for name in ('ringway', 'ringway-embedded'):
            with self.subTest(package=name):
                flags = subprocess.run(['pkg-config', '--cflags', name], env={**os.environ, 'PKG_CONFIG_PATH': str(packages)},
                                       check=True, capture_output=True, text=True).stdout.split()
                self.assertEqual([flag for flag in flags if flag.startswith('-D')], [])
                linked = subprocess.run(['pkg-config', '--libs', name], env={**os.environ, 'PKG_CONFIG_PATH': str(packages)},
                                        check=True, capture_output=True, text=True).stdout.split()
                self.assertIn(f'-l{name}', linked)


if __name__ == '__main__':
    unittest.main()
