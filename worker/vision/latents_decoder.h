#pragma once
// From latents to a picture, in steps of about one residual block that the caller makes slices of: the autoencoder's
// decoder, over the whole picture or over tiles, of one picture or several of one size.

#include <ATen/core/Tensor.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "worker/vision/autoencoder_kl.h"

namespace trireme {

class LatentsDecoder {
 public:
  /// `tiling`: memory.vae_tiling.
  LatentsDecoder(const PartConfig& part, std::optional<bool> tiling)
      : vae_(autoencoder_config(part)), tiling_(tiling) {}

  void want(Parameters& parameters, const PartConfig& part) { vae_.want(parameters, part); }
  const AutoencoderConfig& config() const { return vae_.config(); }
  /// Throws Error(bad_data) when it makes something else than pictures from latents of a transformer in `folder`.
  void check_fit(std::int64_t latent_channels, const std::string& folder) const;

  struct Latents {
    std::int64_t height = 0, width = 0;
    std::function<at::Tensor()> get;  // [pictures, C, height, width] in the compute dtype; asked for in a step
    int halved_tiles = 0;             // memory is short: Session::halved_tiles
  };
  using Steps = std::vector<std::function<void()>>;
  /// `take` gets the images [pictures, 3, H, W] in the compute dtype, before clamping, in the last step.
  Steps steps(const Latents& latents, std::function<void(const at::Tensor&)> take) const;

 private:
  AutoencoderDecoder vae_;
  std::optional<bool> tiling_;
};

}  // namespace trireme
