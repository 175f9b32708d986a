"""The commands of `seedcore ray` and `seedcore serve` against a real head."""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import threading
import time
import unittest
import urllib.request
from typing import Any

from command import Outcome, seedcore
from ray_head import RayHead, free_ports

UNREACHABLE = 4
USAGE = 2


class Commands(unittest.TestCase):
    """One head for all tests. Serve is shared: each test deploys what it looks at."""

    head: RayHead

    @classmethod
    def setUpClass(cls) -> None:
        cls.head = RayHead().__enter__()
        cls.addClassCleanup(cls.head.stop)

    def run_command(self, *arguments: str, stdin: str = "", **variables: str) -> Outcome:
        environment = self.head.environment() | {"RAY_DASHBOARD_URL": self.head.dashboard_url} | variables
        return seedcore(*arguments, environment=environment, stdin=stdin)

    def deploy(self, config: dict[str, Any], *options: str) -> Outcome:
        config = {"http_options": {"host": "127.0.0.1", "port": self.head.ports.serve}} | config
        return self.run_command("serve", "deploy", "-", *options, stdin=json.dumps(config))

    def one_line(self, outcome: Outcome) -> str:
        lines = outcome.err.strip().splitlines()
        self.assertEqual(len(lines), 1, outcome.err)
        return lines[0]

    # Where, and why

    def test_plan_names_the_source_of_every_value(self) -> None:
        address = f"ray://127.0.0.1:{self.head.ports.client}"
        plan = self.run_command("ray", "plan", "--json", RAY_ADDRESS=address).json
        self.assertEqual(plan["mode"], "client")
        self.assertEqual(plan["address"]["value"], address)
        self.assertEqual(plan["address"]["source"], "environment RAY_ADDRESS")
        self.assertEqual(plan["dashboard_url"]["source"], "environment RAY_DASHBOARD_URL")

    def test_plan_finds_the_cluster_this_host_is_a_node_of(self) -> None:
        # `ray start` leaves its address in the temporary folder.
        folder = self.head.folder / "moved"
        (folder / "ray").mkdir(parents=True)
        address = f"127.0.0.1:{self.head.ports.gcs}"
        (folder / "ray" / "ray_current_cluster").write_text(address)
        outcome = seedcore("ray", "plan", "--json", environment=self.head.environment() | {"RAY_TMPDIR": str(folder)})
        plan = outcome.json
        self.assertEqual((plan["mode"], plan["address"]["value"]), ("cluster", address))
        # The same file, once nothing listens there, does not count.
        closed = f"127.0.0.1:{free_ports(1)[0]}"
        (folder / "ray" / "ray_current_cluster").write_text(closed)
        outcome = seedcore("ray", "plan", "--json", environment=self.head.environment() | {"RAY_TMPDIR": str(folder)})
        self.assertNotEqual(outcome.json["address"]["value"], closed)
        self.assertIn("nothing listens there", outcome.json["address"]["passed_over"][0]["reason"])

    # What is there

    def test_info_shows_nodes_and_verbatim_resources(self) -> None:
        info = self.run_command("ray", "info", "--json").json
        self.assertEqual(info["version"]["ray_version"], "2.60.0")
        self.assertEqual([node["state"] for node in info["nodes"]], ["ALIVE"])
        self.assertEqual(info["resources"]["head_node"]["total"], 1)
        self.assertEqual(info["resources"]["CPU"]["total"], 2)
        self.assertEqual(info["warnings"], [])
        text = self.run_command("ray", "info").out
        self.assertIn("Ray 2.60.0", text)
        self.assertIn("/1 head_node", text)

    def test_info_takes_the_dashboard_as_its_address(self) -> None:
        outcome = seedcore(
            "ray", "info", "--json", "--address", self.head.dashboard_url, environment=self.head.environment()
        )
        self.assertEqual(outcome.code, 0, outcome.err)
        self.assertEqual(outcome.json["plan"]["mode"], "dashboard")

    def test_actors_are_filtered_and_cut_at_the_limit(self) -> None:
        self.assertEqual(self.deploy({"applications": [APPLICATION]}).code, 0)
        actors = self.run_command("ray", "actors", "--namespace", "serve", "--state", "ALIVE", "--json").json
        names = [actor["name"] for actor in actors["result"]]
        self.assertIn("SERVE_CONTROLLER_ACTOR", names)
        self.assertTrue(any(name.startswith("SERVE_REPLICA::tiny#Tiny#") for name in names), names)
        self.assertEqual({actor["state"] for actor in actors["result"]}, {"ALIVE"})
        self.assertIn("--limit shows more", self.run_command("ray", "actors", "--limit", "1").out)
        self.assertEqual(self.run_command("ray", "actors", "--limit", "10001").code, USAGE)

    def status_after(self, job: str, *statuses: str) -> str:
        """The first status of a job that is none of these; the last one seen when none comes within a minute."""
        deadline = time.monotonic() + 60
        while True:
            status = str(self.run_command("ray", "jobs", "status", job, "--json").json["status"])
            if status not in statuses or time.monotonic() >= deadline:
                return status

    def test_a_job_is_submitted_followed_and_its_output_read(self) -> None:
        submitted = self.run_command("ray", "jobs", "submit", "echo", "out", "of", "the", "job")
        self.assertEqual(submitted.code, 0, submitted.err)
        job = submitted.out.strip()
        self.assertEqual(self.status_after(job, "PENDING", "RUNNING"), "SUCCEEDED")
        self.assertIn("out of the job", self.run_command("ray", "jobs", "logs", job).out)
        self.assertIn(job, self.run_command("ray", "jobs").out)
        missing = self.run_command("ray", "jobs", "status", "nope")
        self.assertEqual(missing.code, 3)
        self.assertIn("Job nope does not exist", self.one_line(missing))

    def test_a_job_is_stopped(self) -> None:
        job = self.run_command("ray", "jobs", "submit", "sleep", "600").out.strip()
        self.assertEqual(self.status_after(job, "PENDING"), "RUNNING")
        stopped = self.run_command("ray", "jobs", "stop", job)
        self.assertEqual(stopped.code, 0, stopped.err)
        self.assertEqual(self.status_after(job, "RUNNING"), "STOPPED")

    def test_keys_are_put_listed_read_and_deleted(self) -> None:
        address = ("--address", f"ray://127.0.0.1:{self.head.ports.client}")

        def kv(*arguments: str) -> Outcome:
            return self.run_command("ray", "kv", *arguments, *address)

        self.assertEqual(kv("put", "color", "green").code, 0)
        self.assertEqual(kv("get", "color").out.strip(), "green")
        self.assertEqual(kv("list", "col", "--json").json, ["color"])
        self.assertEqual(kv("get", "color", "--kv-namespace", "other").code, 3)
        self.assertEqual(kv("del", "color").out, "deleted 1\n")
        missing = kv("del", "color")
        self.assertEqual(missing.code, 3)
        self.assertIn("no key 'color' in namespace 'seedcore'", self.one_line(missing))

    # Serve

    def test_deploy_waits_until_the_application_answers(self) -> None:
        outcome = self.deploy({"applications": [APPLICATION]}, "--json")
        self.assertEqual(outcome.code, 0, outcome.err)
        self.assertEqual(outcome.json["applications"], [{"name": "tiny", "status": "RUNNING", "message": ""}])
        self.assertEqual(outcome.json["ignored_keys"], [])
        with urllib.request.urlopen(f"http://127.0.0.1:{self.head.ports.serve}/tiny/x", timeout=10) as answer:
            self.assertEqual(json.load(answer), {"path": "/tiny/x"})
        status = self.run_command("serve", "status")
        self.assertEqual(status.code, 0)
        self.assertIn("RUNNING", status.out)
        self.assertIn("1/1 replicas", status.out)

    def test_deploy_warns_of_keys_that_serve_drops(self) -> None:
        deployment = {"name": "Tiny", "autoscaling_config": {"target_num_ongoing_requests_per_replica": 10}}
        port = self.head.ports.serve
        config = f"""
http_options: {{host: 127.0.0.1, port: {port}, location: HeadOnly}}
applications:
  - name: tiny
    import_path: tiny_app:build
    route_prefix: /tiny
    deployments: [{json.dumps(deployment)}]
"""
        outcome = self.run_command("serve", "deploy", "-", stdin=config)
        self.assertEqual(outcome.code, 0, outcome.err)
        self.assertIn("http_options.location: ignored by Serve; proxy_location is the key", outcome.err)
        self.assertIn("target_num_ongoing_requests_per_replica: ignored by Serve; target_ongoing_requests", outcome.err)

    def test_deploy_fails_with_the_reason_when_an_application_can_not_be_built(self) -> None:
        outcome = self.deploy({"applications": [APPLICATION | {"import_path": "tiny_app:broken"}]})
        self.assertEqual(outcome.code, 1)
        self.assertIn("DEPLOY_FAILED", outcome.out)
        self.assertIn("the model file is missing", outcome.out)
        self.assertEqual(self.run_command("serve", "status").code, 1)

    def test_deploy_fails_with_the_reason_when_replicas_do_not_start(self) -> None:
        outcome = self.deploy({"applications": [APPLICATION | {"import_path": "tiny_app:never_up"}]})
        self.assertEqual(outcome.code, 1)
        self.assertIn("no such table: tasks", outcome.out)

    def test_deploy_fails_for_a_deployment_the_application_does_not_have(self) -> None:
        outcome = self.deploy({"applications": [APPLICATION | {"deployments": [{"name": "Nope"}]}]})
        self.assertEqual(outcome.code, 1)
        self.assertIn("Deployment 'Nope' does not exist", outcome.out)

    def test_deploy_shows_what_the_dashboard_refuses(self) -> None:
        outcome = self.deploy({"applications": [{"name": "tiny"}]})
        self.assertEqual(outcome.code, USAGE)
        self.assertIn("applications.0.import_path: Field required", self.one_line(outcome))

    # What goes wrong

    def test_one_line_when_nothing_listens(self) -> None:
        outcome = self.run_command("ray", "info", RAY_DASHBOARD_URL=f"http://127.0.0.1:{free_ports(1)[0]}")
        self.assertEqual(outcome.code, UNREACHABLE)
        self.assertIn("nothing listens at 127.0.0.1:", self.one_line(outcome))

    def test_one_line_when_the_port_is_rays_own(self) -> None:
        for port in (self.head.ports.client, self.head.ports.gcs):
            outcome = self.run_command("ray", "info", RAY_DASHBOARD_URL=f"http://127.0.0.1:{port}")
            self.assertEqual(outcome.code, UNREACHABLE)
            self.assertIn(f"127.0.0.1:{port} speaks gRPC, not HTTP", self.one_line(outcome))

    def test_one_line_when_the_port_is_serves(self) -> None:
        self.assertEqual(self.deploy({"applications": [APPLICATION]}).code, 0)
        outcome = self.run_command("serve", "status", RAY_DASHBOARD_URL=f"http://127.0.0.1:{self.head.ports.serve}")
        self.assertEqual(outcome.code, UNREACHABLE)
        self.assertIn("is a web server, but no Ray dashboard", self.one_line(outcome))

    def test_one_line_for_tls_against_plain_and_plain_against_tls(self) -> None:
        outcome = self.run_command("ray", "info", RAY_DASHBOARD_URL=self.head.dashboard_url.replace("http", "https"))
        self.assertEqual(outcome.code, USAGE)
        self.assertIn("the dashboard speaks plain HTTP", self.one_line(outcome))
        with TlsServer(str(self.head.folder)) as port:
            outcome = self.run_command("ray", "info", RAY_DASHBOARD_URL=f"http://127.0.0.1:{port}")
        self.assertEqual(outcome.code, UNREACHABLE)
        self.assertIn("TLS", self.one_line(outcome))


