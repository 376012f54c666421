"""A bus under load until it loses its power, and what is found when it has come back."""

import json
import os
import pathlib
import random
import sqlite3
import subprocess
import time

from bus import PATIENCE_SECONDS, Bus, wait_until
from judge import Found, Log, Revival
from notes import Notes
from recorder import MOMENT

# Old segments are not to go: what was durable is to be read back.
CONFIG = '[disk]\nkeep_free = "0%"\n'
TOPICS = {
    'each': ('--sync', 'every_batch', '--partitions', '2', '--ring', '64KiB', '--segment', '256KiB'),
    'soon': ('--sync', 'interval', '--ring', '128KiB', '--segment', '1MiB'),
    'late': ('--sync', 'interval', '--sync-interval', '40ms', '--ring', '256KiB', '--segment', '256KiB',
             '--when-disk-fails', 'memory'),
    'never': ('--sync', 'never', '--ring', '64KiB', '--segment', '256KiB'),
}
PROMISES_NOTHING = ('never',)
PRODUCERS = ('each', 'each', 'soon', 'late', 'never')
FOLLOWED = ('each', 'soon', 'late')

# Of each producer the numbers of its lives, then those of who publishes behind a loss.
LIVES = 1000
REVIVER = 1_000_000
REVIVED = 2


