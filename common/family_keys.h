#pragma once
// Keys of the job file that only some families have. What was set and means nothing to this family is refused, never
// ignored; keys whose default is a value and not `auto` can't be told from unset ones and pass.

#include "common/checkpoint.h"
#include "common/job.h"

namespace trireme {

/// Throws ConfigError with file and key.
void refuse_foreign_keys(const Job& job, const SamplingDefaults& defaults);

}  // namespace trireme
