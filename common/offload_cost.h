#pragma once
// What memory.offload saves and costs, by sizes alone: weights on the host free the device's memory but for two layers
// of a chain, and a pass can't be faster than its layers come. Pure.

#include <string>
#include <vector>

#include "common/unit_cost.h"

namespace trireme {

struct OffloadCost {
  double encoder_bytes = 0, encoder_layer_bytes = 0;  // all that stays on the host, and what comes at a time
  double embedding_bytes = 0;                         // of these, what never comes
  double layer_bytes = 0;                             // of one main layer, 0: they stay on the device
  double refiner_bytes = 0;                           // likewise of all that come in front of the layers in a pass
};
/// `offload`: of the job file.
OffloadCost offload_cost(const ModelShape& shape, const std::string& offload);

/// Bytes of weights on the device that a stage with these half layers saves.
double saved_bytes(const OffloadCost& cost, int begin, int end);

/// The same work, waiting for what comes at `bytes_per_second`; `units` share each visit of a layer.
UnitCost with_copies(UnitCost work, const OffloadCost& cost, double bytes_per_second, int units);

/// Pictures that one rank makes at a time share the visits of layers: so many.
inline constexpr int kUnitsAVisit = 4;

}  // namespace trireme
