// Stands in for the client in a build with SEEDCORE_RAY_CLIENT=OFF, which has no gRPC.
#include "ray/client/ray_client.h"

namespace seedcore::ray {
namespace {

std::unexpected<Error> NotBuilt() {
  return Fail(ErrorCode::kUnavailable, "this program was built without the Ray Client (SEEDCORE_RAY_CLIENT=OFF)");
}

}  // namespace

Result<std::unique_ptr<RayClient>> ConnectRayClient(const RayClientOptions&, Env&, const CallContext&) {
  return NotBuilt();
}

Result<void> ProbeRayClientServer(const RayClientOptions&, Env&, const CallContext&) { return NotBuilt(); }

}  // namespace seedcore::ray
