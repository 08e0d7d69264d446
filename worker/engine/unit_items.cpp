#include "worker/engine/unit_items.h"

#include <algorithm>
#include <utility>

#include "common/errors.h"

namespace trireme {

Unit open_items(const Unit& unit) {
  Unit open{unit.index, {}, unit.attempt};
  std::copy_if(unit.items.begin(), unit.items.end(), std::back_inserter(open.items),
               [](const Item& item) { return item.error.empty(); });
  return open;
}

void close_item(Unit& unit, std::size_t place, const std::string& why) {
  for (Item& item : unit.items) {
    if (!item.error.empty() || place-- > 0) continue;
    item.error = why;
    return;
  }
  throw Error(ExitCode::internal, "an item that is not in unit " + std::to_string(unit.index) + " fails: " + why);
}

bool close_item(Unit& unit, const ItemError& error) {
  if (error.item()) close_item(unit, *error.item(), error.what());
  return error.item().has_value();
}

void close_items(Unit& unit, const std::string& why) {
  for (Item& item : unit.items) {
    if (item.error.empty()) item.error = why;
  }
}

std::vector<Result> results_of_all(const Unit& unit, std::vector<Result> made) {
  std::vector<Result> all;
  auto next = made.begin();
  for (const Item& item : unit.items) {
    if (item.error.empty()) {
      if (next == made.end()) break;
      all.push_back(std::move(*next++));
      continue;
    }
    Result& failed = all.emplace_back();
    failed.id = item.id;
    failed.error = item.error;
  }
  if (all.size() != unit.items.size() || next != made.end()) {
    throw Error(ExitCode::internal, "the model made " + std::to_string(made.size()) + " results of unit " +
                                        std::to_string(unit.index) + ", which has other items");
  }
  return all;
}

std::unique_ptr<Session> begin_open_items(Model& model, Unit& unit, Slices& slices) {
  for (;;) {
    const Unit open = open_items(unit);
    if (open.items.empty()) return nullptr;
    try {
      return model.begin(open, slices);
    } catch (const ItemError& error) {
      if (!close_item(unit, error)) throw;
      slices.clear();
    }
  }
}

std::shared_ptr<SideWork::Task> begin_beside(SideWork& side, Model& model, Unit& unit,
                                             std::unique_ptr<Session>& session) {
  const auto plan = [&model, &unit, &session](Slices& slices) {
    session.reset();
    session = begin_open_items(model, unit, slices);
  };
  return side.add(plan, [&unit](const ItemError& error) { return close_item(unit, error); });
}

}  // namespace trireme