APPLICATION: dict[str, Any] = {"name": "tiny", "import_path": "tiny_app:build", "route_prefix": "/tiny"}


class BeforeItsHead(unittest.TestCase):
    """A command that is started before the head is."""

    def test_bootstrap_waits_for_the_dashboard_and_has_its_job_run(self) -> None:
        head = RayHead()
        self.addCleanup(head.stop)
        variables = {"RAY_DASHBOARD_URL": head.dashboard_url, "SEEDCORE_RAY_CONNECT_TIMEOUT_S": "120"}
        command = [os.environ["SEEDCORE"], "bootstrap", "--python", "/bin/true"]  # the job itself is in tests/serve
        with subprocess.Popen(command, env=head.environment() | variables, stderr=subprocess.PIPE, text=True) as early:
            assert early.stderr is not None
            self.assertIn("waiting for it, 120 s at most", early.stderr.readline())
            try:
                head.__enter__()
                err = early.stderr.read()
                code = early.wait(60)
            finally:
                early.kill()
        self.assertEqual(code, 0, err)
        self.assertRegex(err, f"^job raysubmit_\\w+ on {head.dashboard_url}\n$")


class TlsServer:
    """A TLS listener that greets nobody: the handshake of a plain client fails."""

    def __init__(self, folder: str) -> None:
        self._key, self._certificate = f"{folder}/key.pem", f"{folder}/certificate.pem"
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> int:
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
        command += ["-keyout", self._key, "-out", self._certificate]
        subprocess.run(command, check=True, capture_output=True)
        self._thread.start()
        return int(self._listener.getsockname()[1])

    def __exit__(self, *exception: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._certificate, self._key)
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            try:
                with context.wrap_socket(plain, server_side=True) as secure:
                    secure.recv(1)
            except OSError:
                continue


if __name__ == "__main__":
    unittest.main()
