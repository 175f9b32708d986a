#include "sim/overtaking.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "store/turn.h"

namespace seedcore::sim {

using store::TaskStatus;

namespace {

/// Only a turn stands between the task and a claim at `now`.
bool CanBeClaimed(const test::ModelStore::Row& row) {
  const store::Task& task = row.task;
  return (task.status == TaskStatus::kQueued || task.status == TaskStatus::kRetry) && row.turn && row.queued_as_due;
}

bool IsFree(const store::Task& task) { return task.type != "b" && task.concurrency_key.empty(); }

}  // namespace

void Overtaking::AfterStep(const test::ModelStore& store, std::vector<std::string>& violations) {
  for (const test::ModelStore::Row& row : store.rows()) seq_of_.try_emplace(row.task.id, row.seq);
  std::vector<std::int64_t> claimed;
  for (; events_seen_ < store.history().size(); ++events_seen_) {
    const store::TaskEvent& event = store.history()[events_seen_];
    if (event.kind == "claimed") claimed.push_back(seq_of_.at(event.task_id));
  }
  for (const test::ModelStore::Row& row : store.rows()) {
    if (std::ranges::count(claimed, row.seq) > 0) Count(store, row, violations);
  }
  Rank(store);
  for (const test::ModelStore::Row& row : store.rows()) {
    lives_[row.seq].waits = CanBeClaimed(row) && IsFree(row.task);
  }
}

/// Several transactions of one step may have given turns; within a flow their order is that of the turns.
void Overtaking::Rank(const test::ModelStore& store) {
  ++step_;
  std::vector<const test::ModelStore::Row*> fresh;
  for (const test::ModelStore::Row& row : store.rows()) {
    if (row.turn && *row.turn != lives_[row.seq].turn) fresh.push_back(&row);
  }
  std::ranges::sort(
      fresh, [](const auto* a, const auto* b) { return std::pair(*a->turn, a->seq) < std::pair(*b->turn, b->seq); });
  for (const test::ModelStore::Row* row : fresh) {
    Life& life = lives_[row->seq];
    life = {.turn = *row->turn,
            .step = step_,
            .rank = ++last_rank_,
            .claimed = false,
            .waits = false,
            .flow = {row->task.type, row->task.domain, row->task.priority},
            .ahead = 0,
            .late = {},
            .all = {}};
    std::vector<std::int64_t>& unclaimed = unclaimed_[life.flow];
    life.ahead = static_cast<std::int64_t>(unclaimed.size());
    unclaimed.push_back(life.rank);
  }
}

/// `claimed` has been claimed in this step: before whatever waited at its beginning and still waits.
void Overtaking::Count(const test::ModelStore& store, const test::ModelStore::Row& claimed,
                       std::vector<std::string>& violations) {
  Life& life = lives_[claimed.seq];
  if (life.turn < 0) return;  // submitted in this very step
  std::erase_if(unclaimed_[life.flow], [&](std::int64_t rank) { return rank <= life.rank; });
  if (std::exchange(life.claimed, true) || !IsFree(claimed.task)) return;
  for (const test::ModelStore::Row& row : store.rows()) {
    Life& waiting = lives_[row.seq];
    if (!waiting.waits || !CanBeClaimed(row) || *row.turn != waiting.turn) continue;
    const bool is_own = waiting.flow == life.flow;
    const std::int64_t steps = std::get<2>(life.flow) - std::get<2>(waiting.flow);
    const std::int64_t most =
        is_own ? 0 : std::max<std::int64_t>(0, waiting.ahead + 2 + steps * (store::kPriorityStep / store::kTurn));
    const auto complain = [&](std::int64_t n, std::int64_t bound, const char* which) {
      violations.push_back(fmt::format("{}: {} tasks of type {} and domain {} {} are claimed before it, at most {} may",
                                       row.task.id, n, std::get<0>(life.flow), std::get<1>(life.flow), which, bound));
    };
    if (is_own ? life.rank > waiting.rank : life.step > waiting.step) {
      if (const std::int64_t n = ++waiting.late[life.flow]; n > most) complain(n, most, "that came later");
    }
    if (one_priority_ && !is_own) {
      if (const std::int64_t n = ++waiting.all[life.flow]; n > most + 1) complain(n, most + 1, "");
    }
  }
}

}  // namespace seedcore::sim
