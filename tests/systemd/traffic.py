"""Lines that go through a bus in a box while a test disturbs it: one publishes them, one follows."""

import subprocess

from box import PATIENCE_SECONDS


class Traffic:
    """Topic `stream` is given a thousand lines, with pauses, until check_whole(); the test case's cleanups end it in any case."""

    def __init__(self, case, box):
        self.case = case
        self.box = box
        box.say('ringway topic create stream && rm -f /tmp/enough /tmp/seen')
        self.producer = box.start(
            'set -o pipefail; until test -e /tmp/enough; do seq $((line + 1)) $((line += 1000)); sleep 0.01; done'
            f' | tee /tmp/given | timeout {2 * PATIENCE_SECONDS} ringway produce stream', stderr=subprocess.PIPE)
        self.consumer = box.start(
            f'timeout {2 * PATIENCE_SECONDS} ringway consume stream -o start -f "%v\\n" >/tmp/seen',
            stderr=subprocess.PIPE)
        for process in (self.producer, self.consumer):
            case.addCleanup(process.communicate)
        case.addCleanup(box.run, 'touch /tmp/enough; pkill -KILL -f "^ringway (produce|consume) stream"')
        box.say('until test -s /tmp/seen; do sleep 0.02; done')

    def lines(self):
        """How many have been seen by who follows."""
        return int(self.box.say('wc -l </tmp/seen'))

    def check_whole(self):
        """Both went on through everything, and what was given was seen then and is there now, once and in order."""
        for process in (self.producer, self.consumer):
            self.case.assertIsNone(process.poll(), 'it has not gone on')
        self.box.say('touch /tmp/enough')
        told = self.producer.communicate(timeout=PATIENCE_SECONDS)[1]
        self.case.assertEqual(self.producer.returncode, 0, told)
        self.box.run('for _ in $(seq 400); do cmp -s /tmp/given /tmp/seen && break; sleep 0.1; done')
        self.box.say('cmp /tmp/given /tmp/seen && pkill -INT -f "^ringway consume stream"')
        said = self.consumer.communicate(timeout=PATIENCE_SECONDS)[1]
        self.case.assertEqual(self.consumer.returncode, 0, said)
        self.box.say('ringway consume stream -o start -e -f "%v\\n" | cmp - /tmp/given')
