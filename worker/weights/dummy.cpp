// Random weights at the exact shapes.

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/cuda/CUDAGeneratorImpl.h>

#include <string_view>

#include "common/steady_clock.h"
#include "worker/device.h"
#include "worker/weights/loader.h"
#include "worker/weights/storage.h"

namespace trireme {
namespace {

/// FNV-1a: the same on every machine.
std::uint64_t hash(std::string_view text) {
  std::uint64_t value = 14695981039346656037u;
  for (const char c : text) value = (value ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return value;
}

at::Generator make_generator(at::Device device) {
  if (device.is_cuda()) return at::cuda::detail::createCUDAGenerator(device.index());
  return at::detail::createCPUGenerator();
}

/// Drawn on the generator's device wherever `part` is: the same values on the host as on the device.
void fill_randomly(const at::Tensor& part, const at::Generator& generator) {
  if (part.device() == generator.device()) {
    part.normal_(0, 0.02, generator);
  } else {
    part.copy_(at::empty(part.sizes(), part.options().device(generator.device())).normal_(0, 0.02, generator));
  }
}

}  // namespace

LoadReport make_dummy_weights(const PartParameters& wanted, at::ScalarType dtype, at::Device device) {
  const double start = steady_seconds();
  LoadReport report;
  report.bytes_kept = allocate_parameters(wanted, dtype, device);
  at::Generator generator = make_generator(device);
  for (const auto& [part, parameters] : wanted) {
    for (const Parameters::Want& want : parameters.wants()) {
      if (want.shape.size() >= 2) {
        generator.set_current_seed(hash(part + "/" + want.name + "/" + std::to_string(want.first_row)));
        fill_randomly(filled_part(want), generator);
      } else {
        filled_part(want).fill_(want.name.ends_with("bias") ? 0 : 1);
      }
    }
  }
  device::synchronize(device);
  report.peak_allocated = device::memory(device).peak_allocated;
  report.seconds = steady_seconds() - start;
  return report;
}

}  // namespace trireme
