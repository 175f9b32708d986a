#include "service/event_stream.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "base/testing.h"
#include "net/event_buffer.h"
#include "store/sqlite/sqlite_store.h"

namespace seedcore::service {
namespace {

std::size_t EventsIn(std::string_view text) {
  std::size_t count = 0;
  for (std::size_t at = text.find("event: task"); at != text.npos; at = text.find("event: task", at + 1)) ++count;
  return count;
}

TEST(EventStreamTest, AClientThatIsFarBehindGetsEverythingAndStays) {
  constexpr std::size_t kTasks = 3000;
  const test::TemporaryFolder folder;
  Metrics metrics;
  const auto store = store::sqlite::OpenSqliteStore({.path = folder.File("events.db")}, RealEnv(), metrics);
  ASSERT_TRUE(store);
  ASSERT_TRUE((*store)->tasks().Submit(std::vector<store::NewTask>(kTasks, {.type = "a"})));
  queue::EventFeed feed(RealEnv(), (*store)->tasks(), metrics);
  const auto stream = std::make_shared<net::EventBuffer>(32 * 1024, [] {});
  ASSERT_TRUE(StreamTaskEvents(&feed, {.after = 0, .task_id = {}}, stream));

  std::string text;
  std::size_t received = 0;
  bool open = true;
  const auto take = [&] {
    open = open && stream->Take(text);
    received += EventsIn(text);
    return !open || received >= kTasks;
  };
  EXPECT_TRUE(test::Eventually(take));
  EXPECT_TRUE(open) << "after " << received << " of them";
  EXPECT_EQ(received, kTasks);

  ASSERT_TRUE((*store)->tasks().Submit(std::vector<store::NewTask>{{.type = "a"}}));
  EXPECT_TRUE(test::Eventually([&] { return take() && received > kTasks; })) << "what comes now";
  stream->Disconnected();
}

}  // namespace
}  // namespace seedcore::service
