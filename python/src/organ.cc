// OrganHost for Python: JSON out as bytes, the GIL released around everything that blocks.
#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include "app/organ_host.h"
#include "app/user_config.h"
#include "base/json_binding.h"
#include "base/log.h"
#include "bridge.h"
#include "settings/settings.h"

namespace seedcore::python {
namespace {

/// Named apart from what dispatch.cc binds: nanobind knows types by their names, hidden or not.
class HostOfOrgan {
 public:
  HostOfOrgan(const std::string& organ_id, const std::string& name, const std::string& gateway_url,
              const nb::bytes& user_config, const std::string& settings_file, const std::string& node_id,
              const std::string& ip_address, int hosts) {
    app::OrganHostOptions options{.organ_id = organ_id,
                                  .name = name,
                                  .gateway_url = gateway_url,
                                  .node_id = node_id,
                                  .ip_address = ip_address,
                                  .hosts = hosts};
    const json::object config = ParseObject(ToText(user_config));
    const nb::gil_scoped_release released;
    const auto flags = ValueOrThrow(app::FlagsFromUserConfig(config));
    const auto settings = ValueOrThrow(settings::Load(flags, settings_file));
    log::Configure(settings.log.level, settings.log.format);
    for (const std::string& warning : settings.warnings) log::Warning(warning);
    host_ = ValueOrThrow(app::OrganHost::Start(std::move(options), settings, RealEnv()));
    DrainAtExit(this, [host = host_.get()] { host->Drain(std::chrono::milliseconds(0)); });
  }
  ~HostOfOrgan() {
    const nb::gil_scoped_release released;
    ForgetAtExit(this);
    host_.reset();
  }
  HostOfOrgan(const HostOfOrgan&) = delete;
  HostOfOrgan& operator=(const HostOfOrgan&) = delete;

  nb::bytes Status() {
    std::string text;
    {
      const nb::gil_scoped_release released;
      text = ToJsonText(host_->Status());
    }
    return ToBytes(text);
  }
  void Drain(double timeout_s) {
    constexpr double kLongest = 3600.0;
    const nb::gil_scoped_release released;
    host_->Drain(std::chrono::milliseconds(static_cast<std::int64_t>(std::clamp(timeout_s, 0.0, kLongest) * 1000.0)));
    log::Flush();
  }

 private:
  std::unique_ptr<app::OrganHost> host_;
};

}  // namespace

void BindOrganHost(nb::module_& module) {
  using namespace nb::literals;
  nb::class_<HostOfOrgan>(module, "OrganHost")
      .def(nb::init<const std::string&, const std::string&, const std::string&, const nb::bytes&, const std::string&,
                    const std::string&, const std::string&, int>(),
           "organ_id"_a, nb::kw_only(), "name"_a = "", "gateway_url"_a = "", "user_config"_a = nb::bytes("{}", 2),
           "settings_file"_a = "", "node_id"_a = "", "ip_address"_a = "", "hosts"_a = 1)
      .def("status", &HostOfOrgan::Status)
      .def("drain", &HostOfOrgan::Drain, "timeout_s"_a);
}

}  // namespace seedcore::python
