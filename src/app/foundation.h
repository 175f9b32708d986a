#pragma once

#include <memory>
#include <string>

#include "base/env.h"
#include "base/metrics.h"
#include "base/result.h"
#include "base/trace.h"
#include "organism/organ_hosts.h"
#include "queue/event_feed.h"
#include "service/cognitive.h"
#include "service/coordinator.h"
#include "service/energy.h"
#include "service/ml.h"
#include "service/organism.h"
#include "service/peer.h"
#include "service/state.h"
#include "settings/settings.h"
#include "state/host.h"
#include "store/store.h"

namespace seedcore::app {

/// How the services of this process call each other: in place (embedded), or over HTTP (a Serve replica). Unbound until
/// all of them exist; until then a call answers "not connected". Copies share the bindings.
struct Peers {
  explicit Peers(service::CallRecorder recorder)
      : ml(recorder), cognitive(recorder), organism(recorder), state(recorder), coordinator(recorder) {}

  service::Peer<service::MlService> ml;
  service::Peer<service::CognitiveService> cognitive;
  service::Peer<service::OrganismService> organism;
  service::Peer<service::StateService> state;
  service::Peer<service::CoordinatorService> coordinator;
};

/// Whether a process that has just started handles tasks at once, so that its connections to PostgreSQL are made ready
/// for them while it starts.
enum class FirstTasks { kSeldom, kAtOnce };

/// What the services of one process stand on. Built first, destroyed last.
struct Foundation {
  /// Opens the data directory and the store. kInvalidArgument, kUnavailable, kCorrupt: as the store says.
  [[nodiscard]] static Result<std::unique_ptr<Foundation>> Open(const settings::StoreSettings& settings, Env& env,
                                                                FirstTasks first_tasks = FirstTasks::kSeldom);
  /// Sets `events`.
  void FeedEvents();

  explicit Foundation(Env& e) : env(e) {}
  Foundation(const Foundation&) = delete;
  Foundation& operator=(const Foundation&) = delete;

  Env& env;
  std::string data_dir;
  Metrics metrics;
  SpanStore spans;
  std::unique_ptr<store::Store> store;
  /// Whether other processes may write to the store, so that nothing they share may be kept in memory.
  bool store_is_shared = false;
  /// Whether the store tells at once of what other processes have written.
  bool store_hears_others = false;
  std::unique_ptr<state::HostSampler> host;
  /// Of all tasks, for those services that stream them; null: none does. Set before these are built.
  std::unique_ptr<queue::EventFeed> events;
  /// Who does the work of organs for the organism of this process; null: it does all of it itself. Set before the
  /// organism is built.
  std::shared_ptr<organism::OrganHosts> organ_hosts;
  Peers peers{service::CallRecorder{&env, &spans}};
};

/// The data directory with a leading "~" replaced, created with mode 0700 when missing.
[[nodiscard]] Result<std::string> PrepareDataDir(const std::string& data_dir);

}  // namespace seedcore::app
