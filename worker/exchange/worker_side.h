#pragma once
// A rank's part as a worker: units that arrive, results that wait for a grant, and the one transfer under way. Owned by
// Exchange, which hands it the messages of rank 0. Throws Error(internal) when a message breaks the protocol.

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "worker/device.h"
#include "worker/exchange/codec.h"
#include "worker/exchange/messages.h"

namespace trireme {

class WorkerSide {
 public:
  /// `whole`: this rank is a replica of its own, so that what arrives here is offered here. `placed`: the engine says
  /// when a half is posted.
  WorkerSide(Transport& transport, bool whole, bool placed, Transport* replica)
      : transport_(transport), replica_(replica), whole_(whole), placed_(placed) {}

  void handle(const message::Grant& grant);
  void handle(const message::Recall&);
  void handle(const message::Finish& finish);
  /// True if anything happened. Runs on the exchange's stream.
  bool progress();
  /// Units that came with the first scatter.
  void arrive(std::vector<Unit> units);

  void post_transfer(std::uint64_t seq);
  bool must_post() const;

  std::optional<Unit> next_unit();
  void offer(const Finished& finished);
  bool recall_wanted();
  void return_units(std::vector<Unit> units);
  bool outstanding() const;
  bool acknowledged() const { return acknowledged_; }
  ExitCode exit_code() const { return finish_.value_or(ExitCode::ok); }

 private:
  enum class Recall { none, asked, answering };
  struct Current {
    enum class Step { packing, leaving, moving };  // results complete? READY left? bytes moved?
    message::Grant grant;
    codec::Packet packet;  // a refill has only the bytes
    Step step = Step::packing;
    TransferId id = 0;
  };
  struct Landing {  // a refill on its way to host memory
    message::Grant grant;
    at::Tensor device, host;
    device::Event copied;
  };
  void begin(const message::Grant& grant);
  bool advance();
  bool may_post() const;
  void post();
  bool land();
  bool acknowledge();
  bool refill_coming() const;

  Transport& transport_;
  Transport* const replica_;
  const bool whole_, placed_;
  std::deque<Unit> arrived_;
  std::set<std::uint64_t> in_hand_;                 // units arrived, neither offered (if `whole_`) nor returned
  std::map<std::uint64_t, codec::Packet> offered_;  // by unit
  std::deque<message::Grant> grants_;               // behind the current one
  std::optional<Current> current_;
  std::deque<Landing> landing_;
  Recall recall_ = Recall::none;
  std::optional<ExitCode> finish_;
  bool acknowledged_ = false;
};

}  // namespace trireme
