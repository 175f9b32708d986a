#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json_binding.h"
#include "store/store.h"

/// The energy ledger as the Energy service shows it.
namespace seedcore::service {

struct BalanceRequest {
  std::string scope;
  std::string scope_id;
  static constexpr auto kFields =
      Fields(Required("scope", &BalanceRequest::scope, "agent, organ, cluster or evolution"),
             Required("scope_id", &BalanceRequest::scope_id, "Id within the scope; `-` for the cluster"));
};

struct BalanceResponse {
  std::string scope;
  std::string scope_id;
  double balance = 0.0;
  static constexpr auto kFields = Fields(Required("scope", &BalanceResponse::scope, "As asked"),
                                         Required("scope_id", &BalanceResponse::scope_id, "As asked"),
                                         Required("balance", &BalanceResponse::balance, "Sum of -delta_e - cost"));
};

struct LedgerQuery {
  std::optional<std::string> task_id;
  int limit = 100;
  [[nodiscard]] Result<void> Validate() const;
  static constexpr auto kFields = Fields(
      Sparse("task_id", &LedgerQuery::task_id, "Only entries of this task, oldest first; absent: the newest of all"),
      Optional("limit", &LedgerQuery::limit, "At most this many of the newest, 1 to 1000"));
};

struct LedgerRecord {
  std::string tx_id;
  WallTime at;
  std::string scope;
  std::string scope_id;
  std::string task_id;
  double energy_before = 0.0;
  double energy_after = 0.0;
  double delta_e = 0.0;
  double cost = 0.0;
  double balance_after = 0.0;
  json::object breakdown;
  json::object meta;
  static constexpr auto kFields =
      Fields(Required("tx_id", &LedgerRecord::tx_id, "Id of the entry"),
             Required("at", &LedgerRecord::at, "When it was booked"),
             Required("scope", &LedgerRecord::scope, "agent, organ, cluster or evolution"),
             Required("scope_id", &LedgerRecord::scope_id, "Id within the scope"),
             Sparse("task_id", &LedgerRecord::task_id, "The task that did it"),
             Required("energy_before", &LedgerRecord::energy_before, "Measured before"),
             Required("energy_after", &LedgerRecord::energy_after, "Measured after"),
             Required("delta_e", &LedgerRecord::delta_e, "Their difference"),
             Required("cost", &LedgerRecord::cost, "What it cost, in units of energy"),
             Required("balance_after", &LedgerRecord::balance_after, "Balance of the scope before it - delta_e - cost"),
             Sparse("breakdown", &LedgerRecord::breakdown, "The change, term by term"),
             Sparse("meta", &LedgerRecord::meta, "What else is known"));
};

struct LedgerReply {
  std::vector<LedgerRecord> entries;
  static constexpr auto kFields = Fields(Required("entries", &LedgerReply::entries, "Entries of the ledger"));
};

[[nodiscard]] LedgerReply ToReply(std::vector<store::LedgerEntry> entries);

}  // namespace seedcore::service
