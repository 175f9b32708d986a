"""The manifests of deploy/kustomize: what they render to, and that it is what the cluster takes."""

import json
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).parents[2]
KUSTOMIZE = ROOT / "deploy" / "kustomize"
OVERLAYS = ("dev", "production")
SEEDCORE = Path(os.environ.get("SEEDCORE") or ROOT / "build" / "release" / "bin" / "seedcore")
COMPONENT = "app.kubernetes.io/component"


def _documents(text: str) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(text) if document]


def _base(name: str) -> list[dict[str, Any]]:
    return _documents((KUSTOMIZE / "base" / name).read_text())


@cache
def _rendered(overlay: str) -> tuple[dict[str, Any], ...]:
    program = shutil.which("kubectl")
    if program is None:
        pytest.skip("kubectl is not here")
    command = [program, "kustomize", str(KUSTOMIZE / "overlays" / overlay)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return tuple(_documents(done.stdout))


def _one(documents: Any, kind: str, name: str) -> dict[str, Any]:
    (found,) = [each for each in documents if each["kind"] == kind and each["metadata"]["name"] == name]
    return found  # type: ignore[no-any-return]


@cache
def _schema() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((KUSTOMIZE / "schema" / "rayservice.json").read_text())
    return schema


def _pods(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The pod templates of a document."""
    spec = document.get("spec", {})
    if document["kind"] == "RayService":
        cluster = spec["rayClusterConfig"]
        return [cluster["headGroupSpec"]["template"], *(g["template"] for g in cluster.get("workerGroupSpecs", []))]
    return [spec["template"]] if "template" in spec else []


def _all_pods(documents: Any) -> list[dict[str, Any]]:
    return [pod for document in documents for pod in _pods(document)]


def test_the_ray_service_deploys_what_serve_deploy_deploys() -> None:
    shipped = yaml.safe_load((ROOT / "deploy" / "serve" / "config.yaml").read_text())
    shipped["http_options"]["host"] = "0.0.0.0"  # a pod's address instead of loopback
    (service,) = _base("rayservice.yaml")
    assert yaml.safe_load(service["spec"]["serveConfigV2"]) == shipped


def test_the_ray_service_is_what_the_operator_takes() -> None:
    (service,) = _base("rayservice.yaml")
    jsonschema.validate(service, _schema())
    assert service["spec"]["rayClusterConfig"]["rayVersion"] in (ROOT / "deploy/ray/requirements.lock").read_text()


def test_a_misspelled_key_would_be_found() -> None:
    (service,) = _base("rayservice.yaml")
    service["spec"]["rayClusterConfig"]["headGroupSpec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}
    with pytest.raises(jsonschema.ValidationError, match="readynessProbe"):
        jsonschema.validate(service, _schema())


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_an_overlay_renders_to_valid_pods(overlay: str) -> None:
    documents = _rendered(overlay)
    jsonschema.validate(_one(documents, "RayService", "seedcore-svc"), _schema())
    pod_schema = {"$ref": "#/$defs/pod", "$defs": _schema()["$defs"]}
    pods = _all_pods(documents)
    assert len(pods) >= 3
    for pod in pods:
        jsonschema.validate(pod, pod_schema)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_pod_is_locked_down(overlay: str) -> None:
    for pod in _all_pods(_rendered(overlay)):
        spec = pod["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["automountServiceAccountToken"] is False
        for container in spec["containers"]:
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            assert "memory" in container["resources"]["limits"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_what_a_pod_refers_to_is_there(overlay: str) -> None:
    documents = _rendered(overlay)
    there = {(each["kind"], each["metadata"]["name"]) for each in documents}
    for pod in _all_pods(documents):
        volumes = {volume["name"] for volume in pod["spec"].get("volumes", [])} | {"data"}  # or a claim's
        for container in pod["spec"]["containers"]:
            for source in container.get("envFrom", []):
                if "configMapRef" in source:
                    assert ("ConfigMap", source["configMapRef"]["name"]) in there
                elif overlay == "dev":  # elsewhere the secrets come from elsewhere
                    assert ("Secret", source["secretRef"]["name"]) in there
            assert {mount["name"] for mount in container.get("volumeMounts", [])} <= volumes


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_services_select_pods_and_ports_that_exist(overlay: str) -> None:
    documents = _rendered(overlay)
    pods = _all_pods(documents)
    for service in [each for each in documents if each["kind"] == "Service"]:
        selector = service["spec"]["selector"].items()
        chosen = [pod for pod in pods if selector <= pod["metadata"]["labels"].items()]
        assert chosen, service["metadata"]["name"]
        ports = {port["name"] for pod in chosen for each in pod["spec"]["containers"] for port in each["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_all_ray_nodes_have_the_variables_that_must_be_there_before_they_start(overlay: str) -> None:
    documents = _rendered(overlay)
    variables = _one(documents, "ConfigMap", "seedcore-env")["data"]
    assert variables["GRPC_ENABLE_FORK_SUPPORT"] == "0"
    throughput = {
        "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
        "RAY_SERVE_ENABLE_HA_PROXY": "1",
        "RAY_SERVE_HAPROXY_BINARY_PATH": "/opt/seedcore/bin/seedcore-haproxy",
    }
    assert (throughput.items() <= variables.items()) is (overlay == "production")
    for pod in _pods(_one(documents, "RayService", "seedcore-svc")):
        sources = pod["spec"]["containers"][0]["envFrom"]
        assert {"configMapRef": {"name": "seedcore-env"}} in sources
        assert {"configMapRef": {"name": "seedcore-client-env"}} not in sources, "RAY_ADDRESS is not for Ray's pods"


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_statistics_of_haproxy_are_open_to_the_ray_nodes_alone(overlay: str) -> None:
    documents = _rendered(overlay)
    for service in [each for each in documents if each["kind"] == "Service"]:
        assert 8404 not in {port["port"] for port in service["spec"]["ports"]}
    for pod in _all_pods(documents):
        for container in pod["spec"]["containers"]:
            assert 8404 not in {port["containerPort"] for port in container.get("ports", [])}
    policy = _one(documents, "NetworkPolicy", "seedcore-ray")["spec"]
    assert policy["policyTypes"] == ["Ingress"]
    (ray_pods,) = [
        each for each in _pods(_one(documents, "RayService", "seedcore-svc")) if "ray-head" in str(each["spec"])
    ]
    assert policy["podSelector"]["matchLabels"].items() <= ray_pods["metadata"]["labels"].items()
    for rule in policy["ingress"]:
        (peer,) = rule["from"]
        if peer.get("podSelector", {}).get("matchLabels", {}).get(COMPONENT) == "ray":
            continue
        for port in rule["ports"]:
            assert not port["port"] <= 8404 <= port.get("endPort", port["port"])


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_namespace_of_the_actors_is_that_of_the_pods(overlay: str) -> None:
    documents = _rendered(overlay)
    variables = _one(documents, "ConfigMap", "seedcore-env")
    assert variables["data"]["SEEDCORE_NS"] == variables["data"]["RAY_NAMESPACE"] == variables["metadata"]["namespace"]


@pytest.mark.parametrize("overlay", OVERLAYS)
@pytest.mark.parametrize("place", ["api", "head"])
def test_a_pod_finds_the_cluster_by_its_variables(overlay: str, place: str) -> None:
    if not SEEDCORE.exists():
        pytest.skip(f"{SEEDCORE} is not built")
    documents = _rendered(overlay)
    variables: dict[str, str] = _one(documents, "ConfigMap", "seedcore-env")["data"]
    of_the_place = {
        "api": _one(documents, "ConfigMap", "seedcore-client-env")["data"],
        # What KubeRay itself sets.
        "head": {"KUBERAY_GEN_RAY_START_CMD": "ray start --head", "RAY_ADDRESS": "127.0.0.1:6379", "RAY_PORT": "6379"},
    }[place]
    done = subprocess.run(
        [SEEDCORE, "ray", "plan", "--json"],
        env={"HOME": "/nonexistent", "KUBERNETES_SERVICE_HOST": "192.0.2.1", **variables, **of_the_place},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    assert plan["warnings"] == []
    assert plan["mode"] == ("client" if place == "api" else "cluster")
    assert plan["address"]["value"] == of_the_place["RAY_ADDRESS"]
    assert plan["serve_url"]["value"] == "http://seedcore-svc-stable-svc:8000"
    assert plan["dashboard_url"]["value"] == "http://seedcore-svc-head-svc:8265"
    assert plan["namespace"]["value"] == variables["SEEDCORE_NS"]
