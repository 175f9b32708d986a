// DispatchHost for Python.
#include <string>

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include "app/dispatch_host.h"
#include "bridge.h"
#include "host_binding.h"

namespace seedcore::python {
namespace {

/// Named apart from what organ.cc binds: nanobind knows types by their names, hidden or not.
class HostOfDispatcher : public HostBinding<app::DispatchHost> {
 public:
  HostOfDispatcher(const std::string& role, const std::string& name, const std::string& gateway_url,
                   const nb::bytes& user_config, const std::string& settings_file, const std::string& node_id,
                   const std::string& ip_address, int hosts)
      : HostBinding(app::DispatchHostOptions{.role = role,
                                             .name = name,
                                             .gateway_url = gateway_url,
                                             .node_id = node_id,
                                             .ip_address = ip_address,
                                             .hosts = hosts},
                    user_config, settings_file) {}

  nb::bytes Prove(int count, double timeout_s) {
    return Answer([&] { return ToJsonText(ValueOrThrow(host().Prove(count, Patience(timeout_s)))); });
  }
};

}  // namespace

void BindDispatchHost(nb::module_& module) {
  using namespace nb::literals;
  nb::class_<HostOfDispatcher>(module, "DispatchHost")
      .def(nb::init<const std::string&, const std::string&, const std::string&, const nb::bytes&, const std::string&,
                    const std::string&, const std::string&, int>(),
           "role"_a, nb::kw_only(), "name"_a = "", "gateway_url"_a = "", "user_config"_a = nb::bytes("{}", 2),
           "settings_file"_a = "", "node_id"_a = "", "ip_address"_a = "", "hosts"_a = 1)
      .def("status", &HostOfDispatcher::Status)
      .def("prove", &HostOfDispatcher::Prove, "count"_a, "timeout_s"_a)
      .def("drain", &HostOfDispatcher::Drain, "timeout_s"_a);
}

}  // namespace seedcore::python
