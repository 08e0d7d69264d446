#pragma once
// An order of tiles for a persistent product: some rows of x for all rows of the weight, then the next rows of x.

namespace trireme::kernels {

struct TilePlace {
  int down, across;
};
/// Where the cluster `number` lies of down x across: groups of `group` across, in each all of the first row down, then
/// all of the next.
constexpr TilePlace place_in_groups(int number, int down, int across, int group) {
  const int first = number / (down * group) * group, left = across - first, of_group = group < left ? group : left;
  const int in_group = number - first * down;
  return {in_group / of_group, first + in_group % of_group};
}

}  // namespace trireme::kernels
