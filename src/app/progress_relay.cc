#include "app/progress_relay.h"

#include <utility>

#include "base/json_binding.h"

namespace seedcore::app {
namespace {

constexpr const char* kLeaseField = "X-SeedCore-Lease";

struct LeaseField {
  std::string task_id;
  std::string owner_id;
  std::int64_t fencing_token = 0;
  static constexpr auto kFields = Fields(Required("task_id", &LeaseField::task_id, "Full task id"),
                                         Required("owner_id", &LeaseField::owner_id, "Who has claimed it"),
                                         Required("fencing_token", &LeaseField::fencing_token, "Of the claim"));
};

}  // namespace

void NameLease(const CallContext& call, net::Headers& headers) {
  const auto* reporter = dynamic_cast<const queue::LeaseProgress*>(call.progress.get());
  auto lease = reporter == nullptr ? std::nullopt : reporter->lease();
  if (!lease) return;
  headers.Add(kLeaseField,
              ToJsonText(LeaseField{std::move(lease->task_id), std::move(lease->owner_id), lease->fencing_token}));
}

net::Handler WithProgress(net::Handler handler, queue::ProgressKeeper& keeper) {
  return [handler = std::move(handler), &keeper](const net::Request& request) {
    const auto field = request.headers.Find(kLeaseField);
    auto lease = field ? FromJsonText<LeaseField>(*field) : Result<LeaseField>(Fail(ErrorCode::kNotFound, ""));
    if (!lease) return handler(request);  // without, or from a newer version: the work goes on unseen
    net::Request informed = request;
    informed.call.progress =
        keeper.For(store::Lease{std::move(lease->task_id), std::move(lease->owner_id), lease->fencing_token});
    return handler(informed);
  };
}

}  // namespace seedcore::app
