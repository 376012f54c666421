"""Opening and closing, over and over, leaves nothing behind in the supervisor."""

import os
import pathlib
import re
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from among_strangers import LONG, AmongStrangers, wait_until

CHURNERS = 2
WARM_UP_MS = 1_500
CHURN_MS = 6_000
TIMES = 1_000_000 // CHURNERS if LONG else 0  # 0: for as long as CHURN_MS
GROWTH_KIB_MAX = 4 * 1024


class Churn(AmongStrangers):
    def supervisor_uses(self):
        """KiB of memory that is its own, descriptors, mappings."""
        proc = pathlib.Path(f'/proc/{self.bus.daemon.pid}')
        own = re.search(r'RssAnon:\s+(\d+) kB', (proc / 'status').read_text())
        return int(own[1]), len(os.listdir(proc / 'fd')), len((proc / 'maps').read_text().splitlines())

    def churn(self, ms, times):
        churners = [self.begin_attack('churn', self.bus.socket, 't', ms, times) for _ in range(CHURNERS)]
        opened = sum(int(line.split()[1]) for churner in churners for line in self.end_attack(churner)
                     if line.startswith('opened'))
        return opened

    def wait_for_their_end(self):
        wait_until(lambda: len(self.bus.json('status')['sessions']) == 1, 'their sessions to end')

    def test_memory_and_descriptors_do_not_grow(self):
        self.churn(WARM_UP_MS, 0)
        self.wait_for_their_end()
        memory, descriptors, mappings = self.supervisor_uses()
        with self.peace():
            opened = self.churn(CHURN_MS, TIMES)
        self.wait_for_their_end()
        wait_until(lambda: self.supervisor_uses()[1] <= descriptors, 'the descriptors to be closed')
        after = self.supervisor_uses()
        print(f'{opened} times opened and closed: memory {memory} -> {after[0]} KiB, descriptors {descriptors} -> '
              f'{after[1]}, mappings {mappings} -> {after[2]}', flush=True)
        self.assertGreater(opened, 1000)
        self.assertLess(after[0], memory + GROWTH_KIB_MAX)
        self.assertLess(after[2], mappings + 8)


if __name__ == '__main__':
    unittest.main()
