#include "worker/transport/list.h"

#include <gtest/gtest.h>

namespace trireme {
namespace {

struct Refusal {
  ExitCode code = ExitCode::ok;
  std::string text;
};

Refusal refusal(const std::string& name, const std::vector<Seat>& seats) {
  try {
    choose_transport(name, seats);
  } catch (const Error& error) {
    return {error.code(), error.what()};
  }
  return {};
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

const Seat kCpu{"a", ""}, kFirst{"a", "0000:1a:00.0"}, kSecond{"a", "0000:1b:00.0"}, kElsewhere{"b", "0000:1a:00.0"};

TEST(ChooseTransport, TakesSelfForOneRankMpiForCpusAndNcclForGpus) {
  EXPECT_EQ(choose_transport("auto", std::vector{kCpu}), "self");
  EXPECT_EQ(choose_transport("auto", std::vector{kFirst}), "self");
  EXPECT_EQ(choose_transport("auto", std::vector{kCpu, kCpu}), "mpi");
  EXPECT_EQ(choose_transport("auto", std::vector{kFirst, kSecond, kElsewhere}), "nccl");
}

TEST(ChooseTransport, RefusesTwoRanksOnOneGpuAndNamesBoth) {
  for (const char* name : {"auto", "nccl"}) {
    const Refusal refused = refusal(name, {kFirst, kSecond, kFirst});
    EXPECT_EQ(refused.code, ExitCode::unavailable);
    EXPECT_TRUE(contains(refused.text, "ranks 0 and 2 on a share GPU 0000:1a:00.0")) << refused.text;
  }
  EXPECT_EQ(choose_transport("mpi", std::vector{kFirst, kFirst}), "mpi");
}

TEST(ChooseTransport, RefusesNcclWithoutAGpuAndNamesTheRank) {
  EXPECT_EQ(refusal("nccl", {kCpu}).code, ExitCode::unavailable);
  const Refusal mixed = refusal("auto", {kFirst, kCpu});
  EXPECT_EQ(mixed.code, ExitCode::unavailable);
  EXPECT_TRUE(contains(mixed.text, "rank 1 on a has no GPU")) << mixed.text;
}

TEST(ChooseTransport, RefusesSelfForSeveralRanks) { EXPECT_EQ(refusal("self", {kCpu, kCpu}).code, ExitCode::config); }

TEST(MakeTransport, MakesSelfWithoutALauncher) {
  EXPECT_STREQ(make_transport("auto", Launch{}, at::Device(at::kCPU))->carrier(), "self");
  EXPECT_STREQ(make_transport("self", Launch{}, at::Device(at::kCPU))->carrier(), "self");
}

TEST(MakeTransport, RefusesMpiWithoutALauncherAndUnknownNames) {
  EXPECT_THROW(make_transport("mpi", Launch{}, at::Device(at::kCPU)), ConfigError);
  EXPECT_THROW(make_transport("nccl", Launch{}, at::Device(at::kCPU)), ConfigError);
  EXPECT_THROW(make_transport("gloo", Launch{}, at::Device(at::kCPU)), ConfigError);
}

}  // namespace
}  // namespace trireme
