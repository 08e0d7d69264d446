#pragma once
// The shortest time in which so many equal replicas could do units that took so long. Pure; the closing table, the
// report and the tests of the policies compare a job with it.

#include <vector>

namespace trireme {

/// The largest of: all seconds spread evenly, the longest unit, and what k + 1 units on one replica take at least when
/// there are more than k for each (the k + 1 shortest of the k * replicas + 1 longest). 0 without units.
double lower_bound_seconds(std::vector<double> unit_seconds, int replicas);

/// The seconds of units that were done side by side on a replica, where what two did at once counts for both: shortened
/// in one measure until they are no more than the seconds that replicas were busy.
std::vector<double> without_overlap(std::vector<double> unit_seconds, double busy_seconds);

}  // namespace trireme
