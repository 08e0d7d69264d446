#pragma once
// How long the captions of pictures are in their model, which pictures that are made together had better have in
// common.

#include <vector>

#include "common/checkpoint.h"
#include "common/item.h"
#include "common/job.h"

namespace trireme {

inline constexpr int kMaxCaptionTokens = 512;  // what encoders of captions read; ref: diffusers max_sequence_length
inline constexpr int kCaptionMultiple = 32;    // Z-Image pads captions to it; ref: transformer_z_image.py SEQ_MULTI_OF

/// Tokens of each item's caption and negative caption, with what the model pads them with; empty for families that make
/// one picture at a time. Reads the tokenizer: a second for some sixty thousand prompts. Rank 0. Throws as
/// Tokenizer::load does; a prompt that has no tokens counts 0, and fails when it is made.
std::vector<int> caption_lengths(const Job& job, const Checkpoint& checkpoint, const std::vector<Item>& items);

}  // namespace trireme
