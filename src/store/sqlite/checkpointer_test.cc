#include "store/sqlite/checkpointer.h"

#include <atomic>
#include <filesystem>
#include <future>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "base/forwarding_env.h"
#include "base/sim_env.h"
#include "store/conformance.h"
#include "store/sqlite/sqlite_store.h"

namespace seedcore::store::sqlite {
namespace {

constexpr int kPages = 1000;
constexpr std::uintmax_t kPageBytes = 4096;

/// A store whose writer copies nothing itself: the tests write less than it takes for that.
class StoreCheckpointTest : public testing::Test {
 protected:
  StoreCheckpointTest() : store_(Must(OpenSqliteStore(settings_, env_, metrics_))) {}

  /// In transactions that write nearly twice as many pages: of indexes and events, too.
  void Write(int pages) {
    constexpr int kPagesEach = 15;
    const NewTask task{.type = "work", .description = std::string(kPagesEach * kPageBytes, 'x')};
    for (int written = 0; written < pages; written += kPagesEach) Must(store_->tasks().Submit(std::span(&task, 1)));
  }
  void AwaitCopyOf(int pages) const {
    const Instant patience = RealEnv().Now() + std::chrono::minutes(1);
    while (std::filesystem::file_size(settings_.path) < static_cast<std::uintmax_t>(pages) * kPageBytes) {
      ASSERT_LT(RealEnv().Now(), patience) << "the log was not copied";
      std::this_thread::yield();
    }
  }

  TempDirectory directory_;
  SimEnv env_;
  Metrics metrics_;
  const SqliteSettings settings_{.path = directory_.path() + "/seedcore.db", .checkpoint_pages = kPages};
  std::unique_ptr<Store> store_;
};

TEST_F(StoreCheckpointTest, ALongLogIsCopiedIntoTheDatabase) {
  Write(kPages);
  AwaitCopyOf(kPages / 2);
}

TEST_F(StoreCheckpointTest, ALogThatCannotBeCopiedStopsNobodyAndIsCopiedLater) {
  env_.ArmFault("store.checkpoint", Error{ErrorCode::kUnavailable, "the disk reported an error"}, 1);
  Write(kPages * 4 / 3);
  AwaitCopyOf(kPages / 2);
}

/// Checkpoints begin and do not end until the test says so.
class SlowEnv final : public ForwardingEnv {
 public:
  using ForwardingEnv::ForwardingEnv;
  Result<void> Fault(std::string_view site) override {
    if (site == "store.checkpoint") held_.wait(true);
    return ForwardingEnv::Fault(site);
  }
  void LetGo() {
    held_ = false;
    held_.notify_all();
  }
  bool held() const { return held_; }

 private:
  std::atomic<bool> held_{true};
};

class CheckpointerTest : public testing::Test {
 protected:
  ~CheckpointerTest() override { env_.LetGo(); }
  static Database Open(const std::string& path) {
    return Must(Database::Open(path, OpenMode::kReadWriteCreate, std::chrono::seconds(1)));
  }

  TempDirectory directory_;
  SlowEnv env_{RealEnv()};
  Checkpointer checkpointer_{Open(directory_.path() + "/file.db"), kPages, env_};
};

TEST_F(CheckpointerTest, TheWriterCopiesTheRestOfALogThatNeverEnds) {
  EXPECT_FALSE(checkpointer_.Committed(kPages));
  EXPECT_FALSE(checkpointer_.Committed(Checkpointer::kLong * kPages)) << "a checkpoint runs";
  env_.LetGo();
  const Instant patience = RealEnv().Now() + std::chrono::minutes(1);
  while (!checkpointer_.Committed(Checkpointer::kLong * kPages)) {
    ASSERT_LT(RealEnv().Now(), patience);
    std::this_thread::yield();
  }
  EXPECT_FALSE(checkpointer_.Committed(1)) << "the log has begun anew";
}

TEST_F(CheckpointerTest, TheWriterOfAMuchTooLongLogWaitsForTheCheckpoint) {
  EXPECT_FALSE(checkpointer_.Committed(kPages));
  std::promise<void> writing;
  auto held_after = std::async(std::launch::async, [&] {
    writing.set_value();
    EXPECT_FALSE(checkpointer_.Committed(2 * Checkpointer::kLong * kPages)) << "this begins the next one";
    return env_.held();
  });
  writing.get_future().wait();
  for (int i = 0; i < 1000; ++i) std::this_thread::yield();
  env_.LetGo();
  EXPECT_FALSE(held_after.get());
}

}  // namespace
}  // namespace seedcore::store::sqlite
