#pragma once
// Sizes of a model as its config files state them: what the cost model needs, before any tensor is read. Rank 0 and the
// trireme command. Throws Error(bad_data) or ConfigError(input_missing) naming file and key.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace trireme {

/// A decoder-only text model: Qwen2, Qwen3, Gemma3.
struct DecoderShape {
  std::int64_t layers = 0, hidden = 0, intermediate = 0, heads = 0, kv_heads = 0, head_dim = 0, vocab = 0;
};

/// A diffusion transformer of the Lumina kind: refiners for picture and caption, then joint layers.
struct DiffusionShape {
  std::int64_t dim = 0, kv_dim = 0, feed_forward = 0, layers = 0, refiners = 0;
  std::int64_t channels = 16, caption_dim = 0, modulation = 256;  // of the latents, the caption, the time features
  std::int64_t token_multiple = 1;                                // token counts are padded to it
  std::int64_t pixels = 16;                                       // a token is wide and high
  double no_guidance = 0;                                         // guidance up to this is none
  std::int64_t head_dim = 128;
};

/// The convolutional autoencoder behind it.
struct AutoencoderShape {
  std::vector<std::int64_t> channels;  // of the blocks, the finest first
  std::int64_t blocks = 2, latent_channels = 16;
};

/// A vision transformer that sees windows, and everything in some layers.
struct VisionShape {
  std::int64_t layers = 0, hidden = 0, intermediate = 0, patch_values = 0, window_patches = 0, full_layers = 0;
  std::int64_t merge = 2, out_hidden = 0;
};

struct ModelShape {
  std::string family;
  double bytes_per_parameter = 2;
  std::optional<DecoderShape> text_encoder;  // of pictures; the layers that run
  std::optional<DiffusionShape> transformer;
  std::optional<AutoencoderShape> autoencoder;
  std::optional<DecoderShape> language;
  std::optional<VisionShape> vision;
};

/// `family` as in Checkpoint; the fake families have no shape. `dtype`: model.dtype, resolved; fp8 loads as bfloat16.
ModelShape read_model_shape(const std::string& family, const std::filesystem::path& folder, const std::string& dtype);

}  // namespace trireme
