#pragma once
// Which items decode together. Decided from the whole input before anything is dispatched, and never by a resume, the
// number of ranks or free memory: bits may depend on who shares a batch.

#include <cstddef>
#include <vector>

#include "common/checkpoint.h"
#include "common/item.h"
#include "common/job.h"

namespace trireme {

/// dispatch.batch; `auto` by a table: pictures and CPUs 1, text on a GPU up to 16, fewer while the input would make
/// less than 32 units.
int batch_size(const Job& job, Makes makes, bool gpu, std::size_t items);

/// Neighbours in the whole input, `batch` at a time; the last unit of the input may have fewer. `items`: of whole
/// units, in order; perhaps not all there are.
std::vector<Unit> form_units(const std::vector<Item>& items, int batch);

}  // namespace trireme
