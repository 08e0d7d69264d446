// The doctor's own exchanges, on several ranks together.

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/worker/ranks_main.h"
#include "worker/doctor/folder_check.h"
#include "worker/doctor/link_check.h"

namespace trireme::doctor {
namespace {

Transport& transport() { return test::ranks_transport(); }

}  // namespace

TEST(LinkCheck, ExchangesOneElementWithEveryRank) { EXPECT_NO_THROW(exchange_one_element(transport())); }

TEST(LinkCheck, MeasuresEveryRankBothWaysAndTheRing) {
  int beats = 0;
  const LinkReport report = measure_links(transport(), 1 << 16, [&beats] { ++beats; });
  const int others = transport().size() - 1;
  EXPECT_EQ(beats, others > 0 ? others + 1 : 0);
  if (transport().rank() != 0) return;
  ASSERT_EQ(report.links.size(), static_cast<std::size_t>(others));
  for (int i = 0; i < others; ++i) {
    EXPECT_EQ(report.links[i].rank, i + 1);
    EXPECT_GT(report.links[i].to_root, 0);
    EXPECT_GT(report.links[i].from_root, 0);
  }
  EXPECT_EQ(report.ring > 0, others > 0);
}

TEST(FolderCheck, AFolderThatAllShareIsFineAndLeftEmpty) {
  const auto folder = std::filesystem::temp_directory_path() / "trireme-doctor-shared";
  EXPECT_EQ(check_writing(folder, transport().rank()), "");
  EXPECT_EQ(check_sharing(folder, transport()), "");
  transport().barrier();
  if (transport().rank() != 0) return;
  EXPECT_TRUE(std::filesystem::is_empty(folder));
  std::filesystem::remove(folder);
}

TEST(FolderCheck, APlaceThatCanNotBeAFolderIsNamed) {
  EXPECT_NE(check_writing("/proc/none", transport().rank()).find("/proc/none"), std::string::npos);
}

TEST(FolderCheck, AFolderOfEachHostIsNoticed) {
  const bool root = transport().rank() == 0;
  const auto folder = std::filesystem::temp_directory_path() / ("trireme-doctor-" + std::to_string(root));
  check_writing(folder, transport().rank());
  transport().barrier();
  const std::string trouble = check_sharing(folder, transport());
  EXPECT_EQ(trouble.empty(), root) << trouble;
  transport().barrier();
  std::error_code ignored;
  std::filesystem::remove(folder, ignored);
}

}  // namespace trireme::doctor
