#include "tests/worker/exchange/payload.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <random>
#include <utility>

namespace trireme::small_job {

Unit make_unit(const Script& script, std::uint64_t index) {
  std::mt19937_64 random(script.seed * 1000003 + index);
  const auto up_to = [&random](int limit) { return static_cast<int>(random() % static_cast<std::uint64_t>(limit)); };
  Unit unit{index, {}, 1 + up_to(3)};
  const int items = 1 + up_to(2);
  for (int i = 0; i < items; ++i) {
    Item item;
    item.id = std::to_string(index) + "-" + std::to_string(i);
    item.index = index * 2 + static_cast<std::uint64_t>(i);
    item.prompt.assign(static_cast<std::size_t>(up_to(script.longest_prompt)), static_cast<char>('a' + i));
    item.seed = random();
    item.width = 1 + up_to(script.largest_side);
    item.height = 1 + up_to(script.largest_side);
    unit.items.push_back(std::move(item));
  }
  return unit;
}

bool equal(const Unit& a, const Unit& b) {
  return a.index == b.index && a.attempt == b.attempt &&
         std::equal(a.items.begin(), a.items.end(), b.items.begin(), b.items.end(), [](const Item& x, const Item& y) {
           return x.id == y.id && x.index == y.index && x.prompt == y.prompt && x.seed == y.seed &&
                  x.width == y.width && x.height == y.height;
         });
}

std::vector<Result> make_results(const Script& script, const Unit& unit, at::Device device) {
  const at::TensorOptions floats(device), longs = floats.dtype(at::kLong);
  std::vector<Result> results;
  for (const Item& item : unit.items) {
    Result result{item.id, "", {}, {}};
    if (script.failing > 0 && item.seed % static_cast<std::uint64_t>(script.failing) == 0) {
      result.error = "item " + item.id + " can't be made";
      results.push_back(std::move(result));
      continue;
    }
    const std::int64_t size = std::int64_t{3} * item.width * item.height;
    const auto first = static_cast<std::int64_t>(item.seed % 251);
    result.picture = at::arange(first, first + size, longs).to(at::kByte).view({item.height, item.width, 3});
    if (item.seed % 3 == 0) {
      result.tensors["latents"] = at::full({4, item.width}, static_cast<float>(first), floats);
      result.tensors["ids"] = at::arange(first, longs);
    }
    results.push_back(std::move(result));
  }
  return results;
}

bool equal(const Result& a, const Result& b) {
  if (a.id != b.id || a.error != b.error || a.picture.defined() != b.picture.defined()) return false;
  if (a.picture.defined() && !at::equal(a.picture, b.picture)) return false;
  return std::equal(a.tensors.begin(), a.tensors.end(), b.tensors.begin(), b.tensors.end(),
                    [](const auto& x, const auto& y) { return x.first == y.first && at::equal(x.second, y.second); });
}

}  // namespace trireme::small_job
