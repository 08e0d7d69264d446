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

/// Slots whose storage is one piece of the host's memory (pinned where the device is a GPU), so that one copy brings
/// all of them to the device: a layer of a WeightStream.
struct HostLayer {
  const void* chain = nullptr;  // layers of one chain share their room on the device
  struct Slot {
    at::Tensor* tensor = nullptr;
    std::int64_t offset = 0;  // bytes, in `block`
  };
  std::vector<Slot> slots;
  at::Tensor block;  // uint8
};

class Parameters {
 public:
  /// Where a slot's storage is: the model's device; the host, where the values are used; or a layer on the host.
  enum class Home : std::uint8_t { device, host, layer };
  struct Want {
    std::string name;                 // in the file
    std::vector<std::int64_t> shape;  // of the tensor in the file
    std::int64_t first_row = 0;       // rows [first_row, first_row + rows) of it go into the slot
    std::int64_t rows = 0;            // = shape[0]: the whole tensor (a scalar or vector counts its elements)
    at::Tensor* slot = nullptr;       // becomes a contiguous tensor of its own, in the compute dtype, on the device
    SlotPart part;                    // rows 0: the slot is what is taken of the tensor
    Home home = Home::device;
    HostLayer* layer = nullptr;  // of Home::layer
  };
  struct Skip {
    std::string prefix, reason;  // tensors the family never uses: "norm_final." "not used by the model"
  };

  /// The whole tensor; one of one or two dimensions may go into part of a slot. `slot` must outlive loading and keep
  /// its address.
  void want(std::string name, std::vector<std::int64_t> shape, at::Tensor* slot, SlotPart part = {});
  /// Rows of a fused tensor, such as q of attention.qkv.weight. `shape` is the shape in the file.
  void want_rows(std::string name, std::vector<std::int64_t> shape, std::int64_t first_row, std::int64_t rows,
                 at::Tensor* slot);
  /// Tensors whose name starts with `prefix` are listed in the log and not read.
  void skip(std::string prefix, std::string reason);

  /// Of what is wanted so far, that whose name starts with `prefix` is in the host's memory, the slots in `layer` if
  /// that is not null. Throws Error(internal) when there is none.
  void keep_on_host(const std::string& prefix, HostLayer* layer = nullptr);
  /// With model.dtype: fp8 the matrix in `slot` is held as float8 once it is loaded, with a scale a row in `scales`;
  /// else `scales` stays undefined.
  void allow_fp8(at::Tensor* slot, at::Tensor* scales) { fp8_.push_back({slot, scales}); }
  struct Fp8 {
    at::Tensor *slot, *scales;
  };
  /// The slot holds w1's rows and then w3's of a gated feed-forward: they may be put in the order that one kernel for
  /// both products wants (weights/pairs.h). Then `in_pairs` becomes true.
  void allow_pairs(at::Tensor* slot, bool* in_pairs) { pairs_.push_back({slot, in_pairs}); }
  struct Pairs {
    at::Tensor* slot;
    bool* in_pairs;
  };

  /// The slot is a 3x3 kernel for doubled pictures: it may be folded (weights/convolutions.h), to one of 2x2.
  void allow_folding(at::Tensor* slot) { foldings_.push_back(slot); }

  const std::vector<Want>& wants() const { return wants_; }
  const std::vector<Fp8>& fp8() const { return fp8_; }
  const std::vector<Pairs>& pairs() const { return pairs_; }
  const std::vector<at::Tensor*>& foldings() const { return foldings_; }
  const std::vector<Skip>& skips() const { return skips_; }

 private:
  std::vector<Want> wants_;
  std::vector<Skip> skips_;
  std::vector<Fp8> fp8_;
  std::vector<Pairs> pairs_;
  std::vector<at::Tensor*> foldings_;
};

}  // namespace trireme
