#include "store/postgres/hosts.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace seedcore::store::postgres {
namespace {

std::vector<std::string> Split(std::string_view list) {
  std::vector<std::string> out;
  if (list.empty()) return out;
  for (;;) {
    const std::size_t comma = list.find(',');
    out.emplace_back(list.substr(0, comma));
    if (comma == std::string_view::npos) return out;
    list.remove_prefix(comma + 1);
  }
}

void DropFirst(std::vector<std::string>& list, std::size_t count) {
  list.erase(list.begin(), list.begin() + static_cast<std::ptrdiff_t>(std::min(count, list.size())));
}

}  // namespace

Hosts::Hosts(std::string_view names, std::string_view addresses, std::string_view ports)
    : names_(Split(names)), addresses_(Split(addresses)), ports_(Split(ports)) {}

std::size_t Hosts::size() const { return std::max(names_.size(), addresses_.size()); }

bool Hosts::DropThrough(std::string_view host, std::string_view port) {
  const std::vector<std::string>& known = names_.empty() ? addresses_ : names_;
  std::size_t count = 1;
  for (std::size_t i = 0; i < known.size(); ++i) {
    const bool same_port = ports_.size() != known.size() || ports_[i] == port;
    if (known[i] != host || !same_port) continue;
    count = i + 1;
    break;
  }
  if (ports_.size() > 1) DropFirst(ports_, count);
  DropFirst(names_, count);
  DropFirst(addresses_, count);
  dropped_ = true;
  return size() > 0;
}

std::string Hosts::Joined(const std::vector<std::string>& list) const {
  return dropped_ ? fmt::format("{}", fmt::join(list, ",")) : std::string();
}

}  // namespace seedcore::store::postgres
