#pragma once
// Units of which some items can't be made (Item::error says why): the others go through the model without them.

#include <memory>
#include <string>
#include <vector>

#include "common/errors.h"
#include "worker/engine/side_work.h"
#include "worker/models/model.h"

namespace trireme {

/// The unit with only those items that can be made; perhaps none.
Unit open_items(const Unit& unit);
/// The item at `place` of `open_items(unit)` can't be made after all.
void close_item(Unit& unit, std::size_t place, const std::string& why);
/// The one that the error names; false where it names none.
bool close_item(Unit& unit, const ItemError& error);
/// None can.
void close_items(Unit& unit, const std::string& why);
/// `made`: of the open items, in order -> of all items, in order.
std::vector<Result> results_of_all(const Unit& unit, std::vector<Result> made);
/// Begins the open items; one that can't be is closed, and the others begin without it. Null once all are closed.
/// Throws the model's errors that name no item.
std::unique_ptr<Session> begin_open_items(Model& model, Unit& unit, Slices& slices);
/// The same as a task of `side`; one that fails in it is closed, and the others begin again. `session` is
/// null once all have failed. It and `unit` must stay where they are until the task is complete.
std::shared_ptr<SideWork::Task> begin_beside(SideWork& side, Model& model, Unit& unit,
                                             std::unique_ptr<Session>& session);

}  // namespace trireme
