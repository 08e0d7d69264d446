#pragma once
// A unit of pictures in flight. Filled by ZImage's slices; `begin` sets everything that shapes alone tell.

#include <ATen/core/Tensor.h>

#include <array>
#include <utility>
#include <vector>

#include "worker/diffusion/flow_match.h"
#include "worker/models/dit_session.h"
#include "worker/models/z_image/transformer.h"
#include "worker/nn/decoder.h"

namespace trireme::z_image {

/// Captions of one length, which the text encoder reads together.
struct Reading {
  std::vector<std::size_t> pictures;
  at::Tensor ids;            // [all tokens] int64; on a GPU each caption padded to kTokenMultiple behind its end
  nn::DecoderPass encoding;  // of the text encoder
  at::Tensor features;       // [all tokens, caption_dim]
};

/// What the passes with these captions need: it stays for the whole unit.
struct Half {
  Grids grids;
  nn::RopeTable image_rope, caption_rope, all_rope;  // of all pictures
  std::vector<Reading> readings;                     // dropped when they are done
  std::vector<at::Tensor> features;                  // of each picture [caption, caption_dim], where they are kept
  at::Tensor caption;                                // refined tokens of all pictures: no pass changes them
  bool graphed = false;                              // the forward under way is one replay
};

class ZImageSession final : public DitSession {
 public:
  explicit ZImageSession(const Unit& u) : DitSession(u) {}
  /// All pictures of a unit have one size and one schedule.
  const Item& item() const { return unit.items.front(); }
  std::size_t count() const { return unit.items.size(); }
  /// Of latents or a prediction, which have a dimension more when there are several pictures.
  at::Tensor of(const at::Tensor& all, std::size_t picture) const {
    return count() == 1 ? all : all.select(0, static_cast<std::int64_t>(picture));
  }
  float time() const { return schedule.times[static_cast<std::size_t>(pass)]; }
  /// Of the pass to come.
  int guided_halves() const { return !done() && guidance.applies(time()) ? 2 : 1; }
  void end_pass() {
    ++pass;
    halves = guided_halves();
  }

  FlowMatchSchedule schedule;
  nn::PassConditions conditions;
  std::array<Half, 2> parts;  // positive, negative
};

}  // namespace trireme::z_image
