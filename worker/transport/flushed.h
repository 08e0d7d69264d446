#pragma once
// The transfer law on a rank with two communicators: a half on one of them may wait for a rank that waits for our
// message, or for an earlier half of ours, on the other. So all messages leave and all groups are launched before any
// half is enqueued.

#include "worker/transport/transport.h"

namespace trireme {

/// Nothing of this rank waits for its host. `other` may be null.
inline bool all_flushed(Transport& transport, Transport* other) {
  return transport.flushed() && (other == nullptr || other->flushed());
}

}  // namespace trireme
