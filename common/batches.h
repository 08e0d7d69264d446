#pragma once
// Which items are made together. Decided from the whole input before anything is dispatched, and never by a resume, the
// number of ranks or free memory: bits may depend on who shares a batch.

#include <string>
#include <string_view>
#include <vector>

#include "common/checkpoint.h"
#include "common/item.h"
#include "common/job.h"

namespace trireme {

struct Batching {
  int most = 1;        // items of a unit
  std::string device;  // by whose table fewer pictures of a large size make a unit; empty: by none

  Batching() = default;
  Batching(int items) : most(items) {}  // NOLINT: a number is a batching
  Batching(int items, std::string_view table) : most(items), device(table) {}
  /// Of the run id: what bits depend on.
  std::string to_text() const { return std::to_string(most) + (device.empty() ? "" : " by size"); }
};

/// dispatch.batch; `auto`: on a CPU 1, on a GPU text up to 16 and pictures by the table, fewer while the input would
/// make less than 32 units. Pictures of cut models and of shared guidance: 1. `device`: its name, or "cpu".
Batching choose_batches(const Job& job, const SamplingDefaults& defaults, std::string_view device,
                        const std::vector<Item>& items);

/// The table: how many pictures of this size are fastest together.
int pictures_together(std::string_view device, int width, int height);

/// Whether two pictures may share a unit: they have one size and one schedule. Texts always may.
bool made_together(const Item& a, const Item& b);

/// Of the whole input, `batching.most` items at a time: those that can be made together, in order of `captions` (their
/// lengths, where these are known: pictures of one length share more), then of the input. The last of a kind may be
/// fewer. A unit's index is its first item's, and units are in order of it.
std::vector<Unit> form_units(const std::vector<Item>& items, const Batching& batching,
                             const std::vector<int>& captions = {});

}  // namespace trireme
