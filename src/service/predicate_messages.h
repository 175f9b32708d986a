#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json_binding.h"
#include "service/coordinator_types.h"

/// What is said about the rules of the Coordinator service: /pipeline/predicates.
namespace seedcore::service {

struct PredicateConfigStatus {
  std::string version;
  std::string commit;
  WallTime loaded_at;
  std::string file;
  std::string file_hash;
  std::int64_t routing_rules = 0;
  std::int64_t mutation_rules = 0;
  bool routing_enabled = true;
  bool mutations_enabled = true;
  bool gpu_guard_enabled = true;
  bool is_fallback = false;
  std::int64_t store_version = 0;
  std::int64_t loads = 0;
  std::int64_t failed_loads = 0;
  std::optional<std::string> last_error;
  static constexpr auto kFields = Fields(
      Required("version", &PredicateConfigStatus::version, "From the metadata in the rules"),
      Required("commit", &PredicateConfigStatus::commit, "From the metadata in the rules"),
      Required("loaded_at", &PredicateConfigStatus::loaded_at, "When these rules came into force"),
      Required("file", &PredicateConfigStatus::file, "Where they come from"),
      Required("file_hash", &PredicateConfigStatus::file_hash, "Tells versions of the text apart"),
      Required("routing_rules", &PredicateConfigStatus::routing_rules, "How many"),
      Required("mutation_rules", &PredicateConfigStatus::mutation_rules, "How many"),
      Required("routing_enabled", &PredicateConfigStatus::routing_enabled, "Whether routing rules are asked"),
      Required("mutations_enabled", &PredicateConfigStatus::mutations_enabled, "Whether mutation rules are asked"),
      Required("gpu_guard_enabled", &PredicateConfigStatus::gpu_guard_enabled, "As in the rules"),
      Required("is_fallback", &PredicateConfigStatus::is_fallback,
               "A file is configured, but the built-in rules are in force"),
      Required("store_version", &PredicateConfigStatus::store_version,
               "Of the store's rules, where those are in force; otherwise 0"),
      Required("loads", &PredicateConfigStatus::loads, "Times rules were loaded"),
      Required("failed_loads", &PredicateConfigStatus::failed_loads, "Times they were refused"),
      Optional("last_error", &PredicateConfigStatus::last_error,
               "Why the last load was refused, or the store can't be asked for newer rules; otherwise null"));
};

struct PredicateStatus {
  PredicateConfigStatus predicate_config;
  json::object signals;
  std::optional<double> escalation_ratio;
  std::map<std::string, OcpsReport> ocps;
  static constexpr auto kFields = Fields(
      Required("predicate_config", &PredicateStatus::predicate_config, "The rules in force"),
      Required("signals", &PredicateStatus::signals, "Measurements now; those of a task are not among them"),
      Optional("escalation_ratio", &PredicateStatus::escalation_ratio, "Share of recent decisions that escalated"),
      Required("ocps", &PredicateStatus::ocps, "Drift valves by stream; at most 100"));
};

struct PredicateConfigResponse {
  json::value routing;
  json::value mutations;
  json::value gpu_guard;
  json::value metadata;
  bool routing_enabled = true;
  bool mutations_enabled = true;
  bool gpu_guard_enabled = true;
  json::value fallback;
  json::value alerts;
  static constexpr auto kFields = Fields(
      Required("routing", &PredicateConfigResponse::routing, "Routing rules by falling priority"),
      Required("mutations", &PredicateConfigResponse::mutations, "Mutation rules by falling priority"),
      Required("gpu_guard", &PredicateConfigResponse::gpu_guard, "Limits for tuning jobs"),
      Required("metadata", &PredicateConfigResponse::metadata, "version, commit, created_at, description"),
      Required("routing_enabled", &PredicateConfigResponse::routing_enabled, "Whether routing rules are asked"),
      Required("mutations_enabled", &PredicateConfigResponse::mutations_enabled, "Whether mutation rules are asked"),
      Required("gpu_guard_enabled", &PredicateConfigResponse::gpu_guard_enabled,
               "Whether the rules want gpu_guard to be kept; told to others, nothing here depends on it"),
      Required("fallback", &PredicateConfigResponse::fallback, "Actions when no rule matches"),
      Optional("alerts", &PredicateConfigResponse::alerts, "For the monitoring system"));
};

struct PredicateReloadResponse {
  bool success = true;
  std::string message;
  static constexpr auto kFields =
      Fields(Required("success", &PredicateReloadResponse::success, "Always true: a refused file is an HTTP error"),
             Required("message", &PredicateReloadResponse::message, "What was loaded"));
};

struct PredicatesPut {
  std::string yaml;
  std::string note;
  std::optional<std::int64_t> expected_version;
  static constexpr auto kFields = Fields(
      Required("yaml", &PredicatesPut::yaml, "The text of a rule file, as config/predicates.yaml; at most 256 KiB"),
      Optional("note", &PredicatesPut::note, "Why, for the list of versions; at most 1000 bytes"),
      Optional("expected_version", &PredicatesPut::expected_version,
               "The version that is replaced, 0 for none: refused (409) when the newest is another"));
};

struct PredicatesWithdraw {
  std::string note;
  std::optional<std::int64_t> expected_version;
  static constexpr auto kFields =
      Fields(Optional("note", &PredicatesWithdraw::note, "Why, for the list of versions; at most 1000 bytes"),
             Optional("expected_version", &PredicatesWithdraw::expected_version,
                      "The version that is withdrawn: refused (409) when the newest is another"));
};

struct PredicateVersionNumber {
  std::int64_t version = 0;
  static constexpr auto kFields = Fields(Required("version", &PredicateVersionNumber::version, "Its number"));
};

struct PredicateVersionInfo {
  std::int64_t version = 0;
  bool withdrawn = false;
  std::string note;
  WallTime created_at;
  static constexpr auto kFields =
      Fields(Required("version", &PredicateVersionInfo::version, "From 1, one by one; 0: there has never been one"),
             Required("withdrawn", &PredicateVersionInfo::withdrawn, "From here on each replica had its own rules"),
             Required("note", &PredicateVersionInfo::note, "Why"),
             Required("created_at", &PredicateVersionInfo::created_at, "When it was put"));
};

struct PredicateVersionList {
  std::vector<PredicateVersionInfo> items;
  static constexpr auto kFields =
      Fields(Required("items", &PredicateVersionList::items, "Newest first, at most the last 100"));
};

struct PredicateVersionText {
  std::int64_t version = 0;
  std::optional<std::string> yaml;
  std::string note;
  WallTime created_at;
  static constexpr auto kFields = Fields(Required("version", &PredicateVersionText::version, "Its number"),
                                         Optional("yaml", &PredicateVersionText::yaml, "The text; null: withdrawn"),
                                         Required("note", &PredicateVersionText::note, "Why"),
                                         Required("created_at", &PredicateVersionText::created_at, "When it was put"));
};

}  // namespace seedcore::service
