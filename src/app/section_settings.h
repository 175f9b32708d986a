#pragma once

#include "app/direct_lane.h"
#include "cognitive/engine.h"
#include "graph/engine.h"
#include "net/breaker.h"
#include "net/server.h"
#include "organism/organism.h"
#include "queue/dispatcher.h"
#include "queue/reaper.h"
#include "service/coordinator.h"
#include "settings/settings.h"
#include "store/postgres/postgres_store.h"
#include "store/sqlite/sqlite_store.h"

/// Rooms declare what they need; settings declare what a user may say. These functions are the only place that knows
/// both.
namespace seedcore::app {

[[nodiscard]] net::ServerOptions ServerOptionsFrom(const settings::ServerSettings& settings);
/// The same limits for the listener of a replica, which lets in who presents `token`.
[[nodiscard]] net::ServerOptions DirectServerOptionsFrom(const settings::Settings& settings, const std::string& token);
/// When a replica that fails is left alone, and for how long.
[[nodiscard]] net::BreakerSettings EjectionFrom(const settings::GatewaySettings& settings);
/// How long a lane waits for signs of life of a replica.
[[nodiscard]] LaneTimeouts LaneTimeoutsFrom(const settings::Settings& settings);
/// Of a client of one service: it probes after a second, and less and less often up to client.breaker_reset.
[[nodiscard]] net::BreakerSettings BreakerFrom(const settings::ClientSettings& settings);
[[nodiscard]] store::sqlite::SqliteSettings SqliteSettingsFrom(const settings::StoreSettings& settings,
                                                               const std::string& data_dir);
/// For a DSN that is set.
[[nodiscard]] store::postgres::PostgresSettings PostgresSettingsFrom(const settings::StoreSettings& settings);
[[nodiscard]] store::RetryPolicy RetryPolicyFrom(const settings::QueueSettings& settings);
[[nodiscard]] queue::DispatcherSettings DispatcherSettingsFrom(const settings::QueueSettings& settings);
[[nodiscard]] queue::ReaperSettings ReaperSettingsFrom(const settings::QueueSettings& settings);
[[nodiscard]] graph::EngineSettings GraphSettingsFrom(const settings::GraphSettings& settings);
[[nodiscard]] service::CoordinatorServiceSettings CoordinatorSettingsFrom(const settings::CoordinatorSettings& settings,
                                                                          const settings::QueueSettings& queue);
[[nodiscard]] organism::OrganismSettings OrganismSettingsFrom(const settings::OrganismSettings& settings);
/// The configured organs, or the shipped ones.
[[nodiscard]] Result<organism::OrganismConfig> OrganismConfigFrom(const settings::OrganismSettings& settings);

}  // namespace seedcore::app
