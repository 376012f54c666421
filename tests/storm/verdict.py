"""What a storm comes to: what storm_check makes of its lines, and how often each fault hit in mid-operation."""

import os
import subprocess

from cast import IN_MEMORY
from supervision import now_ns

UNDER_CHURN = 'a topic being made or deleted when supervisor or keeper dies'
FENCED = 'a producer that is fenced'
REASONS = ('altered', 'stopped_claim', 'long_pin', 'interrupted')


def judge(storm):
    """Has storm_check look at the lines, and adds whatever is wrong to the storm's problems. What it printed."""
    lines = [f'loss {begin} {end or now_ns()}' for begin, end in storm.supervision.losses]
    lines += [f'refused {IN_MEMORY} {begin} {end}' for begin, end, _ in storm.refusals]
    lines += [f'last {id}' for id in storm.calm.last]
    lines += [f'must-end {id}' for id in storm.calm.must_end]
    (storm.directory / 'storm.log').write_text(''.join(line + '\n' for line in lines))
    checked = subprocess.run([os.environ['STORM_CHECK'], str(storm.directory)], capture_output=True, text=True,
                             check=False)
    verdict = checked.stdout.splitlines()
    if checked.returncode != 0:
        storm.problems.append(f'storm_check: exit status {checked.returncode}\n{checked.stdout}{checked.stderr}')
    went = [int(line.split()[2]) for line in verdict if line.startswith('loss ')]
    for fault, number in storm.lost:
        storm.hits[fault.name] += number < len(went) and went[number] > 0
    left = [int(line.split()[2]) for line in verdict if line.startswith('refusal ')]
    for (_, _, fault), records in zip(storm.refusals, left):
        storm.hits[fault.name] += records > 0
    for fault, pid in storm.killed:
        storm.hits[fault.name] += pid in storm.supervision.repaired
    for part in (storm.supervision, storm.cast, storm.churn, storm.lookout):
        storm.problems += part.problems
    for fault in storm.faults:
        if storm.hits[fault.name] == 0:
            storm.missed.add(fault.name)
    if not storm.churn.hit.get('create') and not storm.churn.hit.get('delete'):
        storm.missed.add(UNDER_CHURN)
    if storm.supervision.replaced['stopped_claim'] == 0:
        storm.missed.add(FENCED)
    return verdict


def report(storm, verdict):
    rows = [f'seed {storm.seed}, {storm.raged:.0f} s, {storm.supervision.starts} supervisors, '
            f'{storm.cast.ids["producer"]} producers, {storm.cast.ids["consumer"]} consumers, '
            f'{len(storm.supervision.losses)} losses of all memory, {storm.calm.log_bytes / 1e6:.0f} MB of log',
            f'{"fault":38} {"done":>5} {"in mid-operation":>17}   seen by']
    for fault in storm.faults:
        rows.append(f'{fault.name:38} {storm.times[fault.name]:5} {storm.hits[fault.name]:17}   {fault.evidence}')
    under = storm.churn.hit
    rows.append(f'{"topics made, filled, read, deleted":38} {storm.churn.cycles:5} {sum(under.values()):17}   '
                'supervisor or keeper died under ' + ', '.join(f'{verb} {under[verb]}' for verb in sorted(under)))
    rows.append('rings replaced: ' + ', '.join(f'{reason} {storm.supervision.replaced[reason]}' for reason in REASONS))
    rows += [line for line in verdict if not line.startswith(('loss ', 'refusal '))]
    return '\n'.join(rows)
