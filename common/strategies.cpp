#include "common/strategies.h"

#include <algorithm>

#include "common/offload_cost.h"
#include "common/stage_split.h"
#include "common/summary.h"

namespace trireme {
namespace {

constexpr double kGiB = 1024.0 * 1024 * 1024;
constexpr double kAutoencoderTensors = 2.75;  // of the largest size, alive at once
constexpr double kLayerTensors = 8;           // of the residual's width, beside three of the feed-forward's

struct HalfBytes {
  double attention = 0, feed_forward = 0;
};

HalfBytes half_bytes(const ModelShape& shape) {
  const LayerCost layer = shape.language ? layer_cost(*shape.language, shape.bytes_per_parameter, 0, 0)
                                         : layer_cost(*shape.transformer, shape.bytes_per_parameter, 0);
  return {layer.attention.bytes, layer.feed_forward.bytes};
}

double embedding_bytes(const DecoderShape& shape, double bytes) {
  return static_cast<double>(shape.vocab * shape.hidden) * bytes;
}

double picture_tokens(const ModelShape& shape, const Item& item) {
  const double pixels = static_cast<double>(shape.transformer->pixels);
  const Lengths lengths = guess_lengths(item);
  return item.width / pixels * (item.height / pixels) + std::max(lengths.caption, lengths.negative);
}

/// Weights in front of the layers, on the first stage.
double front_bytes(const ModelShape& shape) {
  const double bytes = shape.bytes_per_parameter;
  double sum = 0;
  if (shape.text_encoder) {
    sum += embedding_bytes(*shape.text_encoder, bytes);
    sum += static_cast<double>(shape.text_encoder->layers) * layer_parameters(*shape.text_encoder) * bytes;
  }
  if (shape.transformer) {
    const DiffusionShape& t = *shape.transformer;
    sum += static_cast<double>(t.refiners) * (layer_parameters(t) + layer_parameters(t, false)) * bytes;
    sum += static_cast<double>(t.caption_dim * t.dim) * bytes;
  }
  if (shape.language) sum += embedding_bytes(*shape.language, bytes);
  if (shape.vision) sum += vision_cost(*shape.vision, bytes, 1).bytes;
  return sum;
}

/// Weights behind them: every stage decodes pictures, the last one has a language model's head.
double back_bytes(const ModelShape& shape, bool last) {
  double sum = 0;
  if (shape.autoencoder) sum += decode_cost(*shape.autoencoder, shape.bytes_per_parameter, 64, 64).bytes;
  if (shape.language && last) sum += embedding_bytes(*shape.language, shape.bytes_per_parameter);
  return sum;
}

double picture_working_bytes(const ModelShape& shape, const Item& item) {
  const DiffusionShape& t = *shape.transformer;
  const double bytes = shape.bytes_per_parameter;
  const double layer = picture_tokens(shape, item) * bytes *
                       (kLayerTensors * static_cast<double>(t.dim) + 3 * static_cast<double>(t.feed_forward));
  if (!shape.autoencoder) return layer;
  const auto& channels = shape.autoencoder->channels;
  const double widest = static_cast<double>(channels.at(std::min<std::size_t>(1, channels.size() - 1)));
  return std::max(layer, kAutoencoderTensors * widest * item.width * item.height * bytes);
}

double text_working_bytes(const ModelShape& shape, const Item& item, int batch, double layers, int units, bool last) {
  const DecoderShape& s = *shape.language;
  const double bytes = shape.bytes_per_parameter;
  const Lengths lengths = guess_lengths(item);
  const double kept = 2.0 * static_cast<double>(s.kv_heads * s.head_dim) * bytes * layers *
                      (lengths.prompt + lengths.new_tokens) * batch * units;
  const double prefill = lengths.prompt * bytes *
                         (kLayerTensors * static_cast<double>(s.hidden) + 3 * static_cast<double>(s.intermediate));
  const double logits = last ? 4.0 * static_cast<double>(s.vocab) * batch * 4 : 0;
  return kept + prefill + logits;
}

std::optional<Summary> summary_in(const std::filesystem::path& run) {
  std::error_code ignored;
  if (!std::filesystem::exists(run / "summary.json", ignored)) return std::nullopt;
  return read_summary(run / "summary.json");
}

/// Seconds of a phase of a unit.
struct PhaseTime {
  double took = 0, alone = 0;  // `alone`: less what ran beside another unit's steps
};

/// What runs beside the steps makes those longer by what it takes by itself, which nobody measured: it is what the
/// sizes say, and the steps are the rest.
void set_apart(PhaseTime& beside, PhaseTime& steps, double usually) {
  if (beside.alone >= beside.took) return;
  const double alone = std::min(usually, beside.took);
  steps.alone -= alone - beside.alone;
  beside.alone = alone;
}

void scale(double& factor, const PhaseTime& time, double expected) {
  if (time.took > 0 && expected > 0) factor = time.alone / expected;
}

std::string device_of(const Summary& summary) {
  const auto device = summary.facts.find("device");
  return device == summary.facts.end() ? "cpu" : device->second;
}

}  // namespace

DeviceLimits nominal_limits(const std::string& device_name) {
  struct Known {
    const char* name;
    DeviceLimits limits;
  };
  // Links: NVLink where the card has it (measured between two H200s: docs/performance.md), else PCIe.
  // From the host: PCIe 5 or 4, sixteen lanes, less a tenth or two.
  constexpr Known kKnown[] = {
      {"H200", {139.8 * kGiB, 300e9, 40e-6, 55e9}},   {"H100", {79.2 * kGiB, 300e9, 40e-6, 55e9}},
      {"A100", {79.2 * kGiB, 200e9, 40e-6, 25e9}},    {"A10", {22.5 * kGiB, 20e9, 50e-6, 25e9}},
      {"RTX 4090", {23.5 * kGiB, 20e9, 50e-6, 25e9}}, {"cpu", {0, 2e9, 200e-6, 5e9}}};
  for (const Known& known : kKnown) {
    if (device_name.find(known.name) != std::string::npos) return known.limits;
  }
  return kKnown[1].limits;
}

PhaseScale usual_scale(const ModelShape& shape, const std::string& device_name, int batch) {
  if (device_name.find("cpu") != std::string::npos) return {};
  if (shape.language) return {.encode = 2, .prefill = 1.3, .decode = 1.44 + 0.025 * batch};
  if (shape.transformer) {
    // Attention 96 wide takes what 128 takes, and narrower products do worse: 59.0 ms a forward of NewBie-image,
    // not 54.7.
    const double narrow = shape.transformer->head_dim < 128 ? 1.08 : 1;
    return {.encode = 0.6, .denoise = 1.25 * narrow, .decode = 2.4};
  }
  return {};
}

std::vector<StageMemory> stage_memory(const ModelShape& shape, const std::vector<Item>& items, int batch,
                                      const std::vector<int>& cuts) {
  const std::size_t stages = cuts.size() - 1;
  std::vector<StageMemory> memory(stages);
  if (!shape.transformer && !shape.language) return memory;
  const HalfBytes half = half_bytes(shape);
  for (std::size_t stage = 0; stage < stages; ++stage) {
    const int begin = cuts[stage], end = cuts[stage + 1];
    const bool last = stage + 1 == stages;
    StageMemory& one = memory[stage];
    one.weights = ((end + 1) / 2 - (begin + 1) / 2) * half.attention + (end / 2 - begin / 2) * half.feed_forward;
    if (stage == 0) one.weights += front_bytes(shape);
    one.weights += back_bytes(shape, last);
    const int units = stages == 1 ? 1 : static_cast<int>(stages) + 2;
    for (const Item& item : items) {
      const double working = shape.transformer
                                 ? picture_working_bytes(shape, item)
                                 : text_working_bytes(shape, item, batch, (end - begin) / 2.0, units, last);
      one.working = std::max(one.working, working);
    }
  }
  return memory;
}

double crossing_bytes(const ModelShape& shape, const std::vector<Item>& items, int batch) {
  if (items.empty()) return 0;
  if (shape.language) return static_cast<double>(batch * shape.language->hidden) * shape.bytes_per_parameter;
  if (!shape.transformer) return 1024;
  double tokens = 0;
  for (const Item& item : items) tokens += picture_tokens(shape, item);
  return tokens / static_cast<double>(items.size()) * static_cast<double>(shape.transformer->dim) *
         shape.bytes_per_parameter;
}

std::optional<std::string> measured_device(const std::filesystem::path& run) {
  const std::optional<Summary> summary = summary_in(run);
  return summary ? std::optional(device_of(*summary)) : std::nullopt;
}

std::optional<Measured> measured_rates(const std::filesystem::path& run, const UnitCost& cost, int batch,
                                       const PhaseScale& usual) {
  const std::optional<Summary> summary = summary_in(run);
  if (!summary || summary->made() == 0) return std::nullopt;
  const double units = static_cast<double>(summary->made()) / batch;
  Measured measured{device_of(*summary), usual};
  const auto seconds_of_unit = [&](RankPhase phase) {
    double took = 0, alone = 0;
    for (const RankSummary& rank : summary->ranks) {
      took += rank.seconds[static_cast<std::size_t>(phase)];
      alone += rank.seconds_alone(phase);
    }
    return PhaseTime{took / units, alone / units};
  };
  double prefill = 0, rest = 0;
  for (const UnitCost::Pass& pass : cost.passes) {
    const bool first_of_text = cost.tokens > 0 && &pass == &cost.passes.front();
    (first_of_text ? prefill : rest) += cost.total(pass);
  }
  PhaseTime encode = seconds_of_unit(RankPhase::encode), decode = seconds_of_unit(RankPhase::decode);
  if (cost.tokens > 0) {
    scale(measured.scale.prefill, seconds_of_unit(RankPhase::prefill), prefill);
    scale(measured.scale.decode, decode, rest);
  } else {
    PhaseTime denoise = seconds_of_unit(RankPhase::denoise);
    set_apart(encode, denoise, usual.encode * cost.encode);
    set_apart(decode, denoise, usual.decode * cost.decode);
    scale(measured.scale.denoise, denoise, rest);
    scale(measured.scale.decode, decode, cost.decode);
  }
  scale(measured.scale.encode, encode, cost.encode);
  return measured;
}

double Strategy::largest_memory() const {
  double most = 0;
  for (const StageMemory& stage : memory) most = std::max(most, stage.total());
  return most;
}

std::vector<Strategy> strategies(const StrategyInput& input) {
  const UnitCost plain = unit_cost(input.shape, input.items, input.batch, input.rates, input.scale);
  const OffloadCost offload = offload_cost(input.shape, input.offload);
  const double host_rate = input.limits.host_bytes_per_second;
  const int units = (static_cast<int>(input.items.size()) + input.batch - 1) / input.batch;
  const double crossing = crossing_bytes(input.shape, input.items, input.batch);
  std::vector<Strategy> all;
  for (int stages = 1; stages <= std::min(input.ranks, plain.layers); ++stages) {
    if (input.ranks % stages != 0) continue;
    Strategy one;
    one.stages = stages;
    one.replicas = input.ranks / stages;
    const int sharing = stages == 1 && !input.shape.language ? std::min(kUnitsAVisit, units) : 1;
    const UnitCost cost = with_copies(plain, offload, host_rate, std::max(1, sharing));
    one.cuts = cut_by_cost(cost, stages);
    one.memory = stage_memory(input.shape, input.items, input.batch, one.cuts);
    for (std::size_t i = 0; i < one.memory.size(); ++i) {
      one.memory[i].weights -= saved_bytes(offload, one.cuts[i], one.cuts[i + 1]);
    }
    const double room = input.limits.memory_bytes * input.memory_fraction;
    one.fits = room <= 0 || one.largest_memory() <= room;
    one.transfer_seconds =
        stages == 1 ? 0
                    : input.limits.link_latency_seconds + crossing / std::max(1.0, input.limits.link_bytes_per_second);
    const int most = (units + one.replicas - 1) / one.replicas;
    one.ring = forecast(cost, {one.cuts, most, input.micro_batches, one.transfer_seconds});
    one.seconds = one.ring.seconds;
    if (one.seconds > 0) {
      one.items_per_second = static_cast<double>(input.items.size()) / one.seconds;
      one.tokens_per_second = units * cost.tokens / one.seconds;
      one.efficiency = (units * cost.total() - cost.encode) / (input.ranks * one.seconds);
    }
    all.push_back(std::move(one));
  }
  return all;
}

const Strategy* best_of(const std::vector<Strategy>& all) {
  const Strategy* best = nullptr;
  for (const Strategy& one : all) {
    if (one.fits && (best == nullptr || one.items_per_second > best->items_per_second)) best = &one;
  }
  return best;
}

}  // namespace trireme
