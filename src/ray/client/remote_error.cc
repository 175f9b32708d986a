#include "ray/client/remote_error.h"

#include <algorithm>
#include <array>
#include <optional>

#include <fmt/format.h>

#include "ray/client/pickle_program.h"
#include "ray/client/pickle_reader.h"

namespace seedcore::ray {
namespace {

using Kind = PickleNode::Kind;

constexpr PickleLimits kLimits{.max_bytes = 4 * 1024 * 1024, .max_nodes = 100'000, .max_memo = 100'000};
/// A description, not the traceback of a whole program.
constexpr std::size_t kMaxText = 2000;
/// Classes made by value are wrapped in a few calls; causes are not chained deeper than this by Ray.
constexpr int kMaxSteps = 8;

constexpr std::string_view kTaskError = "RayTaskError";

const PickleNode* ItemOf(const PickleGraph& graph, const PickleNode& node, std::size_t index) {
  return index < node.items.size() ? &graph[node.items[index]] : nullptr;
}

/// The name of a class: of one that is imported, or of one that cloudpickle carries by value, which is the result of
/// `_class_setstate(_make_skeleton_class(type, NAME, bases, ..), ..)`.
std::string ClassName(const PickleGraph& graph, const PickleNode* callable) {
  for (int step = 0; callable != nullptr && step < kMaxSteps; ++step) {
    if (callable->kind == Kind::kGlobal) return callable->text;
    if (callable->kind != Kind::kObject) return {};
    const PickleNode* maker = ItemOf(graph, *callable, 0);
    const PickleNode* arguments = ItemOf(graph, *callable, 1);
    if (maker == nullptr || arguments == nullptr) return {};
    if (maker->text.ends_with("._make_skeleton_class")) {
      const PickleNode* name = ItemOf(graph, *arguments, 1);
      return name == nullptr ? std::string{} : name->text;
    }
    callable = ItemOf(graph, *arguments, 0);
  }
  return {};
}

std::string Describe(const PickleGraph& graph, PickleId id) {
  if (graph[id].kind == Kind::kText) return graph[id].text;
  const auto plain = ReadPlain(graph, id, kLimits);
  return plain ? WriteJson(PyToJson(*plain)) : "(an object)";
}

/// What str() of an exception gives: its only argument, or all of them; Ray's own keep theirs in the state.
std::string TextOf(const PickleGraph& graph, const PickleNode& exception) {
  for (std::size_t i = 2; i < exception.items.size(); ++i) {
    const PickleNode& state = graph[exception.items[i]];
    if (state.kind != Kind::kDict) continue;
    for (std::size_t k = 0; k + 1 < state.items.size(); k += 2) {
      if (graph[state.items[k]].text == "error_msg") return Describe(graph, state.items[k + 1]);
    }
  }
  const PickleNode* arguments = ItemOf(graph, exception, 1);
  if (arguments == nullptr || arguments->kind != Kind::kTuple) return {};
  if (arguments->items.size() == 1) return Describe(graph, arguments->items.front());
  std::string text;
  for (const PickleId item : arguments->items) text += (text.empty() ? "" : ", ") + Describe(graph, item);
  return text;
}

std::string_view AfterLastDot(std::string_view name) {
  // "ray.exceptions.GetTimeoutError", but "RayTaskError(my.Error)" stays whole.
  const std::size_t dot = name.substr(0, name.find('(')).rfind('.');
  return dot == std::string_view::npos ? name : name.substr(dot + 1);
}

bool IsException(const PickleGraph& graph, const PickleNode& node) {
  return node.kind == Kind::kObject && node.items.size() >= 2 && !ClassName(graph, ItemOf(graph, node, 0)).empty();
}

/// The exception a RayTaskError stands for: its only argument, or the third of
/// (function, traceback, cause, process title, process id, address).
const PickleNode* CauseOf(const PickleGraph& graph, const PickleNode& exception) {
  const PickleNode* arguments = ItemOf(graph, exception, 1);
  if (arguments == nullptr) return nullptr;
  for (const PickleId item : arguments->items) {
    if (IsException(graph, graph[item])) return &graph[item];
  }
  return nullptr;
}

void Truncate(std::string& text) {
  if (text.size() <= kMaxText) return;
  std::size_t end = kMaxText;
  // Not in the middle of a UTF-8 sequence.
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80U) --end;
  text.resize(end);
  text += " ...";
}

bool IsOneOf(std::string_view type, std::initializer_list<std::string_view> types) {
  return std::ranges::find(types, type) != types.end();
}

ErrorCode CodeOf(const RemoteException& exception) {
  if (exception.is_in_call) return ErrorCode::kNonRetryable;
  if (!exception.is_ray) return ErrorCode::kInvalidArgument;
  const std::string_view type = exception.type;
  if (type == "GetTimeoutError") return ErrorCode::kDeadlineExceeded;
  if (type == "TaskCancelledError") return ErrorCode::kCancelled;
  if (IsOneOf(type, {"OutOfMemoryError", "PendingCallsLimitExceeded", "OutOfDiskError", "ObjectStoreFullError"})) {
    return ErrorCode::kResourceExhausted;
  }
  return ErrorCode::kUnavailable;
}

}  // namespace

Result<RemoteException> ReadException(std::string_view pickle) {
  SEEDCORE_ASSIGN_OR_RETURN(const PickleGraph graph, RunPickle(pickle, kLimits, PickleObjects::kInert));
  const PickleNode* exception = &graph[graph.root];
  if (!IsException(graph, *exception)) return Fail(ErrorCode::kMalformed, "a pickle that is no exception");
  RemoteException read;
  std::string name = ClassName(graph, ItemOf(graph, *exception, 0));
  if (AfterLastDot(name).starts_with(kTaskError)) {
    if (const PickleNode* cause = CauseOf(graph, *exception)) {
      read.is_in_call = true;
      exception = cause;
      name = ClassName(graph, ItemOf(graph, *exception, 0));
    }
  }
  read.is_ray = name.starts_with("ray.exceptions.");
  read.type = AfterLastDot(name);
  read.text = TextOf(graph, *exception);
  Truncate(read.text);
  return read;
}

Error ErrorOfException(const RemoteException& exception) {
  const std::string_view separator = exception.text.empty() ? "" : ": ";
  return {CodeOf(exception), fmt::format("{}{}{}", exception.type, separator, exception.text), ""};
}

Error ErrorOfException(std::string_view pickle) {
  const auto exception = ReadException(pickle);
  if (exception) return ErrorOfException(*exception);
  return {ErrorCode::kInternal, "Ray answered with an exception that cannot be read: " + exception.error().message, ""};
}

}  // namespace seedcore::ray
