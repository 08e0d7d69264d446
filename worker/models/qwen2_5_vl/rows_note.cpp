#include "worker/models/qwen2_5_vl/rows_note.h"

#include "worker/transport/wire.h"

namespace trireme::qwen2_5_vl {

std::string encode_rows(const std::vector<Row>& rows) {
  wire::Writer out;
  for (const Row& row : rows) {
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
    row.pictures.resize(in.count(2 * sizeof(std::int64_t)));
    for (Picture& picture : row.pictures) {
      picture.grid.rows = in.number<std::int64_t>();
      picture.grid.columns = in.number<std::int64_t>();
    }
  }
  in.end();
}

}  // namespace trireme::qwen2_5_vl
