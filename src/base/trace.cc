#include "base/trace.h"

#include <algorithm>

#include <fmt/format.h>

namespace seedcore {
namespace {

constexpr std::size_t kTraceIdLength = 32;
constexpr std::size_t kSpanIdLength = 16;

bool IsLowerHex(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool IsId(std::string_view text, std::size_t length) {
  return text.size() == length && IsLowerHex(text) && text.find_first_not_of('0') != std::string_view::npos;
}

/// An id of zeros would mean "none", so the lowest bit is always set.
std::string RandomHex16(Env& env) { return fmt::format("{:016x}", env.Random() | 1U); }

}  // namespace

std::string TraceContext::ToHeader() const {
  if (trace_id.empty()) return {};
  return fmt::format("00-{}-{}-{}", trace_id, parent_span_id, sampled ? "01" : "00");
}

std::optional<TraceContext> ParseTraceparent(std::string_view header) {
  constexpr std::size_t kLength = 55;  // 00-<32>-<16>-<2>
  if (header.size() < kLength || header[2] != '-' || header[35] != '-' || header[52] != '-') return std::nullopt;
  const std::string_view version = header.substr(0, 2);
  if (!IsLowerHex(version) || version == "ff") return std::nullopt;
  // A later version may append fields, the known ones stay where they are.
  if (version == "00" ? header.size() != kLength : header.size() > kLength && header[kLength] != '-') {
    return std::nullopt;
  }
  const std::string_view trace_id = header.substr(3, kTraceIdLength);
  const std::string_view span_id = header.substr(36, kSpanIdLength);
  const std::string_view flags = header.substr(53, 2);
  if (!IsId(trace_id, kTraceIdLength) || !IsId(span_id, kSpanIdLength) || !IsLowerHex(flags)) return std::nullopt;
  const char low_digit = flags[1];
  const int low = low_digit <= '9' ? low_digit - '0' : low_digit - 'a' + 10;
  return TraceContext{std::string(trace_id), std::string(span_id), (low & 1) != 0};
}

TraceContext NewTrace(Env& env) { return {RandomHex16(env) + RandomHex16(env), RandomHex16(env), true}; }

TraceContext ChildOf(const TraceContext& parent, Env& env) {
  if (parent.trace_id.empty()) return NewTrace(env);
  return {parent.trace_id, RandomHex16(env), parent.sampled};
}

SpanStore::SpanStore(std::size_t max_tasks, std::size_t max_spans_per_task)
    : max_tasks_(std::max<std::size_t>(1, max_tasks)), max_spans_per_task_(max_spans_per_task) {}

void SpanStore::Add(const std::string& task_id, Span span) {
  const std::scoped_lock lock(mutex_);
  const auto [task, inserted] = spans_.try_emplace(task_id);
  if (task->second.size() < max_spans_per_task_) task->second.push_back(std::move(span));
  if (!inserted) return;
  if (order_.size() < max_tasks_) {
    order_.push_back(task_id);
    return;
  }
  spans_.erase(order_[next_]);
  order_[next_] = task_id;
  next_ = (next_ + 1) % max_tasks_;
}

std::vector<Span> SpanStore::ForTask(const std::string& task_id) const {
  const std::scoped_lock lock(mutex_);
  const auto found = spans_.find(task_id);
  return found == spans_.end() ? std::vector<Span>{} : found->second;
}

}  // namespace seedcore
