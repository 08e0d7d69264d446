#include "common/layout.h"

#include "common/errors.h"

namespace trireme {
namespace {

std::string product_of(const Layout& layout) {
  if (layout.guidance == 1) return "parallel.stages: " + std::to_string(layout.stages);
  return "parallel.stages: " + std::to_string(layout.stages) +
         " and parallel.guidance: " + std::to_string(layout.guidance);
}

}  // namespace

Layout make_layout(int ranks, int stages, int guidance) {
  const Layout layout{ranks, stages, guidance};
  const int each = layout.ranks_per_replica();
  if (ranks % each == 0) return layout;
  const std::string fewer = ranks > each ? std::to_string(ranks / each * each) + " or " : "";
  throw ConfigError(product_of(layout) + " make a replica of " + std::to_string(each) + " ranks, which do not divide " +
                    std::to_string(ranks) + ": start " + fewer + std::to_string((ranks / each + 1) * each) + " ranks");
}

}  // namespace trireme
