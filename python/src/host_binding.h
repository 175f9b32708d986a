#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include <nanobind/nanobind.h>

#include "app/user_config.h"
#include "base/env.h"
#include "base/json_binding.h"
#include "base/log.h"
#include "bridge.h"
#include "settings/settings.h"

namespace seedcore::python {

/// Seconds of Python as a time that is not negative and at most an hour.
inline std::chrono::milliseconds Patience(double seconds) {
  constexpr double kLongest = 3600.0;
  return std::chrono::milliseconds(static_cast<std::int64_t>(std::clamp(seconds, 0.0, kLongest) * 1000.0));
}

/// What the bindings of hosts have in common: an app::DispatchHost or app::OrganHost, started from settings, drained
/// when the interpreter ends. JSON out as bytes, the GIL released around everything that blocks.
template <class AppHost>
class HostBinding {
 public:
  template <class Options>
  HostBinding(Options options, const nb::bytes& user_config, const std::string& settings_file) {
    const json::object config = ParseObject(ToText(user_config));
    const nb::gil_scoped_release released;
    const auto flags = ValueOrThrow(app::FlagsFromUserConfig(config));
    const auto settings = ValueOrThrow(settings::Load(flags, settings_file));
    log::Configure(settings.log.level, settings.log.format);
    for (const std::string& warning : settings.warnings) log::Warning(warning);
    host_ = ValueOrThrow(AppHost::Start(std::move(options), settings, RealEnv()));
    DrainAtExit(this, [host = host_.get()] { host->Drain(std::chrono::milliseconds(0)); });
  }
  ~HostBinding() {
    const nb::gil_scoped_release released;
    ForgetAtExit(this);
    host_.reset();
  }
  HostBinding(const HostBinding&) = delete;
  HostBinding& operator=(const HostBinding&) = delete;

  nb::bytes Status() {
    return Answer([this] { return ToJsonText(host_->Status()); });
  }
  void Drain(double timeout_s) {
    const nb::gil_scoped_release released;
    host_->Drain(Patience(timeout_s));
    log::Flush();
  }

 protected:
  AppHost& host() { return *host_; }

  /// The text that `say` returns without the GIL.
  template <class Say>
  static nb::bytes Answer(const Say& say) {
    std::string text;
    {
      const nb::gil_scoped_release released;
      text = say();
    }
    return ToBytes(text);
  }

 private:
  std::unique_ptr<AppHost> host_;
};

}  // namespace seedcore::python
