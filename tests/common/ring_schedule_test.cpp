#include "common/ring_schedule.h"

#include <gtest/gtest.h>

#include <string>

namespace trireme {
namespace {

/// Units of `passes` passes and `halves` halves, admitted as there is room, as text: a letter a slot, '.' for an empty
/// one.
std::string schedule_of(int stages, int units, int passes, int halves, std::optional<int> micro_batches = {}) {
  RingSchedule schedule(stages, micro_batches);
  std::vector<int> left(static_cast<std::size_t>(units), passes);
  std::string text;
  int next = 0;
  while (next < units || schedule.must_turn()) {
    if (next < units && schedule.has_room(halves)) {
      schedule.admit(static_cast<std::uint64_t>(next++), halves, halves);
    }
    const auto entry = schedule.next();
    text += entry ? static_cast<char>((entry->half == 0 ? 'A' : 'a') + static_cast<char>(entry->unit)) : '.';
    if (!entry) {
      schedule.pass_over();
      continue;
    }
    schedule.enter(*entry);
    if (entry->last_half && --left[entry->unit] == 0) schedule.remove(entry->unit);
  }
  return text;
}

TEST(RingSchedule, UnitsComeRoundWithoutAFlush) {
  EXPECT_EQ(schedule_of(2, 2, 3, 1), "ABABAB.") << "one slot more, in which the last output moves on";
  EXPECT_EQ(schedule_of(3, 3, 2, 1), "ABCABC.");
}

TEST(RingSchedule, TurnsUntilTheLastStateIsWhereItIsDecoded) {
  for (int stages = 2; stages <= 4; ++stages) {
    for (int finisher = 0; finisher < stages; ++finisher) {
      RingSchedule schedule(stages, {});
      schedule.admit(0, 1, 1);
      const RingSchedule::Entry entry = schedule.next().value();
      schedule.enter(entry);
      schedule.leave(0, finisher);
      int more = 0;
      for (; schedule.must_turn(); ++more) schedule.pass_over();
      const int back = stages, sent_on = stages + 1;
      EXPECT_EQ(more, finisher == stages - 1 ? 1 : finisher == 0 ? back : sent_on) << stages << ", " << finisher;
    }
  }
}

TEST(RingSchedule, StagesTakeTurnsAtDecoding) {
  RingSchedule schedule(3, {});
  for (int i = 0; i < 7; ++i) EXPECT_EQ(schedule.next_finisher(), i % 3);
}

TEST(RingSchedule, AFreedPlaceIsTakenAtOnce) { EXPECT_EQ(schedule_of(2, 4, 2, 1), "ABABCDCD."); }

TEST(RingSchedule, AUnitAloneWaitsForItsState) {
  EXPECT_EQ(schedule_of(3, 1, 3, 1), "A..A..A.");
  EXPECT_EQ(schedule_of(3, 2, 2, 1, 1), "A..AB..B.") << "where only one may be in the ring";
}

TEST(RingSchedule, HalvesGoInOneBehindTheOtherAndThePassWaitsForBoth) {
  EXPECT_EQ(schedule_of(2, 2, 2, 2), "AaBbAaBb.");
  EXPECT_EQ(schedule_of(2, 1, 2, 2), "Aa.Aa.");
}

TEST(RingSchedule, AUnitAloneHasRoomHoweverManyPlacesItTakes) { EXPECT_EQ(schedule_of(2, 2, 1, 2, 1), "AaBb."); }

}  // namespace
}  // namespace trireme
