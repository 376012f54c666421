"""What goes on right now, as `ringway inspect` reads it from the memory itself, whoever is dead or stands still."""

import json
import subprocess

from bus import PATIENCE_SECONDS


class Lookout:
    def __init__(self, bus, topics):
        self.bus, self.topics = bus, topics
        self.problems = []

    def look(self, topic):
        """Its partitions, as the memory itself says; [] when nobody has it."""
        try:
            # Where the keeper stands still other processes are asked, and soon.
            seen = subprocess.run(self.bus.command('inspect', topic, '--output', 'json', '--timeout', '200ms'),
                                  env=self.bus.env, capture_output=True, timeout=PATIENCE_SECONDS, check=False)
            if seen.returncode == 0:
                return json.loads(seen.stdout)['partitions']
            return []
        except (subprocess.TimeoutExpired, json.JSONDecodeError):
            self.problems.append(f'hung: ringway inspect {topic}')
            return []

    def partitions(self):
        return [partition for topic in self.topics for partition in self.look(topic)]

    def has_open_claim(self, place):
        return any(one['pid'] == place.process.pid and isinstance(one['claim'], dict)
                   for partition in self.look(place.topic) for one in partition['producers'])

    def has_pin(self, place):
        return any(one['pid'] == place.process.pid and one['pin'] is not None
                   for partition in self.look(place.topic) for one in partition['cursors'])

    def is_behind(self):
        return any(partition['committed'] > partition['durable'] for partition in self.partitions())

    def is_written(self, topic):
        """All that anybody claimed; while nobody goes on."""
        seen = self.look(topic)
        return bool(seen) and all(
            one['written'] == one['committed'] and
            not any(isinstance(producer['claim'], dict) for producer in one['producers']) for one in seen)

    def written(self, topic):
        return sum(partition['written'] for partition in self.look(topic))

    def committed(self):
        return sum(partition['committed'] for partition in self.partitions())

    def in_mid_operation(self, place):
        return self.has_open_claim(place) if place.role == 'producer' else self.has_pin(place)
