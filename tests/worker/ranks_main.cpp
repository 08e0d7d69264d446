#include "tests/worker/ranks_main.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <exception>
#include <memory>
#include <optional>

#include "worker/device.h"
#include "worker/transport/launch.h"
#include "worker/transport/list.h"
#include "worker/transport/staged_transport.h"

namespace trireme::test {
namespace {

constexpr int kSkipped = 77;
Transport* transport = nullptr;  // main's

/// Ranks other than 0 say only what went wrong.
class FailurePrinter : public testing::EmptyTestEventListener {
 public:
  explicit FailurePrinter(int rank) : rank_(rank) {}
  void OnTestPartResult(const testing::TestPartResult& result) override {
    if (result.failed())
      std::fprintf(stderr, "rank %d: %s:%d: %s\n", rank_, result.file_name(), result.line_number(), result.message());
  }

 private:
  int rank_;
};

/// True on every rank when a rank failed, so that all return the same.
bool any_failed(bool mine) {
  bool any = false;
  for (const Bytes& body : transport->gather(Bytes(1, static_cast<std::byte>(mine)), 0))
    any = any || body[0] != std::byte{0};
  return transport->broadcast(Bytes(1, static_cast<std::byte>(any)), 0)[0] != std::byte{0};
}

int run(const Launch& launch, const std::string& name) {
  if (launch.rank > 0) {
    auto& listeners = testing::UnitTest::GetInstance()->listeners();
    delete listeners.Release(listeners.default_result_printer());
    listeners.Append(new FailurePrinter(launch.rank));
  }
  at::Device device(at::kCPU);
  if (name == "nccl") {
    const int gpus = device::visible_gpus();
    if (gpus < launch.local_size) {
      if (launch.rank == 0) std::printf("skipped: %d GPUs for %d ranks\n", gpus, launch.local_size);
      return kSkipped;
    }
    device = device::choose(launch.local_rank);
  }
  const bool staged = name == "staged";  // ranks may share a GPU; a CPU will do
  if (staged) device = device::choose(launch.local_rank);
  device::configure(device, {});
  const device::StreamGuard stream(device, /*high_priority=*/false);
  const std::unique_ptr<Transport> owned =
      staged ? std::make_unique<StagedTransport>(std::make_unique<MpiTransport>(), device)
             : make_transport(name, launch, device);
  transport = owned.get();
  EXPECT_STREQ(owned->carrier(), staged ? "mpi" : name.c_str());
  const int result = any_failed(RUN_ALL_TESTS() != 0) ? 1 : 0;
  if (launch.rank == 0) {
    std::printf("%s on %d ranks: carrier memory %.1f MiB\n", name.c_str(), launch.size,
                owned->carrier_memory() / 1048576.0);
  }
  return result;
}

}  // namespace

Transport& ranks_transport() { return *transport; }

}  // namespace trireme::test

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  GTEST_FLAG_SET(catch_exceptions, false);
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s self|mpi|staged|nccl\n", argv[0]);
    return 64;
  }
  std::optional<trireme::MpiSession> session;
  try {
    session.emplace(/*allow_singleton=*/false);
    return trireme::test::run(session->launch(), argv[1]);
  } catch (const trireme::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    trireme::abort_job(error.code());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    trireme::abort_job(trireme::ExitCode::internal);
  }
}
