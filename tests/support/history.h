#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/result.h"
#include "store/store.h"
#include "store/task.h"

/// What the append-only history of tasks must look like, whatever happened to the processes that worked on them.
namespace seedcore::test {

struct HistoryRules {
  int max_executions = 100;       ///< claims of one task
  bool must_be_completed = true;  ///< each task has come to its end, and that is completion
};

struct HistoryReport {
  std::vector<std::string> violations;  ///< empty: all is well
  std::size_t tasks = 0;
  std::size_t claims = 0;
  std::size_t lease_expiries = 0;
  std::size_t retries = 0;
  int most_executions = 0;
};

/// All events of a store, in the order of their seq.
[[nodiscard]] inline Result<std::vector<store::TaskEvent>> ReadHistory(store::TaskStore& tasks) {
  std::vector<store::TaskEvent> events;
  for (;;) {
    SEEDCORE_ASSIGN_OR_RETURN(const auto page, tasks.EventsAfter(events.empty() ? 0 : events.back().seq, 1000));
    if (page.empty()) return events;
    events.insert(events.end(), page.begin(), page.end());
  }
}

/// Checks the events of any number of tasks, in the order of their seq:
/// * each id in `acknowledged` has events: none is lost;
/// * a task begins with `submitted`, and after a terminal event nothing happens to it any more: nothing ends twice;
/// * fencing tokens grow strictly from claim to claim, and what is written about an execution carries the token of the
///   latest claim, with no other ending of that claim before it;
/// * executions stay within their bound; with `must_be_completed`, every task is completed exactly once.
[[nodiscard]] inline HistoryReport CheckHistory(std::span<const store::TaskEvent> events,
                                                const std::set<std::string>& acknowledged, const HistoryRules& rules) {
  struct Life {
    std::int64_t token = 0;
    int executions = 0;
    int completions = 0;
    bool claimed = false;
    bool ended = false;
  };
  // What ends an execution, and must therefore come under the token of the latest claim.
  static const std::set<std::string, std::less<>> kEndsExecution{"completed",     "retry",       "failed", "held",
                                                                 "lease_expired", "handed_back", "snoozed"};
  HistoryReport report;
  std::map<std::string, Life> lives;
  std::int64_t last_seq = 0;
  for (const store::TaskEvent& event : events) {
    const auto violate = [&](const std::string& what) {
      report.violations.push_back(fmt::format("{} #{} {} (token {}, attempt {}): {}", event.task_id, event.seq,
                                              event.kind, event.fencing_token, event.attempt, what));
    };
    if (event.seq <= last_seq) violate("seq does not grow");
    last_seq = event.seq;
    const auto [entry, is_new] = lives.try_emplace(event.task_id);
    Life& life = entry->second;
    if (is_new != (event.kind == "submitted")) violate("a history begins with submitted, and only there");
    // A late result that was refused changes nothing; it may be noted at any time.
    if (event.kind == "lease_lost") continue;
    if (life.ended) violate("something happens after the end");

    if (event.kind == "claimed") {
      if (life.claimed) violate("claimed while another claim stands");
      if (event.fencing_token <= life.token) violate(fmt::format("the token was {} before", life.token));
      life.token = event.fencing_token;
      life.claimed = true;
      ++life.executions;
      ++report.claims;
    } else if (kEndsExecution.contains(event.kind) && (life.claimed || event.kind == "completed")) {
      if (!life.claimed) violate("no claim stands");
      if (event.fencing_token != life.token) violate(fmt::format("the latest claim has token {}", life.token));
      // A lease that expires with no attempt left is followed by `failed` under the same claim.
      const bool still_claimed = event.kind == "lease_expired" && event.status == store::TaskStatus::kRunning;
      life.claimed = still_claimed;
    }
    if (event.kind == "completed") ++life.completions;
    if (event.kind == "lease_expired") ++report.lease_expiries;
    if (event.kind == "retry") ++report.retries;
    life.ended = store::IsTerminal(event.status);
  }

  for (const std::string& id : acknowledged) {
    if (!lives.contains(id)) report.violations.push_back(fmt::format("{}: acknowledged, but lost", id));
  }
  for (const auto& [id, life] : lives) {
    report.most_executions = std::max(report.most_executions, life.executions);
    if (life.executions > rules.max_executions) {
      report.violations.push_back(fmt::format("{}: executed {} times", id, life.executions));
    }
    if (rules.must_be_completed && life.completions != 1) {
      report.violations.push_back(fmt::format("{}: completed {} times", id, life.completions));
    }
  }
  report.tasks = lives.size();
  return report;
}

}  // namespace seedcore::test
