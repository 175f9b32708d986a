// The module seedcore._core: bytes in, bytes out. The typed face of it is seedcore/_core.pyi.
#include <algorithm>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/unique_ptr.h>

#include "app/engine.h"
#include "base/log.h"
#include "base/strings.h"
#include "bridge.h"
#include "completion.h"
#include "ray/plan_input.h"
#include "ray/version.h"
#include "service/system.h"
#include "settings/settings.h"

namespace seedcore::python {
namespace {

std::string PlanRayConnection(const std::string& address, const std::string& ray_namespace) {
  const nb::gil_scoped_release released;
  const auto settings = ValueOrThrow(settings::Load({}, ""));
  const auto plan =
      ValueOrThrow(ray::PlanConnection({.address = address, .ray_namespace = ray_namespace}, settings, RealEnv()));
  return ToJsonText(plan);
}

/// Server-sent events of one answer, to be taken until they end.
class Stream {
 public:
  Stream(std::shared_ptr<net::EventBuffer> events, std::shared_ptr<WakeSlot> slot)
      : events_(std::move(events)), slot_(std::move(slot)) {}
  ~Stream() { Close(); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  nb::object Take() {
    std::string text;
    bool open = false;
    {
      const nb::gil_scoped_release released;  // who sends goes on from here
      open = events_->Take(text);
    }
    if (!open) return nb::none();
    return ToBytes(text);
  }
  nb::object Wait(const nb::object& loop) { return slot_->Wait(loop); }
  void Heartbeat() {
    const nb::gil_scoped_release released;
    events_->Heartbeat();
  }
  void Close() {
    const nb::gil_scoped_release released;
    events_->Disconnected();
  }

 private:
  std::shared_ptr<net::EventBuffer> events_;
  std::shared_ptr<WakeSlot> slot_;
};

nb::object ToPython(net::Answer answer, const std::shared_ptr<WakeSlot>& slot) {
  nb::list headers;
  const auto add = [&](std::string_view name, std::string_view value) {
    headers.append(nb::make_tuple(ToBytes(name), ToBytes(value)));
  };
  const net::Response& response = answer.response;
  if (!response.content_type.empty()) add("content-type", response.content_type);
  for (const auto& [name, value] : response.headers.All()) add(ToLower(name), value);  // ASGI wants them so
  if (answer.stream) {
    return nb::make_tuple(response.status, headers, nb::bytes("", 0),
                          nb::cast(std::make_unique<Stream>(std::move(answer.stream), slot)));
  }
  return nb::make_tuple(response.status, headers, ToBytes(response.body), nb::none());
}

net::Headers ToHeaders(const nb::object& fields) {
  net::Headers headers;
  for (const nb::handle field : fields) {
    const auto pair = nb::borrow<nb::object>(field);
    headers.Add(ToText(nb::cast<nb::bytes>(pair[0])), ToText(nb::cast<nb::bytes>(pair[1])));
  }
  return headers;
}

class Pending {
 public:
  explicit Pending(net::LocalServer::Pending pending) : pending_(std::move(pending)) {}
  void Cancel() {
    const nb::gil_scoped_release released;
    pending_.Cancel();
  }

 private:
  net::LocalServer::Pending pending_;
};

/// What has threads that must have ended before the interpreter does.
class OpenHosts {
 public:
  void Add(const void* what, std::function<void()> drain) {
    const std::scoped_lock lock(mutex_);
    drains_.insert_or_assign(what, std::move(drain));
  }
  void Remove(const void* what) {
    const std::scoped_lock lock(mutex_);
    drains_.erase(what);
  }
  /// Without the GIL.
  void DrainAll() {
    const std::scoped_lock lock(mutex_);
    for (const auto& [what, drain] : drains_) drain();
  }
  static OpenHosts& Instance() {
    static OpenHosts hosts;
    return hosts;
  }

 private:
  std::mutex mutex_;  // guards drains_, and keeps what they drain open meanwhile
  std::map<const void*, std::function<void()>> drains_;
};

void DrainAllAtExit() {
  const nb::gil_scoped_release released;
  OpenHosts::Instance().DrainAll();
}

class Engine {
 public:
  Engine(const std::string& service, const std::string& gateway_url, const nb::bytes& user_config,
         const std::string& settings_file, const std::string& node_id, const std::string& node_ip, int hosts) {
    app::EngineOptions options{.service = service,
                               .gateway_url = gateway_url,
                               .user_config = ParseObject(ToText(user_config)),
                               .settings_file = settings_file,
                               .place = {.node_id = node_id, .node_ip = node_ip},
                               .hosts = hosts};
    const nb::gil_scoped_release released;
    engine_ = ValueOrThrow(app::ServiceEngine::Start(std::move(options), RealEnv()));
    DrainAtExit(this, [engine = engine_.get()] { engine->Drain(std::chrono::milliseconds(0)); });
  }
  /// The destructor waits for threads that may wait for the GIL.
  ~Engine() {
    const nb::gil_scoped_release released;
    ForgetAtExit(this);
    engine_.reset();
  }
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  nb::object Handle(const nb::object& loop, const std::string& method, const nb::bytes& raw_path,
                    const std::string& root_path, const nb::bytes& query, const nb::object& headers,
                    const nb::bytes& body, const std::string& peer) {
    app::EngineRequest request{.method = method,
                               .raw_path = ToText(raw_path),
                               .root_path = root_path,
                               .query = ToText(query),
                               .headers = ToHeaders(headers),
                               .body = ToText(body),
                               .peer = peer};
    auto completion = std::make_unique<Completion>(loop);
    auto slot = std::make_shared<WakeSlot>();
    nb::object future = completion->future();
    net::LocalServer::Done done = [completion = std::move(completion), slot](net::Answer answer) {
      if (!InterpreterIsAlive()) return;
      const nb::gil_scoped_acquire gil;
      completion->Resolve(ToPython(std::move(answer), slot));
    };
    std::unique_ptr<Pending> pending;
    {
      const nb::gil_scoped_release released;
      pending =
          std::make_unique<Pending>(engine_->Handle(std::move(request), [slot] { slot->Wake(); }, std::move(done)));
    }
    return nb::make_tuple(future, nb::cast(std::move(pending)));
  }

