#include "worker/weights/parameters.h"

#include <utility>

#include "common/errors.h"

namespace trireme {

void Parameters::want(std::string name, std::vector<std::int64_t> shape, at::Tensor* slot, SlotPart part) {
  const std::int64_t rows = shape.empty() ? 1 : shape[0];
  wants_.push_back({std::move(name), std::move(shape), 0, rows, slot, part});
}

void Parameters::want_rows(std::string name, std::vector<std::int64_t> shape, std::int64_t first_row, std::int64_t rows,
                           at::Tensor* slot) {
  wants_.push_back({std::move(name), std::move(shape), first_row, rows, slot, {}});
}

void Parameters::keep_on_host(const std::string& prefix, HostLayer* layer) {
  bool any = false;
  for (Want& want : wants_) {
    if (!want.name.starts_with(prefix)) continue;
    want.home = layer == nullptr ? Home::host : Home::layer;
    want.layer = layer;
    any = true;
  }
  if (!any) throw Error(ExitCode::internal, "no parameter " + prefix + "* to keep on the host");
}

void Parameters::skip(std::string prefix, std::string reason) {
  skips_.push_back({std::move(prefix), std::move(reason)});
}

}  // namespace trireme
