"""The Debian packages of this tree, a clean Debian with them, both made once for all tests of a build directory, and what is done
with them in a box."""

import fcntl
import hashlib
import os
import pathlib
import shutil
import subprocess
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
KEPT = pathlib.Path(os.environ['BUILD']) / 'packages'  # a box has its own /tmp
SUITE = 'bookworm'
WANTED = ('prometheus', 'g++', 'cmake', 'pkgconf')  # what is installed in a box beside them
# What a machine changes by itself: the state of dpkg, caches, logs, what accounts were before.
LEFT_OUT = ('/var/lib/dpkg', '/var/lib/apt', '/var/log', '/var/cache', '/run/log', '/run/systemd', '/var/tmp', '/etc/*-',
            '/tmp/namespace-dev-*', '/var/lib/systemd/linger', '/tmp/systemd-private-*-systemd-logind.*',
            '/var/lib/prometheus', '/tmp/systemd-private-*-prometheus.*')
NAMES = ('ringway', 'libringway0', 'libringway-dev')
BUILDS = 'tools/packaging/build'
NEXT = '0.1.9'  # the version after; as long as that of the tree
BUILT = '/root/build-packages'  # in the clean root, where a person has built them


def sources():
    """A digest of all that packages are made of."""
    listed = subprocess.run(['git', '-C', ROOT, 'ls-files', '-z', '--cached', '--others', '--exclude-standard'],
                            check=True, stdout=subprocess.PIPE).stdout
    digest = hashlib.sha256()
    for name in sorted(listed.split(b'\0')):
        path = ROOT / os.fsdecode(name)
        if path.is_file() and not name.startswith(b'tests/') and not name.endswith(b'.md'):
            digest.update(b'%b\0%d\0' % (name, path.stat().st_size) + path.read_bytes())
    return digest.hexdigest()


def kept(name, make):
    """The directory of that name, made anew where sources have changed since."""
    KEPT.mkdir(exist_ok=True)
    with open(KEPT / f'{name}.of', 'a+', encoding='ascii') as of:
        fcntl.flock(of, fcntl.LOCK_EX)  # one test makes it, the others wait
        of.seek(0)
        now = sources()
        if of.read() != now:
            of.truncate(0)
            make(KEPT / name)
            of.write(now)
    return KEPT / name


def debian(target, *words, hooks):
    """Makes one at `target` from the archives that this machine has; hooks are run in its root."""
    archive = 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)'
    archives = subprocess.run(['apt-get', 'indextargets', '--format', archive, 'Created-By: Packages'],
                              check=True, text=True, stdout=subprocess.PIPE).stdout.splitlines()
    done = subprocess.run(
        ['mmdebstrap', '--mode=root', '--aptopt=APT::Get::Assume-Yes "true"', *words,
         *(f'--customize-hook=set -e; cd "$1"; {hook}' for hook in hooks),
         SUITE, target, *{line for line in archives if f' {SUITE}' in line}],
        text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if 'Failed to fetch' in done.stdout:
        raise unittest.SkipTest('the archives of Debian cannot be reached')
    if done.returncode != 0:
        raise AssertionError(done.stdout[-5000:])


def built():
    """The directory they are in: built as README says, where nothing was but git and the tree."""
    def make(directory):
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir()
        debian('-', '--format=null', '--variant=minbase', '--include=git', hooks=(
            f'mkdir root/ringway; git -C "{ROOT}" ls-files -z --cached --others --exclude-standard'
            f' | tar -C "{ROOT}" --null --files-from=- --create | tar -C root/ringway --extract',
            f'chroot . sh -c "cd /root/ringway && git init -q && {BUILDS}"',
            f'cp root/ringway/build-packages/*.deb "{directory}"'))
    return kept('debs', make)


def clean_root():
    """The root of a Debian with nothing but what every installation has, and with the packages built. What is to be installed beside
    them has been fetched: a box has no network."""
    debs = built()

    def make(directory):
        shutil.rmtree(directory, ignore_errors=True)
        debian(directory, '--variant=important', '--skip=cleanup/apt', hooks=(
            f'mkdir .{BUILT}; cp "{debs}"/*.deb .{BUILT}',
            f'chroot . sh -c "apt-get install --download-only --install-recommends {" ".join(WANTED)} {BUILT}/*.deb"'))
    return kept('root', make)


def install(box, *names):
    box.say(f'cd {BUILT} && apt-get install {" ".join(f"./{name}_*.deb" for name in names)}')


def next_version(box, into):
    """Puts there, in the box, what is to be upgraded to: the same with another version, which its programs tell."""
    box.say(f'mkdir -p {into} && for package in {BUILT}/ringway_*.deb {BUILT}/libringway0_*.deb; do'
            ' dpkg-deb -R $package /tmp/next'
            ' && sed -i "s/^Version: .*/&+next/; s/libringway0 (= .*)/libringway0/" /tmp/next/DEBIAN/control'
            f' && find /tmp/next/usr -type f -exec sed -i "s/0\\.1\\.0/{NEXT}/g" {{}} +'
            f' && dpkg-deb -b /tmp/next {into}/$(basename $package) && rm -r /tmp/next || exit; done')


def places(box):
    """All that is there of what packages and services bring and make."""
    left_out = ' -o '.join(f"-path '{place}'" for place in LEFT_OUT)
    return set(box.say(f'find /etc /usr /var /opt /srv /run /tmp /dev/shm \\( {left_out} \\) -prune -o -print').splitlines())
