"""Makes a checker of a Promela model: build_checker.py SPIN CC MODEL.pml OUTPUT DEPFILE.

spin writes its program into the working directory, under names of its own: it gets one to itself.
"""

import pathlib
import subprocess
import sys
import tempfile


def main():
    spin, compiler, model, output, depfile = sys.argv[1:]
    model, output = pathlib.Path(model).resolve(), pathlib.Path(output).resolve()
    with tempfile.TemporaryDirectory() as place:
        made = subprocess.run([spin, '-a', model], cwd=place, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        if made.returncode != 0 or 'rror' in made.stdout:
            sys.exit(made.stdout)
        # No partial order reduction: hardly any step is without an effect on others.
        subprocess.run([compiler, '-O1', '-w', '-DSAFETY', '-DNOREDUCE', '-DCOLLAPSE', '-DMEMLIM=4000',
                        f'-I{model.parent}', '-o', output, 'pan.c'], cwd=place, check=True)
    needed = ' '.join(str(path) for path in sorted(model.parent.iterdir()))
    pathlib.Path(depfile).write_text(f'{output.name}: {needed}\n')


if __name__ == '__main__':
    main()
