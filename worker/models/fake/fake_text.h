#pragma once
// The fake family that answers with text: no weights, deterministic words from the messages, the decoded pictures and
// the seed, whole batches at a time; cost, length and faults chosen by words of the prompt (directives.h). Runs on the
// CPU.

#include <memory>

#include "worker/models/model.h"

namespace trireme {

struct ModelSettings;

std::unique_ptr<Model> make_fake_text_model(const ModelSettings& settings);

}  // namespace trireme
