#pragma once
// The inner loop of SHA-256: plain C++, and the instructions that most x86 processors have for it, about ten times as
// fast. Every picture that is read or written passes through it.

#include <array>
#include <cstddef>
#include <cstdint>

namespace trireme::sha256 {

using State = std::array<std::uint32_t, 8>;
/// Takes `blocks` blocks of 64 bytes into the state.
using Compress = void (*)(State& state, const std::byte* bytes, std::size_t blocks);

void compress_plainly(State& state, const std::byte* bytes, std::size_t blocks);
/// What suits this processor.
Compress fastest();

}  // namespace trireme::sha256
