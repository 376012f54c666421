"""The tree keeps its shape: places, names, layers, public headers, links, what the build knows."""

import functools
import os
import pathlib
import re
import shlex
import subprocess
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
CODE = ('lib', 'daemon', 'tools', 'tests')
TOP = {*CODE, 'meson.build', 'meson_options.txt', 'README.md', 'CHANGELOG.md', 'LICENSE', '.ci',
       '.clang-format', '.clang-tidy', '.editorconfig', '.gitignore'}
IGNORED = re.compile(r'build.*|\.git|\.cache|compile_commands\.json|__pycache__')
NO_CONCEPT = {'util', 'utils', 'helper', 'helpers', 'common', 'misc', 'manager', 'core', 'impl'}

LAYERS = ('layout', 'shm', 'ring', 'storage', 'log', 'control', 'client')
STATUS, ERROR = 'ringway/status.hpp', 'ringway/error.hpp'
# What each layer may include beside itself: layers, and public headers by name.
BELOW = {
    'layout': set(),
    'shm': {'layout', STATUS, ERROR},
    'ring': {'layout', STATUS},
    'storage': {ERROR},
    'log': {'layout', 'storage', STATUS, ERROR},
    'control': {'layout', 'shm', STATUS, ERROR, 'ringway/topic.hpp'},
    'client': {*LAYERS, 'ringway'},
    'daemon': {*LAYERS, 'ringway'},
    'tools': {*LAYERS, 'ringway'},
}
# A program of the build, which is not installed: the manual is about the daemon, too.
ABOVE = {'tools/man': {'daemon'}}
# Where the files of a directory, and of those below it that have no list of their own, are listed.
LISTS = {'daemon': 'daemon/INSIDE.md',
         **{place: f'{place}/README.md' for place in ('lib', 'tools', 'tests', 'tests/bench', 'tests/fixtures',
                                                      'tests/model')}}
# Tests say in their names what holds; a verb's file is called like the verb, a public header like what it declares.
SPEAKS_FOR_ITSELF = re.compile(r'^tests/.*(_test\.cpp|/test_\w+\.py)$|^tools/verbs/|^lib/include/')
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)


def files(*places, suffixes):
    return [path for place in places for path in sorted((ROOT / place).rglob('*'))
            if path.suffix in suffixes and path.is_file()]


def includes(path):
    return [(match[1], match[2]) for match in INCLUDE.finditer(path.read_text())]


def relative(path):
    return str(path.relative_to(ROOT))


def is_source(path):
    if not path.is_file() or '__pycache__' in path.parts:
        return False
    if path.suffix:
        return path.suffix in ('.cpp', '.hpp', '.h', '.py', '.pml')
    with path.open('rb') as file:
        return file.read(2) == b'#!'


@functools.cache
def listed(document):
    """Its words in blocks and between backquotes, `*_name` for every name that ends so."""
    text = document.read_text()
    found = re.findall(r'^    .*', text, re.MULTILINE) + re.findall(r'`([^`\n]+)`', text)
    return set(re.findall(r'\*_\w+|\w+', ' '.join(found)))


