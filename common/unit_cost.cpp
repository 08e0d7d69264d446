#include "common/unit_cost.h"

#include <algorithm>
#include <cmath>

namespace trireme {
namespace {

UnitCost::Pass kind(const ItemCost::Pass& pass, const DeviceRates& rates, double scale) {
  UnitCost::Pass kind;
  kind.enter = scale * seconds(pass.enter, rates);
  kind.leave = scale * seconds(pass.leave, rates);
  kind.attention = scale * seconds(pass.layer.attention, rates);
  kind.feed_forward = scale * seconds(pass.layer.feed_forward, rates);
  return kind;
}

UnitCost::Pass mean(UnitCost::Pass a, const UnitCost::Pass& b) {
  a.enter = (a.enter + b.enter) / 2, a.leave = (a.leave + b.leave) / 2;
  a.attention = (a.attention + b.attention) / 2, a.feed_forward = (a.feed_forward + b.feed_forward) / 2;
  return a;
}

void append(UnitCost& work, UnitCost::Pass pass, double count, int slots) {
  pass.count = static_cast<int>(std::lround(count));
  pass.slots = slots;
  if (pass.count > 0) work.passes.push_back(pass);
}

/// One step of `batch` rows reads the weights once, and the keys and values of every row.
Cost step_of_batch(const Cost& one, double weight_bytes, int batch) {
  return {one.flops * batch, weight_bytes + (one.bytes - weight_bytes) * batch};
}

UnitCost picture_unit(const ItemCost& cost, const DeviceRates& rates, const PhaseScale& scale) {
  UnitCost work;
  const UnitCost::Pass positive = kind(cost.passes.at(0), rates, scale.denoise);
  const double forwards = cost.passes[0].count;
  double guided = 0;
  if (cost.passes.size() > 1) {
    guided = cost.passes[1].count;
    append(work, mean(positive, kind(cost.passes[1], rates, scale.denoise)), guided, 2);
  }
  append(work, positive, forwards - guided, 1);
  work.encode = scale.encode * seconds(cost.encode, rates);
  work.decode = scale.decode * seconds(cost.decode, rates);
  return work;
}

/// A unit of several pictures.
UnitCost times(int pictures, UnitCost one) {
  for (UnitCost::Pass& pass : one.passes) {
    for (double* part : {&pass.enter, &pass.leave, &pass.attention, &pass.feed_forward}) *part *= pictures;
  }
  one.encode *= pictures;
  one.decode *= pictures;
  return one;
}

/// Choosing a token from a row of logits (penalties, sums, sorting), as traffic: half a millisecond for 16 rows of
/// 152,064 on an H200, by the decoding of a last stage beside one without a head.
constexpr double kSamplingBytesALogit = 600;

UnitCost text_unit(const ModelShape& shape, const ItemCost& cost, int batch, const DeviceRates& rates,
                   const PhaseScale& scale) {
  UnitCost work;
  append(work, kind(cost.passes.at(0), rates, scale.prefill), 1, batch);
  ItemCost::Pass token = cost.passes.at(1);
  const DecoderShape& s = *shape.language;
  const LayerCost weights = layer_cost(s, shape.bytes_per_parameter, 0, 0);
  token.layer.attention = step_of_batch(token.layer.attention, weights.attention.bytes, batch);
  token.layer.feed_forward = step_of_batch(token.layer.feed_forward, weights.feed_forward.bytes, batch);
  token.leave = step_of_batch(token.leave, token.leave.bytes, batch);
  token.leave.bytes += kSamplingBytesALogit * batch * static_cast<double>(s.vocab);
  append(work, kind(token, rates, scale.decode), token.count, 1);
  work.encode = batch * scale.encode * seconds(cost.encode, rates);
  work.tokens = batch * (token.count + 1);
  return work;
}

/// The fake families: the words of the prompts say it all.
UnitCost fake_unit(const ItemCost& cost, const Item& item, const DeviceRates& rates, const PhaseScale& scale) {
  UnitCost work;
  const int slots = item.guidance > 0 ? 2 : 1;
  UnitCost::Pass pass;
  const double halves = 2.0 * kFakeLayers * item.steps * slots;
  pass.attention = pass.feed_forward = scale.denoise * seconds(cost.encode, rates) / halves;
  append(work, pass, item.steps, slots);
  return work;
}

UnitCost one_unit(const ModelShape& shape, const Item& item, int batch, const DeviceRates& rates,
                  const PhaseScale& scale) {
  const ItemCost cost = cost_of(shape, item, guess_lengths(item));
  if (shape.transformer) return times(batch, picture_unit(cost, rates, scale));
  if (shape.language) return text_unit(shape, cost, batch, rates, scale);
  return fake_unit(cost, item, rates, scale);
}

}  // namespace

int layers_of(const ModelShape& shape) {
  if (shape.transformer) return static_cast<int>(shape.transformer->layers);
  if (shape.language) return static_cast<int>(shape.language->layers);
  return kFakeLayers;
}

double UnitCost::total(const Pass& pass) const {
  return pass.count * pass.slots * (pass.enter + layers * (pass.attention + pass.feed_forward) + pass.leave);
}

double UnitCost::total() const {
  double sum = encode + decode;
  for (const Pass& pass : passes) sum += total(pass);
  return sum;
}

UnitCost unit_cost(const ModelShape& shape, const std::vector<Item>& items, int batch, const DeviceRates& rates,
                   const PhaseScale& scale) {
  UnitCost sum;
  sum.layers = layers_of(shape);
  if (items.empty()) return sum;
  std::vector<UnitCost> units;
  double all = 0;
  for (const Item& item : items) {
    units.push_back(one_unit(shape, item, batch, rates, scale));
    units.back().layers = sum.layers;
    all += units.back().total();
  }
  const double wanted = all / static_cast<double>(units.size());
  UnitCost typical = *std::min_element(units.begin(), units.end(), [&](const UnitCost& a, const UnitCost& b) {
    return std::abs(a.total() - wanted) < std::abs(b.total() - wanted);
  });
  const double stretch = typical.total() > 0 ? wanted / typical.total() : 1;
  typical.encode *= stretch, typical.decode *= stretch;
  for (UnitCost::Pass& pass : typical.passes) {
    for (double* part : {&pass.enter, &pass.leave, &pass.attention, &pass.feed_forward}) *part *= stretch;
  }
  return typical;
}

double slot_seconds(const UnitCost& work, const UnitCost::Pass& pass, const std::vector<int>& cuts, std::size_t index) {
  const int begin = cuts[index], end = cuts[index + 1];
  const int attentions = (end + 1) / 2 - (begin + 1) / 2, feed_forwards = end / 2 - begin / 2;
  double sum = attentions * pass.attention + feed_forwards * pass.feed_forward;
  if (begin == 0) sum += pass.enter;
  if (end == 2 * work.layers) sum += pass.leave;
  return sum;
}

}  // namespace trireme
