#pragma once
// Fills a model's parameters. Collective. Rank 0 reads the shards in file order with pread on threads of its own into
// pinned memory, casts on its device where that makes them smaller, and broadcasts a chunk of 128 MiB while the next is
// filled; each rank keeps only the tensors it wants, and what no rank wants is not read. Every tensor of a file is
// accounted for before: all that are missing, unexpected or of the wrong shape are named in one Error(bad_data), thrown
// on rank 0.

#include <ATen/core/Tensor.h>

#include <functional>
#include <map>
#include <string>

#include "worker/transport/transport.h"
#include "worker/weights/model_files.h"
#include "worker/weights/parameters.h"

namespace trireme {

using PartParameters = std::map<std::string, Parameters>;  // by part of ModelFiles

struct LoadReport {
  double seconds = 0;
  double files_seconds = 0;          // of them for configs and the list of tensors,
  double build_seconds = 0;          // the model's parts and their tokenizer,
  double allocate_seconds = 0;       // memory of the parameters,
  double read_seconds = 0;           // waiting for files
  double broadcast_seconds = 0;      // and for chunks
  double cache_seconds = 0;          // and for copies to the host's own disk
  std::uint64_t bytes_read = 0;      // from files, by this rank
  std::uint64_t bytes_kept = 0;      // parameters on this rank's device
  std::uint64_t buffer_bytes = 0;    // most that loading held beside them on this rank's device: at most 512 MiB
  std::uint64_t peak_allocated = 0;  // device::Memory::peak_allocated at the end
};

/// Sizes of buffers: two chunks on every rank's device, and a piece of the file, once there on rank 0 and twice a
/// reading thread on its host. Multiples of 256. `everyone_reads`: no broadcast, each rank reads what it wants; the
/// ranks of a host read the same bytes, which its page cache holds.
struct LoadSettings {
  std::uint64_t chunk = std::uint64_t{128} << 20;
  std::uint64_t read = std::uint64_t{8} << 20;
  bool everyone_reads = false;
  int threads = 4;  // that read
};

/// `on_progress` is called after every chunk, and on rank 0 after every piece (the watchdog's counter). Files may hold
/// F32, BF16 or F16; all become `dtype` as torch's `.to(dtype)` does it. `device` is the transport's, or a GPU behind a
/// carrier of host memory.
LoadReport load_weights(const ModelFiles& files, const PartParameters& wanted, at::ScalarType dtype, at::Device device,
                        Transport& transport, const std::function<void()>& on_progress,
                        const LoadSettings& settings = {});

/// Exact shapes, random values on the device (seeded by part and name, so equal on every rank): benchmarks without a
/// download. Matrices get N(0, 0.02), vectors of norm weights ones, biases zeros.
LoadReport make_dummy_weights(const PartParameters& wanted, at::ScalarType dtype, at::Device device);

}  // namespace trireme
