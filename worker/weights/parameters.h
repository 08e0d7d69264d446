#pragma once
// The tensors a model wants from one part of a checkpoint. Modules register their slots when they are built; the loader
// fills them. Names are those of the file, with the checkpoint's own spelling.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

namespace trireme {

/// Part of a slot that several tensors share, or that is wider than its tensor: joined q, k and v, or a width padded to
/// what a fast kernel wants. What no tensor fills is zero.
struct SlotPart {
  std::int64_t first_row = 0;          // where the tensor's rows go
  std::int64_t rows = 0, columns = 0;  // of the whole slot; columns 0: those of the tensor
};

class Parameters {
 public:
  struct Want {
    std::string name;                 // in the file
    std::vector<std::int64_t> shape;  // of the tensor in the file
    std::int64_t first_row = 0;       // rows [first_row, first_row + rows) of it go into the slot
    std::int64_t rows = 0;            // = shape[0]: the whole tensor (a scalar or vector counts its elements)
    at::Tensor* slot = nullptr;       // becomes a contiguous tensor of its own, in the compute dtype, on the device
    SlotPart part;                    // rows 0: the slot is what is taken of the tensor
  };
  struct Skip {
    std::string prefix, reason;  // tensors the family never uses: "norm_final." "not used by the model"
  };

  /// The whole tensor. `slot` must outlive loading and keep its address.
  void want(std::string name, std::vector<std::int64_t> shape, at::Tensor* slot);
  /// The whole tensor, of one or two dimensions, into part of a slot.
  void want(std::string name, std::vector<std::int64_t> shape, at::Tensor* slot, SlotPart part);
  /// Rows of a fused tensor, such as q of attention.qkv.weight. `shape` is the shape in the file.
  void want_rows(std::string name, std::vector<std::int64_t> shape, std::int64_t first_row, std::int64_t rows,
                 at::Tensor* slot);
  /// Tensors whose name starts with `prefix` are listed in the log and not read.
  void skip(std::string prefix, std::string reason);

  const std::vector<Want>& wants() const { return wants_; }
  const std::vector<Skip>& skips() const { return skips_; }

 private:
  std::vector<Want> wants_;
  std::vector<Skip> skips_;
};

}  // namespace trireme
