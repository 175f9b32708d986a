#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

/// The servers that a DSN names. libpq goes on to the next one where a connection is refused, but where a machine is
/// off and nobody refuses anything, whoever connects without blocking has to give up on it himself.
namespace seedcore::store::postgres {

class Hosts {
 public:
  /// Lists as libpq takes them (`host`, `hostaddr`, `port`), separated by commas; each may be empty.
  Hosts(std::string_view names, std::string_view addresses, std::string_view ports);

  /// Forgets those up to and with the one at `host` (a name, or else an address) and `port`; at least the first.
  /// Returns whether any is left.
  bool DropThrough(std::string_view host, std::string_view port);

  /// What is left; empty until one was dropped: then the DSN says it all.
  [[nodiscard]] std::string names() const { return Joined(names_); }
  [[nodiscard]] std::string addresses() const { return Joined(addresses_); }
  [[nodiscard]] std::string ports() const { return Joined(ports_); }

 private:
  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] std::string Joined(const std::vector<std::string>& list) const;

  std::vector<std::string> names_;      ///< `host`; empty where there are addresses alone
  std::vector<std::string> addresses_;  ///< `hostaddr`, often empty
  std::vector<std::string> ports_;      ///< one for all, or one for each
  bool dropped_ = false;
};

}  // namespace seedcore::store::postgres
