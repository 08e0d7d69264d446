#pragma once
// What the first stage found out about the rows of a unit, as bytes for the later ones: how large their pictures are as
// the vision tower sees them. The prompts each stage makes of that by itself: descriptions stay short.

#include <string>
#include <vector>

#include "worker/models/qwen2_5_vl/session.h"

namespace trireme::qwen2_5_vl {

std::string encode_rows(const std::vector<Row>& rows);
/// Into as many rows. Throws Error(internal) on anything that `encode_rows` did not write.
void decode_rows(const std::string& note, std::vector<Row>& rows);

}  // namespace trireme::qwen2_5_vl
