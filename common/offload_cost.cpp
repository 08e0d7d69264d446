#include "common/offload_cost.h"

#include <algorithm>

#include "common/cost_model.h"

namespace trireme {
namespace {

constexpr int kBuffers = 2;  // on the device, of a layer each

}  // namespace

OffloadCost offload_cost(const ModelShape& shape, const std::string& offload) {
  OffloadCost cost;
  const double bytes = shape.bytes_per_parameter;
  if (offload == "none") return cost;
  if (shape.text_encoder) {
    const DecoderShape& encoder = *shape.text_encoder;
    cost.embedding_bytes = static_cast<double>(encoder.vocab * encoder.hidden) * bytes;
    cost.encoder_layer_bytes = layer_parameters(encoder) * bytes;
    cost.encoder_bytes = cost.embedding_bytes + static_cast<double>(encoder.layers) * cost.encoder_layer_bytes;
  }
  if (offload != "layers") return cost;
  if (shape.transformer) {
    cost.layer_bytes = layer_parameters(*shape.transformer) * bytes;
    cost.refiner_bytes = static_cast<double>(shape.transformer->refiners) * cost.layer_bytes;
  }
  if (shape.language) cost.layer_bytes = layer_parameters(*shape.language) * bytes;
  if (shape.vision) {
    cost.encoder_bytes = vision_cost(*shape.vision, bytes, 1).bytes;
    cost.encoder_layer_bytes =
        cost.encoder_bytes / static_cast<double>(std::max<std::int64_t>(1, shape.vision->layers));
  }
  return cost;
}

double saved_bytes(const OffloadCost& cost, int begin, int end) {
  double saved = 0;
  if (begin == 0 && cost.encoder_bytes > 0) saved += cost.encoder_bytes - kBuffers * cost.encoder_layer_bytes;
  if (cost.layer_bytes == 0) return saved;
  const double streamed = (end - begin) / 2.0 * cost.layer_bytes + (begin == 0 ? cost.refiner_bytes : 0);
  return saved + std::max(0.0, streamed - kBuffers * cost.layer_bytes);
}

UnitCost with_copies(UnitCost work, const OffloadCost& cost, double bytes_per_second, int units) {
  if (bytes_per_second <= 0) return work;
  const auto copy = [&](double bytes) { return bytes / bytes_per_second / units; };
  work.encode = std::max(work.encode, copy(cost.encoder_bytes - cost.embedding_bytes));
  for (UnitCost::Pass& pass : work.passes) {
    const double layer = pass.attention + pass.feed_forward, bound = copy(cost.layer_bytes);
    if (layer > 0 && layer < bound) {
      pass.attention *= bound / layer;
      pass.feed_forward *= bound / layer;
    }
    pass.enter = std::max(pass.enter, copy(cost.refiner_bytes));
  }
  return work;
}

}  // namespace trireme
