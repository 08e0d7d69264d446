#include "common/cost_model.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>

#include "common/caption_lengths.h"

namespace trireme {
namespace {

constexpr double kBytesAToken = 4;           // of text
constexpr double kTemplateTokens = 8;        // around a prompt
constexpr double kCell = 28;                 // pixels of two by two patches of 14, which become a token
constexpr double kUnknownPicture = 37 * 37;  // cells of 1024 x 1024 pixels
constexpr double kMostCells = 16384;         // larger pictures are made smaller

double d(std::int64_t value) { return static_cast<double>(value); }

/// `tokens` times a matrix of `parameters`, which is read once.
Cost product(double parameters, double tokens, double bytes_per_parameter) {
  return {2 * parameters * tokens, parameters * bytes_per_parameter};
}

/// Scores and values: each of `tokens` sees `seen` others, over `width` channels.
double attention_flops(double tokens, double seen, double width) { return 4 * tokens * seen * width; }

double attention_parameters(const DecoderShape& s) {
  return d(s.hidden) * d(s.head_dim) * (2 * d(s.heads) + 2 * d(s.kv_heads));
}
double feed_forward_parameters(const DecoderShape& s) { return 3 * d(s.hidden) * d(s.intermediate); }
double attention_parameters(const DiffusionShape& s) { return 2 * d(s.dim) * (d(s.dim) + d(s.kv_dim)); }
double feed_forward_parameters(const DiffusionShape& s) { return 3 * d(s.dim) * d(s.feed_forward); }
double modulation_parameters(const DiffusionShape& s) { return 4 * d(s.dim) * d(s.modulation); }

double padded(const DiffusionShape& s, double tokens) {
  return std::ceil(tokens / d(s.token_multiple)) * d(s.token_multiple);
}

double text_tokens(const std::string& text) {
  return std::ceil(static_cast<double>(text.size()) / kBytesAToken) + kTemplateTokens;
}

Cost encoder_cost(const DecoderShape& s, double bytes, double tokens) {
  return d(s.layers) * layer_cost(s, bytes, tokens, 0).total();
}

/// A 3 x 3 convolution, a pixel.
double convolution(double in, double out) { return 9 * in * out; }
double resnet(double in, double out) {
  return convolution(in, out) + convolution(out, out) + (in == out ? 0 : in * out);
}

double cells_of(const ImageFile& image) {
  if (image.width == 0 || image.height == 0) return kUnknownPicture;
  const auto side = [](std::uint32_t pixels) { return std::max(1.0, std::round(pixels / kCell)); };
  return std::min(kMostCells, side(image.width) * side(image.height));
}

double fake_seconds(const std::string& prompt) {
  const std::size_t at = prompt.find("cost=");
  return at == std::string::npos ? 0 : std::max(0.0, std::atof(prompt.c_str() + at + 5));
}

ItemCost picture_cost(const ModelShape& shape, const Item& item, const Lengths& lengths) {
  const DiffusionShape& t = *shape.transformer;
  const double bytes = shape.bytes_per_parameter;
  const double image = padded(t, std::ceil(item.width / d(t.pixels)) * std::ceil(item.height / d(t.pixels)));
  const double forwards = item.steps * (item.sampler == "midpoint" ? 2 : 1);
  const double guided = item.guidance > t.no_guidance ? std::ceil(forwards * item.cfg_truncation) : 0;
  ItemCost cost;
  const auto add_half = [&](double tokens, double count) {
    const double caption = padded(t, tokens);
    if (shape.text_encoder) cost.encode += encoder_cost(*shape.text_encoder, bytes, tokens);
    cost.encode += product(d(t.caption_dim) * d(t.dim), tokens, bytes);
    cost.encode += d(t.refiners) * layer_cost(t, bytes, caption, /*modulated=*/false).total();
    const double values = 4 * d(t.channels);  // a token's, two by two latents
    ItemCost::Pass pass;
    pass.count = count;
    pass.enter = product(values * d(t.dim), image, bytes) + d(t.refiners) * layer_cost(t, bytes, image).total();
    pass.layer = layer_cost(t, bytes, image + caption);
    pass.layers = t.layers;
    pass.leave = product(values * d(t.dim), image, bytes);
    cost.passes.push_back(pass);
  };
  add_half(lengths.caption, forwards);
  if (guided > 0) add_half(lengths.negative, guided);
  if (shape.autoencoder) cost.decode = decode_cost(*shape.autoencoder, bytes, item.width, item.height);
  return cost;
}

ItemCost text_cost(const ModelShape& shape, const Lengths& lengths) {
  const DecoderShape& s = *shape.language;
  const double bytes = shape.bytes_per_parameter;
  ItemCost cost;
  for (const double patches : lengths.patches) {
    if (shape.vision) cost.encode += vision_cost(*shape.vision, bytes, patches);
  }
  ItemCost::Pass prefill;
  prefill.count = 1;
  prefill.layer = layer_cost(s, bytes, lengths.prompt, 0);
  prefill.layers = s.layers;
  prefill.leave = head_cost(s, bytes, 1);
  cost.passes.push_back(prefill);
  ItemCost::Pass token = prefill;
  token.count = std::max(0.0, lengths.new_tokens - 1);
  token.layer = layer_cost(s, bytes, 1, lengths.prompt + lengths.new_tokens / 2);
  cost.passes.push_back(token);
  return cost;
}

}  // namespace

double layer_parameters(const DecoderShape& shape) {
  return attention_parameters(shape) + feed_forward_parameters(shape);
}

double layer_parameters(const DiffusionShape& shape, bool modulated) {
  return attention_parameters(shape) + feed_forward_parameters(shape) + (modulated ? modulation_parameters(shape) : 0);
}

LayerCost layer_cost(const DecoderShape& s, double bytes_per_parameter, double tokens, double context) {
  const double seen = context + tokens / 2, kv_values = 2 * d(s.kv_heads) * d(s.head_dim);
  LayerCost cost;
  cost.attention = product(attention_parameters(s), tokens, bytes_per_parameter);
  cost.attention +=
      {attention_flops(tokens, seen, d(s.heads) * d(s.head_dim)), kv_values * context * bytes_per_parameter};
  cost.feed_forward = product(feed_forward_parameters(s), tokens, bytes_per_parameter);
  return cost;
}

Cost head_cost(const DecoderShape& s, double bytes_per_parameter, double tokens) {
  return product(d(s.hidden) * d(s.vocab), tokens, bytes_per_parameter);
}

LayerCost layer_cost(const DiffusionShape& s, double bytes_per_parameter, double tokens, bool modulated) {
  LayerCost cost;
  cost.attention = product(attention_parameters(s), tokens, bytes_per_parameter);
  cost.attention.flops += attention_flops(tokens, tokens, d(s.dim));
  cost.feed_forward = product(feed_forward_parameters(s), tokens, bytes_per_parameter);
  if (modulated) cost.attention += product(modulation_parameters(s), 1, bytes_per_parameter);  // a vector for all
  return cost;
}

// Ref: diffusers autoencoders/vae.py, Decoder.
Cost decode_cost(const AutoencoderShape& s, double bytes_per_parameter, double width, double height) {
  const double scale = std::pow(2.0, d(static_cast<std::int64_t>(s.channels.size())) - 1);
  const double coarsest = d(s.channels.back());
  double pixels = width / scale * (height / scale);
  double flops = 0, parameters = 0;
  const auto add = [&](double weights) {
    flops += 2 * weights * pixels;
    parameters += weights;
  };
  add(convolution(d(s.latent_channels), coarsest));
  add(2 * resnet(coarsest, coarsest) + 4 * coarsest * coarsest);
  flops += attention_flops(pixels, pixels, coarsest);
  double in = coarsest;
  for (std::size_t level = s.channels.size(); level-- > 0;) {
    const double out = d(s.channels[level]);
    add(resnet(in, out) + d(s.blocks) * resnet(out, out));
    if (level > 0) {
      pixels *= 4;
      add(convolution(out, out));
    }
    in = out;
  }
  add(convolution(in, 3));
  return {flops, parameters * bytes_per_parameter};
}

Cost vision_cost(const VisionShape& s, double bytes_per_parameter, double patches) {
  const double hidden = d(s.hidden), merged = hidden * d(s.merge) * d(s.merge);
  const double layer = 4 * hidden * hidden + 3 * hidden * d(s.intermediate);
  Cost cost = product(d(s.patch_values) * hidden, patches, bytes_per_parameter);
  cost += d(s.layers) * product(layer, patches, bytes_per_parameter);
  cost.flops += d(s.full_layers) * attention_flops(patches, patches, hidden);
  cost.flops += d(s.layers - s.full_layers) * attention_flops(patches, std::min(patches, d(s.window_patches)), hidden);
  cost += product(merged * (merged + d(s.out_hidden)), patches / (d(s.merge) * d(s.merge)), bytes_per_parameter);
  return cost;
}

Lengths guess_lengths(const Item& item) {
  Lengths lengths;
  lengths.caption = std::min<double>(kMaxCaptionTokens, text_tokens(item.system_prompt + item.prompt));
  lengths.negative = std::min<double>(kMaxCaptionTokens, text_tokens(item.system_prompt + item.negative_prompt));
  for (const ChatMessage& message : item.messages) {
    for (const ContentPart& part : message.content) {
      if (part.kind == ContentPart::Kind::text) lengths.prompt += text_tokens(part.text);
    }
  }
  for (const ImageFile& image : item.images) lengths.patches.push_back(4 * cells_of(image));
  for (const double patches : lengths.patches) lengths.prompt += patches / 4;
  lengths.new_tokens = item.max_new_tokens;
  return lengths;
}

Cost ItemCost::total() const {
  Cost sum = encode + decode;
  for (const Pass& pass : passes) sum += pass.count * pass.total();
  return sum;
}

ItemCost cost_of(const ModelShape& shape, const Item& item, const Lengths& lengths) {
  if (shape.transformer) return picture_cost(shape, item, lengths);
  if (shape.language) return text_cost(shape, lengths);
  ItemCost cost;
  cost.encode.flops = fake_seconds(item.prompt) * kFakeFlopsPerSecond;
  return cost;
}

DeviceRates nominal_rates(const std::string& device_name) {
  struct Known {
    const char* name;
    DeviceRates rates;
  };
  // Sustained on a hot card; those of the H200 are measured (docs/performance.md), the others scaled from data sheets.
  constexpr Known kKnown[] = {{"H200", {740e12, 4.3e12}}, {"H100", {700e12, 3.0e12}},     {"A100", {240e12, 1.7e12}},
                              {"A10", {100e12, 0.5e12}},  {"RTX 4090", {150e12, 0.9e12}}, {"cpu", {0.1e12, 0.02e12}}};
  for (const Known& known : kKnown) {
    if (device_name.find(known.name) != std::string::npos) return known.rates;
  }
  return kKnown[1].rates;
}

double seconds(const Cost& cost, const DeviceRates& rates) {
  return std::max(cost.flops / rates.flops_per_second, cost.bytes / rates.bytes_per_second);
}

double seconds(const ItemCost& cost, const DeviceRates& rates) {
  double sum = seconds(cost.encode, rates) + seconds(cost.decode, rates);
  for (const ItemCost::Pass& pass : cost.passes) {
    const double layer = seconds(pass.layer.attention, rates) + seconds(pass.layer.feed_forward, rates);
    sum += pass.count *
           (seconds(pass.enter, rates) + static_cast<double>(pass.layers) * layer + seconds(pass.leave, rates));
  }
  return sum;
}

}  // namespace trireme
