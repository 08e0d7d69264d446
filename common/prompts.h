#pragma once
// The prompts file, read and checked whole before any model is loaded. Rank 0 and the launcher read it. Throws
// Error(bad_data) "file:line: key: fact", Error(input_missing) when it can't be read, ConfigError for values that the
// job file gave to the items.
//
//   .txt    one prompt a line; blank lines are skipped; the id is the line's number
//   .jsonl  one object a line; blank lines are skipped. For pictures: prompt, and if wanted id, seed, negative_prompt,
//           width, height, steps, guidance, cfg_truncation, cfg_normalization, shift, sampler, system_prompt,
//           images_per_prompt. For text: what common/conversation.h takes, and if wanted id, seed, max_new_tokens,
//           temperature, top_k, top_p, repetition_penalty
//   .yaml   a list of maps with the keys of a line
//
// For pictures prompt and negative_prompt may also be objects, which become tags (common/structured_prompt.h).
//
// UTF-8; CR LF, a BOM and a missing last newline are fine. Line numbers in ids have at least six digits, all as many as
// the largest needs. No lines, no items: that is legal.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/checkpoint.h"
#include "common/item.h"
#include "common/job.h"

namespace trireme {

/// All items in input order, every value final: the item's own, else the job's, else the checkpoint's.
std::vector<Item> read_items(const Job& job, const SamplingDefaults& defaults);

/// The seed of an item that has none of its own: the first 53 bits of SHA-256("trireme seed\n" SEED "\n" ID), SEED
/// being sampling.seed in decimal. 53 bits, so that every JSON reader keeps it. Never changes.
std::uint64_t seed_of(std::uint64_t sampling_seed, std::string_view id);

/// Why the id can't be a file name, or "". Allowed: 1 to 100 of A-Z a-z 0-9 . _ -, not starting with . or -.
std::string why_unsafe(std::string_view id);

}  // namespace trireme
