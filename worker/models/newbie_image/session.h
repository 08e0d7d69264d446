#pragma once
// One picture in flight. Filled by NewbieImage's slices; `begin` sets everything that shapes alone tell.

#include <ATen/core/Tensor.h>

#include <array>
#include <utility>

#include "worker/diffusion/sampler.h"
#include "worker/models/dit_session.h"
#include "worker/models/newbie_image/jina_tower.h"
#include "worker/models/newbie_image/transformer.h"
#include "worker/nn/decoder.h"

namespace trireme::newbie_image {

/// One caption, and what the passes with it need. The tables stay for the whole unit; the rest comes and goes.
struct Half {
  TokenGrid grid;
  GridRope rope;
  at::Tensor ids;            // Gemma's, [caption] int64
  nn::DecoderPass encoding;  // of Gemma; dropped after it
  JinaTower::Pass pooling;   // of Jina; dropped after it
  at::Tensor features;       // text features [caption, caption_dim]; dropped when nobody wants them as a result
  at::Tensor caption;        // refined caption tokens [caption, dim]: no pass changes them
  at::Tensor pooled;         // while encoding: Jina's tokens; then the embedded pooled text [1, pooled_out]
  nn::PassConditions conditions;
};

class NewbieSession final : public DitSession {
 public:
  NewbieSession(const Unit& u, Sampler s) : DitSession(u), sampler(std::move(s)) {}
  const Item& item() const { return unit.items.front(); }
  float time() const { return sampler.times()[static_cast<std::size_t>(pass)]; }
  /// Of the pass to come.
  int guided_halves() const { return !done() && guidance.applies(time()) ? 2 : 1; }
  void end_pass() {
    ++pass;
    halves = guided_halves();
  }

  Sampler sampler;
  std::array<Half, 2> parts;  // positive, negative
};

}  // namespace trireme::newbie_image
