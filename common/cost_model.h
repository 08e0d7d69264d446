#pragma once
// What a piece of work asks of a device: operations and bytes, from shapes alone. Pure functions; `plan`, the split of
// layers over stages and the policies all count with these. Products count two operations a multiply-add; attention
// counts scores and values; softmax, norms and activations, a few per cent of the time, count nothing.

#include <cstdint>
#include <vector>

#include "common/item.h"
#include "common/model_shape.h"

namespace trireme {

struct Cost {
  double flops = 0;
  double bytes = 0;  // of weights and of keys and values that must be read: what bounds the decoding of text
  Cost& operator+=(const Cost& other) {
    flops += other.flops, bytes += other.bytes;
    return *this;
  }
};
inline Cost operator+(Cost a, const Cost& b) { return a += b; }
inline Cost operator*(double times, const Cost& cost) { return {times * cost.flops, times * cost.bytes}; }

/// A layer, and where it may be cut: only the residual crosses.
struct LayerCost {
  Cost attention, feed_forward;
  Cost total() const { return attention + feed_forward; }
};

/// Causal: `tokens` new ones, each seeing itself, those new before it and `context` older ones.
LayerCost layer_cost(const DecoderShape& shape, double bytes_per_parameter, double tokens, double context);
/// The matrix that makes logits, for `tokens` tokens.
Cost head_cost(const DecoderShape& shape, double bytes_per_parameter, double tokens);
/// A layer in which `tokens` tokens see each other. `modulated`: not those of the caption alone.
LayerCost layer_cost(const DiffusionShape& shape, double bytes_per_parameter, double tokens, bool modulated = true);
/// Latents to a picture of `width` x `height` pixels.
Cost decode_cost(const AutoencoderShape& shape, double bytes_per_parameter, double width, double height);
/// `patches` of one picture, with the merger behind the last layer.
Cost vision_cost(const VisionShape& shape, double bytes_per_parameter, double patches);

/// Parameters of a layer, without its small vectors.
double layer_parameters(const DecoderShape& shape);
double layer_parameters(const DiffusionShape& shape, bool modulated = true);

/// Tokens of an item: what the shapes do not say.
struct Lengths {
  double caption = 0, negative = 0;  // families that make pictures
  double prompt = 0;                 // families that write text, pictures among it
  std::vector<double> patches;       // of each picture of the prompt
  double new_tokens = 0;
};

/// Without a tokenizer: four bytes of text a token, a token for each cell of 28 x 28 pixels of a picture (of 1024 x
/// 1024 where nobody knows its size), all of max_new_tokens written.
Lengths guess_lengths(const Item& item);

/// One item, cut as the verbs of a model cut it.
struct ItemCost {
  struct Pass {
    double count = 0;   // how often, halves of guidance counted one by one
    Cost enter, leave;  // in front of the layers and behind them
    LayerCost layer;    // each of `layers`
    std::int64_t layers = 0;
    Cost total() const { return enter + static_cast<double>(layers) * layer.total() + leave; }
  };
  Cost encode;               // once: text encoder, vision, refiners of the caption
  std::vector<Pass> passes;  // pictures: one kind; text: prefill, then a token at the mean length
  Cost decode;               // once

  Cost total() const;
};

/// The fake families: what the words of the prompt say (`cost=SECONDS`), as flops at kFakeFlopsPerSecond.
ItemCost cost_of(const ModelShape& shape, const Item& item, const Lengths& lengths);
inline constexpr double kFakeFlopsPerSecond = 1e12;

/// What a device does, sustained.
struct DeviceRates {
  double flops_per_second = 0, bytes_per_second = 0;
};
/// Of devices known by name, else of an H100-like one: only ratios matter to the policies.
DeviceRates nominal_rates(const std::string& device_name);
/// Each piece is bound by what takes longer, operations or bytes.
double seconds(const Cost& cost, const DeviceRates& rates);
double seconds(const ItemCost& cost, const DeviceRates& rates);

}  // namespace trireme
