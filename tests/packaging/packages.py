"""The Debian packages of this tree, built once for all tests of a build directory, and what is done with them in a box."""

import fcntl
import hashlib
import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
KEPT = pathlib.Path(os.environ['BUILD']) / 'packages'  # a box has its own /tmp
# What a machine changes by itself: the state of dpkg, caches, logs, what accounts were before.
LEFT_OUT = ('/var/lib/dpkg', '/var/lib/apt', '/var/log', '/var/cache', '/run/log', '/run/systemd', '/var/tmp', '/etc/*-',
            '/tmp/namespace-dev-*', '/var/lib/PackageKit', '/var/lib/systemd/linger', '/tmp/systemd-private-*-systemd-logind.*',
            '/var/lib/prometheus', '/tmp/systemd-private-*-prometheus.*')
NAMES = ('ringway', 'libringway0', 'libringway-dev')


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


def built():
    """The directory they are in."""
    KEPT.mkdir(exist_ok=True)
    with open(KEPT / 'of', 'a+', encoding='ascii') as of:
        fcntl.flock(of, fcntl.LOCK_EX)  # one test builds, the others wait
        of.seek(0)
        now = sources()
        if of.read() != now:
            of.truncate(0)
            done = subprocess.run([ROOT / 'tools/packaging/build', KEPT], text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            if done.returncode != 0:
                raise AssertionError(done.stdout[-5000:])
            of.write(now)
    return KEPT


def files(directory, *names):
    return ' '.join(str(next(pathlib.Path(directory).glob(f'{name}_*.deb'))) for name in names)


def next_version(box, directory, into):
    """Puts there, in the box, what is to be upgraded to."""
    box.say(f'mkdir -p {into} && for package in {files(directory, "ringway", "libringway0")}; do'
            ' dpkg-deb -R $package /tmp/next'
            ' && sed -i "s/^Version: .*/&+next/; s/libringway0 (= .*)/libringway0/" /tmp/next/DEBIAN/control'
            f' && dpkg-deb -b /tmp/next {into}/$(basename $package) && rm -r /tmp/next || exit; done')


def places(box):
    """All that is there of what packages and services bring and make."""
    left_out = ' -o '.join(f"-path '{place}'" for place in LEFT_OUT)
    return set(box.say(f'find /etc /usr /var /opt /srv /run /tmp /dev/shm \\( {left_out} \\) -prune -o -print').splitlines())
