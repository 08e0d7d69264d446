#pragma once
// output.write: local. The rank that made a unit writes its files to the shared folder, and only what they are goes to
// rank 0. A unit comes out when its files are durable. The loop's thread calls; nothing waits but the destructor.

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "worker/device.h"
#include "worker/engine/engine.h"
#include "worker/output/writers.h"

namespace trireme {

class LocalOutput {
 public:
  LocalOutput(const SinkSettings& settings, const std::vector<std::string_view>& names, int threads);

  void submit(Finished finished);
  /// A unit whose files are durable: its results hold records instead of tensors. Throws as Writers does.
  std::optional<Finished> take();
  bool idle() const { return copying_.empty() && writing_.empty(); }
  /// Units that came out: what the watchdog looks at.
  std::uint64_t done() const { return done_; }

 private:
  struct Copying {
    Finished finished;  // with copies in host memory, complete when `copied` is
    device::Event copied;
    std::vector<at::Tensor> sources;  // on the device, held until then
  };
  struct Writing {
    Finished finished;
    std::size_t left = 0;  // items whose files are not durable
  };
  void hand_to_writers(Finished finished);
  void note(Written written);

  std::deque<Copying> copying_;
  std::map<std::uint64_t, Writing> writing_;      // by Unit::index
  std::map<std::string, std::uint64_t> unit_of_;  // of the ids in there
  std::uint64_t done_ = 0;
  Writers writers_;
};

}  // namespace trireme
