#include "coordinator/rule_book.h"

#include <fstream>
#include <iterator>

#include <fmt/format.h>

#include "base/check.h"
#include "base/log.h"

namespace seedcore::coordinator {
namespace {

constexpr auto kLookEvery = std::chrono::seconds(1);
constexpr std::size_t kMaxRead = 1024 * 1024;  // the parser refuses less; this keeps a wrong path from filling memory

Result<std::string> ReadFile(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) {
    return Fail(ErrorCode::kNotFound, "the rule file does not exist or is no file", path.string());
  }
  std::ifstream in(path, std::ios::binary);
  if (!in) return Fail(ErrorCode::kPermissionDenied, "the rule file cannot be read", path.string());
  std::string text;
  char buffer[4096];
  while (in.read(buffer, sizeof buffer) || in.gcount() > 0) {
    text.append(buffer, static_cast<std::size_t>(in.gcount()));
    if (text.size() > kMaxRead) return Fail(ErrorCode::kPayloadTooLarge, "the rule file is too large", path.string());
  }
  if (in.bad()) return Fail(ErrorCode::kUnavailable, "reading the rule file failed", path.string());
  return text;
}

}  // namespace

RuleBook::RuleBook(Env& env, RuleSources sources) : env_(env), sources_(std::move(sources)) {
  auto built_in = ParseRules(BuiltInRulesText(), "built-in");
  SEEDCORE_CHECK(built_in, "the shipped rules compile; a test sees to it");
  built_in->loaded_at = env_.WallNow();
  current_ = std::make_shared<const RuleSet>(std::move(*built_in));
}

Result<void> RuleBook::Load() {
  const std::lock_guard loading(loading_);
  SEEDCORE_RETURN_IF_ERROR(Fetch());
  return PutInForce();
}

Result<bool> RuleBook::LoadShared() {
  const std::lock_guard loading(loading_);
  SEEDCORE_ASSIGN_OR_RETURN(const bool newer, Fetch());
  if (newer) SEEDCORE_RETURN_IF_ERROR(PutInForce());
  return newer;
}

Result<bool> RuleBook::LoadOwn() {
  const std::lock_guard loading(loading_);
  if (seen_.text) return false;
  SEEDCORE_RETURN_IF_ERROR(PutInForce());
  return true;
}

/// With loading_ held. Whether there is something new in seen_.
Result<bool> RuleBook::Fetch() {
  if (!sources_.shared) return false;
  auto newest = sources_.shared(seen_.version);
  std::optional<Error> error;
  if (!newest) error = newest.error();
  {
    const std::lock_guard lock(mutex_);
    if (error && !status_.shared_error) {
      log::Warning("it is not known whether there are newer rules; the ones before stay in force",
                   {{"error", ToString(*error)}});
    }
    status_.shared_error = error;
  }
  if (error) return std::unexpected(std::move(*error));
  if (!*newest) return false;
  seen_ = std::move(**newest);
  return true;
}

Result<RuleSet> RuleBook::ReadOwn() const {
  if (sources_.file.empty()) return ParseRules(BuiltInRulesText(), "built-in");
  SEEDCORE_ASSIGN_OR_RETURN(const std::string text, ReadFile(sources_.file));
  return ParseRules(text, sources_.file.string());
}

/// With loading_ held.
Result<RuleSet> RuleBook::Read() const {
  if (!seen_.text) return ReadOwn();
  auto rules = ParseRules(*seen_.text, fmt::format("store, version {}", seen_.version));
  if (rules) rules->shared_version = seen_.version;
  return rules;
}

/// With loading_ held.
Result<void> RuleBook::PutInForce() {
  auto rules = Read();
  if (!rules) {
    log::Error("rules refused; the ones before stay in force", {{"error", ToString(rules.error())}});
    const std::lock_guard lock(mutex_);
    ++status_.failures;
    status_.last_error = rules.error();
    return std::unexpected(std::move(rules).error());
  }
  rules->loaded_at = env_.WallNow();
  auto loaded = std::make_shared<const RuleSet>(std::move(*rules));
  log::Info("rules loaded", {{"source", loaded->source},
                             {"hash", loaded->hash},
                             {"routing", loaded->routing.size()},
                             {"mutations", loaded->mutations.size()}});
  const std::lock_guard lock(mutex_);
  current_.swap(loaded);
  ++status_.loads;
  status_.last_error.reset();
  return {};
}

std::shared_ptr<const RuleSet> RuleBook::Current() const {
  const std::lock_guard lock(mutex_);
  return current_;
}

RuleBook::Status RuleBook::status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

RuleWatcher::RuleWatcher(Env& env, RuleBook& book) : env_(env), book_(book), seen_(StampNow()) {}

std::optional<RuleWatcher::Stamp> RuleWatcher::StampNow() const {
  if (book_.file().empty()) return std::nullopt;
  std::error_code error;
  Stamp stamp;
  stamp.time = std::filesystem::last_write_time(book_.file(), error);
  if (error) return std::nullopt;
  stamp.size = std::filesystem::file_size(book_.file(), error);
  if (error) return std::nullopt;
  return stamp;
}

bool RuleWatcher::Look() {
  // Failures are logged and kept by the book.
  const auto shared = book_.LoadShared();
  if (book_.status().shared_error) return false;
  const auto now = StampNow();
  // A file that is gone is about to be replaced, or was removed by mistake: either way the rules stay.
  const bool file_changed = now && now != seen_;
  if (file_changed) seen_ = now;
  if (!shared || *shared) return true;
  if (!file_changed) return false;
  const auto own = book_.LoadOwn();
  if (own && !*own) {
    log::Warning("the rule file has changed, but the rules of the store are in force",
                 {{"file", book_.file().string()}});
  }
  return !own || *own;
}

void RuleWatcher::Start() {
  if (book_.file().empty() && !book_.is_shared()) return;
  thread_ = std::jthread([this](const std::stop_token& stop) {
    while (env_.SleepFor(kLookEvery, stop)) Look();
  });
}

}  // namespace seedcore::coordinator
