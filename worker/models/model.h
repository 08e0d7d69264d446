#pragma once
// A model family, seen by the engine: six verbs, each of which appends slices to a list instead of running at once, so
// that a rank's single thread can give other work its turn between any two of them. Whole model:
//
//   s = begin(unit); while (!s.done()) { enter(s, half) layers(s, half) leave(s, half) for every half; advance(s) }
//   results = finish(s)
//
// A pipeline cuts that line at its commas. A diffusion pass is one denoising step: state = latents. A language pass is
// one token of every row: the first takes the whole prompt (Phase::prefill), the others one token each (Phase::decode),
// and the key-value cache stays in the session. Slices of one session run in order; slices of different sessions may
// interleave. Nothing here may wait on the GPU, read a timing, or let a result depend on anything but the item, the
// model and the numeric settings.

#include <ATen/core/Tensor.h>

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/file_record.h"
#include "common/item.h"
#include "common/text_result.h"
#include "worker/nn/layer_part.h"

namespace trireme {

/// encode: prompt or pictures; prefill and decode: tokens of a language model; denoise and decode: a picture.
enum class Phase { encode, prefill, denoise, decode };

inline constexpr int kEveryHalf = -1, kResident = -1;

/// About one transformer block of work: enqueued on a GPU, run on a CPU. Throws ItemError when an item can't be made.
struct Slice {
  Phase phase;
  std::function<void()> run;
  int half = kEveryHalf;  // of `begin`: only passes of this half need it
  /// The place, in a unit's order, of the layer that comes from the host for it (memory.offload); kResident: none.
  /// Units in hand that wait for the same one can share its visit.
  int layer = kResident;
};
using Slices = std::vector<Slice>;

/// What one item came to. Tensors live on the model's device, are contiguous, and are complete in stream order.
struct Result {
  std::string id;
  std::string error;                          // empty = done; else why the item failed, and nothing below is set
  at::Tensor picture;                         // [H, W, 3] uint8, or undefined
  std::map<std::string, at::Tensor> tensors;  // float32 or int64, by their names on disk; only when asked for
  std::optional<SavedFiles> saved;            // files are written already: picture and tensors are not set
  std::optional<TextResult> text;             // what was written; its seconds are the engine's to fill in
  bool degraded = false;                      // memory forced a smaller batch or tiles: bits may differ
  /// What can only be done once the device is done with the unit, such as reading a copy on the host: the engine calls
  /// it then, once.
  std::function<void(Result&)> complete;
};

/// One unit in flight on one stage.
class Session {
 public:
  virtual ~Session() = default;
  const Unit unit;
  int pass = 0;    // passes behind us
  int passes = 0;  // in all
  int halves = 1;  // of the coming pass: 2 when guidance runs (0 = positive, 1 = negative), always as two passes, and
                   // once it is 1 it stays so; the prompts of a text unit in its first pass
  /// No pass is left. A text session is done as soon as it knows that all its rows have ended: what it knows comes from
  /// a copy whose event is polled, so that some passes more may run, whose tokens are dropped.
  virtual bool done() const { return pass == passes; }
  /// Tokens written so far in all rows, as far as is known without waiting: for the progress line.
  virtual std::uint64_t tokens() const { return 0; }

  at::Tensor hidden;                      // what `enter` and `layers` leave for the next stage, [tokens, dim]
  at::Tensor state;                       // latents [C, h, w] float32
  std::array<at::Tensor, 2> predictions;  // what `leave` made of each half and `advance` joins, like `state`
  std::vector<at::Tensor> side;           // what goes along with `hidden` to the last stage (Crossing::side)
  /// Set by the engine where memory was short: `finish` decodes in tiles, halved in each direction so many times.
  int halved_tiles = 0;

 protected:
  explicit Session(Unit u) : unit(std::move(u)) {}
};

/// The part of a model that one rank holds. The whole model is one stage of one.
struct Stage {
  int index = 0, count = 1;
  std::vector<int> cuts;  // in half layers: where each stage begins, and the end of the last; empty: the whole model

  bool first() const { return index == 0; }
  bool last() const { return index == count - 1; }
  /// Of a model of `total` layers. Throws ConfigError when the cuts are not those of such a model.
  Layers layers(int total) const;
};

struct TensorShape {
  at::ScalarType dtype = at::kFloat;
  std::vector<std::int64_t> sizes;
  bool operator==(const TensorShape&) const = default;
};

/// What goes from stage to stage in one half of a pass, and back to the first at the end of the pass. Every stage knows
/// it without waiting for the device.
struct Crossing {
  TensorShape hidden;
  std::vector<TensorShape> side;  // of Session::side, such as what only the first stage makes and a result holds
  TensorShape state;
};

class Model {
 public:
  virtual ~Model() = default;
  virtual at::Device device() const = 0;
  virtual int layer_count() const = 0;
  /// Those that this rank holds.
  virtual Layers own_layers() const { return {0, layer_count()}; }

  /// Every stage: shapes and schedule at once; first stage: slices that encode the prompt and draw the noise. Throws
  /// ItemError when an item can't be made (size, prompt, picture).
  virtual std::unique_ptr<Session> begin(const Unit& unit, Slices& slices) = 0;
  /// First stage: state -> hidden.
  virtual void enter(Session& session, int half, Slices& slices) = 0;
  /// Every stage: its own layers, one or a few a slice.
  virtual void layers(Session& session, int half, Layers range, Slices& slices) = 0;
  /// Last stage: hidden -> prediction of this half, kept in the session.
  virtual void leave(Session& session, int half, Slices& slices) = 0;
  /// Last stage: joins the halves, takes the step; `pass` and `halves` are those of the next pass when the slices have
  /// run.
  virtual void advance(Session& session, Slices& slices) = 0;
  /// The other stages of a cut model, where the last one advances: brings `pass`, `halves` and whatever else counts
  /// passes to those of the next pass.
  virtual void follow(Session& session, Slices& slices);
  /// Last stage: decodes; `results` is filled, one per item in the unit's order, when the slices have run. Any stage
  /// where `finishes_anywhere`.
  virtual void finish(Session& session, Slices& slices, std::vector<Result>& results) = 0;

  // Models that can be cut over several ranks; for the others ConfigError(parallel.stages).
  /// Of the coming half, once the slices of `begin` or `begin_later` have run.
  virtual Crossing crossing(const Session& session, int half) const;
  /// `finish` needs no more than the last state, and every stage holds what it takes: stages share the decoding.
  virtual bool finishes_anywhere() const { return false; }
  /// What the first stage found out in the slices of `begin` and the later ones need for `begin_later`.
  virtual std::string note(const Session& session) const;
  /// `begin` on the later stages.
  virtual std::unique_ptr<Session> begin_later(const Unit& unit, const std::string& note, Slices& slices);
};

}  // namespace trireme
