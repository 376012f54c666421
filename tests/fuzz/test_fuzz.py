"""Every libFuzzer target: first its corpus and whatever was once found, then new inputs for a while."""

import base64
import concurrent.futures
import os
import pathlib
import random
import re
import shutil
import subprocess
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
LONG = 'RINGWAY_TEST_LONG' in os.environ
SECONDS = 300 if LONG else 15
AT_ONCE = 2
PLANTED = 'planted'
TARGETS = sorted({path.stem.removesuffix('_fuzz') for path in HERE.glob('*_fuzz.cpp')} - {PLANTED})
# libFuzzer gives up on one input that takes so long, which no honest one does.
INPUT_SECONDS = 20


class Run:
    """One target from beginning to end, in a directory of its own."""

    def __init__(self, name, seed):
        self.name, self.seed = name, seed
        self.corpus = HERE / 'corpus' / name

    def __call__(self):
        self.program = os.environ[f'FUZZ_{self.name.upper()}']
        with tempfile.TemporaryDirectory() as directory:
            directory = pathlib.Path(directory)
            self.replayed = self.run(directory, '-runs=0', self.corpus)
            if not self.failed:
                work = directory / 'work'
                shutil.copytree(self.corpus, work)
                self.searched = self.run(directory, f'-max_total_time={SECONDS}', '-print_final_stats=1',
                                         f'-seed={self.seed}', *self.dictionary(), work)
        return self

    def dictionary(self):
        words = HERE / 'words' / f'{self.name}.dict'
        return [f'-dict={words}'] if words.exists() else []

    def run(self, directory, *options):
        """Its output; `failed` says whether it found something, and `found` what."""
        environment = {**os.environ, 'UBSAN_OPTIONS': 'print_stacktrace=1', 'TMPDIR': str(directory)}
        done = subprocess.run([self.program, f'-artifact_prefix={directory}/found-', f'-timeout={INPUT_SECONDS}',
                               '-rss_limit_mb=1500', *map(str, options)], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, env=environment, check=False)
        self.failed = done.returncode != 0
        output = done.stdout.decode(errors='replace')
        self.found = ''.join(f'\n{path.name}, to be kept in {self.corpus}:\nbase64 -d <<<'
                             f'{base64.b64encode(path.read_bytes()).decode()}\n'
                             for path in directory.glob('found-*')) + output[-8000:] if self.failed else ''
        return output

    def figures(self):
        """Inputs replayed, new ones run, coverage features."""
        kept = len(list(self.corpus.iterdir()))
        loaded = re.search(r'INITED.* ft: (\d+)', self.replayed)
        units = re.search(r'stat::number_of_executed_units:\s+(\d+)', self.searched)
        features = re.findall(r' ft: (\d+)', self.searched)
        return kept, int(loaded[1]) if loaded else 0, int(units[1]) - kept if units else 0, int((features or [0])[-1])


class Fuzz(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        seed = int(os.environ.get('RINGWAY_TEST_SEED', random.SystemRandom().randrange(1, 1 << 31)))
        print(f'RINGWAY_TEST_SEED={seed}, {SECONDS} s for each of {len(TARGETS)} targets, {AT_ONCE} at a time', flush=True)
        pool = concurrent.futures.ThreadPoolExecutor(AT_ONCE)
        cls.runs = {name: pool.submit(Run(name, seed)) for name in TARGETS}

    def check(self, name):
        run = self.runs[name].result()
        self.assertFalse(run.failed, f'{name}: {run.found}')
        kept, features_of_corpus, new, features = run.figures()
        print(f'{name}: {kept} inputs kept ({features_of_corpus} features), {new} new ones run ({features} features)',
              flush=True)
        self.assertGreater(kept, 0)
        self.assertGreater(new, 0, run.searched[-2000:])
        self.assertGreater(features, 0, run.searched[-2000:])

    def test_a_planted_crash_is_found(self):
        run = Run(PLANTED, 1)()
        self.assertTrue(run.failed)
        self.assertIn('heap-buffer-overflow', run.found)

    def test_there_are_targets(self):
        self.assertGreaterEqual(len(TARGETS), 9)


for target in TARGETS:
    setattr(Fuzz, f'test_{target}', lambda self, name=target: self.check(name))


if __name__ == '__main__':
    unittest.main()
