#pragma once
// How the tensors that are read lie in the chunks that are broadcast: the same list on every rank, made from the same
// tensor list. A tensor may span chunks.

#include <cstdint>
#include <vector>

#include "worker/weights/accounting.h"

namespace trireme {

/// Consecutive elements of one tensor.
struct Piece {
  std::size_t tensor = 0;             // index into the tensor list
  std::int64_t first = 0, count = 0;  // elements
  std::uint64_t offset = 0;           // bytes from the start of the chunk, a multiple of 256
};

struct Chunk {
  std::vector<Piece> pieces;
  std::uint64_t bytes = 0;
};

/// What a tensor of the file is on its way: cast before where that makes it smaller, else as it is.
at::ScalarType wire_type(at::ScalarType file, at::ScalarType compute);

/// `chunk_bytes`: the largest chunk, a multiple of 256. Empty tensors are in no chunk.
std::vector<Chunk> make_chunks(const std::vector<FileTensor>& tensors, at::ScalarType compute,
                               std::uint64_t chunk_bytes);

/// The piece in order, cut so that no cut takes more than `bytes` of the file.
std::vector<Piece> cut(const Piece& piece, const FileTensor& tensor, std::uint64_t bytes);

}  // namespace trireme
