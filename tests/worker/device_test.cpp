// The same promises on the CPU and, where there is one, on a GPU.
#include "worker/device.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <thread>

#include "common/errors.h"

namespace trireme::device {
namespace {

using State = Probe::State;

Probe seen(State state, bool device_file) {
  Probe probe;
  probe.state = state;
  probe.device_file = device_file;
  probe.driver_cuda = state == State::driver_too_old ? 12040 : 13000;
  probe.program_cuda = 13000;
  return probe;
}

std::string refusal(const Probe& probe) {
  try {
    decide(probe, 0);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::unavailable);
    return error.what();
  }
  return "";
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST(DecideDevice, DealsGpusToLocalRanksInTurn) {
  Probe probe = seen(State::found, true);
  probe.gpus = 2;
  EXPECT_EQ(decide(probe, 0), 0);
  EXPECT_EQ(decide(probe, 1), 1);
  EXPECT_EQ(decide(probe, 5), 1);
  probe.gpus = 1;  // srun --gpus-per-task=1: every task sees its own as number 0
  EXPECT_EQ(decide(probe, 3), 0);
}

TEST(DecideDevice, TakesTheCpuWhereNoGpuIs) {
  EXPECT_EQ(decide(seen(State::no_driver_library, false), 0), std::nullopt);
  EXPECT_EQ(decide(seen(State::no_device, false), 0), std::nullopt);
  EXPECT_EQ(decide(seen(State::no_device, true), 0), std::nullopt);
}

TEST(DecideDevice, NamesBothVersionsAndTheRemedyForAnOldDriver) {
  const std::string text = refusal(seen(State::driver_too_old, true));
  EXPECT_TRUE(contains(text, "12.4")) << text;
  EXPECT_TRUE(contains(text, "13.0")) << text;
  EXPECT_TRUE(contains(text, "R580")) << text;
}

TEST(DecideDevice, RefusesAGpuWithoutItsDriverLibrary) {
  EXPECT_TRUE(contains(refusal(seen(State::no_driver_library, true)), "libcuda.so.1"));
}

TEST(DecideDevice, PassesOnWhatCudaSays) {
  Probe probe = seen(State::failed, true);
  probe.failure = "system not yet initialized";
  EXPECT_TRUE(contains(refusal(probe), "system not yet initialized"));
}

class OnDevice : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    device_ = at::Device(GetParam());
    if (device_.is_cuda()) {
      if (visible_gpus() == 0) GTEST_SKIP() << "no GPU";
      device_ = choose(0);
    }
    configure(device_, {.threads = 1, .memory_fraction = 0.9});
  }
  at::Device device_{at::kCPU};
};

INSTANTIATE_TEST_SUITE_P(Kind, OnDevice, testing::Values("cpu", "cuda"));

TEST_P(OnDevice, HasANameAndTheGpuABusId) {
  EXPECT_FALSE(name(device_).empty());
  if (device_.is_cpu()) {
    EXPECT_EQ(name(device_), "cpu");
    EXPECT_EQ(bus_id(device_), "");
  } else {
    EXPECT_EQ(bus_id(device_).size(), std::string("0000:1a:00.0").size());
  }
}

TEST_P(OnDevice, IsConfiguredForEqualBits) {
  EXPECT_EQ(at::get_num_threads(), 1);
  EXPECT_TRUE(at::globalContext().deterministicAlgorithms());
  EXPECT_FALSE(at::globalContext().deterministicFillUninitializedMemory());
  if (device_.is_cpu()) return;
  EXPECT_FALSE(at::globalContext().benchmarkCuDNN());
  EXPECT_FALSE(at::globalContext().allowTF32CuBLAS());
  EXPECT_FALSE(at::globalContext().allowTF32CuDNN());
}

TEST_P(OnDevice, EventsBecomeDoneAndTellTheTimeBetweenThem) {
  const StreamGuard guard(device_, /*high_priority=*/false);
  Event before, after;
  EXPECT_TRUE(before.done());  // never recorded
  before.record(device_);
  at::Tensor a = at::ones({512, 512}, at::TensorOptions(device_));
  for (int i = 0; i < 10; ++i) a = at::mm(a, a).mul(1e-3);
  after.record(device_);
  while (!after.done()) std::this_thread::yield();
  EXPECT_TRUE(before.done());
  EXPECT_GT(after.seconds_since(before), 0);
  EXPECT_LT(after.seconds_since(before), 60);
}

TEST_P(OnDevice, AStreamWaitsForAnEventOfAnother) {
  at::Tensor a = at::zeros({1 << 20}, at::TensorOptions(device_));
  synchronize(device_);
  Event filled;
  {
    const StreamGuard guard(device_, /*high_priority=*/false);
    for (int i = 0; i < 100; ++i) a.add_(1);
    filled.record(device_);
  }
  const StreamGuard guard(device_, /*high_priority=*/true);
  filled.block_current_stream();
  const at::Tensor b = a.mul(2);
  EXPECT_EQ(b.sum().item<double>(), 200.0 * (1 << 20));
}

TEST_P(OnDevice, HostBuffersArePinnedForAGpu) {
  const at::Tensor buffer = host_buffer(1000, device_);
  EXPECT_EQ(buffer.nbytes(), 1000u);
  EXPECT_EQ(buffer.scalar_type(), at::kByte);
  EXPECT_TRUE(buffer.device().is_cpu());
  EXPECT_EQ(buffer.is_pinned(), device_.is_cuda());
}

TEST_P(OnDevice, TellsItsMemory) {
  const at::Tensor held = at::ones({1 << 20}, at::TensorOptions(device_));
  const Memory now = memory(device_);
  EXPECT_GE(now.peak_allocated, held.nbytes());
  EXPECT_EQ(now.total > 0, device_.is_cuda());
  EXPECT_LE(now.free, now.total);
}

}  // namespace
}  // namespace trireme::device
