#include "worker/doctor/rank_facts.h"

#include <ATen/Context.h>
#include <ATen/cuda/CUDAContext.h>
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <sched.h>
#include <unistd.h>

#include <bit>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "common/errors.h"
#include "common/host.h"
#include "worker/device.h"
#include "worker/doctor/cpu_list.h"
#include "worker/library_versions.h"

namespace trireme::doctor {
namespace {

std::string first_line(const std::string& file) {
  std::ifstream stream(file);
  std::string line;
  std::getline(stream, line);
  return line;
}

std::set<int> own_cpus() {
  std::set<int> cpus;
  cpu_set_t mask;
  if (sched_getaffinity(0, sizeof mask, &mask) != 0) return cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &mask)) cpus.insert(cpu);
  }
  return cpus;
}

std::vector<int> numa_nodes_of(const std::set<int>& cpus) {
  std::vector<int> nodes;
  for (int node = 0; node < 1024; ++node) {
    const std::string list = first_line("/sys/devices/system/node/node" + std::to_string(node) + "/cpulist");
    if (list.empty()) continue;
    for (const int cpu : parse_cpu_list(list)) {
      if (cpus.contains(cpu)) {
        nodes.push_back(node);
        break;
      }
    }
  }
  return nodes;
}

std::string uuid_text(const cudaUUID_t& uuid) {
  std::string text = "GPU-";
  for (int i = 0; i < 16; ++i) {
    char digits[3];
    std::snprintf(digits, sizeof digits, "%02x", static_cast<unsigned char>(uuid.bytes[i]));
    text += digits;
    if (i == 3 || i == 5 || i == 7 || i == 9) text += '-';
  }
  return text;
}

Gpu look_at(at::Device device) {
  Gpu gpu;
  const cudaDeviceProp* properties = at::cuda::getDeviceProperties(device.index());
  const device::Memory memory = device::memory(device);
  gpu.index = device.index();
  gpu.name = properties->name;
  gpu.bus_id = device::bus_id(device);
  gpu.uuid = uuid_text(properties->uuid);
  const std::string node = first_line("/sys/bus/pci/devices/" + gpu.bus_id + "/numa_node");
  if (!node.empty()) gpu.numa_node = std::atoi(node.c_str());
  gpu.total_bytes = memory.total;
  gpu.free_bytes = memory.free;
  return gpu;
}

std::vector<Interface> interfaces() {
  std::vector<Interface> found;
  ifaddrs* all = nullptr;
  if (getifaddrs(&all) != 0) return found;
  for (const ifaddrs* entry = all; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr || entry->ifa_netmask == nullptr || entry->ifa_addr->sa_family != AF_INET) continue;
    if ((entry->ifa_flags & IFF_UP) == 0 || (entry->ifa_flags & IFF_LOOPBACK) != 0) continue;
    const in_addr address = reinterpret_cast<const sockaddr_in*>(entry->ifa_addr)->sin_addr;
    const in_addr mask = reinterpret_cast<const sockaddr_in*>(entry->ifa_netmask)->sin_addr;
    in_addr network{address.s_addr & mask.s_addr};
    char text[INET_ADDRSTRLEN];
    Interface interface;
    interface.name = entry->ifa_name;
    interface.address = inet_ntop(AF_INET, &address, text, sizeof text);
    interface.network = inet_ntop(AF_INET, &network, text, sizeof text);
    interface.network += "/" + std::to_string(std::popcount(mask.s_addr));
    found.push_back(interface);
  }
  freeifaddrs(all);
  return found;
}

/// What changes how the ranks talk; the rest of an environment may hold secrets.
std::map<std::string, std::string> variables_that_matter() {
  std::map<std::string, std::string> chosen;
  for (const auto& [name, value] : environment()) {
    for (const char* start : {"NCCL_", "OMPI_MCA_", "PRTE_MCA_", "UCX_", "CUDA_", "TORCH_", "OMP_"}) {
      if (name.starts_with(start)) chosen[name] = value;
    }
  }
  // Open MPI's own words to its processes.
  std::erase_if(chosen, [](const auto& variable) {
    const std::string& name = variable.first;
    for (const char* start : {"OMPI_MCA_orte_", "OMPI_MCA_ess", "OMPI_MCA_pmix", "OMPI_MCA_shmem_RUNTIME",
                              "OMPI_MCA_hwloc_base_", "OMPI_MCA_mpi_oversubscribe", "OMPI_MCA_initial_wdir"}) {
      if (name.starts_with(start)) return true;
    }
    return false;
  });
  return chosen;
}

}  // namespace

RankFacts collect(const Launch& launch, int threads) {
  RankFacts facts;
  facts.rank = launch.rank;
  facts.local_rank = launch.local_rank;
  facts.local_size = launch.local_size;
  facts.host = launch.host;
  facts.launcher = launch.launcher;
  facts.pid = getpid();
  const std::set<int> cpus = own_cpus();
  facts.cpus = to_cpu_list(cpus);
  facts.cpu_count = launch.cpu_count;
  facts.numa_nodes = numa_nodes_of(cpus);
  facts.binding = binding_advice(launch, threads).value_or("");
  facts.variables = variables_that_matter();
  const auto visible = facts.variables.find("CUDA_VISIBLE_DEVICES");
  facts.visible_devices = visible == facts.variables.end() ? "all" : visible->second;
  facts.interfaces = interfaces();
  for (const LibraryVersion& version : library_versions()) facts.versions.push_back(to_text(version));
  try {
    facts.visible_gpus = device::visible_gpus();
    const at::Device device = device::choose(launch.local_rank);
    if (device.is_cuda()) {
      at::globalContext().lazyInitDevice(at::kCUDA);  // memory figures come from the allocator
      facts.gpu = look_at(device);
    }
  } catch (const std::exception& e) {
    facts.trouble = e.what();
  }
  return facts;
}

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Gpu, index, name, bus_id, uuid, numa_node, total_bytes, free_bytes)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Interface, name, address, network)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(RankFacts, rank, local_rank, local_size, host, launcher, pid, cpus, cpu_count,
                                   numa_nodes, binding, visible_devices, visible_gpus, gpu, trouble, versions,
                                   interfaces, variables, hashes, folder)

std::string to_json(const RankFacts& facts) {
  return nlohmann::json(facts).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}
RankFacts from_json(const std::string& text) { return nlohmann::json::parse(text).get<RankFacts>(); }

}  // namespace trireme::doctor
