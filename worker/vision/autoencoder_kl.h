#pragma once
// The decoder of AutoencoderKL: latents to a picture. It is a list of steps, about one residual block each, so that the
// caller can interleave other work. Ref: diffusers autoencoder_kl.py, vae.py, unet_2d_blocks.py.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "worker/nn/linear.h"
#include "worker/weights/parameters.h"
#include "worker/weights/part_config.h"

namespace trireme {

struct AutoencoderConfig {
  std::vector<std::int64_t> channels;  // block_out_channels, from full size down
  std::int64_t latent_channels = 0, out_channels = 0, layers_per_block = 0;
  int groups = 0;
  std::int64_t sample_size = 0;  // pixels a tile is wide and high
  bool post_quant_conv = false, mid_attention = false;
  double scaling_factor = 1, shift_factor = 0;

  std::int64_t factor() const { return std::int64_t{1} << (channels.size() - 1); }  // pixels a latent is wide
};

/// Throws Error(bad_data) for what can't be computed, naming the key.
AutoencoderConfig autoencoder_config(const PartConfig& part);

class AutoencoderDecoder {
 public:
  explicit AutoencoderDecoder(AutoencoderConfig config);
  ~AutoencoderDecoder();

  /// Slots of the decoder; the encoder is skipped. Both spellings of the attention's names are known.
  void want(Parameters& parameters, const PartConfig& part);
  const AutoencoderConfig& config() const { return config_; }

  /// Latents as the model makes them -> as the decoder wants them. Ref: pipeline_z_image.py, before vae.decode.
  at::Tensor unscale(const at::Tensor& latents) const;

  std::size_t step_count() const { return steps_.size(); }
  /// x [1, latent_channels, h, w] through all steps in order -> [1, out_channels, h * factor, w * factor], before
  /// clamping.
  at::Tensor step(std::size_t index, const at::Tensor& x) const { return steps_[index](x); }

 private:
  struct Modules;
  AutoencoderConfig config_;
  std::unique_ptr<Modules> modules_;
  std::vector<std::function<at::Tensor(const at::Tensor&)>> steps_;
};

}  // namespace trireme
