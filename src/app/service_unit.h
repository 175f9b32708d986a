#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "app/foundation.h"
#include "net/http.h"
#include "settings/settings.h"

namespace seedcore::app {

/// One service with everything that is made for it alone. The embedded platform holds six, a Serve replica one; both
/// get them from the builders below. Start and Stop from one thread; what Routes() gave, from any.
class ServiceUnit {
 public:
  ServiceUnit() = default;
  virtual ~ServiceUnit() = default;
  ServiceUnit(const ServiceUnit&) = delete;
  ServiceUnit& operator=(const ServiceUnit&) = delete;

  /// The HTTP routes of its operation table. The unit outlives them.
  [[nodiscard]] virtual std::vector<net::Route> Routes() = 0;
  /// Begins what runs by itself.
  [[nodiscard]] virtual Result<void> Start() { return {}; }
  /// Ends that and saves what is not saved, by the deadline of `call`. Faults are logged.
  virtual void Stop(const CallContext& call) { (void)call; }
  /// Whether there may be only one of them in the whole system: it holds state that lives in no store.
  [[nodiscard]] virtual bool IsSingleton() const { return false; }
};

struct ServiceKind {
  std::string_view name;    ///< "ml"
  std::string_view prefix;  ///< "/ml"
  Result<std::unique_ptr<ServiceUnit>> (*build)(const settings::Settings& settings, Foundation& foundation);
  bool streams_events = false;  ///< it needs Foundation::events
};
/// ml, cognitive, coordinator, state, energy, organism.
[[nodiscard]] const std::vector<ServiceKind>& ServiceKinds();
/// Null when there is none of that name.
[[nodiscard]] const ServiceKind* FindServiceKind(std::string_view name);

}  // namespace seedcore::app
