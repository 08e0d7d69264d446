#include "worker/weights/part_config.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "common/errors.h"
#include "common/files.h"
#include "tests/common/error_of.h"
#include "tests/common/temporary_folder.h"
#include "tests/worker/weights/checkpoint_writer.h"

namespace trireme {
namespace {

ModelFiles checkpoint(const TemporaryFolder& folder, const std::string& config) {
  test::write_checkpoint(folder.path(), {{{"layers.1.empty", at::ones({0, 3})}}});
  write_file(folder / "transformer/config.json", config);
  return read_model_files(folder.path(), /*weights=*/true);
}

}  // namespace

TEST(PartConfig, TakesNoSizeFromAnEmptyTensorSinceSizesDivide) {
  const TemporaryFolder folder;
  const ModelFiles files = checkpoint(folder, "{}");
  const PartConfig part(files, "transformer");
  EXPECT_FALSE(part.dimension({"layers.1.empty"}, 0));
  EXPECT_EQ(part.dimension({"layers.1.empty"}, 1), 3);
  EXPECT_EQ(error_of([&] { part.size("n_heads", 0); }).code(), ExitCode::bad_data);
}

TEST(PartConfig, RefusesALayerCountThatWouldFillTheMemory) {
  const TemporaryFolder folder;
  const ModelFiles files = checkpoint(folder, R"({"many": 1000000000, "few": 3})");
  const PartConfig part(files, "transformer");
  EXPECT_EQ(error_of([&] { part.layers("many", 2); }).code(), ExitCode::bad_data);
  EXPECT_EQ(part.layers("few", 2), 3);
  EXPECT_EQ(part.layers("missing", part.count("layers.")), 2);
}

}  // namespace trireme
