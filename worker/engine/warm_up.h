#pragma once
// Passes of a model's own part on a unit like those to come, before the loop: what a fresh process does once (loading
// kernels, choosing convolutions, pinning host memory) is done then. Most of that waits for all that runs on the
// device: in the loop a stage would stand still behind a transfer whose other half waits for its messages. Nothing is
// kept.

#include <functional>
#include <optional>
#include <string>

#include "worker/models/model.h"

namespace trireme {

/// One pass. `first`, `last`: of the stages. Other ranks are not asked: what they would send is zeros. A unit that
/// can't be made warms nothing. Ends when the device is done.
void warm_up(Model& model, bool first, bool last, const Unit& unit);

/// Collective over the stages: the first one's note goes to the others; none where its unit can't be made.
using ShareNote = std::function<std::optional<std::string>(std::optional<std::string> mine)>;
/// The same for a unit of texts with all of its passes, which should be few. Later stages do without its pictures.
void warm_up_texts(Model& model, bool first, bool last, const Unit& unit, const ShareNote& share);

/// Units of few passes with all that a job's texts ask for: one of `rows` rows, the first about the pictures of one of
/// `items`, and one of a single row. None where there are no items. Reads the pictures' files.
std::vector<Unit> texts_to_warm_up(const std::vector<Item>& items, int rows);

}  // namespace trireme
