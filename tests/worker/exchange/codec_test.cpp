#include "worker/exchange/codec.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <random>

#include "worker/exchange/messages.h"

namespace trireme {
namespace {

Unit two_items() {
  Item plain{"a1", 7, "a cat", "blurry", 42, 1024, 768, 8, 4.5, 0.75, 1.5, 3.0};
  Item odd{"b", 8, std::string("nul \0 inside", 12), "", ~0ull, 16, 16, 1, 0, 1, 0, 1};
  return {12, {plain, odd}, 2};
}

Unit with_pictures() {
  Item item;
  item.id = "t";
  item.sampler = "midpoint";
  item.system_prompt = "be brief";
  item.images = {{"a.png", "/data/a.png", "f00d", 5, std::string("p\0ng!", 5)},
                 {"b.jpg", "/data/b.jpg", "beef", 0, ""}};
  using Kind = ContentPart::Kind;
  item.messages = {{"system", {{Kind::text, "short", 0}}},
                   {"user", {{Kind::image, "", 1}, {Kind::text, "and", 0}, {Kind::image, "", 0}}},
                   {"assistant", {}}};
  item.max_new_tokens = 9;
  item.temperature = 0.5;
  item.top_k = 3;
  item.top_p = 0.25;
  item.repetition_penalty = 1.5;
  item.error = "no reason";
  return {4, {item, Item{}}, 1};
}

Finished two_results() {
  Finished finished;
  finished.unit = two_items();
  finished.seconds = {0.5, 1.25, 3};
  Result done{"a1", "", at::arange(5 * 3 * 3).to(at::kByte).view({5, 3, 3}), {}};
  done.tensors["latents"] = at::arange(24, at::kFloat).view({2, 3, 4});
  done.tensors["caption"] = at::empty({0, 8}, at::kFloat);
  done.tensors["input_ids"] = at::arange(3, at::kLong);
  done.saved = SavedFiles{{"images/a.png", "0a", 70}, {"tensors/a.safetensors", "0b", 1ull << 40}, 0.5};
  done.degraded = true;
  done.text = TextResult{"a café", {5, 151645}, FinishReason::length, 12, 0.25, 1.5};
  finished.results = {done, Result{"b", "the size is odd", {}, {}}};
  return finished;
}

at::Tensor packed(const Finished& finished) {
  const codec::Packet packet = codec::pack(finished, at::kCPU);
  EXPECT_TRUE(packet.packed.done());
  return packet.bytes;
}

TEST(Codec, BringsUnitsBackAsTheyWere) {
  const std::vector<Unit> units = {two_items(), Unit{0, {}, 1}};
  const std::vector<Unit> back = codec::decode_units(codec::encode_units(units));
  ASSERT_EQ(back.size(), 2u);
  EXPECT_EQ(back[0].index, 12u);
  EXPECT_EQ(back[0].attempt, 2);
  ASSERT_EQ(back[0].items.size(), 2u);
  const Item &sent = units[0].items[0], &got = back[0].items[0];
  EXPECT_EQ(got.id, sent.id);
  EXPECT_EQ(got.index, sent.index);
  EXPECT_EQ(got.prompt, sent.prompt);
  EXPECT_EQ(got.negative_prompt, sent.negative_prompt);
  EXPECT_EQ(got.seed, sent.seed);
  EXPECT_EQ(got.width, sent.width);
  EXPECT_EQ(got.height, sent.height);
  EXPECT_EQ(got.steps, sent.steps);
  EXPECT_EQ(got.guidance, sent.guidance);
  EXPECT_EQ(got.cfg_truncation, sent.cfg_truncation);
  EXPECT_EQ(got.cfg_normalization, sent.cfg_normalization);
  EXPECT_EQ(got.shift, sent.shift);
  EXPECT_EQ(back[0].items[1].prompt, units[0].items[1].prompt);
  EXPECT_EQ(back[0].items[1].seed, ~0ull);
  EXPECT_TRUE(back[1].items.empty());
}

TEST(Codec, BringsConversationsAndPicturesBackButForTheirPaths) {
  const Unit sent = with_pictures();
  const std::vector<Unit> back = codec::decode_units(codec::encode_units(std::vector{sent}));
  Unit expected = sent;
  for (ImageFile& image : expected.items[0].images) image.path.clear();
  EXPECT_EQ(back.at(0).items, expected.items);
}

TEST(Codec, RefusesAPictureThatTheItemDoesNotHave) {
  Unit unit = with_pictures();
  unit.items[0].images.pop_back();
  EXPECT_THROW(codec::decode_units(codec::encode_units(std::vector{unit})), Error);
}

TEST(Codec, TakesEmptyItemsAndResults) {
  const std::vector<Unit> units = codec::decode_units(codec::encode_units(std::vector{Unit{3, {Item{}}, 1}}));
  ASSERT_EQ(units.at(0).items.size(), 1u);
  EXPECT_EQ(units[0].items[0].prompt, "");
  Finished finished;
  EXPECT_TRUE(codec::unpack(packed(finished)).results.empty());
  finished.results.resize(2);
  finished.results[1].tensors[""] = at::zeros({}, at::kFloat);
  EXPECT_EQ(codec::unpack(packed(finished)).results.at(1).tensors.at("").dim(), 0);
}

TEST(Codec, RefusesUnitsCutAtAnyByte) {
  const Bytes bytes = codec::encode_units(std::vector{two_items(), with_pictures()});
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_THROW(codec::decode_units(std::span(bytes).first(length)), Error) << length;
  }
  Bytes longer = bytes;
  longer.push_back(std::byte{0});
  EXPECT_THROW(codec::decode_units(longer), Error);
}

TEST(Codec, BringsResultsBackAsTheyWere) {
  const Finished sent = two_results();
  const codec::Unpacked back = codec::unpack(packed(sent));
  EXPECT_EQ(back.unit, 12u);
  EXPECT_EQ(back.seconds, sent.seconds);
  ASSERT_EQ(back.results.size(), 2u);
  EXPECT_EQ(back.results[0].id, "a1");
  EXPECT_EQ(back.results[0].error, "");
  EXPECT_TRUE(at::equal(back.results[0].picture, sent.results[0].picture));
  ASSERT_EQ(back.results[0].tensors.size(), 3u);
  for (const auto& [name, tensor] : sent.results[0].tensors) {
    const at::Tensor& got = back.results[0].tensors.at(name);
    EXPECT_EQ(got.scalar_type(), tensor.scalar_type()) << name;
    EXPECT_TRUE(at::equal(got, tensor)) << name;
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(got.data_ptr()) % 64, 0u) << name;
  }
  EXPECT_EQ(back.results[0].text, sent.results[0].text);
  EXPECT_FALSE(back.results[1].text);
  EXPECT_EQ(back.results[0].saved->picture, sent.results[0].saved->picture);
  EXPECT_EQ(back.results[0].saved->tensors, sent.results[0].saved->tensors);
  EXPECT_FALSE(back.results[1].saved);
  EXPECT_EQ(back.results[1].error, "the size is odd");
  EXPECT_FALSE(back.results[1].picture.defined());
  EXPECT_TRUE(back.results[1].tensors.empty());
}

