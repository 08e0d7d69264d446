#include "worker/models/z_image/config.h"

#include <algorithm>
#include <numeric>

#include "common/errors.h"

namespace trireme::z_image {
namespace {

TensorNames find_names(const PartConfig& part) {
  if (!part.has_tensors()) return {};
  for (const char* prefix : {"", "model.diffusion_model."}) {
    for (const bool fused : {false, true}) {
      const TensorNames names{prefix, fused};
      if (part.has_tensor(names.x_embedder() + ".weight")) return names;
    }
  }
  throw Error(ExitCode::bad_data, part.place() +
                                      ": no tensor all_x_embedder.2-1.weight or x_embedder.weight beside it, "
                                      "so this is not a Z-Image transformer");
}

void check_features(const PartConfig& part, const TensorNames& names) {
  const JsonObject json = part.json();
  for (const auto& [key, value] :
       {std::pair("all_patch_size", kPatch), std::pair("all_f_patch_size", std::int64_t{1})}) {
    if (!json.has(key)) continue;
    const std::vector<std::int64_t> sizes = json.get_ints(key, 1, 1024);
    if (std::find(sizes.begin(), sizes.end(), value) == sizes.end()) {
      json.fail(key, "must hold " + std::to_string(value));
    }
  }
  if (json.has("siglip_feat_dim") || part.has_tensor(names.prefix + "siglip_pad_token")) {
    json.fail("siglip_feat_dim", "the Omni variant is not supported");
  }
}

}  // namespace

TransformerConfig transformer_config(const PartConfig& part) {
  TransformerConfig config;
  config.names = find_names(part);
  check_features(part, config.names);
  const JsonObject json = part.json();
  const std::string& prefix = config.names.prefix;
  const std::string block = prefix + "layers.0.";
  const auto patch_features = part.dimension({config.names.x_embedder() + ".weight"}, 1);
  std::optional<std::int64_t> channels, heads;
  if (patch_features) channels = *patch_features / (kPatch * kPatch);
  config.channels = part.size("in_channels", channels);
  config.dim = part.size("dim", part.dimension({config.names.x_embedder() + ".weight"}, 0));
  config.layers = part.layers("n_layers", part.count(prefix + "layers."));
  std::optional<std::int64_t> refiners = part.count(prefix + "noise_refiner.");
  if (!refiners && part.has_tensors()) refiners = 0;
  config.refiners = part.layers("n_refiner_layers", refiners, 0);
  config.caption_dim = part.size("cap_feat_dim", part.dimension({prefix + "cap_embedder.1.weight"}, 1));
  const auto norm_length = part.dimension({block + config.names.norm_q()}, 0);
  if (norm_length) heads = config.dim / *norm_length;
  config.heads = part.size("n_heads", heads);
  config.head_dim = config.dim / config.heads;
  // No key names these three; the defaults are those that diffusers has built in.
  config.feed_forward = part.dimension({block + "feed_forward.w1.weight"}, 0)
                            .value_or(static_cast<std::int64_t>(static_cast<double>(config.dim) / 3 * 8));
  config.time_hidden = part.dimension({prefix + "t_embedder.mlp.0.weight"}, 0).value_or(1024);
  config.adaln_dim =
      part.dimension({prefix + "t_embedder.mlp.2.weight"}, 0).value_or(std::min<std::int64_t>(config.dim, 256));

  config.axes_dims =
      json.has("axes_dims") ? json.get_ints("axes_dims", 2, 1 << 16, 3) : std::vector<std::int64_t>{32, 48, 48};
  config.axes_lens =
      json.has("axes_lens") ? json.get_ints("axes_lens", 1, 1 << 20, 3) : std::vector<std::int64_t>{1024, 512, 512};
  if (config.axes_dims.size() != 3 || config.axes_lens.size() != 3) json.fail("axes_dims", "wants three axes");
  const bool odd = std::any_of(config.axes_dims.begin(), config.axes_dims.end(), [](auto d) { return d % 2 != 0; });
  const std::int64_t turned = std::accumulate(config.axes_dims.begin(), config.axes_dims.end(), std::int64_t{0});
  if (odd || turned != config.head_dim || config.dim % config.heads != 0) {
    json.fail("axes_dims", "must be even and add up to dim / n_heads = " + std::to_string(config.head_dim));
  }
  config.rope_theta = json.get_double_or("rope_theta", 256, 1, 1e12);
  config.time_scale = json.get_double_or("t_scale", 1000, 1e-6, 1e12);
  config.norm_eps = json.get_double_or("norm_eps", 1e-5, 0, 1);
  config.qk_norm = json.get_bool_or("qk_norm", !part.has_tensors() || norm_length.has_value());
  return config;
}

void check_scheduler(const PartConfig& part) {
  const JsonObject json = part.json();
  const std::string name = json.get_string_or("_class_name", "FlowMatchEulerDiscreteScheduler");
  if (name != "FlowMatchEulerDiscreteScheduler") json.fail("_class_name", "'" + name + "' is not supported");
  for (const char* key : {"use_dynamic_shifting", "invert_sigmas", "use_karras_sigmas", "use_exponential_sigmas",
                          "use_beta_sigmas", "stochastic_sampling"}) {
    if (json.get_bool_or(key, false)) json.fail(key, "is not supported");
  }
  if (json.has("shift_terminal")) json.fail("shift_terminal", "is not supported");
  if (json.get_int_or("num_train_timesteps", 1000, 1, 1 << 30) != 1000)
    json.fail("num_train_timesteps", "must be 1000");
}

}  // namespace trireme::z_image
