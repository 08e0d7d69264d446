#include "worker/doctor/doctor.h"

#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>

#include "common/checkpoint.h"
#include "common/job.h"
#include "common/sha256.h"
#include "worker/device.h"
#include "worker/doctor/findings.h"
#include "worker/doctor/folder_check.h"
#include "worker/doctor/report.h"
#include "worker/fatal.h"
#include "worker/monitor/watchdog.h"
#include "worker/transport/list.h"

namespace trireme {
namespace {

using namespace doctor;

constexpr double kPatienceSeconds = 20;  // for each step; NCCL's own set-up is the longest, of a few seconds
constexpr std::size_t kMegabyte = std::size_t{1} << 20;

std::optional<Job> read_job(const Arguments& arguments) {
  if (arguments.job.empty()) return std::nullopt;
  return load_job(arguments.job, arguments.overrides);
}

std::map<std::string, std::string> hashes_of(const std::optional<Job>& job) {
  std::map<std::string, std::string> hashes{{"the program", TRIREME_VERSION + sha256_of_file("/proc/self/exe")}};
  if (!job) return hashes;
  hashes["the job (file, --set or variables)"] = sha256_hex(to_yaml(*job));
  std::error_code ignored;
  const bool file = std::filesystem::is_regular_file(job->input.prompts, ignored);
  hashes["the prompts file"] = file ? sha256_of_file(job->input.prompts) : "";
  return hashes;
}

/// The ranks' facts on rank 0, over MPI on host memory: before anything relies on the GPUs.
std::vector<RankFacts> gather_facts(const RankFacts& mine, const std::optional<Job>& job, const Launch& launch) {
  const auto transport = make_transport(launch.mpi ? "mpi" : "self", launch, at::kCPU);
  RankFacts facts = mine;
  if (job) {
    facts.folder = check_writing(job->output.directory, launch.rank);
    const std::string sharing = check_sharing(job->output.directory, *transport);
    if (facts.folder.empty()) facts.folder = sharing;
  }
  std::vector<RankFacts> ranks;
  for (const Bytes& body : transport->gather(to_bytes(to_json(facts)), 0)) {
    ranks.push_back(from_json(std::string(as_text(body))));
  }
  return ranks;
}

/// Rank 0.
void look_at_checkpoint(const Job& job, Report& report) {
  try {
    const Checkpoint checkpoint = inspect(job);
    report.checked.push_back("checkpoint: " + checkpoint.family + " in " +
                             (job.model.path.empty() ? "no folder" : job.model.path.string()));
  } catch (const Error& e) {
    report.findings.push_back({Severity::error, std::string("checkpoint: ") + e.what(), "see model.path"});
  }
}

bool has_errors(const Report& report) {
  for (const Finding& finding : report.findings) {
    if (finding.severity == Severity::error) return true;
  }
  return false;
}

/// Collective: what rank 0 has found.
bool tell_everybody(const Launch& launch, bool on_rank_0) {
  if (!launch.mpi) return on_rank_0;
  const auto transport = make_transport("mpi", launch, at::kCPU);
  return !transport->broadcast(to_bytes(on_rank_0 ? "y" : ""), 0).empty();
}

void try_links(const std::string& name, const Launch& launch, at::Device device, Watchdog& watchdog, Report& report) {
  watchdog.set_stage("connecting the ranks");
  const auto transport = make_transport(name, launch, device);
  watchdog.beat();
  watchdog.set_stage("exchanging one element");
  exchange_one_element(*transport);
  watchdog.beat();
  watchdog.set_stage("timing the links");
  const std::size_t bytes = (transport->device().is_cuda() ? 64 : 4) * kMegabyte;
  report.links = measure_links(*transport, bytes, [&] { watchdog.beat(); });
  report.carrier = transport->carrier();
}

}  // namespace

ExitCode run_doctor(const Arguments& arguments, const Launch& launch) {
  const std::optional<Job> job = read_job(arguments);
  Watchdog watchdog(kPatienceSeconds,
                    [&launch](const std::string& cause, Busy) { die(launch, ExitCode::unavailable, cause); });
  watchdog.set_stage("looking at this rank");
  RankFacts mine = collect(launch, job ? job->parallel.threads : 1);
  mine.hashes = hashes_of(job);
  watchdog.beat();
  watchdog.set_stage("gathering what the ranks see");
  Report report;
  report.ranks = gather_facts(mine, job, launch);
  watchdog.beat();
  if (launch.rank == 0) {
    report.findings = examine(report.ranks);
    if (job && report.ranks.front().folder.empty()) {
      report.checked.push_back("output folder: every rank writes, locks and renames in " +
                               job->output.directory.string());
    }
    if (job) look_at_checkpoint(*job, report);
  }
  if (tell_everybody(launch, !has_errors(report))) {
    const at::Device device = device::choose(launch.local_rank);
    const device::StreamGuard stream(device, false);
    try_links(job ? job->parallel.transport.value_or("auto") : "auto", launch, device, watchdog, report);
  }
  if (launch.rank == 0) {
    if (!report.carrier.empty()) {
      for (Finding& slow : examine(report.ranks, report.links.links)) report.findings.push_back(std::move(slow));
    }
    std::printf("%s", (arguments.json ? to_json(report) : to_text(report)).c_str());
    std::fflush(stdout);
  }
  return tell_everybody(launch, !has_errors(report)) ? ExitCode::ok : ExitCode::unavailable;
}

}  // namespace trireme