  void CheckHealth() {
    const nb::gil_scoped_release released;
    ValueOrThrow(engine_->CheckHealth());
  }
  void Reconfigure(const nb::bytes& user_config) {
    const json::object config = ParseObject(ToText(user_config));
    const nb::gil_scoped_release released;
    ValueOrThrow(engine_->Reconfigure(config));
  }
  bool Drain(double timeout_s) {
    constexpr double kLongest = 3600.0;
    const auto patience =
        std::chrono::milliseconds(static_cast<std::int64_t>(std::clamp(timeout_s, 0.0, kLongest) * 1000.0));
    const nb::gil_scoped_release released;
    const bool in_time = engine_->Drain(patience);
    log::Flush();
    return in_time;
  }
  std::string Metrics() {
    const nb::gil_scoped_release released;
    return engine_->MetricsText();
  }
  [[nodiscard]] std::size_t InFlight() const { return engine_->InFlight(); }
  [[nodiscard]] std::size_t DirectInFlight() const { return engine_->DirectInFlight(); }
  [[nodiscard]] std::string DirectAddress() const { return engine_->DirectAddress(); }
  [[nodiscard]] std::string Service() const { return std::string(engine_->kind().name); }
  [[nodiscard]] std::string Prefix() const { return std::string(engine_->kind().prefix); }

 private:
  std::unique_ptr<app::ServiceEngine> engine_;
};

}  // namespace

void DrainAtExit(const void* what, std::function<void()> drain) { OpenHosts::Instance().Add(what, std::move(drain)); }
void ForgetAtExit(const void* what) { OpenHosts::Instance().Remove(what); }

}  // namespace seedcore::python

NB_MODULE(_core, module) {
  namespace nb = nanobind;
  using namespace nb::literals;
  using seedcore::python::Engine;
  using seedcore::python::Pending;
  using seedcore::python::Stream;

  module.attr("__version__") = std::string(seedcore::service::Version());
  nb::exception<seedcore::python::EngineError>(module, "EngineError", PyExc_RuntimeError);
  module.def("plan_ray_connection", &seedcore::python::PlanRayConnection, "address"_a, "ray_namespace"_a);
  module.def(
      "ray_version_warning",
      [](const std::string& version) { return seedcore::ray::VersionWarning(version).value_or(""); }, "version"_a);
  nb::module_::import_("atexit").attr("register")(nb::cpp_function(&seedcore::python::DrainAllAtExit));
  nb::class_<Stream>(module, "Stream")
      .def("take", &Stream::Take)
      .def("wait", &Stream::Wait, "loop"_a)
      .def("heartbeat", &Stream::Heartbeat)
      .def("close", &Stream::Close);
  nb::class_<Pending>(module, "Pending").def("cancel", &Pending::Cancel);
  nb::class_<Engine>(module, "Engine")
      .def(nb::init<const std::string&, const std::string&, const nb::bytes&, const std::string&, const std::string&,
                    const std::string&, int>(),
           "service"_a, nb::kw_only(), "gateway_url"_a = "", "user_config"_a = nb::bytes("{}", 2),
           "settings_file"_a = "", "node_id"_a = "", "node_ip"_a = "", "hosts"_a = 1)
      .def("handle", &Engine::Handle, "loop"_a, "method"_a, "raw_path"_a, "root_path"_a, "query"_a, "headers"_a,
           "body"_a, "peer"_a)
      .def("check_health", &Engine::CheckHealth)
      .def("reconfigure", &Engine::Reconfigure, "user_config"_a)
      .def("drain", &Engine::Drain, "timeout_s"_a)
      .def("metrics", &Engine::Metrics)
      .def_prop_ro("in_flight", &Engine::InFlight)
      .def_prop_ro("direct_in_flight", &Engine::DirectInFlight)
      .def_prop_ro("direct_address", &Engine::DirectAddress)
      .def_prop_ro("service", &Engine::Service)
      .def_prop_ro("prefix", &Engine::Prefix);
  seedcore::python::BindDispatchHost(module);
  seedcore::python::BindOrganHost(module);
}
