#pragma once
// One unit of text items in flight. Filled by Qwen25Vl's slices.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "worker/device.h"
#include "worker/models/model.h"
#include "worker/models/qwen2_5_vl/prompt.h"
#include "worker/models/qwen2_5_vl/vision_tower.h"
#include "worker/nn/decoder.h"
#include "worker/nn/sampling.h"

namespace trireme::qwen2_5_vl {

/// A picture of an item, in the order in which the messages show it.
struct Picture {
  std::size_t file = 0;            // index into Item::images
  TokenGrid grid;                  // known once it is decoded
  std::optional<VisionPass> pass;  // from then on until the tower has made the features
  at::Tensor features;             // what the tower has made so far; at its end [tokens, hidden]
  at::Tensor pixel_values;         // only when wanted as a result
};

/// One item of the unit: a row of the decoding steps.
struct Row {
  std::vector<Picture> pictures;
  Prompt prompt;
  nn::DecoderPass pass;     // of the prompt; dropped behind it
  at::Tensor ids;           // the prompt's, on the device; dropped likewise
  at::Tensor first_logits;  // [1, vocab] float32; dropped unless wanted as a result
};

class TextSession final : public Session {
 public:
  /// `which`: a number that no other session of this model has had.
  TextSession(const Unit& u, std::uint64_t which) : Session(u), rows(u.items.size()), number(which) {}

  bool done() const override;
  std::uint64_t tokens() const override;
  std::int64_t row_count() const { return static_cast<std::int64_t>(rows.size()); }

  std::vector<Row> rows;
  const std::uint64_t number;
  std::unique_ptr<nn::TokenPicker> picker;
  nn::DecoderStep step;
  at::Tensor logits;       // [rows, vocab] float32 of the pass under way
  at::Tensor written;      // [passes, rows] int64: tokens so far
  at::Tensor ended;        // [rows] bool
  at::Tensor row_lengths;  // [rows] int64: most tokens of each row
  at::Tensor end_tokens;   // int64

  /// Last stage, at the end of a pass: picks the next tokens from `logits`.
  void take_tokens();
  /// The others, where the last one takes tokens.
  void end_pass();

 private:
  void note_ended();
  void read_notes() const;

  struct Note {
    at::Tensor flags;  // pinned
    device::Event copied;
  };
  mutable std::deque<Note> notes_;                      // copies under way
  mutable std::size_t known_open_ = unit.items.size();  // rows
  mutable std::uint64_t known_tokens_ = 0;
};

}  // namespace trireme::qwen2_5_vl
