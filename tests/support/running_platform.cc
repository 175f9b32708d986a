#include "support/running_platform.h"

#include <charconv>
#include <fstream>

#include <gtest/gtest.h>

#include "base/log.h"
#include "net/target.h"

namespace seedcore::test {
namespace {

using namespace std::chrono_literals;

// Not what anything is expected to take: what a fault costs on the slowest machine before the test fails.
constexpr auto kPatience = 20s;

CallContext Patient() {
  const CallContext call;
  return call.Within(kPatience, RealEnv());
}

bool IsEnd(std::string_view status) { return status == "completed" || status == "failed" || status == "cancelled"; }

}  // namespace

json::value At(const json::value& value, std::string_view path) {
  const json::value* found = &value;
  while (!path.empty()) {
    const std::size_t dot = path.find('.');
    const std::string_view step = path.substr(0, dot);
    path = dot == std::string_view::npos ? std::string_view{} : path.substr(dot + 1);
    if (const auto* object = found->if_object()) {
      found = object->if_contains(step);
    } else if (const auto* array = found->if_array()) {
      std::size_t index = array->size();
      std::from_chars(step.data(), step.data() + step.size(), index);
      found = index < array->size() ? &(*array)[index] : nullptr;
    } else {
      found = nullptr;
    }
    if (found == nullptr) return nullptr;
  }
  return *found;
}

std::string TextAt(const json::value& value, std::string_view path) {
  const json::value found = At(value, path);
  return found.is_string() ? std::string(found.get_string()) : WriteJson(found);
}

json::value Reply::At(std::string_view path) const { return test::At(body, path); }
std::string Reply::Text(std::string_view path) const { return TextAt(body, path); }

json::array Reply::Array(std::string_view path) const {
  const json::value value = At(path);
  EXPECT_TRUE(value.is_array()) << "no array at " << path << " in " << text;
  return value.is_array() ? value.get_array() : json::array();
}

json::object Reply::Object(std::string_view path) const {
  const json::value value = At(path);
  EXPECT_TRUE(value.is_object()) << "no object at " << path << " in " << text;
  return value.is_object() ? value.get_object() : json::object();
}

Caller::Caller(const std::string& base_url, const std::string& token) : base_url_(base_url) {
  net::ClientOptions options;
  options.base_url = base_url;
  options.token = token;
  options.retry.max_retries = 0;
  options.breaker.failures_to_open = 1'000'000;
  options.stream_silence = kPatience;
  client_ = std::make_unique<net::Client>(options, RealEnv());
}

Reply Caller::Send(net::Method method, const std::string& target, const std::string& body,
                   const std::string& idempotency_key) {
  CallContext call = Patient();
  call.idempotency_key = idempotency_key;
  auto response = client_->SendForAnyStatus({.method = method, .target = target, .body = body}, call);
  if (!response) return {.text = ToString(response.error())};
  auto document = ParseJson(response->body);
  return {.status = response->status,
          .text = std::move(response->body),
          .body = document ? std::move(*document) : json::value(),
          .headers = std::move(response->headers)};
}

Result<void> Caller::Stream(const std::string& target, const net::EventCallback& callback,
                            const std::string& last_event_id) {
  net::ClientRequest request{.target = target};
  if (!last_event_id.empty()) request.headers.Add("Last-Event-ID", last_event_id);
  return client_->Stream(request, Patient(), callback);
}

std::uint16_t Caller::port() const {
  const auto url = net::ParseBaseUrl(base_url_);
  return url ? url->where.port : 0;
}

settings::Settings TestSettings(const std::filesystem::path& data_dir) {
  const std::string home = data_dir.parent_path().string();
  settings::Settings settings = settings::Resolve({.environment = {{"HOME", home}}}).value();
  settings.coordinator.predicates_path = data_dir.parent_path() / "fast.yaml";
  std::ofstream(settings.coordinator.predicates_path)
      << "routing: [{when: 'true', do: fast_path, description: Always}]\nmutations_enabled: false\n";
  settings.server.listen.port = 0;
  settings.server.api_listen.port = 0;
  settings.server.io_threads = 1;
  settings.server.worker_threads = 4;
  settings.server.drain_timeout = 2s;
  settings.store.data_dir = data_dir;
  settings.store.readers = 2;
  settings.queue.concurrency = 4;
  settings.queue.retry_base = 10ms;
  return settings;
}

RunningPlatform::RunningPlatform(const ChangeSettings& change, Env& env)
    : settings_(TestSettings(folder_.path() / "data")), env_(env) {
  log::Configure(log::Level::kError, log::Format::kText);
  if (change) change(settings_);
  Start();
}

void RunningPlatform::Start() {
  auto platform = app::Platform::Start(settings_, env_);
  if (!platform) {
    ADD_FAILURE() << "the platform did not start: " << ToString(platform.error());
    std::abort();  // nothing a test could go on with
  }
  platform_ = std::move(*platform);
  const std::string token = settings_.server.api_tokens.empty() ? "" : settings_.server.api_tokens.front();
  services_ = std::make_unique<Caller>(platform_->services_url(), token);
  tasks_ = std::make_unique<Caller>(platform_->api_url(), token);
}

void RunningPlatform::Restart() {
  services_.reset();
  tasks_.reset();
  platform_.reset();
  Start();
}

std::string RunningPlatform::Submit(const std::string& task) {
  const Reply reply = tasks().Post("/api/v1/tasks", task);
  EXPECT_EQ(reply.status, 200) << reply.text;
  return reply.Text("id");
}

Reply RunningPlatform::Await(const std::string& id, const std::string& status, const std::string& after_kind) {
  std::string seen;
  bool counts = after_kind.empty();
  const auto streamed = tasks().Stream("/api/v1/events?after=0&task_id=" + id, [&](const net::ServerEvent& event) {
    const auto document = ParseJson(event.data);
    if (!counts) {
      counts = document && TextAt(*document, "kind") == after_kind;
      return true;
    }
    seen = document ? TextAt(*document, "status") : std::string(event.data);
    return seen != status && !IsEnd(seen);
  });
  EXPECT_TRUE(streamed) << "task " << id << " is " << seen << ", not " << status << ": " << ToString(streamed.error());
  Reply task = tasks().Get("/api/v1/tasks/" + id);
  EXPECT_EQ(task.Text("status"), status) << task.text;
  return task;
}

void RunningPlatform::AwaitEvent(const std::string& id, const std::string& kind) {
  const auto streamed = tasks().Stream("/api/v1/events?after=0&task_id=" + id, [&](const net::ServerEvent& event) {
    const auto document = ParseJson(event.data);
    return !document || TextAt(*document, "kind") != kind;
  });
  EXPECT_TRUE(streamed) << "no event '" << kind << "' of task " << id << ": " << ToString(streamed.error());
}

std::int64_t RunningPlatform::StoredTasks() {
  const Reply list = tasks().Get("/api/v1/tasks?limit=1");
  const json::value total = list.At("total");
  EXPECT_TRUE(total.is_int64()) << list.text;
  return total.is_int64() ? total.get_int64() : -1;
}

}  // namespace seedcore::test
