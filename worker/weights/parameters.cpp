#include "worker/weights/parameters.h"

#include <utility>

namespace trireme {

void Parameters::want(std::string name, std::vector<std::int64_t> shape, at::Tensor* slot) {
  const std::int64_t rows = shape.empty() ? 1 : shape[0];
  wants_.push_back({std::move(name), std::move(shape), 0, rows, slot, {}});
}

void Parameters::want(std::string name, std::vector<std::int64_t> shape, at::Tensor* slot, SlotPart part) {
  const std::int64_t rows = shape.empty() ? 1 : shape[0];
  wants_.push_back({std::move(name), std::move(shape), 0, rows, slot, part});
}

void Parameters::want_rows(std::string name, std::vector<std::int64_t> shape, std::int64_t first_row, std::int64_t rows,
                           at::Tensor* slot) {
  wants_.push_back({std::move(name), std::move(shape), first_row, rows, slot, {}});
}

void Parameters::skip(std::string prefix, std::string reason) {
  skips_.push_back({std::move(prefix), std::move(reason)});
}

}  // namespace trireme
