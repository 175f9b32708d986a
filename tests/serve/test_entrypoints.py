"""What the six entrypoints build, without a cluster."""

import importlib
from typing import Any

import pytest
import yaml
from cluster import CONFIG
from pydantic import ValidationError

APPLICATIONS = yaml.safe_load(CONFIG.read_text())["applications"]


@pytest.mark.parametrize("application", APPLICATIONS, ids=lambda application: str(application["name"]))
def test_an_entrypoint_takes_typed_arguments_and_builds_the_deployment_of_the_configuration(
    application: dict[str, Any],
) -> None:
    module, _, function = application["import_path"].partition(":")
    builder = getattr(importlib.import_module(module), function)
    (deployment,) = application["deployments"]
    built = builder({"gateway_url": "http://127.0.0.1:8000", "drain_timeout_s": 3})
    assert built._bound_deployment.name == deployment["name"]
    assert built._bound_deployment._deployment_config.graceful_shutdown_timeout_s == 8
    with pytest.raises(ValidationError, match="gateway_urls"):
        builder({"gateway_urls": "http://127.0.0.1:8000"})
    with pytest.raises(ValidationError, match="drain_timeout_s"):
        builder({"drain_timeout_s": -1})
