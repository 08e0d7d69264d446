#include "worker/output/local_output.h"

#include <utility>

#include "worker/exchange/codec.h"

namespace trireme {

LocalOutput::LocalOutput(const SinkSettings& settings, const std::vector<std::string_view>& names, int threads)
    : writers_(settings, names, threads) {}

void LocalOutput::submit(Finished finished) {
  Copying copying{std::move(finished), {}, {}};
  const auto to_host = [&copying](at::Tensor& tensor) {
    if (!tensor.defined()) return;
    const at::Tensor source = tensor.contiguous();
    copying.sources.push_back(source);
    // The last event stands for all: one stream.
    tensor = codec::download(source.view({-1}).view(at::kByte), copying.copied)
                 .view(source.scalar_type())
                 .view(source.sizes());
  };
  for (Result& result : copying.finished.results) {
    to_host(result.picture);
    for (auto& [name, tensor] : result.tensors) to_host(tensor);
  }
  copying_.push_back(std::move(copying));
}

void LocalOutput::hand_to_writers(Finished finished) {
  const std::uint64_t unit = finished.unit.index;
  Writing& writing = writing_[unit];
  writing.finished = std::move(finished);
  writing.left = writing.finished.results.size();
  for (std::size_t i = 0; i < writing.left; ++i) {
    Result& result = writing.finished.results[i];
    unit_of_[result.id] = unit;
    Result to_write;
    to_write.id = result.id;
    to_write.error = result.error;
    to_write.picture = std::exchange(result.picture, {});
    to_write.tensors = std::exchange(result.tensors, {});
    writers_.submit(writing.finished.unit.items[i], std::move(to_write));
  }
}

void LocalOutput::note(Written written) {
  const auto unit = unit_of_.find(written.item.id);
  Writing& writing = writing_.at(unit->second);
  for (Result& result : writing.finished.results) {
    if (result.id != written.item.id) continue;
    result.error = written.error;
    if (result.error.empty()) result.saved = SavedFiles{written.picture, written.tensors, written.seconds};
  }
  unit_of_.erase(unit);
  --writing.left;
}

std::optional<Finished> LocalOutput::take() {
  while (!copying_.empty() && copying_.front().copied.done()) {
    Finished finished = std::move(copying_.front().finished);
    copying_.pop_front();
    hand_to_writers(std::move(finished));
  }
  while (auto written = writers_.take()) note(std::move(*written));
  for (auto writing = writing_.begin(); writing != writing_.end(); ++writing) {
    if (writing->second.left > 0) continue;
    Finished finished = std::move(writing->second.finished);
    writing_.erase(writing);
    ++done_;
    return finished;
  }
  return std::nullopt;
}

}  // namespace trireme
