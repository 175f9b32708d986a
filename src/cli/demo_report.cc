#include "cli/demo_report.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "cli/api.h"
#include "cli/terminal.h"

namespace seedcore::cli {
namespace {

constexpr std::size_t kMaxFailuresShown = 5;
constexpr std::size_t kIndent = 22;
constexpr std::size_t kWrapWidth = 76;  // behind the indent: lines of at most 98 columns
constexpr int kMaxPlanDepth = 12;

double NumberOf(const json::value& object, std::string_view key) {
  const json::value* found = object.as_object().if_contains(key);
  return found != nullptr && found->is_number() ? JsonToDouble(*found) : 0.0;
}

/// The triage inside the result of a task: on the fast path the executor's answer, in a plan the step that triaged.
const json::object* FindTriage(const json::value& value, int depth = 0) {
  if (depth > kMaxPlanDepth) return nullptr;
  if (const auto* object = value.if_object()) {
    if (object->contains("anomalies") && object->contains("decision")) return object;
    for (const auto& member : *object) {
      if (const auto* found = FindTriage(member.value(), depth + 1)) return found;
    }
  } else if (const auto* array = value.if_array()) {
    for (const json::value& element : *array) {
      if (const auto* found = FindTriage(element, depth + 1)) return found;
    }
  }
  return nullptr;
}

std::optional<WallTime> TimeOf(const json::value& anomaly) {
  const json::value* stamp = anomaly.as_object().if_contains("timestamp");
  if (stamp == nullptr) return std::nullopt;
  if (stamp->is_number()) return FromUnixMicros(static_cast<std::int64_t>(JsonToDouble(*stamp) * 1e6));
  if (!stamp->is_string()) return std::nullopt;
  const auto time = ParseRfc3339(stamp->get_string());
  return time ? std::optional(*time) : std::nullopt;
}

std::string PathOf(const json::value& result) { return TextOf(result, "path", "unknown"); }

std::optional<double> RunMilliseconds(const json::value& task) {
  const auto started = ParseRfc3339(TextOf(task, "started_at"));
  const auto finished = ParseRfc3339(TextOf(task, "finished_at"));
  if (!started || !finished) return std::nullopt;
  return static_cast<double>((*finished - *started).count()) / 1000.0;
}

std::string ReasoningOf(const json::object& triage) {
  const json::value& decision = triage.at("decision");
  std::string text = TextOf(decision, "reasoning");
  if (text.empty()) text = TextOf(triage.at("reason"), "thought");
  return text;
}

void NoteAnomalies(const json::object& triage, const json::value& task, DemoReport& report) {
  const std::string path = PathOf(task.at("result"));
  bool outside = false;
  std::string outside_day;
  for (const json::value& anomaly : triage.at("anomalies").as_array()) {
    const auto at = TimeOf(anomaly);
    if (!at) continue;
    const auto event = std::ranges::find_if(
        report.events, [&](const EventFinding& candidate) { return *at >= candidate.start && *at <= candidate.end; });
    if (event == report.events.end()) {
      outside = true;
      outside_day = ToRfc3339(*at).substr(0, 10);
      continue;
    }
    if (event->found && event->found_at <= *at) continue;
    event->found = true;
    event->found_at = *at;
    event->value = NumberOf(anomaly, "value");
    event->expected = NumberOf(anomaly, "expected");
    event->score = NumberOf(anomaly, "score");
    event->severity = TextOf(anomaly, "severity");
    event->why = TextOf(anomaly, "reason");
    event->decision = TextOf(triage.at("decision"), "action");
    event->reasoning = ReasoningOf(triage);
    event->path = path;
    event->task_id = TextOf(task, "id");
  }
  if (outside) report.other_days.push_back(outside_day);
}

/// Words of `text` in lines of at most `width` columns, all but the first indented.
std::string Wrap(std::string_view text, std::size_t indent, std::size_t width) {
  std::string out;
  std::size_t column = 0;
  while (!text.empty()) {
    const std::size_t space = text.find(' ');
    const std::string_view word = text.substr(0, space);
    if (column > 0 && column + 1 + word.size() > width) {
      out += '\n';
      out.append(indent, ' ');
      column = 0;
    } else if (column > 0) {
      out += ' ';
      ++column;
    }
    out += word;
    column += word.size();
    text.remove_prefix(space == std::string_view::npos ? text.size() : space + 1);
  }
  return out;
}

std::string EventText(const EventFinding& event) {
  const std::string window = ToRfc3339(event.start).substr(0, 10) + " .. " + ToRfc3339(event.end).substr(0, 10);
  std::string text = fmt::format("  {}{}\n", Paint(Color::kBold, Pad(event.name, kIndent - 2)), window);
  const auto line = [&](std::string_view label, const std::string& value) {
    text += fmt::format("    {}{}\n", Paint(Color::kDim, Pad(label, kIndent - 4)), Wrap(value, kIndent, kWrapWidth));
  };
  if (!event.found) {
    line("found", Paint(Color::kRed, "no"));
    return text;
  }
  line("found", fmt::format("{} {}, {} (score {:.2f})", Paint(Color::kGreen, "yes"),
                            ToRfc3339(event.found_at).substr(0, 16), event.severity, event.score));
  line("why", event.why);
  line("decision", Paint(Color::kCyan, event.decision));
  if (!event.reasoning.empty()) line("reasoning", event.reasoning);
  line("route", fmt::format("{} path, task {}", event.path, event.task_id));
  return text;
}

}  // namespace

double Quantile(const std::vector<double>& ascending, double q) {
  if (ascending.empty()) return 0.0;
  const auto rank = static_cast<std::size_t>(std::ceil(q * static_cast<double>(ascending.size())));
  return ascending[std::clamp<std::size_t>(rank, 1, ascending.size()) - 1];
}

DemoReport MakeDemoReport(const Example& example, const std::vector<json::value>& tasks) {
  DemoReport report;
  report.tasks = tasks.size();
  for (const KnownEvent& event : example.events) {
    report.events.push_back({.name = event.name, .start = event.start, .end = event.end});
  }
  for (const json::value& task : tasks) {
    const std::string status = TextOf(task, "status");
    if (status == "failed" || status == "cancelled") {
      ++report.failed;
      if (report.failures.size() < kMaxFailuresShown) report.failures.push_back(TextOf(task, "error"));
      continue;
    }
    if (status != "completed") {
      ++report.unfinished;
      continue;
    }
    RouteFigures& route = report.routes[PathOf(task.at("result"))];
    ++route.tasks;
    if (const auto ms = RunMilliseconds(task)) route.run_ms.push_back(*ms);
    const json::object* triage = FindTriage(task.at("result"));
    if (triage == nullptr) continue;
    ++report.decisions[TextOf(triage->at("decision"), "action", "none")];
    NoteAnomalies(*triage, task, report);
  }
  std::ranges::sort(report.other_days);
  for (auto& [path, route] : report.routes) std::ranges::sort(route.run_ms);
  return report;
}

std::string DemoReportText(const Example& example, const DemoReport& report) {
  const auto found = std::ranges::count_if(report.events, &EventFinding::found);
  std::string text = Paint(Color::kBold, "\nKnown events of the series\n");
  for (const EventFinding& event : report.events) text += EventText(event);
  text += fmt::format("\n  {} of {} events found; ", found, report.events.size());
  text += report.other_days.empty() ? "nothing else was flagged\n" : "also flagged:";
  for (const std::string& day : report.other_days) text += " " + day;
  if (!report.other_days.empty()) text += '\n';

  text += Paint(Color::kBold, "\nRoutes\n");
  text +=
      Paint(Color::kDim, fmt::format("  {}{:>8}{:>12}{:>12}{:>12}\n", Pad("path", 12), "tasks", "p50", "p99", "max"));
  for (const auto& [path, route] : report.routes) {
    text += fmt::format("  {}{:>8}{:>12}{:>12}{:>12}\n", Pad(path, 12), route.tasks,
                        HumanDuration(Quantile(route.run_ms, 0.5)), HumanDuration(Quantile(route.run_ms, 0.99)),
                        HumanDuration(Quantile(route.run_ms, 1.0)));
  }
  text += Paint(Color::kBold, "\nDecisions\n");
  for (const auto& [action, count] : report.decisions) text += fmt::format("  {}{:>8}\n", Pad(action, 12), count);
  text +=
      fmt::format("\n{} tasks of {} in {:.1f} s, {} failed\n", report.tasks, example.domain, report.elapsed_s,
                  report.failed == 0 ? Paint(Color::kGreen, "0") : Paint(Color::kRed, std::to_string(report.failed)));
  for (const std::string& failure : report.failures) text += fmt::format("  {}\n", Paint(Color::kRed, failure));
  if (report.unfinished > 0) text += Paint(Color::kRed, fmt::format("{} did not finish\n", report.unfinished));
  return text;
}

json::value DemoReportJson(const DemoReport& report) {
  json::array events;
  for (const EventFinding& event : report.events) {
    json::object item{{"name", event.name}, {"found", event.found}};
    if (event.found) {
      item["found_at"] = ToRfc3339(event.found_at);
      item["value"] = event.value;
      item["expected"] = event.expected;
      item["score"] = event.score;
      item["severity"] = event.severity;
      item["why"] = event.why;
      item["decision"] = event.decision;
      item["reasoning"] = event.reasoning;
      item["path"] = event.path;
      item["task_id"] = event.task_id;
    }
    events.push_back(std::move(item));
  }
  json::object routes, decisions;
  for (const auto& [path, route] : report.routes) {
    routes[path] = json::object{
        {"tasks", route.tasks}, {"p50_ms", Quantile(route.run_ms, 0.5)}, {"p99_ms", Quantile(route.run_ms, 0.99)}};
  }
  for (const auto& [action, count] : report.decisions) decisions[action] = count;
  json::array other_days;
  for (const std::string& day : report.other_days) other_days.push_back(json::string(day));
  return json::object{{"tasks", report.tasks},           {"failed", report.failed},
                      {"unfinished", report.unfinished}, {"elapsed_s", report.elapsed_s},
                      {"events", std::move(events)},     {"other_days", std::move(other_days)},
                      {"routes", std::move(routes)},     {"decisions", std::move(decisions)}};
}

}  // namespace seedcore::cli
