#include "launcher/bench_image.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "common/errors.h"
#include "common/files.h"
#include "tests/common/temporary_folder.h"

namespace trireme {
namespace {

using testing::HasSubstr;

/// A run of one rank: units of `batch` pictures, each with 5 ms of encoding, 80 of steps, 10 of decoding and 3 of
/// nothing; the first is slower.
class ImageFiguresTest : public testing::Test {
 protected:
  void write_run(int units, int batch) {
    std::filesystem::create_directories(folder_ / "images");
    nlohmann::json events = nlohmann::json::array();
    double now = 1000;
    const auto span = [&](const char* kind, int unit, double milliseconds) {
      events.push_back({{"ph", "X"},
                        {"cat", kind},
                        {"pid", 0},
                        {"ts", now},
                        {"dur", milliseconds * 1e3},
                        {"args", {{"unit", unit}}}});
      now += milliseconds * 1e3;
    };
    const auto epoch = std::filesystem::file_time_type::clock::now();
    for (int unit = 0; unit < units; ++unit) {
      const double slow = unit == 0 ? 10 : 1;
      span("encode", unit, 5 * slow);
      span("denoise", unit, 80 * slow);
      span("decode", unit, 10 * slow);
      now += 3e3;
      const double ready = unit + 1 == units ? now - 9e3 : now;  // nothing beside its decoding
      for (int picture = 0; picture < batch; ++picture) {
        const auto file = folder_ / "images" / (std::to_string(unit * batch + picture) + ".png");
        write_file(file, "");
        std::filesystem::last_write_time(file, epoch + std::chrono::microseconds(static_cast<long>(ready)));
      }
    }
    write_file(folder_ / "trace.json", nlohmann::json{{"traceEvents", events}}.dump());
    const nlohmann::json rank{{"peak_memory_bytes", 3 * (std::uint64_t{1} << 30)}};
    write_file(folder_ / "summary.json", nlohmann::json{{"seconds", now / 1e6}, {"ranks", {rank}}}.dump());
  }
  ImageRun run() const { return {.folder = folder_, .warm_up = 1, .forwards = 8, .flops = 7.9e12}; }

  TemporaryFolder temporary_;
  std::filesystem::path folder_ = temporary_.path();
};

Status reading(double seconds, std::uint64_t done, std::vector<std::pair<double, double>> joules_and_mhz) {
  Status status;
  status.state = "running";
  status.seconds = seconds;
  status.done = done;
  status.nodes.resize(1);
  for (const auto& [joules, mhz] : joules_and_mhz) {
    GpuSample gpu;
    gpu.index = static_cast<int>(status.nodes[0].gpus.size());
    gpu.energy_joules = joules;
    gpu.sm_mhz = mhz;
    status.nodes[0].gpus.push_back(gpu);
  }
  return status;
}

}  // namespace

TEST_F(ImageFiguresTest, TakesMediansBehindTheWarmUp) {
  write_run(4, 1);
  const ImageParts parts = image_parts(run());
  EXPECT_EQ(parts.batch, 1);
  EXPECT_NEAR(parts.encode_ms, 5, 1e-9);
  EXPECT_NEAR(parts.forward_ms, 10, 1e-9);
  EXPECT_NEAR(parts.decode_ms, 10, 1e-9);
  EXPECT_NEAR(parts.outside_ms, 3, 1e-9);
  EXPECT_NEAR(parts.percent.value(), 100, 1e-9);
}

TEST_F(ImageFiguresTest, CountsThePicturesOfABatch) {
  write_run(4, 3);
  EXPECT_EQ(image_parts(run()).batch, 3);
  EXPECT_NEAR(image_parts(run()).percent.value(), 300, 1e-9);
  EXPECT_NEAR(image_pace(run(), {}).seconds_an_image, 0.098 / 3, 1e-5);
}

TEST_F(ImageFiguresTest, PacesByTheFilesOnDisk) {
  write_run(5, 1);
  const ImagePace pace = image_pace(run(), {});
  EXPECT_EQ(pace.images, 5);
  EXPECT_NEAR(pace.seconds_an_image, 0.098, 1e-5);
  EXPECT_EQ(pace.peak_gib, 3);
  EXPECT_FALSE(pace.gpu);
}

TEST_F(ImageFiguresTest, SaysWhenAllUnitsAreWarmUp) {
  write_run(2, 1);
  EXPECT_THROW(image_pace(run(), {}), Error) << "the last does not count";
  write_run(1, 1);
  try {
    image_parts(run());
    FAIL();
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("ask for more images"));
  }
}

TEST(GpuUse, IsOfTheGpusThatWorkWhileTheJobIsHot) {
  std::vector<Status> readings{reading(0, 0, {{0, 300}, {0, 300}}), reading(10, 2, {{1000, 1400}, {5, 300}}),
                               reading(20, 4, {{8000, 1500}, {10, 300}}), reading(30, 6, {{15000, 1600}, {15, 300}})};
  const auto one = gpu_use(readings, 2, 1);
  EXPECT_NEAR(one.value().watts, 700, 1e-9);
  EXPECT_NEAR(one.value().sm_mhz, 1500, 1e-9);
  EXPECT_NEAR(gpu_use(readings, 2, 2).value().watts, 700.5, 1e-9);
  EXPECT_FALSE(gpu_use(readings, 6, 1)) << "one reading says nothing of watts";
  EXPECT_FALSE(gpu_use({}, 0, 1));
}

TEST(GpuUse, IsOfThePowerWhereTheCounterIsReadRarely) {
  std::vector<Status> readings;
  for (int i = 0; i <= 10; ++i) {
    Status status = reading(0.2 * i, 4, {{1000, 1500}});
    status.nodes[0].gpus[0].power_watts = i % 2 == 0 ? 690 : 710;
    status.nodes[0].gpus[0].age_seconds["energy"] = 5 + 0.2 * i;
    readings.push_back(status);
  }
  EXPECT_NEAR(gpu_use(readings, 2, 1).value().watts, 700, 1e-9);
}

TEST(ImageTable, LeavesOutWhatWasNotMeasured) {
  ImageRow row;
  row.what = "ours";
  row.width = row.height = 64;
  EXPECT_THAT(to_line(row), HasSubstr("| ours | 1 | 64x64 | 1 | 0.0000 |"));
  EXPECT_THAT(to_line(row), HasSubstr("|  |  |  |  |\n"));
  row.pace.seconds_an_image = 0.5;
  row.pace.gpu = GpuUse{1500, 700};
  EXPECT_THAT(to_line(row), HasSubstr("| 1500 | 700 | 350 |\n"));
}

}  // namespace trireme
