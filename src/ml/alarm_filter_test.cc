#include "ml/alarm_filter.h"

#include <gtest/gtest.h>

namespace seedcore::ml {
namespace {

TEST(AlarmFilterTest, OneEventRaisesOneAlarm) {
  AlarmFilter filter(100);
  EXPECT_EQ(filter.Admit(0.0), 0.0);
  EXPECT_EQ(filter.Admit(8.0), 8.0);
  EXPECT_EQ(filter.Admit(8.0), 0.0);
  EXPECT_EQ(filter.Admit(8.3), 0.0) << "hardly more than the alarm";
  EXPECT_EQ(filter.Admit(12.0), 12.0);
}

TEST(AlarmFilterTest, AlarmDecaysOverTheQuietPeriod) {
  AlarmFilter filter(100);
  filter.Admit(10.0);
  for (int i = 0; i < 59; ++i) EXPECT_EQ(filter.Admit(4.0), 0.0);
  int waited = 59;
  while (filter.Admit(4.0) == 0.0) ++waited;
  EXPECT_EQ(waited, 63);
}

TEST(AlarmFilterTest, RepeatedEventsWeaken) {
  AlarmFilter filter(10);
  double last = 100.0;
  for (int event = 0; event < 8; ++event) {
    const double alarm = filter.Admit(6.0);
    EXPECT_LT(alarm, last);
    EXPECT_GT(alarm, 5.0);
    last = alarm;
    for (int i = 0; i < 20; ++i) filter.Admit(0.0);
  }
  EXPECT_EQ(filter.Admit(9.0), 9.0) << "none was as strong";
}

TEST(AlarmFilterTest, WithoutQuietPeriodEveryPointCounts) {
  AlarmFilter filter(0);
  EXPECT_GT(filter.Admit(5.0), 4.0);
  EXPECT_GT(filter.Admit(5.0), 4.0);
  EXPECT_GT(filter.Admit(3.0), 2.0);
}

}  // namespace
}  // namespace seedcore::ml
