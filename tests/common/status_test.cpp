#include "common/status.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "common/errors.h"
#include "common/files.h"
#include "tests/common/temporary_folder.h"

namespace trireme {

TEST(Status, SaysHowFarTheJobIsAndLeavesOutWhatIsNotKnown) {
  const TemporaryFolder folder;
  Status status;
  status.state = "running";
  status.run_id = "run";
  status.total = 10;
  status.done = 4;
  write_status(folder / "status.json", status);
  const auto json = nlohmann::json::parse(read_file(folder / "status.json", 4096));
  EXPECT_EQ(json["state"], "running");
  EXPECT_EQ(json["total"], 10);
  EXPECT_EQ(json["done"], 4);
  EXPECT_TRUE(json["seconds_left"].is_null());
  EXPECT_TRUE(json["slowest_replica"].is_null());
  EXPECT_FALSE(json.contains("exit_code"));
  EXPECT_FALSE(json.contains("tokens")) << "no text is written";
  EXPECT_EQ(json["updated"].get<std::string>().size(), std::string("2026-01-31T23:59:59Z").size());
}

TEST(Status, OfTextCountsTokensBeforeAnAnswerIsComplete) {
  const TemporaryFolder folder;
  Status status;
  status.tokens = 500;
  status.tokens_per_second = 12.5;
  write_status(folder / "status.json", status);
  const auto json = nlohmann::json::parse(read_file(folder / "status.json", 4096));
  EXPECT_EQ(json["done"], 0);
  EXPECT_EQ(json["tokens"], 500);
  EXPECT_EQ(json["tokens_per_second"], 12.5);
}

TEST(Status, OfAnEndedJobHasItsExitCode) {
  const TemporaryFolder folder;
  Status status;
  status.state = "ended";
  status.exit_code = 75;
  status.seconds_left = 0;
  status.slowest_replica = 3;
  write_status(folder / "status.json", status);
  const auto json = nlohmann::json::parse(read_file(folder / "status.json", 4096));
  EXPECT_EQ(json["exit_code"], 75);
  EXPECT_EQ(json["seconds_left"], 0);
  EXPECT_EQ(json["slowest_replica"], 3);
}

TEST(Status, ComesBackAsItWasWritten) {
  const TemporaryFolder folder;
  Status status;
  status.state = "running";
  status.done = 4;
  status.seconds_left = 12.5;
  status.replicas = {{2, 3, 4.5, false}, {0, 1, 6, true}};
  status.nodes.push_back({.host = "n1"});
  status.nodes[0].gpus.resize(2);
  status.alerts = {{"ram", "n1", -1, "95 % of the RAM is used"}, {"slow_replica", "", 1, "slow"}};
  write_status(folder / "status.json", status);
  const Status back = read_status(folder / "status.json");
  EXPECT_EQ(back.state, "running");
  EXPECT_EQ(back.done, 4u);
  EXPECT_EQ(back.seconds_left, 12.5);
  EXPECT_EQ(back.slowest_replica, -1);
  ASSERT_EQ(back.replicas.size(), 2u);
  EXPECT_EQ(back.replicas[0].in_hand, 2);
  EXPECT_EQ(back.replicas[0].done, 3u);
  EXPECT_EQ(back.replicas[1].busy_seconds, 6);
  EXPECT_TRUE(back.replicas[1].slow);
  EXPECT_EQ(back.nodes, status.nodes);
  EXPECT_EQ(back.alerts, status.alerts);
}

TEST(Status, OfAnotherKindOfFileIsRefusedByName) {
  const TemporaryFolder folder;
  for (const char* text : {"", "[]", "{}", "{\"state\": 5}"}) {
    const auto file = folder.write("status.json", text);
    EXPECT_THROW(read_status(file), Error) << text;
  }
}

}  // namespace trireme
