#include "worker/models/qwen2_5_vl/rows_note.h"

#include "worker/transport/wire.h"

namespace trireme::qwen2_5_vl {
namespace {

void write(wire::Writer& out, const std::vector<std::int64_t>& numbers) {
  out.number<std::uint64_t>(numbers.size());
  for (const std::int64_t number : numbers) out.number(number);
}

std::vector<std::int64_t> read(wire::Reader& in) {
  std::vector<std::int64_t> numbers(in.count(sizeof(std::int64_t)));
  for (std::int64_t& number : numbers) number = in.number<std::int64_t>();
  return numbers;
}

}  // namespace

std::string encode_rows(const std::vector<Row>& rows) {
  wire::Writer out;
  for (const Row& row : rows) {
    write(out, row.prompt.ids);
    for (const auto& axis : row.prompt.positions) write(out, axis);
    out.number(row.prompt.next_position);
    write(out, row.prompt.image_rows);
    out.number<std::uint64_t>(row.pictures.size());
    for (const Picture& picture : row.pictures) {
      out.number(picture.grid.rows);
      out.number(picture.grid.columns);
    }
  }
  return std::string(as_text(out.take()));
}

void decode_rows(const std::string& note, std::vector<Row>& rows) {
  wire::Reader in(std::as_bytes(std::span(note)), "note about prompts");
  for (Row& row : rows) {
    row.prompt.ids = read(in);
    for (auto& axis : row.prompt.positions) axis = read(in);
    row.prompt.next_position = in.number<std::int64_t>();
    row.prompt.image_rows = read(in);
    row.pictures.resize(in.count(2 * sizeof(std::int64_t)));
    for (Picture& picture : row.pictures) {
      picture.grid.rows = in.number<std::int64_t>();
      picture.grid.columns = in.number<std::int64_t>();
    }
  }
  in.end();
}

}  // namespace trireme::qwen2_5_vl
