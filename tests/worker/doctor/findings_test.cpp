#include "worker/doctor/findings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "worker/doctor/cpu_list.h"
#include "worker/doctor/report.h"

namespace trireme::doctor {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;

/// A healthy launch: `hosts` hosts with `per_host` GPUs and ranks each.
std::vector<RankFacts> launch(int hosts, int per_host) {
  std::vector<RankFacts> ranks;
  for (int rank = 0; rank < hosts * per_host; ++rank) {
    const int host = rank / per_host, local = rank % per_host;
    RankFacts facts;
    facts.rank = rank;
    facts.local_rank = local;
    facts.local_size = per_host;
    facts.host = "h" + std::to_string(host);
    facts.launcher = "mpirun";
    facts.cpus = "0-15";
    facts.cpu_count = 16;
    facts.numa_nodes = {0};
    facts.visible_devices = "all";
    facts.visible_gpus = per_host;
    facts.gpu = {local,
                 "NVIDIA H200",
                 "0000:0" + std::to_string(local) + ":00.0",
                 "GPU-" + std::to_string(rank),
                 0,
                 std::uint64_t{140} << 30,
                 std::uint64_t{139} << 30};
    facts.versions = {"torch 2.11.0", "NCCL 2.28.9", "Open MPI 4.1.4"};
    facts.interfaces = {{"eth0", "10.0.0." + std::to_string(10 + host), "10.0.0.0/24"}};
    facts.hashes = {{"the program", "p"}, {"the job", "j"}};
    ranks.push_back(facts);
  }
  return ranks;
}

auto finding(Severity severity, const std::string& fact, const std::string& remedy) {
  return Contains(AllOf(Field(&Finding::severity, severity), Field(&Finding::fact, HasSubstr(fact)),
                        Field(&Finding::remedy, HasSubstr(remedy))));
}

}  // namespace

TEST(Doctor, FindsNothingWrongWithAHealthyLaunch) {
  EXPECT_THAT(examine(launch(1, 1)), IsEmpty());
  EXPECT_THAT(examine(launch(2, 4)), IsEmpty());
}

TEST(Doctor, NamesRanksThatShareAGpu) {
  auto ranks = launch(1, 4);
  for (RankFacts& rank : ranks) rank.visible_gpus = 2;
  ranks[2].gpu = ranks[0].gpu;
  ranks[3].gpu = ranks[1].gpu;
  EXPECT_THAT(examine(ranks),
              finding(Severity::error, "ranks 0 and 2 on h0 share GPU 0000:00:00.0", "at most 2 ranks"));
}

TEST(Doctor, TheSameGpuNumberOnAnotherHostIsAnotherGpu) {
  auto ranks = launch(2, 1);
  ranks[1].gpu.bus_id = ranks[0].gpu.bus_id;
  EXPECT_THAT(examine(ranks), IsEmpty());
}

TEST(Doctor, NamesRanksThatShareAGpuThoughThereAreEnough) {
  auto ranks = launch(1, 2);
  ranks[1].gpu = ranks[0].gpu;
  ranks[1].visible_devices = ranks[0].visible_devices = "0";
  EXPECT_THAT(examine(ranks), finding(Severity::error, "share GPU", "CUDA_VISIBLE_DEVICES"));
}

TEST(Doctor, NamesRanksWithoutAGpuBesideOthersWithOne) {
  auto ranks = launch(2, 2);
  ranks[3].gpu = {};
  EXPECT_THAT(examine(ranks), finding(Severity::error, "rank 3 on h1 without a GPU", "--gpus-per-node"));
}

TEST(Doctor, NoGpuAtAllIsANoteAndNoError) {
  auto ranks = launch(1, 2);
  for (RankFacts& rank : ranks) rank.gpu = {};
  for (RankFacts& rank : ranks) rank.visible_gpus = 0;
  const auto findings = examine(ranks);
  EXPECT_THAT(findings, finding(Severity::note, "would run on CPUs", "--gpus-per-node"));
  EXPECT_EQ(findings.size(), 1u);
}

TEST(Doctor, SaysWhyAGpuCanNotBeUsed) {
  auto ranks = launch(1, 2);
  ranks[1].gpu = {};
  ranks[1].trouble = "the GPU driver supports CUDA 12.4";
  EXPECT_THAT(examine(ranks), finding(Severity::error, "rank 1: the GPU driver supports CUDA 12.4", ""));
}

TEST(Doctor, WarnsOfTasksThatSeeOneGpuEach) {
  auto ranks = launch(1, 4);
  for (RankFacts& rank : ranks) rank.visible_gpus = 1;
  EXPECT_THAT(examine(ranks), finding(Severity::warning, "sees only its own GPU", "--gpus-per-node"));
}

TEST(Doctor, WarnsOfAGpuThatAnotherProcessUses) {
  auto ranks = launch(1, 2);
  ranks[1].gpu.free_bytes = std::uint64_t{20} << 30;
  EXPECT_THAT(examine(ranks), finding(Severity::warning, "of rank 1 on h0 has 20 of 140 GiB free", "nvidia-smi"));
}

