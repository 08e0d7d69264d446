#pragma once
// Sampling values of an item: what a line of the prompts file says, else the job, else the checkpoint. Rank 0.

#include <string>
#include <string_view>
#include <vector>

#include "common/checkpoint.h"
#include "common/item.h"
#include "common/job.h"
#include "common/json.h"

namespace trireme {

/// An item whose line says nothing. Values that its kind of model does not have stay at their neutral ones.
Item default_item(const Job& job, const SamplingDefaults& defaults);

/// Keys of a line beside id and seed that this kind of model has.
std::vector<std::string_view> value_keys(const SamplingDefaults& defaults);
/// Reads them, but for prompt, images, system, messages and images_per_prompt; refuses those of the other kind by name.
void read_values(const JsonObject& line, const SamplingDefaults& defaults, Item& item);

/// "1000 is not a multiple of 16, as this model needs; nearest: 992 or 1008"
std::string wrong_size(int pixels, const SamplingDefaults& defaults);

}  // namespace trireme
