#pragma once
// Which rank does what: ranks = replicas x ranks of a replica, and the ranks of one replica are neighbours. Units go to
// a replica's first rank, results come from any of them. Plain arithmetic, for the worker and for `plan`.

#include <string>

namespace trireme {

struct Layout {
  int ranks = 1;
  int stages = 1;    // parallel.stages: a model's layers over so many ranks
  int guidance = 1;  // parallel.guidance: 2 = the halves of guidance on two ranks

  int ranks_per_replica() const { return stages * guidance; }
  int replicas() const { return ranks / ranks_per_replica(); }
  int replica_of(int rank) const { return rank / ranks_per_replica(); }
  /// Of a rank within its replica, from 0.
  int place_of(int rank) const { return rank % ranks_per_replica(); }
  int first_rank(int replica) const { return replica * ranks_per_replica(); }
  int last_rank(int replica) const { return (replica + 1) * ranks_per_replica() - 1; }
};

/// Throws ConfigError with the numbers when the ranks can't be divided into replicas.
Layout make_layout(int ranks, int stages, int guidance);

}  // namespace trireme
