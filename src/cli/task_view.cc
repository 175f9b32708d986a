#include "cli/task_view.h"

#include <array>

#include <fmt/format.h>

#include "cli/api.h"
#include "cli/terminal.h"

namespace seedcore::cli {
namespace {

constexpr std::size_t kIdWidth = kShortIdLength + 2;
constexpr std::size_t kStatusWidth = 10;
constexpr std::size_t kTypeWidth = 18;
constexpr std::size_t kSummaryWidth = 60;
constexpr int kMaxSearchDepth = 8;

Color StatusColor(const std::string& status) {
  if (status == "completed") return Color::kGreen;
  if (status == "failed") return Color::kRed;
  if (status == "running") return Color::kCyan;
  if (status == "retry" || status == "cancelled") return Color::kYellow;
  return Color::kNone;
}

/// The first text called "formatted" or "answer" below `value`; the envelopes around an answer differ by route.
const json::string* FindAnswer(const json::value& value, int depth) {
  if (depth > kMaxSearchDepth) return nullptr;
  if (const auto* object = value.if_object()) {
    for (const std::string_view key : {"formatted", "answer"}) {
      const json::value* found = object->if_contains(key);
      if (found != nullptr && found->is_string()) return &found->get_string();
    }
    for (const auto& member : *object) {
      if (const auto* found = FindAnswer(member.value(), depth + 1)) return found;
    }
  } else if (const auto* array = value.if_array()) {
    for (const json::value& element : *array) {
      if (const auto* found = FindAnswer(element, depth + 1)) return found;
    }
  }
  return nullptr;
}

void AppendField(std::string& out, std::string_view name, std::string_view value) {
  if (!value.empty()) out += fmt::format("  {} {}\n", Paint(Color::kDim, Pad(name, 14)), value);
}

void AppendSteps(std::string& out, const json::array& steps) {
  if (steps.empty()) return;
  out += Paint(Color::kBold, "\nSteps\n");
  for (const json::value& step : steps) {
    const json::value& result = step.at("result");
    std::string what = TextOf(step, "error");
    if (what.empty() && !result.is_null()) what = WriteJson(result);
    out += fmt::format("  {}{}{:>3}  {}\n", Pad(Cut(TextOf(step, "name"), 23), 24), PaintStatus(TextOf(step, "status")),
                       WriteJson(step.at("attempt")), Cut(std::move(what), kSummaryWidth));
  }
}

void AppendHistory(std::string& out, const json::object& history) {
  out += Paint(Color::kBold, "\nHistory\n");
  for (const json::value& event : history.at("events").as_array()) {
    out += fmt::format("  {}  {}{}{}\n", TextOf(event, "at"), Pad(TextOf(event, "kind"), 16),
                       PaintStatus(TextOf(event, "status")),
                       Paint(Color::kDim, Cut(TextOf(event, "detail"), kSummaryWidth)));
  }
  const json::array& spans = history.at("spans").as_array();
  if (spans.empty()) return;
  out += Paint(Color::kBold, "\nCalls made for it\n");
  for (const json::value& span : spans) {
    out += fmt::format("  {}  {:>9}  {}\n", Pad(TextOf(span, "name"), 36),
                       HumanDuration(JsonToDouble(span.at("duration_ms"))), TextOf(span, "error"));
  }
}

}  // namespace

std::string PaintStatus(const std::string& status) { return Paint(StatusColor(status), Pad(status, kStatusWidth)); }

std::string ResultSummary(const json::value& task, std::size_t width) {
  const std::string error = TextOf(task, "error");
  const json::value& result = task.at("result");
  if (result.is_null()) return Cut(error.empty() ? TextOf(task, "description") : error, width);
  if (TextOf(task, "status") != "completed" && !error.empty()) return Cut(error, width);
  if (const json::string* answer = FindAnswer(result, 0)) return Cut(std::string(*answer), width);
  return Cut(WriteJson(result), width);
}

std::string TaskTable(const json::array& tasks) {
  std::string out = Paint(Color::kDim, fmt::format("{}{}{}{}{}\n", Pad("ID", kIdWidth), Pad("STATUS", kStatusWidth),
                                                   Pad("TYPE", kTypeWidth), Pad("CREATED", 21), "SUMMARY"));
  for (const json::value& task : tasks) {
    out += fmt::format("{}{}{}{}{}\n", Pad(TextOf(task, "id").substr(0, kShortIdLength), kIdWidth),
                       PaintStatus(TextOf(task, "status")), Pad(Cut(TextOf(task, "type"), kTypeWidth - 1), kTypeWidth),
                       Pad(TextOf(task, "created_at").substr(0, 19), 21), ResultSummary(task, kSummaryWidth));
  }
  return out;
}

std::string TaskDetails(const json::object& task, const json::value& history, const json::value& steps) {
  std::string out =
      fmt::format("{}  {}\n", Paint(Color::kBold, TextOf(task, "id")), PaintStatus(TextOf(task, "status")));
  for (const std::string_view key : {"type", "domain", "description", "created_at", "started_at", "finished_at",
                                     "run_after", "deadline", "owner_id", "hold_reason", "error", "error_code"}) {
    AppendField(out, key, TextOf(task, key));
  }
  if (const json::value* before = task.if_contains("depends_on"); before != nullptr && before->is_array()) {
    std::string ids;
    for (const json::value& id : before->get_array()) ids += (ids.empty() ? "" : " ") + std::string(id.as_string());
    AppendField(out, "depends_on", ids);
  }
  AppendField(out, "attempts",
              fmt::format("{} of {}", WriteJson(task.at("attempts")), WriteJson(task.at("max_attempts"))));
  AppendField(out, "priority", WriteJson(task.at("priority")));
  if (const json::value* progress = task.if_contains("progress"); progress != nullptr && progress->is_object()) {
    AppendField(out, "progress",
                fmt::format("{:.0f} %  {}", 100.0 * JsonToDouble(progress->at("fraction")), TextOf(*progress, "note")));
  }
  if (task.at("dead_letter").as_bool()) AppendField(out, "dead letter", "yes; `seedcore retry` queues it again");
  if (steps.is_object()) AppendSteps(out, steps.get_object().at("items").as_array());
  if (!task.at("result").is_null()) {
    out += Paint(Color::kBold, "\nResult\n") + WriteJsonPretty(task.at("result")) + "\n";
  }
  if (history.is_object()) AppendHistory(out, history.get_object());
  return out;
}

}  // namespace seedcore::cli
