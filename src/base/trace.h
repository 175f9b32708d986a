#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/env.h"

namespace seedcore {

/// Where a call stands in a distributed trace: W3C Trace Context, version 00.
struct TraceContext {
  std::string trace_id;        ///< 32 lower-case hex digits, not all zero; empty: no trace
  std::string parent_span_id;  ///< 16 lower-case hex digits, not all zero
  bool sampled = true;

  /// The `traceparent` header; empty when there is no trace.
  [[nodiscard]] std::string ToHeader() const;
};

/// Parses a `traceparent` header. A header that breaks the specification is ignored, as it asks.
[[nodiscard]] std::optional<TraceContext> ParseTraceparent(std::string_view header);
/// A new trace with a new span in it.
[[nodiscard]] TraceContext NewTrace(Env& env);
/// The context to hand to a callee: same trace, new span.
[[nodiscard]] TraceContext ChildOf(const TraceContext& parent, Env& env);

/// One finished piece of work on behalf of a task.
struct Span {
  std::string name;  ///< for example "coordinator.route"
  std::string trace_id;
  std::string span_id;
  std::string parent_span_id;
  WallTime start;
  std::chrono::microseconds duration{0};
  std::string error;  ///< empty when it went well
};

/// Spans by task id. Keeps the newest `max_tasks` tasks with at most `max_spans_per_task` spans each; older ones are
/// dropped. Thread-safe.
class SpanStore {
 public:
  explicit SpanStore(std::size_t max_tasks = 2048, std::size_t max_spans_per_task = 64);

  void Add(const std::string& task_id, Span span);
  [[nodiscard]] std::vector<Span> ForTask(const std::string& task_id) const;

 private:
  const std::size_t max_tasks_;
  const std::size_t max_spans_per_task_;
  mutable std::mutex mutex_;  // guards everything below
  std::map<std::string, std::vector<Span>> spans_;
  std::vector<std::string> order_;  // ring of task ids, oldest at next_
  std::size_t next_ = 0;
};

}  // namespace seedcore