class Load:
    """Producers, followers, one that makes and deletes topics and one that replaces rings, on a bus whose state lies in
    `state`. What they are told stands in `notes`; `moment` is the file that counts what the disk was sent."""

    def __init__(self, state, notes, moment, seed, env=None, before_exec=None):
        self.bus = Bus(config=CONFIG, state_dir=state, env=env, before_exec=before_exec)
        self.notes, self.moment = notes, moment
        self.random = random.Random(seed)
        self.clients = {}
        self.life = 0

    def create_topics(self):
        with open(self.notes / '0-topics', 'a', encoding='ascii') as file:
            for topic, options in TOPICS.items():
                print(self.now(), 'creating', topic, file=file, flush=True)
                self.bus.json('topic', 'create', topic, *options)
                print(self.now(), 'created', topic, file=file, flush=True)

    def now(self):
        return MOMENT.unpack(self.moment.read_bytes())[0]

    def set_moment(self, moment):
        """In place: clients have it mapped."""
        with open(self.moment, 'r+b') as file:
            file.write(MOMENT.pack(moment))

    def begin(self):
        """Clients of a new life; names and numbers are theirs alone."""
        self.life += 1
        for index, topic in enumerate(PRODUCERS):
            number = index * LIVES + self.life
            self.client(f'produce-{number}', 'produce', topic, number, 0, 10 ** 9)
        for topic in FOLLOWED:
            self.client(f'follow-{topic}-{self.life}', 'follow', topic, f'c{self.life}', seeded=False)
        self.client(f'churn-{self.life}', 'churn', f'churn{self.life}.')
        self.client(f'replace-{self.life}', 'replace', self.random.getrandbits(32), *TOPICS, seeded=False)

    def live(self, seconds):
        """So long, once every client is at work."""
        self.begin()
        wait_until(lambda: self.check_alive() or all(self.is_at_work(name) for name in self.clients), 'the clients')
        time.sleep(seconds)
        self.check_alive()

    def is_at_work(self, name):
        notes = self.notes / name
        return notes.exists() and notes.stat().st_size > 0

    def client(self, name, role, *words, seeded=True):
        words = (*words, self.random.getrandbits(32)) if seeded else words
        self.clients[name] = subprocess.Popen(
            list(map(str, (os.environ['POWER_LOAD'], role, self.notes / name, self.moment, *words))),
            env=self.bus.env, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def check_alive(self):
        for client in self.clients.values():
            if client.poll() is not None:
                raise AssertionError(f'{client.args[1:]} ended with {client.returncode}: {client.stderr.read()}\n'
                                     f'{self.bus.log.read_text()[-3000:]}')

    def end_clients(self, prefix=''):
        ended = [self.clients.pop(name) for name in list(self.clients) if name.startswith(prefix)]
        for client in ended:
            client.kill()
        for client in ended:
            client.wait()
            client.stderr.close()

    def kill_everything(self):
        for process in (*self.clients.values(), *filter(None, [self.bus.daemon])):
            process.kill()
        self.bus.kill_keeper()
        self.end_clients()
        if self.bus.daemon:
            self.bus.daemon.wait()

    def read_notes(self):
        return Notes(sorted(self.notes.iterdir()))

    def close(self):
        self.end_clients()
        self.bus.close()


def load_command(bus, *words):
    done = subprocess.run(list(map(str, (os.environ['POWER_LOAD'], *words))), env=bus.env, stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=PATIENCE_SECONDS, check=False)
    if done.returncode != 0:
        raise AssertionError(f'{words}: {done.stderr.decode()}\n{bus.log.read_text()[-3000:]}')
    return done.stdout.decode()


def revive(bus, notes, moment, number):
    """New records into every topic, then everything there is, as a Found."""
    load_command(bus, 'revive', notes, moment, number, REVIVED)
    found = Found()
    for line in load_command(bus, 'read').splitlines():
        kind, topic, partition, first, rest = line.split(' ', 4)
        log = found.topics.setdefault(topic, Log())
        if kind == 'record':
            log.records.append((int(partition), int(first), rest))
        else:
            log.gaps.append((int(partition), int(first), int(rest.split()[0])))
    look_at_state(pathlib.Path(bus.state_dir), found)
    return found, Revival(number, REVIVED)


def look_at_state(state, found):
    """The catalog and the directories, looked at from outside."""
    catalog = sqlite3.connect(f'file:{state}/catalog.db?mode=ro', uri=True)
    try:
        [[verdict]] = catalog.execute('PRAGMA integrity_check').fetchall()
        if verdict != 'ok':
            raise AssertionError(f'the catalog is damaged: {verdict}')
        rows = catalog.execute('SELECT uuid, name, settings FROM topics').fetchall()
        found.rows = {name: uuid for uuid, name, _ in rows}
        # A topic that nothing was read from stays out of what is found: the judge names it.
        logs = {uuid: found.topics.get(name, Log()) for uuid, name, _ in rows}
        for uuid, _, settings in rows:
            logs[uuid].ring_bytes = json.loads(settings)['ring_bytes']
        for uuid, count in catalog.execute('SELECT topic, count(*) FROM partitions GROUP BY topic'):
            logs[uuid].partitions = count
        for uuid, cursor, partition, offset in catalog.execute('SELECT topic, name, partition, offset FROM cursors'):
            logs[uuid].positions[cursor, partition] = offset
    finally:
        catalog.close()
    topics = state / 'topics'
    found.directories = {entry.name for entry in topics.iterdir()} if topics.exists() else set()


def verify_logs(bus, topics):
    """What `log verify` says of the busy ones of these topics: of each (topic, partition) where it ends and how many
    records lie before that; and what is wrong, a line each."""
    verified, complaints = {}, []
    for topic in sorted(TOPICS.keys() & topics):
        report = json.loads(bus.run('log', 'verify', topic, '--state-dir', bus.state_dir, '--output', 'json',
                                    status=None))
        if not report['clean']:
            complaints.append(f'{topic}: log verify: {report}')
        for one in report['partitions']:
            verified[topic, one['partition']] = (one['end_offset'], one['records'])
    return verified, complaints


def judge_verified(verified, found):
    """What verified on the disk before anybody recovered it, and is not served behind that: a line each."""
    complaints = []
    for (topic, partition), (end, count) in verified.items():
        served = sum(p == partition and offset < end for p, offset, _ in found.topics.get(topic, Log()).records)
        if served != count:
            complaints.append(f'{topic}: partition {partition}: {count} records verified below {end}, {served} are '
                              f'served')
    return complaints