TEST(Doctor, NamesMixedVersions) {
  auto ranks = launch(2, 2);
  ranks[2].versions[1] = ranks[3].versions[1] = "NCCL 2.27.3";
  EXPECT_THAT(examine(ranks), finding(Severity::warning, "ranks 2 and 3 on h1 have NCCL 2.27.3, rank 0 has NCCL 2.28.9",
                                      "same modules"));
}

TEST(Doctor, NamesMixedJobs) {
  auto ranks = launch(2, 2);
  ranks[1].hashes["the job"] = "other";
  EXPECT_THAT(examine(ranks), finding(Severity::error, "the job of rank 1 differs from rank 0's", "same files"));
}

TEST(Doctor, WarnsOfCpusFarFromTheGpu) {
  auto ranks = launch(1, 2);
  ranks[1].gpu.numa_node = 1;
  EXPECT_THAT(examine(ranks), finding(Severity::warning, "rank 1 on h0 runs on CPUs 0-15", "--gpu-bind=closest"));
  ranks[1].numa_nodes = {0, 1};
  EXPECT_THAT(examine(ranks), IsEmpty());
}

TEST(Doctor, WarnsOfAnInterfaceThatIsTheSameEverywhere) {
  auto ranks = launch(2, 1);
  for (RankFacts& rank : ranks) rank.interfaces.push_back({"docker0", "172.17.0.1", "172.17.0.0/16"});
  EXPECT_THAT(examine(ranks), finding(Severity::warning, "docker0", "NCCL_SOCKET_IFNAME=eth0"));
  ranks[0].variables["NCCL_SOCKET_IFNAME"] = "eth0";
  EXPECT_THAT(examine(ranks), IsEmpty());
}

TEST(Doctor, WarnsOfHostsWithoutACommonNetwork) {
  auto ranks = launch(2, 1);
  ranks[1].interfaces = {{"eth0", "192.168.0.2", "192.168.0.0/24"}};
  EXPECT_THAT(examine(ranks), finding(Severity::warning, "no IPv4 network in common", "NCCL_SOCKET_IFNAME"));
}

TEST(Doctor, NamesTheHostsThatCanNotWrite) {
  auto ranks = launch(2, 2);
  ranks[2].folder = ranks[3].folder = "can't make /data/run: permission denied";
  EXPECT_THAT(examine(ranks), finding(Severity::error, "from h1: can't make /data/run", "output.directory"));
}

TEST(Doctor, NamesALinkFarSlowerThanItsLike) {
  const auto ranks = launch(2, 4);
  std::vector<LinkSpeed> links;
  for (int rank = 1; rank < 8; ++rank) links.push_back({rank, rank < 4 ? 300e9 : 40e9, rank < 4 ? 300e9 : 40e9});
  EXPECT_THAT(examine(ranks, links), IsEmpty());
  links[5].to_root = 2e9;
  EXPECT_THAT(examine(ranks, links), finding(Severity::warning, "rank 6 on h1", "nvidia-smi topo"));
}

TEST(Doctor, FactsTravelWhole) {
  RankFacts facts = launch(1, 1).front();
  facts.variables["NCCL_DEBUG"] = "INFO \xff";  // not text: must not end the doctor
  const RankFacts read = from_json(to_json(facts));
  EXPECT_EQ(read.gpu.uuid, facts.gpu.uuid);
  EXPECT_EQ(read.interfaces.front().network, "10.0.0.0/24");
  EXPECT_EQ(read.hashes, facts.hashes);
  EXPECT_EQ(read.numa_nodes, facts.numa_nodes);
}

TEST(Doctor, TheReportHasALineARankAndOneAFinding) {
  Report report;
  report.ranks = launch(2, 2);
  report.ranks[3].gpu = {};
  report.findings = examine(report.ranks);
  report.carrier = "nccl";
  report.links = {64u << 20, {{1, 300e9, 290e9}}, 250e9};
  const std::string text = to_text(report);
  EXPECT_THAT(text, HasSubstr("4 ranks on 2 hosts · started by mpirun"));
  EXPECT_THAT(text, HasSubstr("#  Rank   2 Local  0"));
  EXPECT_THAT(text, HasSubstr("device 0 [0000:00:00.0] NVIDIA H200 140 GiB numa 0 GPU-2"));
  EXPECT_THAT(text, HasSubstr("    1      300.000      290.000"));
  EXPECT_THAT(text, HasSubstr("error: rank 3 on h1 without a GPU"));
  EXPECT_THAT(text, HasSubstr("# 1 errors, 0 warnings"));
  EXPECT_THAT(to_json(report), HasSubstr(R"("severity": "error")"));
}

TEST(CpuList, IsReadAsLinuxWritesIt) {
  EXPECT_EQ(to_cpu_list(parse_cpu_list("0-3,8,10-11\n")), "0-3,8,10-11");
  EXPECT_EQ(parse_cpu_list("5").size(), 1u);
  EXPECT_TRUE(parse_cpu_list("").empty());
}

}  // namespace trireme::doctor
