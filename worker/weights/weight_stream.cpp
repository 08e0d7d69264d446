#include "worker/weights/weight_stream.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "common/errors.h"
#include "worker/weights/storage.h"

namespace trireme {

WeightStream::WeightStream(at::Device device, bool active, int first_place)
    : device_(device), active_(active), first_place_(first_place) {}

void WeightStream::add_layer(int key, Parameters& parameters, const std::string& prefix) {
  if (!active_) return;
  keys_.push_back(key);
  layers_.push_back(std::make_unique<HostLayer>());
  layers_.back()->chain = this;
  parameters.keep_on_host(prefix, layers_.back().get());
}

std::size_t WeightStream::index_of(int key) const {
  const auto found = std::find(keys_.begin(), keys_.end(), key);
  if (found == keys_.end()) throw Error(ExitCode::internal, "layer " + std::to_string(key) + " is not on the host");
  return static_cast<std::size_t>(found - keys_.begin());
}

/// Room on the device, and what each layer's slots will be in it. From here on they are empty between visits, so that
/// nothing uses a layer that is not there.
void WeightStream::prepare() {
  std::int64_t largest = 0;
  for (const auto& layer : layers_) largest = std::max(largest, layer->block.size(0));
  for (Buffer& buffer : buffers_) {
    buffer.memory = parameter_storage({largest}, at::kByte, device_);
    for (const auto& layer : layers_) {
      std::vector<at::Tensor>& views = buffer.views.emplace_back();
      for (const HostLayer::Slot& slot : layer->slots) {
        const at::Tensor& host = *slot.tensor;
        const at::Tensor bytes = buffer.memory.narrow(0, slot.offset, static_cast<std::int64_t>(host.nbytes()));
        views.push_back(bytes.view(host.scalar_type()).view(host.sizes()));
      }
    }
    buffer.used.record(device_);  // the memory may be in use by what has been enqueued so far
  }
  for (const auto& layer : layers_) {
    for (const HostLayer::Slot& slot : layer->slots) slot.tensor->reset();
  }
  stream_ = std::make_unique<device::Stream>(device_, /*high_priority=*/false);
}

WeightStream::Buffer* WeightStream::find(int layer) {
  const auto found =
      std::find_if(buffers_.begin(), buffers_.end(), [layer](const Buffer& buffer) { return buffer.layer == layer; });
  return found == buffers_.end() ? nullptr : &*found;
}

void WeightStream::copy(int layer, Buffer& buffer) {
  const device::StreamGuard guard(*stream_);
  buffer.used.block_current_stream();
  const at::Tensor& block = layers_[static_cast<std::size_t>(layer)]->block;
  buffer.memory.narrow(0, 0, block.size(0)).copy_(block, /*non_blocking=*/true);
  buffer.copied.record(device_);
  buffer.layer = layer;
  ++copies_;
}

void WeightStream::visit(int key, const std::function<void()>& work) {
  if (!active_) return work();
  if (!stream_) prepare();
  const auto layer = static_cast<int>(index_of(key));
  const int next = (layer + 1) % static_cast<int>(layers_.size());
  Buffer* here = find(layer);
  if (here == nullptr) {  // the first visit, or not the one expected
    here = find(next) == &buffers_[0] ? &buffers_[1] : &buffers_[0];
    copy(layer, *here);
  }
  Buffer& other = here == &buffers_[0] ? buffers_[1] : buffers_[0];
  here->copied.block_current_stream();
  const std::vector<HostLayer::Slot>& slots = layers_[static_cast<std::size_t>(layer)]->slots;
  const std::vector<at::Tensor>& views = here->views[static_cast<std::size_t>(layer)];
  for (std::size_t i = 0; i < slots.size(); ++i) *slots[i].tensor = views[i];
  const auto leave = [&] {
    for (const HostLayer::Slot& slot : slots) slot.tensor->reset();
    here->used.record(device_);
  };
  if (other.layer != next && next != layer) copy(next, other);
  try {
    work();
  } catch (...) {
    leave();
    throw;
  }
  leave();
}

}  // namespace trireme
