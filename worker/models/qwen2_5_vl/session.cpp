#include "worker/models/qwen2_5_vl/session.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace trireme::qwen2_5_vl {

void TextSession::note_ended() {
  const at::Device device = ended.device();
  Note note{device::host_buffer(rows.size(), device), {}, pass};
  note.flags.copy_(ended.view(at::kByte), /*non_blocking=*/true);
  note.copied.record(device);
  notes_.push_back(std::move(note));
}

bool TextSession::done() const {
  while (!notes_.empty() && notes_.front().copied.done()) {
    const Note& note = notes_.front();
    const auto* flags = note.flags.data_ptr<std::uint8_t>();
    all_ended_ = std::all_of(flags, flags + rows.size(), [](std::uint8_t flag) { return flag != 0; });
    known_passes_ = note.passes;
    notes_.pop_front();
  }
  return all_ended_ || pass == passes;
}

}  // namespace trireme::qwen2_5_vl
