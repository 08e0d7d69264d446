#pragma once
// Halves to oneself: a send half meets a receive half in the order posted, and the bytes are copied on the caller's
// current stream. Owned by the transports, each of which has such halves. Throws Error(internal) when the two sizes
// differ.

#include <cstddef>
#include <deque>

#include "worker/device.h"
#include "worker/transport/transport.h"

namespace trireme {

class LocalCopies {
 public:
  explicit LocalCopies(at::Device device) : device_(device) {}

  /// `half.data` is held until its copy is done.
  void post(TransferId id, Half half);
  /// Forgets what has been copied.
  void progress();
  /// True while a half of this group waits for its other half or for the device.
  bool pending(TransferId id) const;

 private:
  struct Posted {
    TransferId id;
    at::Tensor data;
    device::Event ready;  // the caller's work at the time of the post
  };
  struct Copy {
    Posted from, to;
    device::Event copied;
  };
  void match();

  at::Device device_;
  std::deque<Posted> sends_, receives_;
  std::deque<Copy> copies_;
};

}  // namespace trireme
