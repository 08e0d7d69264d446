#include "worker/engine/warm_up.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "common/image_files.h"
#include "worker/device.h"
#include "worker/engine/unit_work.h"

namespace trireme {
namespace {

constexpr int kTokens = 3;  // a prefill, and steps

void run(Slices& slices) {
  for (const Slice& slice : slices) slice.run();
  slices.clear();
}

/// A session that has begun, on a stage of a model.
struct Part {
  Model& model;
  Session& session;
  bool first, last;

  at::Tensor zeros(const TensorShape& shape) const {
    return at::zeros(shape.sizes, at::TensorOptions(shape.dtype).device(model.device()));
  }
  at::Tensor state() const { return zeros(model.crossing(session, 0).state); }
  void pass() const;
  void end() const;
};

void Part::pass() const {
  Slices slices;
  for (int half = 0; half < session.halves; ++half) {
    if (first) {
      model.enter(session, half, slices);
    } else {
      const Crossing crossing = model.crossing(session, half);
      session.hidden = zeros(crossing.hidden);
      session.side.clear();
      for (const TensorShape& shape : crossing.side) session.side.push_back(zeros(shape));
    }
    model.layers(session, half, model.own_layers(), slices);
    if (last) model.leave(session, half, slices);
    run(slices);
  }
  if (last) model.advance(session, slices);
  run(slices);
}

void Part::end() const {
  if (!last && !model.finishes_anywhere()) return;
  if (!last) session.state = state();
  Slices slices;
  std::vector<Result> results;
  model.finish(session, slices, results);
  run(slices);
}

void passes_of_texts(const Part& part) {
  for (int pass = 0; pass < part.session.passes; ++pass) {
    part.pass();
    if (part.last) continue;
    Slices slices;
    part.model.follow(part.session, slices);
    run(slices);
    if (part.first) part.session.state = part.state();
  }
  part.end();
}

Unit without_pictures(Unit unit) {
  for (Item& item : unit.items) {
    for (ImageFile& image : item.images) image.data.clear();
  }
  return unit;
}

Item only_words(Item item) {
  item.images.clear();
  for (ChatMessage& message : item.messages) {
    std::erase_if(message.content, [](const ContentPart& part) { return part.kind != ContentPart::Kind::text; });
  }
  return item;
}

}  // namespace

void warm_up(Model& model, bool first, bool last, const Unit& unit) {
  failure_of([&] {
    Slices slices;
    const std::unique_ptr<Session> session = model.begin(unit, slices);
    run(slices);
    const Part part{model, *session, first, last};
    part.pass();
    part.end();
  });
  device::synchronize(model.device());
}

void warm_up_texts(Model& model, bool first, bool last, const Unit& unit, const ShareNote& share) {
  Slices slices;
  std::unique_ptr<Session> session;
  std::optional<std::string> note;
  if (first) {
    const auto failed = failure_of([&] {
      session = model.begin(unit, slices);
      run(slices);
      note = model.note(*session);
    });
    if (failed) session.reset();
  }
  note = share(std::move(note));
  failure_of([&] {
    if (!note) return;
    if (!first) session = model.begin_later(without_pictures(unit), *note, slices);
    run(slices);
    passes_of_texts({model, *session, first, last});
  });
  device::synchronize(model.device());
}

std::vector<Unit> texts_to_warm_up(const std::vector<Item>& items, int rows) {
  const auto good = [](const Item& item) { return item.error.empty(); };
  const auto plain = std::find_if(items.begin(), items.end(), good);
  if (plain == items.end()) return {};
  const auto shown =
      std::find_if(items.begin(), items.end(), [&](const Item& i) { return good(i) && !i.images.empty(); });
  Item first = shown == items.end() ? *plain : *shown;
  read_pictures(first);
  if (!first.error.empty()) return {};
  first.max_new_tokens = kTokens;
  first.temperature = 1;
  first.top_k = 20;
  first.top_p = 0.9;
  first.repetition_penalty = 1.1;
  Unit many{0, {first}, 1};
  while (static_cast<int>(many.items.size()) < rows) many.items.push_back(only_words(first));
  return {std::move(many), {1, {only_words(first)}, 1}};
}

}  // namespace trireme
