#pragma once
// What the doctor sees from one rank: plain data, gathered on rank 0 and judged there. Collecting asks the system and
// fails at nothing: what can't be had is empty.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "worker/transport/launch.h"

namespace trireme::doctor {

struct Gpu {
  int index = -1;  // among those this rank sees; -1: it has none
  std::string name, bus_id, uuid;
  int numa_node = -1;  // -1: not known
  std::uint64_t total_bytes = 0, free_bytes = 0;
};

struct Interface {
  std::string name;
  std::string address;  // IPv4
  std::string network;  // "10.77.0.0/24"
};

struct RankFacts {
  int rank = 0, local_rank = 0, local_size = 1;
  std::string host, launcher;
  std::int64_t pid = 0;
  std::string cpus;  // "0-7,16"
  int cpu_count = 1;
  std::vector<int> numa_nodes;  // of these CPUs
  std::string binding;          // what to change about them
  std::string visible_devices;  // CUDA_VISIBLE_DEVICES, or "all"
  int visible_gpus = 0;
  Gpu gpu;
  std::string trouble;                           // why no GPU can be used
  std::vector<std::string> versions;             // as library_versions.h writes them
  std::vector<Interface> interfaces;             // up, not loopback
  std::map<std::string, std::string> variables;  // of NCCL, Open MPI, UCX and CUDA
  std::map<std::string, std::string> hashes;     // of the program, the job and the prompts
  std::string folder;                            // what is wrong with the output folder
};

/// `threads`: of the job. Opens the rank's GPU.
RankFacts collect(const Launch& launch, int threads);

std::string to_json(const RankFacts& facts);
RankFacts from_json(const std::string& text);

}  // namespace trireme::doctor
