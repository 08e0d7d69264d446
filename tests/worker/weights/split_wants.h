#pragma once
// The loader on several ranks that want different tensors: one case, run by every rank of any transport.

#include <filesystem>

#include "worker/transport/transport.h"
#include "worker/weights/model_files.h"

namespace trireme::test {

/// Rank 0, before `load_split_wants`: a sharded checkpoint of all dtypes whose tensors span chunks.
void write_split_checkpoint(const std::filesystem::path& folder);

/// Collective. `folder` matters on rank 0 only; the other ranks work with paths that don't exist. Reports through
/// EXPECT_*.
void load_split_wants(const std::filesystem::path& folder, Transport& transport, at::Device device);
/// Collective. The same with every rank reading for itself.
void load_for_itself(const ModelFiles& files, Transport& transport, at::Device device);

}  // namespace trireme::test
