#include "tests/worker/exchange/on_ranks.h"

#include <chrono>
#include <cstdio>
#include <optional>
#include <thread>

#include "worker/device.h"
#include "worker/transport/launch.h"
#include "worker/transport/list.h"

namespace trireme::on_ranks {
namespace {

int run_launched(const Launch& launch, const std::string& carrier,
                 const std::function<void(Transport&, at::Device)>& body) {
  const int gpus = carrier == "mpi" ? 0 : device::visible_gpus();
  if (carrier == "nccl" && gpus < launch.local_size) {
    if (launch.rank == 0) std::printf("skipped: %d GPUs for %d ranks\n", gpus, launch.local_size);
    return kSkipped;
  }
  const at::Device device = gpus > 0 ? device::choose(launch.local_rank) : at::Device(at::kCPU);
  device::configure(device, {});
  const device::StreamGuard stream(device, /*high_priority=*/false);
  const std::unique_ptr<Transport> transport = make_transport(carrier, launch, device);
  transport->warm_up(1 << 20, Pattern::star);
  body(*transport, device);
  transport->barrier();
  return 0;
}

}  // namespace

int run(const std::string& carrier, const std::function<void(Transport&, at::Device)>& body) {
  std::optional<MpiSession> session;
  try {
    session.emplace(/*allow_singleton=*/false);
    return run_launched(session->launch(), carrier, body);
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    abort_job(error.code());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    abort_job(ExitCode::internal);
  }
}

void nap() { std::this_thread::sleep_for(std::chrono::microseconds(100)); }

}  // namespace trireme::on_ranks
