#include "cli/task_view.h"

#include <gtest/gtest.h>

#include "cli/terminal.h"

namespace seedcore::cli {
namespace {

json::object TaskOf(const char* id) {
  return {{"id", id},          {"status", "queued"}, {"type", "work"}, {"created_at", "2026-11-26T19:50:20.000000Z"},
          {"result", nullptr}, {"description", "d"}};
}

TEST(TaskView, WhatTheTableShowsOfIdsTellsTheTasksOfABatchApart) {
  const std::string table =
      TaskTable({TaskOf("01a21968-ad87-77a2-bd38-7b8de35d5059"), TaskOf("01a21968-ad87-77a2-b09b-ba2b6e4184cc")});
  EXPECT_TRUE(table.contains("\n01a21968-ad87-77a2-bd38  queued")) << table;
  EXPECT_TRUE(table.contains("\n01a21968-ad87-77a2-b09b  queued")) << table;
}

TEST(TaskView, WhatATaskDependsOnIsAmongItsDetails) {
  json::object task = TaskOf("01a21968-ad87-77a2-bd38-7b8de35d5059");
  task["attempts"] = 0;
  task["max_attempts"] = 3;
  task["priority"] = 0;
  task["dead_letter"] = false;
  task["depends_on"] = json::array{};
  EXPECT_FALSE(TaskDetails(task, nullptr, nullptr).contains("depends_on"));
  task["depends_on"] = json::array{"01a21968-ad87-77a2-b09b-ba2b6e4184cc", "01a21968-ad87-77a2-b09c-0123456789ab"};
  EXPECT_TRUE(TaskDetails(task, nullptr, nullptr)
                  .contains("01a21968-ad87-77a2-b09b-ba2b6e4184cc 01a21968-ad87-77a2-b09c-0123456789ab"));
}

TEST(Terminal, CutsBetweenCharactersAndKeepsOneLine) {
  EXPECT_EQ(Cut("a\nb", 10), "a b");
  EXPECT_EQ(Cut("0123456789", 10), "0123456789");
  EXPECT_EQ(Cut("01234567890", 10), "0123456...");
  EXPECT_EQ(Cut("012345\u00e9\u00e9\u00e9", 10), "012345...");
}

}  // namespace
}  // namespace seedcore::cli
