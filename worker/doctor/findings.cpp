#include "worker/doctor/findings.h"

#include <algorithm>
#include <map>
#include <set>

#include "common/median.h"

namespace trireme::doctor {
namespace {

using Ranks = std::vector<RankFacts>;
using Findings = std::vector<Finding>;

/// "rank 3", "ranks 1, 2 and 5", "ranks 1, 2, 3 and 14 more".
std::string ranks_text(const std::vector<int>& ranks) {
  constexpr std::size_t kMost = 6;
  if (ranks.size() == 1) return "rank " + std::to_string(ranks[0]);
  std::string text = "ranks ";
  const std::size_t shown = ranks.size() > kMost ? kMost - 1 : ranks.size() - 1;
  for (std::size_t i = 0; i < shown; ++i) text += (i == 0 ? "" : ", ") + std::to_string(ranks[i]);
  return text + " and " +
         (ranks.size() > kMost ? std::to_string(ranks.size() - shown) + " more" : std::to_string(ranks.back()));
}

std::map<std::string, std::vector<const RankFacts*>> by_host(const Ranks& ranks) {
  std::map<std::string, std::vector<const RankFacts*>> hosts;
  for (const RankFacts& rank : ranks) hosts[rank.host].push_back(&rank);
  return hosts;
}

void find_unusable_gpus(const Ranks& ranks, Findings& findings) {
  std::map<std::string, std::vector<int>> troubles;
  for (const RankFacts& rank : ranks) {
    if (!rank.trouble.empty()) troubles[rank.trouble].push_back(rank.rank);
  }
  for (const auto& [trouble, of] : troubles) {
    findings.push_back({Severity::error, ranks_text(of) + ": " + trouble, "nvidia-smi on that host tells more"});
  }
}

void find_shared_gpus(const Ranks& ranks, Findings& findings) {
  for (const auto& [host, here] : by_host(ranks)) {
    std::map<std::string, std::vector<int>> owners;
    for (const RankFacts* rank : here) {
      if (!rank->gpu.bus_id.empty()) owners[rank->gpu.bus_id].push_back(rank->rank);
    }
    for (const auto& [gpu, of] : owners) {
      if (of.size() < 2) continue;
      const int seen = here.front()->visible_gpus, started = static_cast<int>(here.size());
      findings.push_back({Severity::error, ranks_text(of) + " on " + host + " share GPU " + gpu,
                          started > seen
                              ? "start at most " + std::to_string(seen) + " ranks there, it shows " +
                                    std::to_string(seen) + " GPUs to " + std::to_string(started) + " ranks"
                              : "give each rank its own CUDA_VISIBLE_DEVICES, or all of them the same list"});
    }
  }
}

void find_ranks_without_gpu(const Ranks& ranks, Findings& findings) {
  std::vector<int> without;
  std::set<std::string> hosts;
  for (const RankFacts& rank : ranks) {
    if (rank.gpu.index >= 0 || !rank.trouble.empty()) continue;
    without.push_back(rank.rank);
    hosts.insert(rank.host);
  }
  if (without.empty()) return;
  if (without.size() == ranks.size()) {
    findings.push_back({Severity::note, "no rank has a GPU: a job would run on CPUs",
                        "ask the batch system for GPUs if there are any, such as --gpus-per-node=4"});
    return;
  }
  findings.push_back({Severity::error,
                      ranks_text(without) + " on " + *hosts.begin() + " without a GPU, others have one",
                      "ask for GPUs on every node (--gpus-per-node), and start no more ranks than GPUs"});
}

void find_gpus_apart(const Ranks& ranks, Findings& findings) {
  for (const auto& [host, here] : by_host(ranks)) {
    if (here.size() < 2) continue;
    const bool one_each =
        std::all_of(here.begin(), here.end(), [](const auto* rank) { return rank->visible_gpus == 1; });
    std::set<std::string> buses;
    for (const RankFacts* rank : here) buses.insert(rank->gpu.bus_id);
    if (!one_each || buses.size() != here.size()) continue;
    findings.push_back({Severity::warning,
                        "each rank on " + host + " sees only its own GPU: NCCL may not reach the others directly",
                        "show all GPUs to all ranks: --gpus-per-node instead of --gpus-per-task, or --gpu-bind=none"});
  }
}

void find_idle_and_busy_gpus(const Ranks& ranks, Findings& findings) {
  for (const auto& [host, here] : by_host(ranks)) {
    const int seen = here.front()->visible_gpus, started = static_cast<int>(here.size());
    if (seen > started && here.front()->gpu.index >= 0) {
      findings.push_back({Severity::note,
                          host + " shows " + std::to_string(seen) + " GPUs to " + std::to_string(started) + " ranks",
                          "start " + std::to_string(seen) + " ranks there to use all"});
    }
  }
  for (const RankFacts& rank : ranks) {
    const Gpu& gpu = rank.gpu;
    if (gpu.total_bytes == 0 || gpu.free_bytes > gpu.total_bytes / 10 * 9) continue;
    findings.push_back({Severity::warning,
                        "GPU " + gpu.bus_id + " of rank " + std::to_string(rank.rank) + " on " + rank.host + " has " +
                            std::to_string(gpu.free_bytes >> 30) + " of " + std::to_string(gpu.total_bytes >> 30) +
                            " GiB free",
                        "another process uses it: nvidia-smi names it"});
  }
}

void find_mixed_versions(const Ranks& ranks, Findings& findings) {
  for (std::size_t i = 0; i < ranks.front().versions.size(); ++i) {
    const std::string& first = ranks.front().versions[i];
    std::map<std::string, std::vector<int>> others;
    for (const RankFacts& rank : ranks) {
      const std::string theirs = i < rank.versions.size() ? rank.versions[i] : "none";
      if (theirs != first) others[theirs].push_back(rank.rank);
    }
    for (const auto& [version, of] : others) {
      findings.push_back(
          {Severity::warning,
           ranks_text(of) + " on " + ranks[of.front()].host + " have " + version + ", rank 0 has " + first,
           "use the same modules, container and driver on every host"});
    }
  }
  for (const std::string& version : ranks.front().versions) {
    if (version.find("(compiled against") != std::string::npos) {
      findings.push_back({Severity::note, "rank 0 has " + version, "fine within a major version; else rebuild"});
    }
  }
}

void find_mixed_inputs(const Ranks& ranks, Findings& findings) {
  for (const auto& [what, hash] : ranks.front().hashes) {
    std::vector<std::string> values;
    for (const RankFacts& rank : ranks) {
      const auto theirs = rank.hashes.find(what);
      values.push_back(theirs == rank.hashes.end() ? "" : theirs->second);
    }
    const auto difference = describe_difference(what, values);
    if (!difference) continue;
    const std::size_t colon = difference->find(": ");
    findings.push_back({Severity::error, difference->substr(0, colon), difference->substr(colon + 2)});
  }
}

void find_wrong_binding(const Ranks& ranks, Findings& findings) {
  for (const RankFacts& rank : ranks) {
    const std::size_t colon = rank.binding.rfind(": ");
    if (colon != std::string::npos) {
      findings.push_back({Severity::warning, rank.binding.substr(0, colon), rank.binding.substr(colon + 2)});
    }
    const auto& nodes = rank.numa_nodes;
    if (rank.gpu.numa_node < 0 || nodes.empty() ||
        std::find(nodes.begin(), nodes.end(), rank.gpu.numa_node) != nodes.end()) {
      continue;
    }
    findings.push_back({Severity::warning,
                        "rank " + std::to_string(rank.rank) + " on " + rank.host + " runs on CPUs " + rank.cpus +
                            ", its GPU is at NUMA node " + std::to_string(rank.gpu.numa_node),
                        "bind near the GPU: srun --gpu-bind=closest with --cpus-per-task, or mpirun --bind-to none"});
  }
}

/// The networks that every host is in, by a name of interface that leads there.
std::map<std::string, std::string> common_networks(const Ranks& ranks, std::set<std::string>& repeated) {
  std::map<std::string, std::set<std::string>> hosts_in;    // network -> hosts
  std::map<std::string, std::set<std::string>> hosts_with;  // address -> hosts
  std::map<std::string, std::string> name_of;               // network -> interface
  std::set<std::string> hosts;
  for (const RankFacts& rank : ranks) {
    hosts.insert(rank.host);
    for (const Interface& interface : rank.interfaces) {
      hosts_in[interface.network].insert(rank.host);
      hosts_with[interface.address].insert(rank.host);
      name_of.emplace(interface.network, interface.name);
    }
  }
  for (const RankFacts& rank : ranks) {
    for (const Interface& interface : rank.interfaces) {
      if (hosts_with[interface.address].size() < 2) continue;
      repeated.insert(interface.name);
      hosts_in.erase(interface.network);
    }
  }
  std::map<std::string, std::string> common;
  for (const auto& [network, in] : hosts_in) {
    if (in.size() == hosts.size()) common.emplace(network, name_of[network]);
  }
  return common;
}

void find_wrong_networks(const Ranks& ranks, Findings& findings) {
  if (by_host(ranks).size() < 2) return;
  std::set<std::string> repeated;
  const auto common = common_networks(ranks, repeated);
  if (common.empty()) {
    findings.push_back({Severity::warning, "the hosts have no IPv4 network in common",
                        "name the interfaces that reach each other: NCCL_SOCKET_IFNAME, OMPI_MCA_btl_tcp_if_include"});
    return;
  }
  const auto& variables = ranks.front().variables;
  if (repeated.empty() || variables.contains("NCCL_SOCKET_IFNAME")) return;
  std::string names;
  for (const std::string& name : repeated) names += (names.empty() ? "" : ", ") + name;
  const std::string good = common.begin()->second;
  findings.push_back({Severity::warning, names + ": the same address on several hosts, so it leads nowhere",
                      "export NCCL_SOCKET_IFNAME=" + good + " OMPI_MCA_btl_tcp_if_include=" + good +
                          " OMPI_MCA_oob_tcp_if_include=" + good});
}

void find_wrong_folders(const Ranks& ranks, Findings& findings) {
  std::map<std::string, std::set<std::string>> hosts;
  for (const RankFacts& rank : ranks) {
    if (!rank.folder.empty()) hosts[rank.folder].insert(rank.host);
  }
  for (const auto& [trouble, on] : hosts) {
    findings.push_back({Severity::error,
                        "output folder, from " + *on.begin() +
                            (on.size() > 1 ? " and " + std::to_string(on.size() - 1) + " more" : "") + ": " + trouble,
                        "set output.directory to a folder that every host shares and you may write"});
  }
}

}  // namespace

Findings examine(const Ranks& ranks) {
  Findings findings;
  find_unusable_gpus(ranks, findings);
  find_shared_gpus(ranks, findings);
  find_ranks_without_gpu(ranks, findings);
  find_mixed_inputs(ranks, findings);
  find_wrong_folders(ranks, findings);
  find_mixed_versions(ranks, findings);
  find_gpus_apart(ranks, findings);
  find_idle_and_busy_gpus(ranks, findings);
  find_wrong_binding(ranks, findings);
  find_wrong_networks(ranks, findings);
  return findings;
}

Findings examine(const Ranks& ranks, const std::vector<LinkSpeed>& links) {
  constexpr double kFarSlower = 0.25;
  Findings findings;
  for (const bool near : {true, false}) {  // on the host of rank 0, and elsewhere
    std::vector<double> speeds;
    const auto is_near = [&](const LinkSpeed& link) { return ranks[link.rank].host == ranks[0].host; };
    for (const LinkSpeed& link : links) {
      if (is_near(link) == near) speeds.push_back(std::min(link.to_root, link.from_root));
    }
    const double usual = median(speeds);
    for (const LinkSpeed& link : links) {
      const double speed = std::min(link.to_root, link.from_root);
      if (is_near(link) != near || speed >= kFarSlower * usual) continue;
      findings.push_back({Severity::warning,
                          "rank " + std::to_string(link.rank) + " on " + ranks[link.rank].host +
                              " reaches rank 0 at less than a quarter of the usual speed",
                          "look at that host's network or GPU link: nvidia-smi topo -m, NCCL_DEBUG=INFO"});
    }
  }
  return findings;
}

const char* name(Severity severity) {
  switch (severity) {
    case Severity::note: return "note";
    case Severity::warning: return "warning";
    case Severity::error: return "error";
  }
  return "";
}

}  // namespace trireme::doctor
