"""The energy endpoint of app.py on Ray Serve, as its users write it: a FastAPI ingress with typed models.

`serve_app:build` for a Serve configuration; `EnergyActor` is the same computation behind a plain actor method.
"""

import ray
from app import ComputeEnergyRequest, EnergyResponse, compute_energy
from fastapi import FastAPI
from ray import serve
from ray.serve import Application

api = FastAPI()


@serve.deployment(name="Reference")
@serve.ingress(api)
class Reference:
    """One replica of the reference."""

    @api.post("/compute-energy")
    async def compute(self, request: ComputeEnergyRequest) -> EnergyResponse:
        """The energy of a unified state."""
        return await compute_energy(request)


def build(args: dict[str, str]) -> Application:
    """The application; it has no arguments."""
    assert not args
    return Reference.bind()


@ray.remote(num_cpus=0)
class EnergyActor:
    """JSON in, JSON out, as a call between actors carries it."""

    async def compute(self, body: bytes) -> bytes:
        """The energy of a unified state."""
        answer = await compute_energy(ComputeEnergyRequest.model_validate_json(body))
        return answer.model_dump_json().encode()

    async def echo(self, body: bytes) -> bytes:
        """The call alone."""
        return body
