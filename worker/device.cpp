#include "worker/device.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <c10/core/AllocatorConfig.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>
#include <vector>

#include "common/errors.h"
#include "common/log.h"

namespace trireme::device {
namespace {

void check(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return;
  throw Error(ExitCode::unavailable, std::string(what) + ": " + cudaGetErrorString(error));
}

std::string version(int cuda) { return std::to_string(cuda / 1000) + "." + std::to_string(cuda % 1000 / 10); }

cudaDeviceProp properties(at::Device device) {
  cudaDeviceProp found{};
  check(cudaGetDeviceProperties(&found, device.index()), "reading the GPU's properties");
  return found;
}

Probe probe() {
  Probe seen;
  const cudaError_t error = cudaGetDeviceCount(&seen.gpus);
  cudaGetLastError();  // the runtime keeps it for the next caller otherwise
  cudaDriverGetVersion(&seen.driver_cuda);
  cudaRuntimeGetVersion(&seen.program_cuda);
  seen.device_file = access("/dev/nvidia0", F_OK) == 0;
  const char* visible = std::getenv("CUDA_VISIBLE_DEVICES");
  seen.hidden = visible && (std::strcmp(visible, "") == 0 || std::strcmp(visible, "-1") == 0);
  if (error == cudaErrorNoDevice) {
    seen.state = Probe::State::no_device;
  } else if (error == cudaErrorInsufficientDriver) {
    seen.state = seen.driver_cuda == 0 ? Probe::State::no_driver_library : Probe::State::driver_too_old;
  } else if (error != cudaSuccess) {
    seen.state = Probe::State::failed;
    seen.failure = cudaGetErrorString(error);
  }
  return seen;
}

}  // namespace

std::optional<int> decide(const Probe& probe, int local_rank) {
  const auto unavailable = [](const std::string& what) { return Error(ExitCode::unavailable, what); };
  switch (probe.state) {
    case Probe::State::found:
      if (probe.gpus == 0) return std::nullopt;
      return local_rank % probe.gpus;
    case Probe::State::no_device:
      if (probe.device_file && !probe.hidden) {
        log::warning("this host has GPUs, none for this process: running on the CPU",
                     {{"remedy", "ask the batch system for GPUs, such as --gres=gpu:1"}});
      }
      return std::nullopt;
    case Probe::State::no_driver_library:
      if (!probe.device_file) return std::nullopt;
      throw unavailable(
          "the GPU's driver library libcuda.so.1 was not found though /dev/nvidia0 exists; "
          "in a container start it with --gpus all, --nv or the like");
    case Probe::State::driver_too_old: {
      const std::string needed = version(probe.program_cuda);
      throw unavailable("the GPU driver supports CUDA " + version(probe.driver_cuda) +
                        ", this program was built for CUDA " + needed +
                        ": update the driver (R580 or newer for CUDA 13)");
    }
    case Probe::State::failed: break;
  }
  throw unavailable("the GPUs can't be used: " + probe.failure + "; nvidia-smi tells more");
}

at::Device choose(int local_rank) {
  const std::optional<int> index = decide(probe(), local_rank);
  if (!index) return at::Device(at::kCPU);
  const at::Device device(at::kCUDA, static_cast<at::DeviceIndex>(*index));
  const cudaDeviceProp found = properties(device);
  if (found.major < 8) {
    throw Error(ExitCode::unavailable, std::string(found.name) + " has compute capability " +
                                           std::to_string(found.major) + "." + std::to_string(found.minor) +
                                           ": 8.0 or newer is needed");
  }
  check(cudaSetDevice(*index), "choosing the GPU");
  return device;
}

int visible_gpus() {
  const Probe seen = probe();
  return seen.state == Probe::State::found ? seen.gpus : 0;
}

std::string name(at::Device device) { return device.is_cpu() ? "cpu" : properties(device).name; }

std::string uuid(at::Device device) {
  if (device.is_cpu()) return {};
  const cudaDeviceProp found = properties(device);
  std::string text = "GPU";
  for (std::size_t i = 0; i < sizeof found.uuid.bytes; ++i) {
    char hex[3] = {};
    std::snprintf(hex, sizeof hex, "%02x", static_cast<unsigned char>(found.uuid.bytes[i]));
    if (i == 0 || i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += hex;
  }
  return text;
}

std::string bus_id(at::Device device) {
  if (device.is_cpu()) return {};
  char text[32] = {};
  check(cudaDeviceGetPCIBusId(text, sizeof text, device.index()), "reading the GPU's bus id");
  std::string id(text);
  std::transform(id.begin(), id.end(), id.begin(), [](unsigned char c) { return std::tolower(c); });
  return id;
}

void configure(at::Device device, const Settings& settings) {
  at::set_num_threads(settings.threads);
  if (at::get_num_interop_threads() != 1) at::set_num_interop_threads(1);
  if (!settings.allocator.empty()) c10::CachingAllocator::setAllocatorSettings(settings.allocator);

  at::Context& context = at::globalContext();
  context.setDeterministicAlgorithms(true, /*warn_only=*/false);  // an operator without such a kernel throws
  context.setDeterministicFillUninitializedMemory(false);         // costs a pass over every new tensor
  if (device.is_cpu()) return;

  // Workspaces of a fixed size, whatever memory is free; PyTorch wants this for deterministic cuBLAS. The user's value
  // wins.
  setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*overwrite=*/0);
  context.setBenchmarkCuDNN(false);
  context.setDeterministicCuDNN(true);
  context.setAllowTF32CuBLAS(false);
  context.setAllowTF32CuDNN(false);
  // Partial sums of a split bf16 product stay in float32: as accurate whichever split cuBLAS takes for a shape.
  context.setAllowBF16ReductionCuBLAS(false);
  context.setAllowFP16ReductionCuBLAS(false);
  context.lazyInitDevice(at::kCUDA);  // the allocator exists only after this
  c10::cuda::CUDACachingAllocator::setMemoryFraction(settings.memory_fraction, device.index());
}

struct Event::Impl {
  at::Device device{at::kCPU};
  cudaEvent_t event = nullptr;
  std::chrono::steady_clock::time_point time;

