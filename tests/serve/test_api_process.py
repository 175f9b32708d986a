"""What the API Deployment of a cluster runs: task API and native gateway in one process, with nothing of their own."""

from cluster import Head, request, wait_until_healthy
from task_api import TaskApi


def test_the_process_of_the_task_api_serves_the_six_prefixes_of_the_cluster(head: Head, task_api: TaskApi) -> None:
    for prefix in ("/ml", "/cognitive", "/pipeline", "/state", "/energy", "/organism"):
        wait_until_healthy(task_api.services_url + prefix)
    body = {"id": "a-1", "type": "general_query", "description": "how are you", "params": {}}
    answer = request(task_api.services_url + "/pipeline/route-and-execute", body)
    assert answer.status == 200, answer.body
    assert answer.json()["success"] is True
    services = request(task_api.services_url + "/-/routes").json()["services"]
    (replica,) = next(entry["replicas"] for entry in services if entry["service"] == "organism")
    assert replica["requests"] > 0


def test_it_disturbs_no_replica_when_it_starts(head: Head, task_api: TaskApi) -> None:
    before = request(task_api.services_url + "/organism/health").json()
    with TaskApi(head) as another:
        assert request(another.url + "/tasks").status == 200
    after = request(task_api.services_url + "/organism/health").json()
    assert after["status"] == before["status"] == "healthy", after
