#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "app/direct_lane.h"
#include "app/foundation.h"
#include "app/remote_peers.h"
#include "organism/organ_hosts.h"
#include "service/organ.h"

namespace seedcore::app {

/// The hosts of organs as the organism calls them: those that the runtime registry has, at their own listeners, the
/// least loaded first, another one when it fails. What none of them has answered is done in place. Thread-safe.
class OrganLanes final : public organism::OrganHosts {
 public:
  /// `foundation` and what `lanes` refers to outlive it.
  OrganLanes(DirectLanes lanes, Foundation& foundation);

  std::optional<Done> Execute(const Work& work, const CallContext& call) override;
  [[nodiscard]] std::vector<Host> Of(const std::string& organ_id) const override;

 private:
  using OrganPeer = service::Peer<service::OrganService>;
  [[nodiscard]] std::optional<OrganPeer> PeerOf(const std::string& organ_id);

  const DirectLanes lanes_;
  Foundation& foundation_;
  Counter& hosted_;
  Counter& fell_back_;
  std::mutex mutex_;  // guards peers_
  std::map<std::string, OrganPeer, std::less<>>
      peers_;  // of organs that have been hosted; as many as the directory has
};

}  // namespace seedcore::app
