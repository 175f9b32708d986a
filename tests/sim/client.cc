#include "sim/client.h"

#include <algorithm>

#include <fmt/format.h>

#include "sim/workflow.h"

namespace seedcore::sim {

using namespace std::chrono_literals;

std::string Client::Step() {
  due_ = env_.Now() + 50ms + weather_.UpTo(3s);
  switch (weather_.Below(8)) {
    case 0: Cancel(); return "cancel";
    case 1:
    case 2: ResumeHeld(); return "resume";
    default:
      if (batch_.empty()) MakeBatch();
      Submit();
      return "submit";
  }
}

void Client::MakeBatch() {
  if (left_ == 0 || weather_.Below(6) == 0) {
    batch_ = last_;  // a duplicate: the answer must name the tasks of the first time
    return;
  }
  const WallTime now = env_.WallNow();
  for (int n = 1 + weather_.Below(habits_.most_per_batch); n > 0 && left_ > 0; --n, --left_) {
    store::NewTask task;
    task.type = weather_.Below(2) == 0 ? "a" : "b";
    task.domain = habits_.domain;
    task.priority = habits_.priority > 0 ? habits_.priority : 1 + weather_.Below(10);
    if (weather_.Below(6) == 0) {
      const int steps = 1 + weather_.Below(4);
      task.params = ParamsOf({.steps = steps, .person = weather_.Below(3) == 0 ? weather_.Below(steps) : -1});
    }
    task.retry = {.max_attempts = 1 + weather_.Below(4), .base = 1s, .max = 20s};
    task.idempotency_key = fmt::format("{}-{}", env_.Random(), ++made_);
    if (weather_.Below(3) == 0) task.concurrency_key = weather_.Below(2) == 0 ? "x" : "y";
    if (weather_.Below(6) == 0) task.unique_key = weather_.Below(2) == 0 ? "u" : "v";
    if (weather_.Below(6) == 0) task.run_after = now + weather_.UpTo(20s);
    if (weather_.Below(6) == 0) task.deadline = now + 1s + weather_.UpTo(60s);
    if (!ids_.empty() && weather_.Below(4) == 0) {
      task.depends_on.push_back(ids_[static_cast<std::size_t>(weather_.Below(static_cast<int>(ids_.size())))]);
    }
    batch_.push_back(std::move(task));
  }
}

void Client::Submit() {
  if (batch_.empty()) return;
  const auto submitted = store_.Submit(batch_);
  if (!submitted) {
    if (submitted.error().code != ErrorCode::kUnavailable) checker_.Violate(ToString(submitted.error()));
    return;  // it does not know whether the tasks are stored: the same again, later
  }
  checker_.Acknowledged(*submitted);
  for (const store::SubmitResult& result : *submitted) ids_.push_back(result.task.id);
  last_ = std::exchange(batch_, {});
}

void Client::Cancel() {
  if (ids_.empty() || weather_.Below(4) != 0) return;
  static_cast<void>(store_.Cancel(ids_[static_cast<std::size_t>(weather_.Below(static_cast<int>(ids_.size())))]));
}

void Client::ResumeHeld() {
  const auto held = store_.List({.status = store::TaskStatus::kCreated}, 1000, "");
  if (!held) return;
  for (const store::Task& task : held->items) {
    if (PlanOf(task).steps > 0 && weather_.Below(2) == 0) {
      Answer(task);
    } else {
      static_cast<void>(store_.Run(task.id));
    }
  }
}

void Client::Answer(const store::Task& task) {
  const auto steps = Through(weather_, false, [&] { return steps_.Steps(task.id); });
  if (!steps) return;
  const auto waiting =
      std::ranges::find(*steps, store::TaskStepStatus::kWaiting, [](const store::TaskStep& s) { return s.status; });
  if (waiting == steps->end()) return;
  static_cast<void>(Through(weather_, false, [&] {
    return steps_.Answer(task.id, waiting->name, {.answer = "yes", .refused = false, .reason = {}});
  }));
}

}  // namespace seedcore::sim
