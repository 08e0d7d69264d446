#pragma once
// Fills a model's parameters. Collective. Rank 0 reads the shards in file order with pread, casts on its device, and
// broadcasts in chunks of 256 MiB while the next chunk is read; each rank keeps only the tensors it wants. Peak memory
// on a device: own weights + 512 MiB. Every tensor of a file is accounted for: all that are missing, unexpected or of
// the wrong shape are named in one Error(bad_data).

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
  std::uint64_t bytes_read = 0;  // from files, on rank 0
  std::uint64_t bytes_kept = 0;  // parameters on this rank's device
};

/// `on_progress` is called after every chunk (the watchdog's counter). Files may hold F32, BF16 or F16; all become
/// `dtype`.
LoadReport load_weights(const ModelFiles& files, const PartParameters& wanted, at::ScalarType dtype, at::Device device,
                        Transport& transport, const std::function<void()>& on_progress);

/// Exact shapes, random values on the device (seeded by part and name, so equal on every rank): benchmarks without a
/// download. Matrices get N(0, 0.02), vectors of norm weights ones, biases zeros.
LoadReport make_dummy_weights(const PartParameters& wanted, at::ScalarType dtype, at::Device device);

}  // namespace trireme
