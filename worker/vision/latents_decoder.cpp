#include "worker/vision/latents_decoder.h"

#include <ATen/ATen.h>

#include <memory>
#include <utility>

#include "common/errors.h"
#include "worker/vision/tiling.h"

namespace trireme {

void LatentsDecoder::check_fit(std::int64_t latent_channels, const std::string& folder) const {
  if (config().latent_channels == latent_channels && config().out_channels == 3) return;
  throw Error(ExitCode::bad_data, folder +
                                      ": transformer and vae disagree about the channels of the latents, or the vae "
                                      "does not make pictures of 3 channels");
}

LatentsDecoder::Steps LatentsDecoder::steps(const Latents& latents, std::function<void(const at::Tensor&)> take) const {
  const auto decoding = std::make_shared<at::Tensor>();  // what has been made so far, of the tile under way
  const auto scaled = [this, get = latents.get] { return vae_.unscale(get()); };
  Steps steps;
  const auto decode = [&](const std::function<at::Tensor()>& tile) {
    steps.push_back([this, decoding, tile] { *decoding = vae_.step(0, tile()); });
    for (std::size_t i = 1; i < vae_.step_count(); ++i) {
      steps.push_back([this, decoding, i] { *decoding = vae_.step(i, *decoding); });
    }
  };
  const std::optional<Tiling> tiling =
      choose_tiling(vae_.config(), latents.height, latents.width, tiling_, latents.halved_tiles);
  if (!tiling) {
    decode(scaled);
    steps.push_back([decoding, take = std::move(take)] { take(std::exchange(*decoding, {})); });
    return steps;
  }
  const auto joiner = std::make_shared<TileJoiner>(*tiling);
  for (std::int64_t row = 0; row < tiling->rows; ++row) {
    for (std::int64_t column = 0; column < tiling->columns; ++column) {
      decode([scaled, t = *tiling, row, column] { return cut_tile(t, scaled(), row, column); });
      steps.push_back([decoding, joiner] { joiner->add(std::exchange(*decoding, {})); });
    }
  }
  steps.push_back([joiner, take = std::move(take)] { take(joiner->finish()); });
  return steps;
}

}  // namespace trireme
