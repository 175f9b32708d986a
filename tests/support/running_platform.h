#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "app/platform.h"
#include "base/json.h"
#include "base/testing.h"
#include "net/client.h"
#include "settings/settings.h"

/// The whole platform in this process, and clients that talk to it as anybody else would.
namespace seedcore::test {

struct Reply {
  int status = 0;  ///< 0: there was no answer; `text` says why
  std::string text;
  json::value body;  ///< null when `text` is no JSON
  net::Headers headers;

  /// The member at a path like "result.payload.organ_id" or "items.0.id"; null when there is none.
  [[nodiscard]] json::value At(std::string_view path) const;
  /// The same as text: strings as they are, everything else as JSON.
  [[nodiscard]] std::string Text(std::string_view path) const;
  /// The array or object there; an empty one, and a failed test, when there is none.
  [[nodiscard]] json::array Array(std::string_view path) const;
  [[nodiscard]] json::object Object(std::string_view path) const;
};

/// The member of `value` at a path like "result.payload.organ_id" or "items.0.id"; null when there is none.
[[nodiscard]] json::value At(const json::value& value, std::string_view path);
/// The same as text: strings as they are, everything else as JSON.
[[nodiscard]] std::string TextAt(const json::value& value, std::string_view path);

/// One listener as a client sees it. Every status is a reply, nothing is repeated.
class Caller {
 public:
  explicit Caller(const std::string& base_url, const std::string& token = "");

  Reply Get(const std::string& target) { return Send(net::Method::kGet, target); }
  Reply Post(const std::string& target, const std::string& body = "", const std::string& idempotency_key = "") {
    return Send(net::Method::kPost, target, body, idempotency_key);
  }
  Reply Send(net::Method method, const std::string& target, const std::string& body = "",
             const std::string& idempotency_key = "");
  /// Server-sent events from `target` until `callback` returns false; an error when none came for ten seconds.
  Result<void> Stream(const std::string& target, const net::EventCallback& callback,
                      const std::string& last_event_id = "");
  [[nodiscard]] const std::string& base_url() const { return base_url_; }
  [[nodiscard]] std::uint16_t port() const;

 private:
  std::string base_url_;
  std::unique_ptr<net::Client> client_;
};

using ChangeSettings = std::function<void(settings::Settings&)>;

/// Defaults, free ports, few threads, short waits. The shipped rules ask how busy the machine is; for a test that must
/// come out the same on a loaded one, a rule file in `data_dir`/.. sends everything down the fast path.
[[nodiscard]] settings::Settings TestSettings(const std::filesystem::path& data_dir);

class RunningPlatform {
 public:
  explicit RunningPlatform(const ChangeSettings& change = {}, Env& env = RealEnv());

  [[nodiscard]] app::Platform& platform() { return *platform_; }
  [[nodiscard]] Caller& services() { return *services_; }
  [[nodiscard]] Caller& tasks() { return *tasks_; }
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_.path(); }
  /// Stops it and starts it again on the same data.
  void Restart();

  /// Stores a task that must be accepted and returns its id.
  std::string Submit(const std::string& task);
  /// Waits, by its events, until the task has the status; fails the test when it comes to another end or takes too
  /// long. Events up to the first of kind `after_kind`, where one is named, do not count. Returns the task.
  Reply Await(const std::string& id, const std::string& status, const std::string& after_kind = {});
  /// Waits for an event of this kind.
  void AwaitEvent(const std::string& id, const std::string& kind);
  /// Submit, then Await "completed".
  Reply Complete(const std::string& task) { return Await(Submit(task), "completed"); }
  /// Tasks stored, whatever their state.
  std::int64_t StoredTasks();

 private:
  void Start();

  TemporaryFolder folder_;
  settings::Settings settings_;
  Env& env_;
  std::unique_ptr<app::Platform> platform_;
  std::unique_ptr<Caller> services_;
  std::unique_ptr<Caller> tasks_;
};

}  // namespace seedcore::test