TEST(Codec, ResultsOwnNothingButTheirPacket) {
  at::Tensor packet = packed(two_results());
  const std::vector<Result> results = codec::unpack(packet).results;
  EXPECT_EQ(results[0].picture.storage().data(), packet.storage().data());
  EXPECT_EQ(results[0].tensors.at("latents").storage().data(), packet.storage().data());
}

TEST(Codec, RefusesPacketsCutAtAnyByte) {
  const at::Tensor packet = packed(two_results());
  for (std::int64_t length = 0; length < packet.numel(); ++length) {
    EXPECT_THROW(codec::unpack(packet.narrow(0, 0, length)), Error) << length;
  }
  EXPECT_THROW(codec::unpack(at::cat({packet, at::zeros({1}, at::kByte)})), Error);
}

/// Damage is either found or harmless, but never read out of bounds: every view lies within the packet.
TEST(Codec, SurvivesEveryDamagedByteOfAHeader) {
  const at::Tensor packet = packed(two_results());
  const std::int64_t header = 8 + static_cast<std::int64_t>(*packet.const_data_ptr<std::uint8_t>()) +
                              256 * packet.const_data_ptr<std::uint8_t>()[1];
  int refused = 0;
  for (std::int64_t at = 0; at < header; ++at) {
    for (const int value : {0x00, 0x01, 0x7f, 0x80, 0xff}) {
      const at::Tensor damaged = packet.clone();
      damaged.data_ptr<std::uint8_t>()[at] = static_cast<std::uint8_t>(value);
      try {
        const auto* first = damaged.const_data_ptr<std::uint8_t>();
        for (const Result& result : codec::unpack(damaged).results) {
          for (const auto& [name, tensor] : result.tensors) {
            const auto* data = static_cast<const std::uint8_t*>(tensor.const_data_ptr());
            if (tensor.numel() == 0) continue;
            EXPECT_GE(data, first);
            EXPECT_LE(data + tensor.nbytes(), first + damaged.numel());
          }
        }
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ExitCode::internal);
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, header);
}

TEST(Codec, RefusesDtypesThatHaveNoPlaceOnDisk) {
  Finished finished = two_results();
  finished.results[0].tensors["half"] = at::zeros({2}, at::kHalf);
  EXPECT_THROW(codec::pack(finished, at::kCPU), Error);
}

std::vector<message::Any> one_of_each() {
  return {message::Offer{3, 100},
          message::Ready{9},
          message::Returned{{1, 2, 3}},
          message::Drain{},
          message::FinishAck{},
          message::Grant{5, Direction::receive, 3, 100},
          message::Recall{},
          message::Finish{ExitCode::stopped_early},
          message::Pulse{7, "a node"}};
}

TEST(Messages, ComeBackAsTheyWere) {
  const std::vector<message::Any> sent = one_of_each();
  std::vector<message::Any> back;
  for (const message::Any& message : sent) {
    back.push_back(message::decode(message::encode(message)));
    EXPECT_EQ(back.back().index(), message.index());
    EXPECT_EQ(message::encode(back.back()), message::encode(message));
  }
  EXPECT_EQ(std::get<message::Offer>(back[0]).bytes, 100u);
  EXPECT_EQ(std::get<message::Returned>(back[2]).units, (std::vector<std::uint64_t>{1, 2, 3}));
  EXPECT_EQ(std::get<message::Grant>(back[5]).direction, Direction::receive);
  EXPECT_EQ(std::get<message::Finish>(back[7]).code, ExitCode::stopped_early);
  EXPECT_EQ(std::get<message::Pulse>(back[8]).node, "a node");
}

TEST(Messages, AreRefusedWhenCutOrTooLong) {
  for (const message::Any& message : one_of_each()) {
    Bytes bytes = message::encode(message);
    for (std::size_t length = 0; length < bytes.size(); ++length) {
      EXPECT_THROW(message::decode(std::span(bytes).first(length)), Error) << message::name(message) << length;
    }
    bytes.push_back(std::byte{0});
    EXPECT_THROW(message::decode(bytes), Error) << message::name(message);
  }
}

TEST(Messages, NameTheMismatchOfVersionsAndKinds) {
  Bytes bytes = message::encode(message::Recall{});
  bytes[1] = std::byte{200};
  EXPECT_THROW(message::decode(bytes), Error);
  bytes[0] = std::byte{2};
  try {
    message::decode(bytes);
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(),
                 "control message: byte 1 of 2: expected version 1, found 2: are all ranks the same program?");
  }
}

TEST(Messages, RefuseNonsenseValues) {
  Bytes finish = message::encode(message::Finish{ExitCode::ok});
  finish[2] = std::byte{1};
  EXPECT_THROW(message::decode(finish), Error);
  EXPECT_THROW(message::decode(message::encode(message::Grant{1, Direction::send, 1, 0})), Error);
  Bytes returned = message::encode(message::Returned{{1}});
  returned[9] = std::byte{0x80};  // a list of 2^63 units
  EXPECT_THROW(message::decode(returned), Error);
}

}  // namespace
}  // namespace trireme
