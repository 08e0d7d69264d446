#pragma once
// Which tensors of a checkpoint are read, and whether all of them are accounted for. Ranks may want different tensors:
// every rank marks its own, rank 0 joins the marks, and all go on with the same answer.

#include <string>
#include <vector>

#include "worker/transport/transport.h"
#include "worker/weights/loader.h"
#include "worker/weights/model_files.h"

namespace trireme {

/// One tensor of the files, with this rank's wants of it. Pointers into the arguments of `account`.
struct FileTensor {
  const std::string* part;
  const ModelPart* files;
  const TensorEntry* entry;
  std::vector<const Parameters::Want*> wants;
  bool read = false;  // some rank wants it

  const std::string& file() const { return files->shards[static_cast<std::size_t>(entry->shard)]; }
};

/// F32, BF16, F16 as ATen calls them; throws Error(internal) for others, which `account` has refused.
at::ScalarType scalar_type(const std::string& safetensors_dtype);

/// Collective: all tensors of the files, by part and then in file order, `read` being equal on every rank. On rank 0
/// throws one Error(bad_data) that names what is missing, unexpected, of another shape or of a dtype that can't be
/// read, of all ranks; the other ranks then wait for a broadcast until the job is aborted. Skipped tensors go to the
/// log.
std::vector<FileTensor> account(const ModelFiles& files, const PartParameters& wanted, Transport& transport);

}  // namespace trireme