class Tree(unittest.TestCase):
    maxDiff = None

    def test_top_level_holds_only_its_fixed_names(self):
        there = {path.name for path in ROOT.iterdir() if not IGNORED.fullmatch(path.name)}
        self.assertEqual(there - TOP, set())

    def test_no_file_is_named_after_no_concept(self):
        bad = [relative(path) for place in CODE for path in (ROOT / place).rglob('*')
               if NO_CONCEPT & set(re.split(r'[._-]', path.name))]
        self.assertEqual(bad, [])

    def test_every_source_is_named_in_a_build_file(self):
        forgotten = []
        for path in files(*CODE, suffixes={'.cpp'}):
            builds = [parent / 'meson.build' for parent in path.parents
                      if parent.is_relative_to(ROOT) and (parent / 'meson.build').exists()]
            if not any(re.search(rf'\b{re.escape(path.name)}\b', build.read_text()) for build in builds):
                forgotten.append(relative(path))
        self.assertEqual(forgotten, [])

    def test_unit_tests_keep_their_names_in_a_namespace_called_like_the_file(self):
        """They are compiled many at a time, where equal names would meet."""
        bad = []
        for path in files('tests/unit', suffixes={'.cpp'}):
            code = re.sub(r'^(//.*|#.*|)\n', '', path.read_text(), flags=re.MULTILINE)
            whole = rf'namespace ((ringway::(\w+::)*)?{path.stem}) \{{\n.*\n\}}  // namespace \1\n'
            if not re.fullmatch(whole, code, re.DOTALL):
                bad.append(relative(path))
        self.assertEqual(bad, [])

    def test_commands_are_executable(self):
        for name in ('tests/run', '.ci/run', 'tools/quickstart'):
            if (ROOT / name).exists():
                self.assertTrue(os.access(ROOT / name, os.X_OK), name)

    def test_every_source_has_its_place_in_a_list(self):
        """Of what is responsible for its directory: in a block, or between backquotes."""
        missing = []
        for path in sorted(path for place in LISTS for path in (ROOT / place).rglob('*')):
            if not is_source(path) or SPEAKS_FOR_ITSELF.search(relative(path)):
                continue
            place = next(relative(parent) for parent in path.parents if relative(parent) in LISTS)
            names = listed(ROOT / LISTS[place])
            if path.stem not in names and not any(path.stem.endswith(name[1:]) for name in names if name[0] == '*'):
                missing.append(f'{LISTS[place]}: {relative(path)}')
        self.assertEqual(sorted(set(missing)), [])

    def test_links_in_documents_lead_somewhere(self):
        dead = []
        for path in [*ROOT.glob('*.md'), *files(*CODE, suffixes={'.md'})]:
            for target in re.findall(r'\]\(([^)#\s]+)', path.read_text()):
                if '://' not in target and not (path.parent / target).exists():
                    dead.append(f'{relative(path)}: {target}')
        self.assertEqual(dead, [])


class Layers(unittest.TestCase):
    maxDiff = None

    def test_each_layer_includes_only_what_stands_below_it(self):
        wrong = []
        for layer, below in BELOW.items():
            place = f'lib/{layer}' if layer in LAYERS else layer
            for path in files(place, suffixes={'.hpp', '.cpp'}):
                for _, name in includes(path):
                    head = name.split('/')[0]
                    ours = head in BELOW or head in ('ringway', 'tests', '..', '.')
                    allowed = below | {layer} | ABOVE.get(relative(path.parent), set())
                    if '/' in name and ours and not {head, name} & allowed:
                        wrong.append(f'{relative(path)}: {name}')
        self.assertEqual(wrong, [])

    def test_benchmarks_include_only_what_is_installed(self):
        """And how the command prints: they measure what everybody links, on a bus that everybody starts."""
        wrong = []
        for path in files('tools/bench', 'tools/stage', 'tools/verbs', suffixes={'.hpp', '.cpp'}):
            if path.parent.name == 'verbs' and not path.name.startswith('bench_'):
                continue
            for bracket, name in includes(path):
                if bracket == '"' and not name.startswith('tools/') and name != ERROR:
                    wrong.append(f'{relative(path)}: {name}')
        self.assertEqual(wrong, [])

    def test_public_headers_include_the_standard_library_and_each_other(self):
        wrong = []
        for path in files('lib/include', suffixes={'.hpp'}):
            for bracket, name in includes(path):
                standard = bracket == '<' and re.fullmatch(r'[a-z_]+', name)
                public = name.startswith('ringway/') and (ROOT / 'lib/include' / name).exists()
                if not standard and not public:
                    wrong.append(f'{relative(path)}: {name}')
        self.assertEqual(wrong, [])

    def test_every_public_header_compiles_alone(self):
        compiler = shlex.split(os.environ.get('CXX', 'g++'))
        for path in files('lib/include', suffixes={'.hpp'}):
            with self.subTest(header=path.name):
                done = subprocess.run(
                    [*compiler, '-std=c++20', '-Wall', '-Wextra', '-Werror', '-fsyntax-only',
                     '-I', ROOT / 'lib/include', '-x', 'c++', '-'],
                    input=f'#include <{path.relative_to(ROOT / "lib/include")}>\n', text=True,
                    capture_output=True, check=False)
                self.assertEqual(done.returncode, 0, done.stderr)


if __name__ == '__main__':
    unittest.main()
