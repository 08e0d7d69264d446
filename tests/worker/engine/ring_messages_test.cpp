#include "worker/engine/ring_messages.h"

#include <gtest/gtest.h>

#include "common/errors.h"

namespace trireme::ring {
namespace {

Slot full_slot() {
  Slot slot;
  slot.kind = SlotKind::work;
  slot.number = 1ull << 40;
  slot.unit = 7;
  slot.half = 1, slot.pass = 3;
  slot.last_half = true;
  slot.forward = {{at::kBFloat16, {4224, 3840}}, {at::kFloat, {}}};
  slot.back = TensorShape{at::kLong, {16}};
  slot.admits = std::string("a unit\0with a NUL", 17);
  slot.note = "prompts";
  slot.error = "why";
  slot.finisher = 2;
  slot.rider = Rider{6, 1, {at::kFloat, {16, 128, 128}}};
  slot.transfers = {{1, 40}, {3, 41}};
  return slot;
}

TEST(RingMessages, ComeBackAsTheyWere) {
  const Slot sent = full_slot();
  const auto got = std::get<Slot>(decode(encode(sent)));
  EXPECT_EQ(got.kind, sent.kind);
  EXPECT_EQ(got.number, sent.number);
  EXPECT_EQ(got.unit, sent.unit);
  EXPECT_EQ(got.half, sent.half);
  EXPECT_EQ(got.pass, sent.pass);
  EXPECT_TRUE(got.last_half);
  EXPECT_FALSE(got.last_pass);
  EXPECT_EQ(got.forward, sent.forward);
  EXPECT_EQ(got.back, sent.back);
  EXPECT_EQ(got.admits, sent.admits);
  EXPECT_EQ(got.note, sent.note);
  EXPECT_EQ(got.error, sent.error);
  EXPECT_EQ(got.finisher, sent.finisher);
  ASSERT_TRUE(got.rider);
  EXPECT_EQ(got.rider->unit, 6u);
  EXPECT_EQ(got.rider->stage, 1);
  EXPECT_EQ(got.rider->state, sent.rider->state);
  EXPECT_EQ(got.transfers, sent.transfers);
  EXPECT_EQ(std::get<Verdict>(decode(encode(Verdict{5, "ill"}))).error, "ill");
  EXPECT_EQ(std::get<Trouble>(decode(encode(Trouble{5, "ill"}))).unit, 5u);
  EXPECT_EQ(std::get<Ended>(decode(encode(Ended{9}))).unit, 9u);
  EXPECT_TRUE(std::holds_alternative<Stopped>(decode(encode(Stopped{}))));
}

TEST(RingMessages, CutAnywhereTheyAreRefused) {
  const Bytes whole = encode(full_slot());
  for (std::size_t length = 0; length < whole.size(); ++length) {
    EXPECT_THROW(decode(std::span(whole).first(length)), Error) << length;
  }
  Bytes longer = whole;
  longer.push_back(std::byte{0});
  EXPECT_THROW(decode(longer), Error);
}

}  // namespace
}  // namespace trireme::ring
