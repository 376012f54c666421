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
from bus import Bus, PATIENCE_SECONDS, command_line, pids, wait_until


def environment_of(pid):
    try:
        return pathlib.Path(f'/proc/{pid}/environ').read_text(errors='replace')
    except OSError:
        return ''


class Serving(unittest.TestCase):
    """A bus in a directory of its own, and `serve` that finds the programs of `self.programs` first."""

    def setUp(self):
        self.bus = Bus()
        self.addCleanup(self.bus.close)
        self.log = open(self.bus.log, 'ab')
        self.addCleanup(self.log.close)
        self.programs = self.bus.root / 'programs'
        self.programs.mkdir()
        self.addCleanup(self.end)
        self.shell = None

    def program(self, name, text):
        path = self.programs / name
        path.write_text(f'#!/bin/sh\n{text}\n')
        path.chmod(0o755)

    def serve(self, **environment):
        environment = self.bus.env | {
            'PATH': f'{self.programs}:{pathlib.Path(os.environ["RINGWAYD"]).parent}:{os.environ["PATH"]}',
            'RINGWAYD_CONFIG': '', 'RINGWAYD_RUNTIME_DIR': str(self.bus.runtime_dir),
            'RINGWAYD_STATE_DIR': str(self.bus.state_dir)} | environment
        self.shell = subprocess.Popen([CONTAINER / 'serve'], env=environment, stderr=self.log)

    def end(self):
        if self.shell and self.shell.poll() is None:
            self.shell.kill()
            self.shell.wait()
            for pid in pids():
                if str(self.bus.runtime_dir) in environment_of(pid) and 'ringwayd' in command_line(pid)[0]:
                    os.kill(pid, signal.SIGKILL)

    def await_bus(self):
        wait_until(lambda: self.bus.run_for_status('topic', 'list') == 0, 'the bus')

    def supervisor(self):
        return self.bus.json('status')['pid']


class Serve(Serving):
    def setUp(self):
        super().setUp()
        self.serve()
        self.await_bus()

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


class Failing(Serving):
    """A ringwayd that cannot serve."""

    def lines(self, name):
        path = self.bus.root / name
        return path.read_text().splitlines() if path.exists() else []

    def test_a_wrong_configuration_ends_it_with_its_status(self):
        self.program('sleep', 'exit 0')
        self.serve(RINGWAYD_LIMITS_MEMORY='nonsense')
        self.assertEqual(self.shell.wait(PATIENCE_SECONDS), 2)
        self.assertEqual(self.bus.log.read_text().count('ringwayd: '), 1)

    def pauses(self, count):
        """How long it waits between a ringwayd that fails and the next."""
        self.program('ringwayd', 'exit 1')
        self.program('sleep', f'echo $1 >> {self.bus.root}/pauses')
        self.serve()
        wait_until(lambda: len(self.lines('pauses')) >= count, f'{count} pauses')
        return self.lines('pauses')[:count]

    def test_what_fails_at_once_is_tried_less_and_less_often(self):
        self.assertEqual(self.pauses(9), ['0.1', '0.2', '0.4', '0.8', '1.6', '3.2', '5.0', '5.0', '5.0'])

    def test_what_fails_after_ten_seconds_is_tried_again_soon(self):
        self.program('date', f'echo $(( $(wc -l < {self.bus.root}/dates) * 10 )); echo >> {self.bus.root}/dates')
        (self.bus.root / 'dates').touch()
        self.assertEqual(self.pauses(4), ['0.1'] * 4)

    def test_a_stop_between_two_of_them_drains_what_the_dead_one_left(self):
        self.program('ringwayd', f'echo >> {self.bus.root}/starts\n'
                                 f'[ -e {self.bus.root}/broken ] && exit 1\nexec {os.environ["RINGWAYD"]}')
        self.serve()
        self.await_bus()
        self.bus.json('topic', 'create', 't', '--sync', 'never')
        self.bus.run('produce', 't', stdin=b'one\n')
        (self.bus.root / 'broken').touch()
        os.kill(self.supervisor(), signal.SIGKILL)
        wait_until(lambda: len(self.lines('starts')) >= 6, 'the pauses to grow')  # the next one takes 1.6 s
        (self.bus.root / 'broken').unlink()
        self.shell.terminate()
        self.assertEqual(self.shell.wait(PATIENCE_SECONDS), 0)
        self.assertIn('event=stopped', self.bus.log.read_text())
        wait_until(lambda: not self.bus.keepers(), 'the end of the keeper')
        self.bus.start()
        self.assertEqual(self.bus.run('consume', 't', '-o', 'start', '-e'), b'one\n')

    def test_a_stop_in_the_first_moment_ends_with_0(self):
        self.program('ringwayd', f'echo $$ >> {self.bus.root}/starts\nexec {os.environ["RINGWAYD"]}')
        self.serve()
        wait_until(lambda: self.lines('starts'), 'the start')  # it can hardly take SIGTERM yet
        self.shell.terminate()
        self.assertEqual(self.shell.wait(PATIENCE_SECONDS), 0)
        self.assertIn('event=stopped', self.bus.log.read_text())


