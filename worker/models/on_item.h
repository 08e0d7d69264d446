#pragma once
// Errors of a unit's items.

#include <cstddef>

#include "common/errors.h"

namespace trireme {

/// Runs what concerns one item of a unit; its errors say which.
template <class Work>
void on_item(std::size_t item, Work work) {
  try {
    work();
  } catch (const ItemError& error) {
    throw ItemError(error.what(), item);
  }
}

}  // namespace trireme
