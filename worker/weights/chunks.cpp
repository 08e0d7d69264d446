#include "worker/weights/chunks.h"

#include <c10/core/ScalarType.h>

#include <algorithm>

namespace trireme {
namespace {

constexpr std::uint64_t kAlignment = 256;

std::int64_t element_count(const TensorEntry& entry) {
  return static_cast<std::int64_t>(entry.bytes / c10::elementSize(scalar_type(entry.dtype)));
}

}  // namespace

at::ScalarType wire_type(at::ScalarType file, at::ScalarType compute) {
  return c10::elementSize(compute) < c10::elementSize(file) ? compute : file;
}

std::vector<Chunk> make_chunks(const std::vector<FileTensor>& tensors, at::ScalarType compute,
                               std::uint64_t chunk_bytes) {
  std::vector<Chunk> chunks;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    if (!tensors[i].read) continue;
    const std::uint64_t element = c10::elementSize(wire_type(scalar_type(tensors[i].entry->dtype), compute));
    const std::int64_t count = element_count(*tensors[i].entry);
    for (std::int64_t first = 0; first < count;) {
      std::uint64_t offset =
          chunks.empty() ? chunk_bytes : (chunks.back().bytes + kAlignment - 1) / kAlignment * kAlignment;
      if (offset >= chunk_bytes) {
        chunks.emplace_back();
        offset = 0;
      }
      const auto room = static_cast<std::int64_t>((chunk_bytes - offset) / element);
      const std::int64_t taken = std::min(room, count - first);
      chunks.back().pieces.push_back({i, first, taken, offset});
      chunks.back().bytes = offset + static_cast<std::uint64_t>(taken) * element;
      first += taken;
    }
  }
  return chunks;
}

std::vector<Piece> cut(const Piece& piece, const FileTensor& tensor, std::uint64_t bytes) {
  const at::ScalarType file = scalar_type(tensor.entry->dtype);
  const auto most = static_cast<std::int64_t>(bytes / c10::elementSize(file));
  std::vector<Piece> cuts;
  for (std::int64_t first = 0; first < piece.count; first += most) {
    cuts.push_back({piece.tensor, piece.first + first, std::min(most, piece.count - first), 0});
  }
  return cuts;
}

}  // namespace trireme
