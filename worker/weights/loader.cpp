#include "worker/weights/loader.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <thread>

#include "common/errors.h"
#include "common/log.h"
#include "common/steady_clock.h"
#include "worker/device.h"
#include "worker/weights/accounting.h"
#include "worker/weights/chunks.h"
#include "worker/weights/read_ahead.h"
#include "worker/weights/storage.h"

namespace trireme {
namespace {

constexpr std::size_t kBuffersAThread = 2;              // one is read into while the other is copied to the device
constexpr auto kPause = std::chrono::microseconds(20);  // between two looks at an event or a transfer

class Loading {
 public:
  Loading(std::vector<FileTensor> tensors, at::ScalarType dtype, at::Device device, Transport& transport,
          const std::function<void()>& on_progress, const LoadSettings& settings)
      : tensors_(std::move(tensors)),
        chunks_(make_chunks(tensors_, dtype, settings.chunk)),
        dtype_(dtype),
        device_(device),
        transport_(transport),
        on_progress_(on_progress),
        settings_(settings) {}

  void run(LoadReport& report);

 private:
  bool alone() const { return transport_.size() == 1 || settings_.everyone_reads; }
  void start_reading(LoadReport& report);
  void read_into_parameters(const Chunk& chunk);
  void read_into_chunk(const Chunk& chunk, const at::Tensor& wire);
  void broadcast_chunks(LoadReport& report);
  void place_chunk(const Chunk& chunk, const at::Tensor& wire, TransferId sent);
  void wait_for(TransferId transfer, bool enqueued_is_enough);
  std::byte* destination(const Piece& piece) const;
  at::Tensor take(const Piece& piece);
  void give_back();
  void free_buffers(std::size_t still_used);
  void place(const Piece& piece, const at::Tensor& values);
  at::Tensor on_wire(const Piece& piece, const at::Tensor& chunk) const;
  at::Tensor buffer(std::uint64_t bytes, LoadReport& report) const;
  /// Where bytes of the file go first: to the parameters' device, or to where chunks are sent from.
  at::Device read_device() const { return alone() ? device_ : transport_.device(); }

  const std::vector<FileTensor> tensors_;
  const std::vector<Chunk> chunks_;
  const at::ScalarType dtype_;
  const at::Device device_;
  Transport& transport_;
  const std::function<void()>& on_progress_;
  const LoadSettings settings_;