# What engines know by these names, as far as the files here use it: they refuse, or ignore, what they do not know.
POD = {'hostPID': bool, 'terminationGracePeriodSeconds': int, 'initContainers': list, 'containers': list,
       'volumes': list}
CONTAINER_KEYS = {'name': str, 'image': str, 'imagePullPolicy': str, 'command': list, 'env': list, 'securityContext': dict, 'resources': dict,
                  'readinessProbe': dict, 'volumeMounts': list}
SECURITY = {'runAsUser': int, 'runAsGroup': int, 'allowPrivilegeEscalation': bool, 'readOnlyRootFilesystem': bool,
            'capabilities': dict, 'seccompProfile': dict}
SERVICE = {'image': str, 'user': str, 'pid': str, 'network_mode': str, 'read_only': bool, 'cap_drop': list, 'security_opt': list,
           'mem_limit': str, 'ulimits': dict, 'stop_grace_period': str, 'restart': str, 'volumes': list,
           'depends_on': list, 'environment': dict, 'command': list}
SECONDS_TO_SPARE = 5  # from the end of the drain to that of the container


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

    def check_keys(self, given, known, required):
        self.assertLessEqual(set(required), set(given))
        for key, value in given.items():
            self.assertIn(key, known)
            self.assertIsInstance(value, known[key], key)

    def pods(self):
        daemon_set, pod = self.kubernetes
        return daemon_set['spec']['template']['spec'], pod['spec']

    def test_the_manifest_has_the_fields_that_kubernetes_has(self):
        daemon_set, pod = self.kubernetes
        self.assertEqual([(each['apiVersion'], each['kind'], set(each)) for each in self.kubernetes],
                         [(version, kind, {'apiVersion', 'kind', 'metadata', 'spec'})
                          for version, kind in (('apps/v1', 'DaemonSet'), ('v1', 'Pod'))])
        self.check_keys(daemon_set['spec'], {'selector': dict, 'template': dict}, ('selector', 'template'))
        template = daemon_set['spec']['template']
        self.assertEqual(daemon_set['spec']['selector'], {'matchLabels': template['metadata']['labels']})
        for spec in self.pods():
            self.check_keys(spec, POD, ('containers', 'volumes'))
            for container in spec['containers'] + spec.get('initContainers', []):
                self.check_keys(container, CONTAINER_KEYS, ('name', 'image', 'securityContext', 'volumeMounts'))
                self.assertRegex(container['name'], r'^[a-z0-9-]{1,63}$')
                self.check_keys(container['securityContext'], SECURITY, ('capabilities',))
                self.assertLessEqual(set(container['securityContext']['capabilities']), {'add', 'drop'})
                for mount in container['volumeMounts']:
                    self.assertLessEqual({'name', 'mountPath'}, set(mount))
                    self.assertLessEqual(set(mount), {'name', 'mountPath', 'readOnly'})
                for variable in container.get('env', []):
                    self.assertEqual(set(variable), {'name', 'value'})
            for volume in spec['volumes']:
                self.assertEqual(set(volume), {'name', 'hostPath'})
                self.assertIn(volume['hostPath']['type'], ('Directory', 'DirectoryOrCreate'))
        daemon = self.pods()[0]['containers'][0]
        self.assertEqual(set(daemon['readinessProbe']), {'exec', 'periodSeconds'})
        self.assertEqual(daemon['resources']['limits'], daemon['resources']['requests'])

    def test_the_compose_file_has_the_fields_that_compose_has(self):
        self.assertEqual(set(self.compose), {'services', 'volumes'})
        for name, service in self.compose['services'].items():
            with self.subTest(service=name):
                self.check_keys(service, SERVICE, ('image', 'restart', 'volumes'))
                self.assertIn(service['restart'], ('no', 'always', 'on-failure', 'unless-stopped'))
                self.assertLessEqual(set(service.get('depends_on', [])), set(self.compose['services']))

    def test_what_ringwayd_writes_to_is_mounted_and_clients_find_its_socket(self):
        written = dict(re.findall(r'(RINGWAYD_(?:RUNTIME|STATE)_DIR)=(\S+)', self.image))
        sockets = written['RINGWAYD_RUNTIME_DIR']
        services = self.compose['services']
        self.assertEqual({mount.split(':')[1] for mount in services['ringwayd']['volumes']}, set(written.values()))
        pod, client_pod = self.pods()
        self.assertEqual({mount['mountPath'] for mount in pod['containers'][0]['volumeMounts']}, set(written.values()))
        for client in (services['producer'], services['consumer']):
            self.assertEqual(client['volumes'], [f'sockets:{sockets}:ro'])
            self.assertEqual(client['environment'], {'RINGWAY_SOCKET': f'{sockets}/control.sock'})
        client = client_pod['containers'][0]
        self.assertEqual(client['volumeMounts'], [{'name': 'sockets', 'mountPath': sockets, 'readOnly': True}])
        self.assertEqual(client['env'], [{'name': 'RINGWAY_SOCKET', 'value': f'{sockets}/control.sock'}])

    def test_a_stop_has_time_to_drain(self):
        patience = int(re.search(r'RINGWAYD_STOP_PATIENCE=(\d+)s', self.image)[1])
        grace = re.fullmatch(r'(\d+)s', self.compose['services']['ringwayd']['stop_grace_period'])
        for seconds in (int(grace[1]), self.pods()[0]['terminationGracePeriodSeconds']):
            self.assertGreaterEqual(seconds, patience + SECONDS_TO_SPARE)

    def test_it_sees_its_clients_and_has_the_image_s_user(self):
        spec = self.kubernetes[0]['spec']['template']['spec']
        self.assertTrue(spec['hostPID'])
        self.assertEqual(self.compose['services']['ringwayd']['pid'], 'host')
        user = spec['containers'][0]['securityContext']['runAsUser']
        self.assertIn(f'--uid {user} ', self.image)
        self.assertIn(f'{user}:{user}', spec['initContainers'][0]['command'])

    def test_clients_have_a_user_of_their_own_who_may_create_topics(self):
        services = self.compose['services']
        daemon, client = (pod['containers'][0] for pod in self.pods())
        security = client['securityContext']
        environment = services['ringwayd']['environment']
        self.assertEqual({each['name']: each['value'] for each in daemon['env']}, environment)
        said = subprocess.run([os.environ['RINGWAYD'], '--print-config'], env={**environment, 'RINGWAYD_CONFIG': ''},
                              capture_output=True, text=True, check=True).stdout
        (may_create,) = re.findall(r'(?m)^create = \[ "(\d+)" \]', said)
        self.assertNotIn(f'--uid {may_create} ', self.image)
        for user in (services['producer']['user'], services['consumer']['user'],
                     f"{security['runAsUser']}:{security['runAsGroup']}"):
            self.assertEqual(user, f'{may_create}:{may_create}')


if __name__ == '__main__':
    unittest.main()
