#pragma once
// One picture in flight. Filled by ZImage's slices; `begin` sets everything that shapes alone tell.

#include <ATen/core/Tensor.h>

#include <array>
#include <utility>

#include "worker/diffusion/flow_match.h"
#include "worker/diffusion/guidance.h"
#include "worker/models/model.h"
#include "worker/models/z_image/transformer.h"
#include "worker/nn/decoder.h"

namespace trireme::z_image {

/// One caption, and what the passes with it need. The tables stay for the whole unit; the rest comes and goes.
struct Half {
  TokenGrid grid;
  GridRope rope;
  at::Tensor ids;            // [caption] int64; on a GPU padded to kTokenMultiple behind the end
  nn::DecoderPass encoding;  // of the text encoder; dropped after it
  at::Tensor features;       // text features [caption, caption_dim]; dropped when nobody wants them as a result
  at::Tensor caption;        // refined caption tokens [padded_caption, dim]: no pass changes them
  bool graphed = false;      // the forward under way is one replay
};

class ZImageSession final : public Session {
 public:
  explicit ZImageSession(const Unit& u) : Session(u) {}
  const Item& item() const { return unit.items.front(); }
  float time() const { return schedule.times[static_cast<std::size_t>(pass)]; }

  FlowMatchSchedule schedule;
  Guidance guidance;
  at::Tensor time_features;  // [passes, 256] float32
  at::Tensor adaln;          // of pass `adaln_pass`
  int adaln_pass = -1;
  std::array<Half, 2> parts;  // positive, negative
};

}  // namespace trireme::z_image
