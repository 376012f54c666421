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


def output(words):
    """Exit status and all that is printed."""
    done = subprocess.run(words, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode, done.stdout


def built():
    """The directory they are in."""
    def make(directory):
        status, said = output([ROOT / 'tools/packaging/build', directory])
        if status != 0:
            raise AssertionError(said[-5000:])
    return kept('debs', make)


def clean_root():
    """The root of a Debian with nothing but what every installation has, and with the packages built. What is to be installed beside
    them has been fetched: a box has no network."""
    debs = built()

    def make(directory):
        shutil.rmtree(directory, ignore_errors=True)
        archive = 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)'
        targets = subprocess.run(['apt-get', 'indextargets', '--format', archive, 'Created-By: Packages'],
                                 check=True, text=True, stdout=subprocess.PIPE).stdout.splitlines()
        fetch = f'apt-get install --download-only --install-recommends {" ".join(WANTED)} {BUILT}/*.deb'
        status, said = output(
            ['mmdebstrap', '--mode=root', '--variant=important', '--aptopt=APT::Get::Assume-Yes "true"', '--skip=cleanup/apt',
             f'--customize-hook=mkdir "$1{BUILT}" && cp "{debs}"/*.deb "$1{BUILT}"',
             f'--customize-hook=chroot "$1" sh -c "{fetch}"',
             SUITE, str(directory), *{target for target in targets if f' {SUITE}' in target}])
        if 'Failed to fetch' in said:
            raise unittest.SkipTest('the archives of Debian cannot be reached')
        if status != 0:
            raise AssertionError(said[-5000:])
    return kept('root', make)


def install(box, *names):
    box.say(f'cd {BUILT} && apt-get install {" ".join(f"./{name}_*.deb" for name in names)}')


def next_version(box, into):
    """Puts there, in the box, what is to be upgraded to."""
    box.say(f'mkdir -p {into} && for package in {BUILT}/ringway_*.deb {BUILT}/libringway0_*.deb; do'
            ' dpkg-deb -R $package /tmp/next'
            ' && sed -i "s/^Version: .*/&+next/; s/libringway0 (= .*)/libringway0/" /tmp/next/DEBIAN/control'
            f' && dpkg-deb -b /tmp/next {into}/$(basename $package) && rm -r /tmp/next || exit; done')


def places(box):
    """All that is there of what packages and services bring and make."""
    left_out = ' -o '.join(f"-path '{place}'" for place in LEFT_OUT)
    return set(box.say(f'find /etc /usr /var /opt /srv /run /tmp /dev/shm \\( {left_out} \\) -prune -o -print').splitlines())