  at::Tensor staging_;                 // rank 0 with a GPU: bytes of the file on the device, before their cast
  std::vector<at::Tensor> host_;       // rank 0: what is read ahead
  std::unique_ptr<ReadAhead> reader_;  // rank 0
  std::deque<device::Event> copying_;  // of the host buffers that the device may still read, in order
  double read_seconds_ = 0, broadcast_seconds_ = 0;
};

/// Elements [from, to) of a tensor, in row-major order.
struct Elements {
  std::int64_t from, to;
};
Elements taken_by(const Parameters::Want& want) {
  std::int64_t row = 1;
  for (std::size_t i = 1; i < want.shape.size(); ++i) row *= want.shape[i];
  return {want.first_row * row, (want.first_row + want.rows) * row};
}

/// `values` become the elements of `part` from `first` on, in row-major order. The rows of `part` may lie apart: then
/// the ends of the first and last row are copied by themselves.
void fill(const at::Tensor& part, std::int64_t first, const at::Tensor& values) {
  const std::int64_t count = values.size(0);
  if (part.is_contiguous()) {
    part.view({-1}).narrow(0, first, count).copy_(values);
    return;
  }
  const std::int64_t width = part.size(1);
  for (std::int64_t done = 0; done < count;) {
    const std::int64_t row = (first + done) / width, column = (first + done) % width;
    const std::int64_t whole_rows = column == 0 ? (count - done) / width : 0;
    if (whole_rows > 0) {
      part.narrow(0, row, whole_rows).copy_(values.narrow(0, done, whole_rows * width).view({whole_rows, width}));
      done += whole_rows * width;
    } else {
      const std::int64_t length = std::min(width - column, count - done);
      part.select(0, row).narrow(0, column, length).copy_(values.narrow(0, done, length));
      done += length;
    }
  }
}

at::Tensor Loading::buffer(std::uint64_t bytes, LoadReport& report) const {
  report.buffer_bytes += bytes;
  return at::empty({static_cast<std::int64_t>(bytes)}, at::TensorOptions(at::kByte).device(read_device()));
}

/// Where the file's bytes may go as they are: a parameter that is this piece's only taker, on a CPU.
std::byte* Loading::destination(const Piece& piece) const {
  const FileTensor& tensor = tensors_[piece.tensor];
  if (!alone() || !device_.is_cpu() || scalar_type(tensor.entry->dtype) != dtype_ || tensor.wants.size() != 1)
    return nullptr;
  if (tensor.wants[0]->part.rows > 0) return nullptr;
  const Elements taken = taken_by(*tensor.wants[0]);
  if (piece.first < taken.from || piece.first + piece.count > taken.to) return nullptr;
  auto* slot = static_cast<std::byte*>(tensor.wants[0]->slot->data_ptr());
  return slot + (piece.first - taken.from) * static_cast<std::int64_t>(at::elementSize(dtype_));
}

void Loading::start_reading(LoadReport& report) {
  std::vector<FileRange> ranges;
  std::uint64_t largest = 0;
  for (const Chunk& chunk : chunks_) {
    for (const Piece& whole : chunk.pieces) {
      const FileTensor& tensor = tensors_[whole.tensor];
      const std::uint64_t element = at::elementSize(scalar_type(tensor.entry->dtype));
      for (const Piece& piece : cut(whole, tensor, settings_.read)) {
        ranges.push_back({tensor.file(), tensor.entry->offset + static_cast<std::uint64_t>(piece.first) * element,
                          static_cast<std::uint64_t>(piece.count) * element, destination(piece)});
        report.bytes_read += ranges.back().bytes;
        if (ranges.back().into == nullptr) largest = std::max(largest, ranges.back().bytes);
      }
    }
  }
  std::vector<std::span<std::byte>> buffers;
  const auto threads = static_cast<std::size_t>(settings_.threads);
  for (std::size_t i = 0; i < kBuffersAThread * threads && largest > 0; ++i) {
    host_.push_back(device::host_buffer(largest, read_device()));
    buffers.emplace_back(reinterpret_cast<std::byte*>(host_.back().data_ptr()), largest);
  }
  if (largest > 0 && read_device().is_cuda()) staging_ = buffer(largest, report);
  reader_ = std::make_unique<ReadAhead>(std::move(ranges), std::move(buffers), settings_.threads);
}

/// The next piece read, in the file's dtype, on the device that reads.
at::Tensor Loading::take(const Piece& piece) {
  free_buffers(/*still_used=*/host_.size() / kBuffersAThread);
  const double start = steady_seconds();
  const std::span<const std::byte> bytes = reader_->next();
  read_seconds_ += steady_seconds() - start;
  const auto size = static_cast<std::int64_t>(bytes.size());
  at::Tensor raw = at::from_blob(const_cast<std::byte*>(bytes.data()), {size}, at::TensorOptions(at::kByte));
  if (staging_.defined()) raw = staging_.narrow(0, 0, size).copy_(raw, /*non_blocking=*/true);
  return raw.view(scalar_type(tensors_[piece.tensor].entry->dtype));
}

/// After the work that uses the piece has been enqueued: its host buffer may be read into again once that is done.
void Loading::give_back() {
  copying_.emplace_back().record(read_device());
  free_buffers(/*still_used=*/host_.size());
}

/// Buffers whose work is done go back to the readers; waits until at most `still_used` are out.
void Loading::free_buffers(std::size_t still_used) {
  while (!copying_.empty()) {
    if (copying_.front().done()) {
      copying_.pop_front();
      reader_->release();
    } else if (copying_.size() > still_used) {
      std::this_thread::sleep_for(kPause);
    } else {
      return;
    }
  }
}

/// Copies (and casts) what this rank wants of the piece. `values`: its elements, on this rank's device.
void Loading::place(const Piece& piece, const at::Tensor& values) {
  for (const Parameters::Want* want : tensors_[piece.tensor].wants) {
    const Elements taken = taken_by(*want);
    const std::int64_t from = std::max(taken.from, piece.first), to = std::min(taken.to, piece.first + piece.count);
    if (from >= to) continue;
    fill(filled_part(*want), from - taken.from, values.narrow(0, from - piece.first, to - from));
  }
}

at::Tensor Loading::on_wire(const Piece& piece, const at::Tensor& chunk) const {
  const at::ScalarType type = wire_type(scalar_type(tensors_[piece.tensor].entry->dtype), dtype_);
  const std::int64_t bytes = piece.count * static_cast<std::int64_t>(at::elementSize(type));
  return chunk.narrow(0, static_cast<std::int64_t>(piece.offset), bytes).view(type);
}

void Loading::read_into_parameters(const Chunk& chunk) {
  for (const Piece& whole : chunk.pieces) {
    for (const Piece& piece : cut(whole, tensors_[whole.tensor], settings_.read)) {
      const at::Tensor values = take(piece);
      if (destination(piece) == nullptr) {
        place(piece, values);
        give_back();
      }
      on_progress_();
    }
  }
}

void Loading::read_into_chunk(const Chunk& chunk, const at::Tensor& wire) {
  for (const Piece& whole : chunk.pieces) {
    const at::Tensor target = on_wire(whole, wire);
    for (const Piece& piece : cut(whole, tensors_[whole.tensor], settings_.read)) {
      target.narrow(0, piece.first - whole.first, piece.count).copy_(take(piece));
      give_back();
      transport_.progress();  // of the chunk before
      on_progress_();
    }
  }
}

/// Or until what is enqueued from here on comes behind it.
void Loading::wait_for(TransferId transfer, bool enqueued_is_enough) {
  const double start = steady_seconds();
  while (enqueued_is_enough ? !transport_.follow(transfer) : !transport_.done(transfer)) {
    transport_.progress();
    std::this_thread::sleep_for(kPause);
  }
  broadcast_seconds_ += steady_seconds() - start;
}

void Loading::place_chunk(const Chunk& chunk, const at::Tensor& wire, TransferId sent) {
  wait_for(sent, /*enqueued_is_enough=*/true);
  const at::Tensor here = wire.to(device_);  // the chunk itself, but for a GPU behind a carrier of host memory
  for (const Piece& piece : chunk.pieces) place(piece, on_wire(piece, here));
  on_progress_();
}

/// A chunk is placed after the next has been filled, so that it travels meanwhile.
void Loading::broadcast_chunks(LoadReport& report) {
  std::uint64_t largest = 0;
  for (const Chunk& chunk : chunks_) largest = std::max(largest, chunk.bytes);
  std::array<at::Tensor, 2> wires;
  for (std::size_t i = 0; i < std::min(chunks_.size(), wires.size()); ++i) wires[i] = buffer(largest, report);
  const auto wire = [&](std::size_t i) {
    return wires[i % wires.size()].narrow(0, 0, static_cast<std::int64_t>(chunks_[i].bytes));
  };
  TransferId before = 0;
  for (std::size_t i = 0; i < chunks_.size(); ++i) {
    if (transport_.rank() == 0) read_into_chunk(chunks_[i], wire(i));
    const TransferId sent = transport_.broadcast(wire(i), 0);
    if (i > 0) place_chunk(chunks_[i - 1], wire(i - 1), before);
    before = sent;
  }
  if (chunks_.empty()) return;
  place_chunk(chunks_.back(), wire(chunks_.size() - 1), before);
  wait_for(before, /*enqueued_is_enough=*/false);  // the transport lets go of the buffers
}

void Loading::run(LoadReport& report) {
  if (alone() || transport_.rank() == 0) start_reading(report);
  if (alone()) {
    for (const Chunk& chunk : chunks_) read_into_parameters(chunk);
  } else {
    broadcast_chunks(report);
  }
  device::synchronize(device_);
  report.read_seconds = read_seconds_;
  report.broadcast_seconds = broadcast_seconds_;
}

}  // namespace

LoadReport load_weights(const ModelFiles& files, const PartParameters& wanted, at::ScalarType dtype, at::Device device,
                        Transport& transport, const std::function<void()>& on_progress, const LoadSettings& settings) {
  const double start = steady_seconds();
  LoadReport report;
  std::vector<FileTensor> tensors = account(files, wanted, transport);
  if (settings.everyone_reads) {
    for (FileTensor& tensor : tensors) tensor.read = !tensor.wants.empty();
  }
  const double allocate = steady_seconds();
  report.bytes_kept = allocate_parameters(wanted, dtype, device);
  report.allocate_seconds = steady_seconds() - allocate;
  Loading(std::move(tensors), dtype, device, transport, on_progress, settings).run(report);
  report.peak_allocated = device::memory(device).peak_allocated;
  report.seconds = steady_seconds() - start;
  log::info("weights loaded", {{"seconds", report.seconds},
                               {"allocate_seconds", report.allocate_seconds},
                               {"read_seconds", report.read_seconds},
                               {"broadcast_seconds", report.broadcast_seconds},
                               {"bytes_read", report.bytes_read},
                               {"bytes_kept", report.bytes_kept},
                               {"buffer_bytes", report.buffer_bytes},
                               {"peak_allocated", report.peak_allocated}});
  return report;
}

}  // namespace trireme
