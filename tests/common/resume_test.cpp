#include "common/resume.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace trireme {
namespace {

using rank_log::LastWord;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr LastWord kDead = LastWord::unmarked, kStopped = LastWord::stopped;

StartLine start(int launch, int world, int ranks_per_replica = 1) { return {launch, world, ranks_per_replica, 10, {}}; }
SentLine sent(std::uint64_t unit, int replica) { return {unit, {"u" + std::to_string(unit)}, 1, replica, false}; }
ItemRecord done(std::uint64_t unit) {
  ItemRecord item;
  item.id = "u" + std::to_string(unit);
  item.ok = true;
  return item;
}

RunState state_of(const std::vector<JournalLine>& lines) {
  RunState state;
  for (const JournalLine& line : lines) state.apply(line);
  return state;
}

/// "unit" for a suspect, "unit!rank" for a blamed one.
std::vector<std::string> crash(const RunState& state, const std::vector<LastWord>& words) {
  std::vector<std::string> found;
  for (const SuspectLine& line : state.suspects_of_crash(words)) {
    found.push_back(std::to_string(line.unit) + (line.blamed ? "!" + std::to_string(line.rank) : ""));
  }
  return found;
}

}  // namespace

TEST(Resume, BlamesTheSoleUnitOfTheRankThatDied) {
  const RunState state = state_of({start(1, 3), sent(0, 0), sent(1, 1), sent(2, 2)});
  EXPECT_THAT(crash(state, {kStopped, kDead, kStopped}), ElementsAre("1!1"));
  EXPECT_THAT(crash(state, {kStopped, kStopped, LastWord::died}), ElementsAre("2!2"));
  EXPECT_THAT(crash(state, {kDead, kStopped, kDead}), ElementsAre("0!0", "2!2"));
}

TEST(Resume, OnlySuspectsUnitsThatWereNotAlone) {
  const RunState state = state_of({start(1, 2), sent(0, 0), sent(1, 1), sent(2, 1)});
  EXPECT_THAT(crash(state, {kStopped, kDead}), ElementsAre("1", "2"));
}

TEST(Resume, AUnitIsAloneOnceTheOthersAreFinishedOrGivenBackOrMovedOn) {
  EXPECT_THAT(crash(state_of({start(1, 2), sent(1, 1), sent(2, 1), done(1)}), {kStopped, kDead}), ElementsAre("2!1"));
  EXPECT_THAT(crash(state_of({start(1, 2), sent(1, 1), sent(2, 1), ReturnedLine{2}}), {kStopped, kDead}),
              ElementsAre("1!1"));
  EXPECT_THAT(crash(state_of({start(1, 2), sent(1, 1), sent(2, 1), sent(2, 0)}), {kStopped, kDead}),
              ElementsAre("1!1"));
}

TEST(Resume, ABatchIsInHandUntilItsLastItemIsRecorded) {
  SentLine batch = sent(1, 1);
  batch.ids = {"u1", "u7"};
  EXPECT_THAT(crash(state_of({start(1, 2), batch, done(7)}), {kStopped, kDead}), ElementsAre("1!1"));
  EXPECT_THAT(crash(state_of({start(1, 2), batch, done(7), done(1)}), {kStopped, kDead}), IsEmpty());
}

TEST(Resume, EveryRankOfAReplicaCountsForItsUnits) {
  const RunState state = state_of({start(1, 4, 2), sent(0, 0), sent(1, 1)});
  EXPECT_THAT(crash(state, {kStopped, kStopped, kStopped, kDead}), ElementsAre("1!3"));
  EXPECT_THAT(crash(state, {kStopped, kDead, kStopped, kStopped}), ElementsAre("0!1"));
}

TEST(Resume, BlamesNobodyWhenNoRankCouldSayGoodbye) {
  const RunState state = state_of({start(1, 2), sent(0, 0), sent(1, 1)});
  EXPECT_THAT(crash(state, {kDead, kDead}), ElementsAre("0", "1"));
  EXPECT_THAT(crash(state, {LastWord::absent, LastWord::absent}), ElementsAre("0", "1"));
  EXPECT_THAT(crash(state, {kDead, LastWord::absent}), ElementsAre("0", "1"));
}

TEST(Resume, BlamesTheUnitOfASingleRankThatDied) {
  const RunState state = state_of({start(1, 1), sent(0, 0)});
  EXPECT_THAT(crash(state, {kDead}), ElementsAre("0!0"));
  EXPECT_THAT(crash(state, {LastWord::absent}), ElementsAre("0"));
}

TEST(Resume, SuspectsNothingWhenTheJobWasStoppedFromOutsideOrEndedByItself) {
  EXPECT_THAT(crash(state_of({start(1, 2), sent(0, 0)}), {kStopped, kStopped}), IsEmpty());
  EXPECT_THAT(crash(state_of({start(1, 2), sent(0, 0), EndLine{1, 75}}), {kDead, kStopped}), IsEmpty());
  EXPECT_THAT(crash(state_of({}), {}), IsEmpty());
}

TEST(Resume, LooksAtTheLastJobOnly) {
  const RunState state = state_of({start(1, 2), sent(0, 1), start(2, 2), sent(1, 1)});
  EXPECT_THAT(crash(state, {kStopped, kDead}), ElementsAre("1!1"));
}

TEST(Resume, NotesACrashOnceEvenWhenTheResumeItselfCrashed) {
  std::vector<JournalLine> lines = {start(1, 2), sent(0, 0), sent(1, 1), sent(2, 1)};
  const std::vector<LastWord> words = {kStopped, kDead};
  lines.push_back(state_of(lines).suspects_of_crash(words)[0]);
  EXPECT_THAT(crash(state_of(lines), words), ElementsAre("2"));
}

TEST(Resume, AddsUpTheBlamesOfSeveralJobs) {
  const std::vector<std::string> ids = {"u5"};
  std::vector<JournalLine> lines = {SuspectLine{5, ids, 1, false, 1}, SuspectLine{5, ids, 2, true, 1},
                                    SuspectLine{5, ids, 2, true, 1}};
  ASSERT_EQ(state_of(lines).suspects().size(), 1u);
  EXPECT_EQ(state_of(lines).suspects()[0].blames, 1);
  lines.push_back(SuspectLine{5, ids, 4, true, 0});
  EXPECT_EQ(state_of(lines).suspects()[0].blames, 2);
  lines.push_back(done(5));
  EXPECT_THAT(state_of(lines).suspects(), IsEmpty());
}

TEST(Resume, ASuspectThatAJobDidNotReachStaysOne) {
  const RunState state =
      state_of({SuspectLine{5, {"u5"}, 1, false, 1}, start(2, 2), sent(5, 0), ReturnedLine{5}, EndLine{2, 75}});
  EXPECT_EQ(state.suspects().size(), 1u);
}

}  // namespace trireme