  ~Impl() {
    if (event) cudaEventDestroy(event);
  }
};

Event::Event() : impl_(std::make_unique<Impl>()) {}
Event::~Event() = default;
Event::Event(Event&&) noexcept = default;
Event& Event::operator=(Event&&) noexcept = default;

void Event::record(at::Device device) {
  impl_->device = device;
  impl_->time = std::chrono::steady_clock::now();
  if (device.is_cpu()) return;
  if (!impl_->event) check(cudaEventCreate(&impl_->event), "making an event");
  check(cudaEventRecord(impl_->event, c10::cuda::getCurrentCUDAStream(device.index())), "recording an event");
}

bool Event::done() const {
  if (!impl_->event) return true;
  const cudaError_t state = cudaEventQuery(impl_->event);
  if (state == cudaErrorNotReady) {
    cudaGetLastError();
    return false;
  }
  check(state, "work on the GPU");
  return true;
}

double Event::seconds_since(const Event& earlier) const {
  if (!impl_->event) return std::chrono::duration<double>(impl_->time - earlier.impl_->time).count();
  float milliseconds = 0;
  check(cudaEventElapsedTime(&milliseconds, earlier.impl_->event, impl_->event), "time between events");
  return milliseconds * 1e-3;
}

void Event::block_current_stream() const {
  if (!impl_->event) return;
  check(cudaStreamWaitEvent(c10::cuda::getCurrentCUDAStream(impl_->device.index()), impl_->event, 0),
        "making a stream wait");
}

struct Stream::Impl {
  std::optional<c10::cuda::CUDAStream> stream;  // none on a CPU
};

Stream::Stream(at::Device device, bool high_priority) : impl_(std::make_unique<Impl>()) {
  if (device.is_cuda()) impl_->stream = c10::cuda::getStreamFromPool(high_priority, device.index());
}

Stream::~Stream() = default;

struct StreamGuard::Impl {
  std::optional<c10::cuda::CUDAStream> previous;
};

StreamGuard::StreamGuard(at::Device device, bool high_priority) : StreamGuard(Stream(device, high_priority)) {}

StreamGuard::StreamGuard(const Stream& stream) : impl_(std::make_unique<Impl>()) {
  if (!stream.impl_->stream) return;
  impl_->previous = c10::cuda::getCurrentCUDAStream(stream.impl_->stream->device_index());
  c10::cuda::setCurrentCUDAStream(*stream.impl_->stream);
}

StreamGuard::~StreamGuard() {
  if (impl_->previous) c10::cuda::setCurrentCUDAStream(*impl_->previous);
}

void keep_for_current_stream(const at::Tensor& tensor) {
  if (!tensor.defined() || !tensor.is_cuda()) return;
  tensor.record_stream(c10::cuda::getCurrentCUDAStream(tensor.device().index()).unwrap());
}

at::Tensor host_buffer(std::size_t bytes, at::Device device) {
  return at::empty({static_cast<std::int64_t>(bytes)}, at::TensorOptions(at::kByte).pinned_memory(device.is_cuda()));
}

void reserve_host_buffers(std::size_t bytes, std::size_t count, at::Device device) {
  if (device.is_cpu()) return;
  constexpr std::size_t kSmallest = 512, kLargestSmall = 128 << 10, kSmallOnes = 8;
  std::vector<at::Tensor> held;  // the cache has one list a power of two, and takes them back at the end
  for (std::size_t i = 0; i < count; ++i) held.push_back(host_buffer(bytes, device));
  for (std::size_t size = kSmallest; size <= kLargestSmall; size *= 2) {
    for (std::size_t i = 0; i < kSmallOnes; ++i) held.push_back(host_buffer(size, device));
  }
}

void reserve_upload_buffers(at::Device device) {
  if (device.is_cpu()) return;
  constexpr std::size_t kSmallest = 512, kLargest = 8 << 20, kOnes = 64, kBytesOfASize = 64 << 20;
  std::vector<at::Tensor> held;
  for (std::size_t size = kSmallest; size <= kLargest; size *= 2) {
    for (std::size_t i = 0; i < std::min(kOnes, kBytesOfASize / size); ++i) held.push_back(host_buffer(size, device));
  }
}

at::Tensor locked_memory(std::size_t bytes, at::Device device) {
  constexpr std::size_t kAlignment = 256;
  const std::array<std::int64_t, 1> size{static_cast<std::int64_t>(bytes)};
  if (device.is_cpu()) {
    void* memory = std::aligned_alloc(kAlignment, (bytes / kAlignment + 1) * kAlignment);
    if (memory == nullptr) throw std::bad_alloc();
    return at::from_blob(
        memory, size, [](void* p) { std::free(p); }, at::TensorOptions(at::kByte));
  }
  void* memory = nullptr;
  const cudaError_t error = cudaHostAlloc(&memory, bytes, cudaHostAllocDefault);
  if (error != cudaSuccess) {
    cudaGetLastError();
    throw Error(ExitCode::unavailable, "locking " + std::to_string(bytes >> 20) +
                                           " MiB of host memory for weights (memory.offload): " +
                                           cudaGetErrorString(error) + "; use fewer ranks a host, or offload: none");
  }
  return at::from_blob(
      memory, size, [](void* p) { cudaFreeHost(p); }, at::TensorOptions(at::kByte));
}

void free_caches(at::Device device) {
  if (device.is_cuda()) c10::cuda::CUDACachingAllocator::emptyCache();
}

void synchronize(at::Device device) {
  if (device.is_cuda()) check(cudaDeviceSynchronize(), "waiting for the GPU");
}

std::size_t capacity(at::Device device) {
  if (device.is_cuda()) return memory(device).total;
  const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
  return pages > 0 && page > 0 ? static_cast<std::size_t>(pages) * static_cast<std::size_t>(page) : 0;
}

Memory memory(at::Device device) {
  Memory now;
  if (device.is_cpu()) {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    now.peak_allocated = static_cast<std::size_t>(usage.ru_maxrss) * 1024;
    return now;
  }
  check(cudaMemGetInfo(&now.free, &now.total), "reading the GPU's memory");
  const auto stats = c10::cuda::CUDACachingAllocator::getDeviceStats(device.index());
  const auto& allocated = stats.allocated_bytes[static_cast<std::size_t>(c10::CachingAllocator::StatType::AGGREGATE)];
  now.peak_allocated = static_cast<std::size_t>(allocated.peak);
  return now;
}

}  // namespace trireme::device
