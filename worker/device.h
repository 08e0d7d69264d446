#pragma once
// The device of this rank, and the few CUDA things the rest of the worker needs: events to poll, streams to enqueue on,
// pinned host memory, memory figures. On a CPU device every function works and does the obvious: events are done at
// once. With transport/ and kernels/, the only place that sees cuda_runtime.h.

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

namespace trireme::device {

/// GPU = local rank modulo visible GPUs; the CPU when there is none. Throws Error(unavailable) when GPUs exist but
/// can't be used, such as a driver older than the CUDA this program was built for: both versions and the remedy.
at::Device choose(int local_rank);
/// Number of GPUs this process sees; 0 without a driver.
int visible_gpus();

/// What `choose` decides from, so that the decision can be tested without a GPU.
struct Probe {
  enum class State { found, no_driver_library, driver_too_old, no_device, failed } state = State::found;
  int gpus = 0;
  int driver_cuda = 0, program_cuda = 0;  // 1000 * major + 10 * minor
  bool device_file = false;               // /dev/nvidia0 exists
  bool hidden = false;                    // the user wants none: CUDA_VISIBLE_DEVICES is empty or -1
  std::string failure;                    // CUDA's own words, for `failed`
};
/// Index of the GPU, or nothing for the CPU. Throws as `choose` does.
std::optional<int> decide(const Probe& probe, int local_rank);

/// "cpu", or "NVIDIA H200": part of what tables are keyed by, and of the journal's header.
std::string name(at::Device device);
/// "GPU-0a1b2c3d-…" as NVML writes it, empty for the CPU.
std::string uuid(at::Device device);
/// PCI bus id of a GPU ("0000:1a:00.0"), empty for the CPU: two ranks with the same host and bus id share a GPU.
std::string bus_id(at::Device device);

/// Once, before any tensor is made: threads, deterministic kernels, no cuDNN benchmark, cuBLAS workspaces, memory
/// fraction, settings of the allocator (empty: its own, or those of PYTORCH_ALLOC_CONF).
struct Settings {
  int threads = 1;
  double memory_fraction = 0.9;
  std::string allocator = {};
};
void configure(at::Device device, const Settings& settings);

/// A point in a stream. `record` notes the work enqueued so far on the device's current stream, `done` polls. One that
/// was never recorded is done and blocks nothing.
class Event {
 public:
  Event();
  ~Event();
  Event(Event&&) noexcept;
  Event& operator=(Event&&) noexcept;
  void record(at::Device device);
  bool done() const;
  /// Seconds from `earlier` to this one on the device; both must be done. On a CPU: wall clock between the records.
  double seconds_since(const Event& earlier) const;
  /// Work enqueued from here on on the current stream of the device waits for this point.
  void block_current_stream() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// A stream beside the compute stream, for copies and transfers of a part that must not wait for the model's work.
class Stream {
 public:
  Stream(at::Device device, bool high_priority);
  ~Stream();
  Stream(const Stream&) = delete;

 private:
  friend class StreamGuard;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Makes a stream current for the calling thread while it lives: a new one, such as the compute stream of the loop, or
/// one that is kept. No work of this program runs on the legacy default stream.
class StreamGuard {
 public:
  StreamGuard(at::Device device, bool high_priority);
  explicit StreamGuard(const Stream& stream);
  ~StreamGuard();
  StreamGuard(const StreamGuard&) = delete;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// A tensor made on another stream is about to be used on the current one: its memory is not given to others before
/// that is done. An undefined tensor, or one on a CPU: nothing.
void keep_for_current_stream(const at::Tensor& tensor);

/// uint8 host tensor, pinned when `device` is a GPU.
at::Tensor host_buffer(std::size_t bytes, at::Device device);
/// Pinning memory waits for the kernels that run, so it is done before the loop: afterwards about `count` buffers of up
/// to `bytes`, and small ones, come from LibTorch's cache. Start-up only; nothing on a CPU.
void reserve_host_buffers(std::size_t bytes, std::size_t count, at::Device device);
/// The same for what a stage uploads between transfers that its neighbours wait for (tables of a text unit: two a
/// prompt): 64 buffers of every size up to 8 MiB, and no more than 64 MiB of one size. About 300 MiB.
void reserve_upload_buffers(at::Device device);
/// uint8 host memory of exactly this size that starts at a multiple of 256 bytes and stays locked where `device` is a
/// GPU, so that copies run beside the host's work: for what lives as long as the model. Slow to make. Throws
/// Error(unavailable) when the system does not lock so much.
at::Tensor locked_memory(std::size_t bytes, at::Device device);
/// Gives back memory of the device that is allocated and not in use. May wait for the device: not in the loop's usual
/// path, only where an allocation has failed.
void free_caches(at::Device device);
/// Waits for all work on the device. Start-up and tests only, never in the loop.
void synchronize(at::Device device);

/// Memory of the device in bytes: a GPU's, or this host's.
std::size_t capacity(at::Device device);

struct Memory {
  std::size_t total = 0, free = 0,
              peak_allocated = 0;  // bytes; peak of this process' tensors; zeros on a CPU but for peak = RSS peak
};
Memory memory(at::Device device);

}  // namespace trireme::device
