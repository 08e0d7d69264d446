#include "worker/exchange/codec.h"

#include <cstring>

#include "worker/transport/wire.h"

namespace trireme::codec {
namespace {

constexpr std::uint8_t kVersion = 4;
constexpr std::uint64_t kAlignment = 64;
// The least that an entry takes in its encoding: bounds for counts.
constexpr std::size_t kSmallestUnit = 20, kSmallestItem = 156, kSmallestMessage = 16, kSmallestPart = 13,
                      kSmallestImage = 32, kSmallestResult = 28, kSmallestTensor = 17;

std::uint64_t aligned(std::uint64_t offset) { return (offset + kAlignment - 1) / kAlignment * kAlignment; }

void write(wire::Writer& out, const ChatMessage& message) {
  out.text(message.role);
  out.number<std::uint64_t>(message.content.size());
  for (const ContentPart& part : message.content) {
    out.number(static_cast<std::uint8_t>(part.kind));
    out.text(part.text);
    out.number(part.image);
  }
}

ChatMessage read_message(wire::Reader& in, std::size_t images) {
  ChatMessage message;
  message.role = in.text();
  message.content.resize(in.count(kSmallestPart));
  for (ContentPart& part : message.content) {
    const auto kind = in.number<std::uint8_t>();
    if (kind > 1) in.fail("words or a picture, found kind " + std::to_string(kind));
    part.kind = static_cast<ContentPart::Kind>(kind);
    part.text = in.text();
    part.image = in.number<std::uint32_t>();
    if (part.kind == ContentPart::Kind::image && part.image >= images) {
      in.fail("one of " + std::to_string(images) + " pictures, found " + std::to_string(part.image));
    }
  }
  return message;
}

/// But for the path, which means nothing elsewhere.
void write(wire::Writer& out, const ImageFile& image) {
  out.text(image.name);
  out.text(image.sha256);
  out.number(image.bytes);
  out.text(image.data);
}

ImageFile read_image(wire::Reader& in) {
  ImageFile image;
  image.name = in.text();
  image.sha256 = in.text();
  image.bytes = in.number<std::uint64_t>();
  image.data = in.text();
  return image;
}

void write(wire::Writer& out, const Item& item) {
  out.text(item.id);
  out.number(item.index);
  out.text(item.prompt);
  out.text(item.negative_prompt);
  out.number(item.seed);
  out.number<std::int32_t>(item.width);
  out.number<std::int32_t>(item.height);
  out.number<std::int32_t>(item.steps);
  out.number(item.guidance);
  out.number(item.cfg_truncation);
  out.number(item.cfg_normalization);
  out.number(item.shift);
  out.text(item.sampler);
  out.text(item.system_prompt);
  out.number<std::uint64_t>(item.images.size());
  for (const ImageFile& image : item.images) write(out, image);
  out.number<std::uint64_t>(item.messages.size());
  for (const ChatMessage& message : item.messages) write(out, message);
  out.number<std::int32_t>(item.max_new_tokens);
  out.number(item.temperature);
  out.number<std::int32_t>(item.top_k);
  out.number(item.top_p);
  out.number(item.repetition_penalty);
  out.text(item.error);
}

Item read_item(wire::Reader& in) {
  Item item;
  item.id = in.text();
  item.index = in.number<std::uint64_t>();
  item.prompt = in.text();
  item.negative_prompt = in.text();
  item.seed = in.number<std::uint64_t>();
  item.width = in.number<std::int32_t>();
  item.height = in.number<std::int32_t>();
  item.steps = in.number<std::int32_t>();
  item.guidance = in.number<double>();
  item.cfg_truncation = in.number<double>();
  item.cfg_normalization = in.number<double>();
  item.shift = in.number<double>();
  item.sampler = in.text();
  item.system_prompt = in.text();
  item.images.resize(in.count(kSmallestImage));
  for (ImageFile& image : item.images) image = read_image(in);
  item.messages.resize(in.count(kSmallestMessage));
  for (ChatMessage& message : item.messages) message = read_message(in, item.images.size());
  item.max_new_tokens = in.number<std::int32_t>();
  item.temperature = in.number<double>();
  item.top_k = in.number<std::int32_t>();
  item.top_p = in.number<double>();
  item.repetition_penalty = in.number<double>();
  item.error = in.text();
  return item;
}

/// Dtypes by their number in the header.
constexpr at::ScalarType kDtypes[] = {at::kByte, at::kFloat, at::kLong};

void write(wire::Writer& out, const at::Tensor& tensor) {
  std::uint8_t dtype = 0;
  while (dtype < std::size(kDtypes) && kDtypes[dtype] != tensor.scalar_type()) ++dtype;
  if (dtype == std::size(kDtypes)) {
    throw Error(ExitCode::internal, std::string("a result holds a tensor of dtype ") +
                                        at::toString(tensor.scalar_type()) + "; uint8, float32 and int64 travel");
  }
  out.number(dtype);
  out.number<std::uint64_t>(tensor.dim());
  for (const std::int64_t size : tensor.sizes()) out.number(size);
}

struct Shape {
  at::ScalarType dtype;
  std::vector<std::int64_t> sizes;
  std::uint64_t bytes;
};

/// `limit`: no tensor is larger than its packet.
Shape read_shape(wire::Reader& in, std::uint64_t limit) {
  const auto dtype = in.number<std::uint8_t>();
  if (dtype >= std::size(kDtypes)) in.fail("a dtype, found " + std::to_string(dtype));
  Shape shape{kDtypes[dtype], {}, at::elementSize(kDtypes[dtype])};
  shape.sizes.resize(in.count(sizeof(std::int64_t)));
  bool empty = false;
  for (std::int64_t& size : shape.sizes) {
    size = in.number<std::int64_t>();
    if (size < 0 || static_cast<std::uint64_t>(size) > limit / shape.bytes) {
      in.fail("a size that fits the packet, found " + std::to_string(size));
    }
    if (size == 0)
      empty = true;  // the other sizes are bounded all the same
    else
      shape.bytes *= static_cast<std::uint64_t>(size);
  }
  if (empty) shape.bytes = 0;
  return shape;
}

/// Cuts tensors from a packet one after the other.
class Cutter {
 public:
  Cutter(const at::Tensor& packet, std::uint64_t first) : packet_(packet), at_(first) {}
  std::uint64_t size() const { return packet_.nbytes(); }

