"""A project that has the tree as a Meson subproject: its program is built, with Meson's own defaults, and publishes."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tests' / 'support'))
from on_a_bus import OnABus

PROJECT = '''
project('p', 'cpp', default_options: ['cpp_std=c++20'])
executable('p', 'p.cpp', dependencies: dependency('ringway', fallback: 'ringway'))
'''
PROGRAM = '''
#include <ringway/ringway.hpp>
int main() {
  return ringway::Bus::connect().producer("t").publish("x").status == ringway::Status::ok ? 0 : 1;
}
'''


class Subproject(OnABus):
    def test_a_program_is_built_with_the_tree_as_a_subproject(self):
        self.create()
        with tempfile.TemporaryDirectory(prefix='ringway-subproject-') as name:
            directory = pathlib.Path(name)
            (directory / 'subprojects').mkdir()
            (directory / 'subprojects' / 'ringway').symlink_to(ROOT)
            (directory / 'meson.build').write_text(PROJECT)
            (directory / 'p.cpp').write_text(PROGRAM)
            for command in (['meson', 'setup', 'build'], ['ninja', '-C', 'build', 'p'], ['build/p']):
                done = subprocess.run(command, cwd=directory, env=self.bus.env, text=True,
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
                self.assertEqual(done.returncode, 0, done.stdout[-5000:])
        self.assertEqual(self.bus.run('consume', 't', '-o', 'start', '-e'), b'x\n')


if __name__ == '__main__':
    unittest.main()
