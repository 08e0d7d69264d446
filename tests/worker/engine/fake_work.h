#pragma once
// What the tests of engines have in common: the fake families, units for them, and all that comes out of an engine.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "worker/engine/engine.h"

namespace trireme {

/// Whole models on the CPU whose results have tensors.
std::unique_ptr<Model> fake_pictures();
std::unique_ptr<Model> fake_texts();

/// A picture of 12 x 10 pixels.
Item picture_item(const std::string& id, const std::string& prompt, int steps);
/// One, `item<index>`, whose seed is the unit's index.
Unit picture_unit(std::uint64_t index, const std::string& prompt, double guidance = 0, int steps = 3);
/// Requests that are answered together: `item0` and so on, of at most four tokens.
Unit text_unit(const std::vector<std::string>& prompts);

/// Until the engine is idle; a failure of the test when it never is.
std::vector<Finished> run_out(Engine& engine);
/// What came out, by the items' ids.
std::map<std::string, Result> by_id(std::vector<Finished> finished);

}  // namespace trireme
