#include "worker/models/qwen2_5_vl/session.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace trireme::qwen2_5_vl {

// Rows that have ended go on with an end token until the unit ends; nobody reads what they write.
void TextSession::take_tokens() {
  state = picker->pick(logits, pass);
  logits.reset();
  written.select(0, pass).copy_(state);
  end_pass();
  ended.logical_or_((state.unsqueeze(1) == end_tokens).any(1)).logical_or_(row_lengths <= pass);
  note_ended();
}

/// The prompts have set the places of the rows' first tokens.
void TextSession::end_pass() {
  if (pass++ > 0) {
    step.rows.position.add_(1);
    step.rows.length.add_(1);
  }
  halves = 1;
}

/// Copies `ended` to the host, without waiting.
void TextSession::note_ended() {
  const at::Device device = ended.device();
  Note note{device::host_buffer(rows.size(), device), {}};
  note.flags.copy_(ended.view(at::kByte), /*non_blocking=*/true);
  note.copied.record(device);
  notes_.push_back(std::move(note));
}

void TextSession::read_notes() const {
  while (!notes_.empty() && notes_.front().copied.done()) {
    const auto* flags = notes_.front().flags.data_ptr<std::uint8_t>();
    known_tokens_ += known_open_;  // each row that was open has written one more
    known_open_ = static_cast<std::size_t>(std::count(flags, flags + rows.size(), std::uint8_t{0}));
    notes_.pop_front();
  }
}

bool TextSession::done() const {
  read_notes();
  return known_open_ == 0 || pass == passes;
}

std::uint64_t TextSession::tokens() const {
  read_notes();
  return known_tokens_;
}

}  // namespace trireme::qwen2_5_vl
