#include "queue/claimer.h"

#include <algorithm>
#include <memory>
#include <utility>

namespace seedcore::queue {
namespace {

/// A task that is due now and yet was not claimed is of another type, or another dispatcher is about to take it.
constexpr std::chrono::microseconds kShortestSleep{1'000};

}  // namespace

std::optional<std::chrono::milliseconds> Claimer::Look(int free) {
  asked_ = env_.Now();
  asked_wall_ = env_.WallNow();
  next_look_ = asked_;
  drained_ = false;
  const int limit = std::min(free, settings_.claim_batch);
  auto claims = Claim(limit);
  if (!claims) {
    telemetry_.NoteError(ToString(claims.error()));
    return trouble_.Failed(claims.error());
  }
  trouble_.Succeeded();
  drained_ = claims->size() < static_cast<std::size_t>(limit);
  Admit(std::move(*claims), asked_);
  return std::nullopt;
}

Instant Claimer::NextLook() {
  if (std::exchange(drained_, false)) next_look_ = AfterDrained();
  return next_look_;
}

Result<std::vector<store::Claim>> Claimer::Claim(int limit) {
  SEEDCORE_RETURN_IF_ERROR(env_.Fault("dispatcher.claim"));
  TypeChoice choice;
  if (settings_.choose_types) choice = settings_.choose_types();
  return store_.ClaimTasks({.owner_id = settings_.owner_id,
                            .limit = limit,
                            .lease = settings_.lease,
                            .types = std::move(choice.types),
                            .except = std::move(choice.except)});
}

void Claimer::Admit(std::vector<store::Claim> claims, Instant asked) {
  if (claims.empty()) return;
  telemetry_.claimed.Add(static_cast<std::int64_t>(claims.size()));
  telemetry_.NoteClaim(env_.WallNow());
  std::vector<std::shared_ptr<Execution>> executions;
  executions.reserve(claims.size());
  for (store::Claim& claim : claims) {
    executions.push_back(std::make_shared<Execution>(std::move(claim), asked + settings_.lease));
  }
  in_flight_.Admit(std::move(executions));
}

/// The store signals what becomes runnable by a commit; what becomes runnable by time is awaited here, counted from
/// before the look: what came due since then is looked for at once.
Instant Claimer::AfterDrained() const {
  const auto poll =
      std::chrono::duration_cast<std::chrono::microseconds>(settings_.poll * (0.75 + 0.5 * env_.RandomUnit()));
  const auto next = store_.NextRunAfter();
  if (!next || !*next) return asked_ + poll;
  return asked_ + std::clamp(**next - asked_wall_, std::min(kShortestSleep, poll), poll);
}

}  // namespace seedcore::queue
