#pragma once
// The middle of a few measurements.

#include <vector>

namespace trireme {

/// The mean of the two in the middle where their number is even; 0 of none.
double median(std::vector<double> values);

}  // namespace trireme