  at::Tensor cut(const Shape& shape, const wire::Reader& in) {
    const std::uint64_t offset = aligned(at_);
    if (offset > size() || shape.bytes > size() - offset) {
      in.fail("a tensor of " + std::to_string(shape.bytes) + " bytes at byte " + std::to_string(offset) +
              " to end within the packet's " + std::to_string(size()));
    }
    at_ = offset + shape.bytes;
    return packet_.narrow(0, static_cast<std::int64_t>(offset), static_cast<std::int64_t>(shape.bytes))
        .view(shape.dtype)
        .view(shape.sizes);
  }
  void end(const wire::Reader& in) const {
    if (at_ != size()) in.fail("the packet to end at byte " + std::to_string(at_));
  }

 private:
  const at::Tensor& packet_;
  std::uint64_t at_;
};

void write(wire::Writer& out, const TextResult& text) {
  out.text(text.text);
  out.number<std::uint64_t>(text.token_ids.size());
  for (const std::int64_t token : text.token_ids) out.number(token);
  out.number(static_cast<std::uint8_t>(text.finish_reason));
  out.number(text.prompt_tokens);
  out.number(text.first_token_seconds);
  out.number(text.decode_seconds);
}

TextResult read_text_result(wire::Reader& in) {
  TextResult text;
  text.text = in.text();
  text.token_ids.resize(in.count(sizeof(std::int64_t)));
  for (std::int64_t& token : text.token_ids) token = in.number<std::int64_t>();
  const auto reason = in.number<std::uint8_t>();
  if (reason >= std::size(kFinishReasons)) in.fail("a finish reason, found " + std::to_string(reason));
  text.finish_reason = static_cast<FinishReason>(reason);
  text.prompt_tokens = in.number<std::int64_t>();
  text.first_token_seconds = in.number<double>();
  text.decode_seconds = in.number<double>();
  return text;
}

void write(wire::Writer& out, const FileRecord& record) {
  out.text(record.file);
  out.text(record.sha256);
  out.number(record.bytes);
}

FileRecord read_file_record(wire::Reader& in) {
  FileRecord record;
  record.file = in.text();
  record.sha256 = in.text();
  record.bytes = in.number<std::uint64_t>();
  return record;
}

void write(wire::Writer& out, const SavedFiles& saved) {
  write(out, saved.picture);
  write(out, saved.tensors);
  out.number(saved.seconds);
}

SavedFiles read_saved_files(wire::Reader& in) {
  SavedFiles saved;
  saved.picture = read_file_record(in);
  saved.tensors = read_file_record(in);
  saved.seconds = in.number<double>();
  return saved;
}

Bytes encode_header(const Finished& finished) {
  wire::Writer out;
  out.number(kVersion);
  out.number(finished.unit.index);
  for (const double seconds : finished.seconds) out.number(seconds);
  out.number<std::uint64_t>(finished.results.size());
  for (const Result& result : finished.results) {
    out.text(result.id);
    out.text(result.error);
    out.number<std::uint8_t>(result.degraded);
    out.number<std::uint8_t>(result.picture.defined());
    if (result.picture.defined()) write(out, result.picture);
    out.number<std::uint64_t>(result.tensors.size());
    for (const auto& [name, tensor] : result.tensors) {
      out.text(name);
      write(out, tensor);
    }
    out.number<std::uint8_t>(result.saved.has_value());
    if (result.saved) write(out, *result.saved);
    out.number<std::uint8_t>(result.text.has_value());
    if (result.text) write(out, *result.text);
  }
  return out.take();
}

Result read_result(wire::Reader& in, Cutter& cutter) {
  Result result;
  result.id = in.text();
  result.error = in.text();
  result.degraded = in.number<std::uint8_t>() != 0;
  if (in.number<std::uint8_t>() != 0) {
    const Shape shape = read_shape(in, cutter.size());
    if (shape.dtype != at::kByte || shape.sizes.size() != 3) in.fail("a picture of [height, width, 3] uint8");
    result.picture = cutter.cut(shape, in);
  }
  const std::size_t tensors = in.count(kSmallestTensor);
  for (std::size_t i = 0; i < tensors; ++i) {
    std::string name = in.text();
    const Shape shape = read_shape(in, cutter.size());
    if (!result.tensors.emplace(std::move(name), cutter.cut(shape, in)).second) in.fail("names that differ");
  }
  if (in.number<std::uint8_t>() != 0) result.saved = read_saved_files(in);
  if (in.number<std::uint8_t>() != 0) result.text = read_text_result(in);
  return result;
}

/// The tensors in the header's order.
std::vector<at::Tensor> pieces_of(const Finished& finished) {
  std::vector<at::Tensor> pieces;
  for (const Result& result : finished.results) {
    if (result.picture.defined()) pieces.push_back(result.picture.contiguous());
    for (const auto& [name, tensor] : result.tensors) pieces.push_back(tensor.contiguous());
  }
  return pieces;
}

void copy_into(const at::Tensor& packet, std::uint64_t offset, const at::Tensor& bytes) {
  packet.narrow(0, static_cast<std::int64_t>(offset), bytes.numel()).copy_(bytes, /*non_blocking=*/true);
}

}  // namespace

Bytes encode_units(std::span<const Unit> units) {
  wire::Writer out;
  out.number(kVersion);
  out.number<std::uint64_t>(units.size());
  for (const Unit& unit : units) {
    out.number(unit.index);
    out.number<std::int32_t>(unit.attempt);
    out.number<std::uint64_t>(unit.items.size());
    for (const Item& item : unit.items) write(out, item);
  }
  return out.take();
}

std::vector<Unit> decode_units(std::span<const std::byte> bytes) {
  wire::Reader in(bytes, "units");
  const auto version = in.number<std::uint8_t>();
  if (version != kVersion) in.fail("version " + std::to_string(kVersion) + ", found " + std::to_string(version));
  std::vector<Unit> units(in.count(kSmallestUnit));
  for (Unit& unit : units) {
    unit.index = in.number<std::uint64_t>();
    unit.attempt = in.number<std::int32_t>();
    unit.items.resize(in.count(kSmallestItem));
    for (Item& item : unit.items) item = read_item(in);
  }
  in.end();
  return units;
}

Packet pack(const Finished& finished, at::Device destination) {
  const Bytes header = encode_header(finished);
  const std::vector<at::Tensor> pieces = pieces_of(finished);
  at::Device source = destination;
  std::uint64_t size = sizeof(std::uint64_t) + header.size();
  for (const at::Tensor& piece : pieces) {
    size = aligned(size) + piece.nbytes();
    if (piece.is_cuda()) source = piece.device();
  }

  Packet packet;
  packet.bytes = destination.is_cpu()
                     ? device::host_buffer(size, source)
                     : at::empty({static_cast<std::int64_t>(size)}, at::TensorOptions(at::kByte).device(destination));
  packet.header = device::host_buffer(sizeof(std::uint64_t) + header.size(), source);
  const std::uint64_t length = header.size();
  std::memcpy(packet.header.data_ptr(), &length, sizeof length);
  std::memcpy(packet.header.data_ptr<std::uint8_t>() + sizeof length, header.data(), header.size());

  copy_into(packet.bytes, 0, packet.header);
  std::uint64_t offset = packet.header.nbytes();
  for (const at::Tensor& piece : pieces) {
    offset = aligned(offset);
    copy_into(packet.bytes, offset, piece.view({-1}).view(at::kByte));
    offset += piece.nbytes();
  }
  packet.packed.record(source);
  return packet;
}

Unpacked unpack(const at::Tensor& packet) {
  const std::span<const std::byte> bytes = view(packet);
  wire::Reader start(bytes, "result packet");
  const auto length = start.number<std::uint64_t>();
  if (length > bytes.size() - sizeof length) start.fail("a header of " + std::to_string(length) + " bytes");
  wire::Reader in(bytes.subspan(sizeof length, length), "header of a result packet");

  const auto version = in.number<std::uint8_t>();
  if (version != kVersion) in.fail("version " + std::to_string(kVersion) + ", found " + std::to_string(version));
  Unpacked unpacked;
  unpacked.unit = in.number<std::uint64_t>();
  for (double& seconds : unpacked.seconds) seconds = in.number<double>();
  Cutter cutter(packet, sizeof length + length);
  unpacked.results.resize(in.count(kSmallestResult));
  for (Result& result : unpacked.results) result = read_result(in, cutter);
  in.end();
  cutter.end(in);
  return unpacked;
}

std::span<const std::byte> view(const at::Tensor& host) {
  return {static_cast<const std::byte*>(host.const_data_ptr()), host.nbytes()};
}

at::Tensor upload(std::span<const std::byte> bytes, at::Device device, at::Tensor& staged) {
  staged = device::host_buffer(bytes.size(), device);
  std::memcpy(staged.data_ptr(), bytes.data(), bytes.size());
  return device.is_cpu() ? staged : staged.to(device, /*non_blocking=*/true);
}

at::Tensor download(const at::Tensor& bytes, device::Event& copied) {
  if (bytes.is_cpu()) return bytes;
  at::Tensor host = device::host_buffer(bytes.nbytes(), bytes.device());
  host.copy_(bytes, /*non_blocking=*/true);
  copied.record(bytes.device());
  return host;
}

}  // namespace trireme::codec
