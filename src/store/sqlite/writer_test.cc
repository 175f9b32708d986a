#include "store/sqlite/writer.h"

#include <chrono>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "store/conformance.h"

namespace seedcore::store::sqlite {
namespace {

TEST(SqliteWriter, WhatComesWhileATransactionRunsCommitsWithIt) {
  const TempDirectory directory;
  Metrics metrics;
  Writer writer(
      Must(Database::Open(directory.path() + "/file.db", OpenMode::kReadWriteCreate, std::chrono::seconds(1))), {},
      RealEnv(), metrics);
  const Counter& transactions = metrics.GetCounter("seedcore_store_transactions_total", "");
  // The second is on its way when the first runs. On a busy machine it may come too late for that.
  bool joined = false;
  for (const Instant patience = RealEnv().Now() + std::chrono::minutes(1); !joined;) {
    ASSERT_LT(RealEnv().Now(), patience);
    const double before = transactions.Value();
    std::jthread second;
    Must(writer.Run([&](WriteContext&) -> Result<int> {
      second = std::jthread([&] { Must(writer.Run([](WriteContext&) -> Result<int> { return 2; })); });
      for (int i = 0; i < 1000; ++i) std::this_thread::yield();
      return 1;
    }));
    second.join();
    joined = transactions.Value() - before == 1;
  }
}

}  // namespace
}  // namespace seedcore::store::sqlite
