#pragma once
// What the stages of a replica say to each other over control; tensors go over the carrier. Stage 0 describes every
// slot to every stage, in slot order. `decode` throws Error(internal) on anything that `encode` did not write.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "worker/models/model.h"
#include "worker/transport/transport.h"

namespace trireme::ring {

enum class SlotKind : std::uint8_t {
  empty,   // nobody enters; whatever stands before moves on
  work,    // one half of a pass of a unit
  drop,    // the unit fails, for `error`
  finish,  // the unit ended before its last pass
  stop     // no slot follows
};

/// The last state of a unit, on its way from stage 0 to the stage that decodes it, beside what the slot holds.
struct Rider {
  std::uint64_t unit = 0;
  std::int32_t stage = 0;
  TensorShape state;
};

/// One of the exchange, between a stage and stage 0 as rank 0.
struct Transfer {
  std::int32_t stage = 0;
  std::uint64_t seq = 0;
  bool operator==(const Transfer&) const = default;
};

/// Stage 0 to all others.
struct Slot {
  SlotKind kind = SlotKind::empty;
  std::uint64_t number = 0;
  std::uint64_t unit = 0;  // Unit::index
  std::int32_t half = 0, pass = 0;
  bool last_half = false, last_pass = false;
  std::int32_t finisher = 0;          // of a unit's last slot: the stage that decodes and offers
  std::vector<TensorShape> forward;   // to the next stage: hidden, then Crossing::side
  std::optional<TensorShape> back;    // from the last stage to the first
  std::optional<std::string> admits;  // the unit itself, encoded, where the slot is its first
  std::string note;                   // Model::note, with `admits`
  std::string error;
  std::optional<Rider> rider;
  std::vector<Transfer> transfers;  // of the exchange, posted before the groups of this slot's beat at stage 0
};

/// A stage to stage 0: the unit has failed here and may as well be dropped.
struct Trouble {
  std::uint64_t unit = 0;
  std::string error;
};
/// The last stage to stage 0: the unit is done before its last pass.
struct Ended {
  std::uint64_t unit = 0;
};
/// Every other stage to the finisher, behind its last slot of a unit: empty, or why the unit's results are none.
struct Verdict {
  std::uint64_t unit = 0;
  std::string error;
};
/// A stage to stage 0: nothing comes from here any more.
struct Stopped {};

using Any = std::variant<Slot, Trouble, Ended, Verdict, Stopped>;

Bytes encode(const Any& message);
Any decode(std::span<const std::byte> bytes);

}  // namespace trireme::ring
