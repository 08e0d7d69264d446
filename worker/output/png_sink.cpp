#include "common/files.h"
#include "common/run_directory.h"
#include "common/sha256.h"
#include "worker/output/generation_text.h"
#include "worker/output/png.h"
#include "worker/output/sink.h"

namespace trireme {
namespace {

class PngSink final : public Sink {
 public:
  explicit PngSink(const SinkSettings& settings) : settings_(settings) {}

  void write(const Item& item, const Result& result, Written& written) const override {
    const at::Tensor& picture = result.picture;
    if (!picture.defined() || picture.dim() != 3 || picture.size(2) != 3 || picture.scalar_type() != at::kByte ||
        !picture.is_contiguous() || !picture.is_cpu()) {
      throw Error(ExitCode::internal, "item " + item.id + ": the picture is not [H, W, 3] uint8 in host memory");
    }
    std::vector<PngText> texts;
    if (settings_.png_metadata) texts = generation_texts(item, settings_.facts);
    const std::span pixels(static_cast<const std::uint8_t*>(picture.const_data_ptr()),
                           static_cast<std::size_t>(picture.numel()));
    const std::string bytes =
        encode_png(pixels, static_cast<int>(picture.size(1)), static_cast<int>(picture.size(0)), texts);
    const std::string name = RunPaths::picture(item.id);
    write_file(settings_.directory / name, bytes);
    written.picture = {name, sha256_hex(bytes), bytes.size()};
  }

 private:
  const SinkSettings settings_;
};

}  // namespace

std::unique_ptr<Sink> make_png_sink(const SinkSettings& settings) { return std::make_unique<PngSink>(settings); }

}  // namespace trireme
