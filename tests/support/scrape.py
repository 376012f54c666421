"""GET /metrics at a Unix socket or a port, and what Prometheus' text format says."""

import http.client
import re
import shutil
import socket

SAMPLE = re.compile(r'([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)')
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"(?:,|$)')


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout=30):
        super().__init__('localhost', timeout=timeout)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def answer(connection, method='GET', path='/metrics', **request):
    """Status, headers and body."""
    try:
        connection.request(method, path, **request)
        response = connection.getresponse()
        return response.status, response.headers, response.read().decode()
    finally:
        connection.close()


def text_of(path):
    status, headers, body = answer(UnixConnection(path))
    if status != 200 or not headers['Content-Type'].startswith('text/plain; version=0.0.4'):
        raise AssertionError(f'{status} {headers} {body}')
    return body


class Samples:
    """Every sample of a text; each must have its family's HELP and TYPE before it, and be there once."""

    def __init__(self, text):
        self.values, self.kinds = {}, {}
        helped = set()
        for line in text.splitlines():
            if line.startswith('# HELP '):
                helped.add(line.split()[2])
            elif line.startswith('# TYPE '):
                name, kind = line.split()[2:]
                if name not in helped or name in self.kinds:
                    raise AssertionError(line)
                self.kinds[name] = kind
            else:
                self.read(line)

    def read(self, line):
        name, labels, value = SAMPLE.fullmatch(line).groups()
        family = name if name in self.kinds else re.sub('_(bucket|sum|count)$', '', name)
        key = name, frozenset((label, plain(text)) for label, text in LABEL.findall(labels or ''))
        if family not in self.kinds or key in self.values:
            raise AssertionError(line)
        self.values[key] = float(value)

    def __call__(self, name, **labels):
        """The one sample that has these labels, and perhaps others."""
        found = [value for (other, theirs), value in self.values.items()
                 if other == name and frozenset(labels.items()) <= theirs]
        if len(found) != 1:
            raise AssertionError(f'{name}{labels}: {len(found)} samples')
        return found[0]

    def labels(self, name):
        return [dict(labels) for other, labels in self.values if other == name]


def plain(text):
    return re.sub(r'\\(.)', lambda escaped: '\n' if escaped[1] == 'n' else escaped[1], text)


def program(name):
    """Its path; it comes with the Debian package prometheus, which tools/packages.bash installs."""
    path = shutil.which(name)
    if path is None:
        raise AssertionError(f'{name} is not there: apt-get install prometheus (tests/run installs it)')
    return path
