// OrganHost for Python.
#include <string>

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include "app/organ_host.h"
#include "bridge.h"
#include "host_binding.h"

namespace seedcore::python {
namespace {

/// Named apart from what dispatch.cc binds: nanobind knows types by their names, hidden or not.
class HostOfOrgan : public HostBinding<app::OrganHost> {
 public:
  HostOfOrgan(const std::string& organ_id, const std::string& name, const std::string& gateway_url,
              const nb::bytes& user_config, const std::string& settings_file, const std::string& node_id,
              const std::string& ip_address, int hosts)
      : HostBinding(app::OrganHostOptions{.organ_id = organ_id,
                                          .name = name,
                                          .gateway_url = gateway_url,
                                          .node_id = node_id,
                                          .ip_address = ip_address,
                                          .hosts = hosts},
                    user_config, settings_file) {}
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
