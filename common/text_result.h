#pragma once
// What a model wrote for one item. Plain data: made by a model, carried to rank 0, kept in the journal.

#include <cstdint>
#include <string>
#include <vector>

namespace trireme {

enum class FinishReason : std::uint8_t { stop, length };
inline constexpr const char* kFinishReasons[] = {"stop", "length"};  // by FinishReason

struct TextResult {
  std::string text;                     // valid UTF-8, without special tokens
  std::vector<std::int64_t> token_ids;  // generated, with an ending EOS
  FinishReason finish_reason = FinishReason::stop;
  std::int64_t prompt_tokens = 0;  // those of pictures among them

  // Filled in by the engine: no model reads a clock.
  double first_token_seconds = 0;  // from the unit's begin to its first token
  double decode_seconds = 0;       // of the tokens behind the first, of the whole unit

  bool operator==(const TextResult&) const = default;
};

/// Of one item, behind its first token; 0 when there was none.
inline double tokens_per_second(const TextResult& result) {
  if (result.token_ids.size() < 2 || result.decode_seconds <= 0) return 0;
  return static_cast<double>(result.token_ids.size() - 1) / result.decode_seconds;
}

}  // namespace trireme
