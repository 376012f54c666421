"""What stands in tools/packaging/container: a supervisor as its container runs it; what its files say of themselves."""

import os
import pathlib
import re
import signal
import subprocess
import sys
import unittest

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONTAINER = ROOT / 'tools' / 'packaging' / 'container'
sys.path.insert(0, str(ROOT / 'tests' / 'support'))
from bus import Bus, PATIENCE_SECONDS, wait_until


class Serve(unittest.TestCase):
    def setUp(self):
        self.bus = Bus()
        self.addCleanup(self.bus.close)
        self.log = open(self.bus.log, 'ab')
        self.addCleanup(self.log.close)
        environment = self.bus.env | {
            'PATH': f'{pathlib.Path(os.environ["RINGWAYD"]).parent}:{os.environ["PATH"]}', 'RINGWAYD_CONFIG': '',
            'RINGWAYD_RUNTIME_DIR': str(self.bus.runtime_dir), 'RINGWAYD_STATE_DIR': str(self.bus.state_dir)}
        self.shell = subprocess.Popen([CONTAINER / 'serve'], env=environment, stderr=self.log)
        self.addCleanup(self.end)
        self.await_bus()

    def end(self):
        if self.shell.poll() is None:
            self.shell.terminate()
            self.shell.wait(PATIENCE_SECONDS)

    def await_bus(self):
        wait_until(lambda: self.bus.run_for_status('topic', 'list') == 0, 'the bus')

    def supervisor(self):
        return self.bus.json('status')['pid']

    def test_after_a_crash_the_next_one_takes_the_rings_over(self):
        self.bus.json('topic', 'create', 't')
        self.bus.run('produce', 't', stdin=b'one\n')
        for _ in range(3):
            os.kill(self.supervisor(), signal.SIGKILL)
            self.await_bus()
        self.assertEqual(self.bus.log.read_text().count('event=ring_adopted'), 3)
        self.assertEqual(self.bus.run('consume', 't', '-o', 'start', '-e'), b'one\n')

    def test_a_stop_drains_to_the_disk(self):
        self.bus.json('topic', 'create', 't')
        self.bus.run('produce', 't', stdin=b'one\n')
        self.shell.terminate()
        self.assertEqual(self.shell.wait(PATIENCE_SECONDS), 0)
        self.assertIn('event=stopped', self.bus.log.read_text())
        wait_until(lambda: not self.bus.keepers(), 'the end of the keeper')
        self.bus.start()
        self.assertEqual(self.bus.run('consume', 't', '-o', 'start', '-e'), b'one\n')


class Files(unittest.TestCase):
    def setUp(self):
        self.compose = yaml.safe_load((CONTAINER / 'compose.yaml').read_text())
        self.kubernetes = list(yaml.safe_load_all((CONTAINER / 'kubernetes.yaml').read_text()))
        self.image = (CONTAINER / 'Containerfile').read_text()

    def test_the_image_has_what_it_runs_where_ringwayd_looks_for_it(self):
        for path in re.findall(r'^COPY (tools/\S+)', self.image, re.MULTILINE):
            self.assertTrue((ROOT / path).exists(), path)
        variables = dict(re.findall(r'(RINGWAYD_\w+)=(\S+)', self.image))
        said = subprocess.run([os.environ['RINGWAYD'], '--print-config'], env={**variables, 'RINGWAYD_CONFIG': ''},
                              capture_output=True, text=True, check=True).stdout
        for variable, value in variables.items():
            self.assertRegex(said, rf'(?m)^.*{value}.*{variable}')

    def test_volumes_that_are_mounted_are_there_and_the_other_way_round(self):
        mounted = {mount.split(':')[0] for service in self.compose['services'].values() for mount in service['volumes']}
        self.assertEqual(mounted, set(self.compose['volumes']))
        daemon_set, pod = self.kubernetes
        for spec in (daemon_set['spec']['template']['spec'], pod['spec']):
            volumes = {volume['name']: volume['hostPath']['path'] for volume in spec['volumes']}
            mounts = {mount['name']: mount['mountPath'] for container in
                      spec['containers'] + spec.get('initContainers', []) for mount in container['volumeMounts']}
            self.assertEqual(volumes, mounts)
            self.assertEqual(volumes['sockets'], '/run/ringway')

    def test_it_sees_its_clients_and_has_the_image_s_user(self):
        spec = self.kubernetes[0]['spec']['template']['spec']
        self.assertTrue(spec['hostPID'])
        self.assertEqual(self.compose['services']['ringwayd']['pid'], 'host')
        user = spec['containers'][0]['securityContext']['runAsUser']
        self.assertIn(f'--uid {user} ', self.image)
        self.assertIn(f'{user}:{user}', spec['initContainers'][0]['command'])


if __name__ == '__main__':
    unittest.main()
