// trireme: what a person types. One file a subcommand; links neither MPI nor LibTorch, so it works on a login node.

#include <CLI/CLI.hpp>
#include <cstdio>

#include "common/command_output.h"
#include "common/errors.h"
#include "common/files.h"
#include "common/library_versions.h"
#include "launcher/bench_strategies.h"
#include "launcher/doctor.h"
#include "launcher/merge.h"
#include "launcher/plan.h"
#include "launcher/report.h"
#include "launcher/run.h"
#include "launcher/sheet.h"
#include "launcher/slurm.h"
#include "launcher/tokenize.h"
#include "launcher/top.h"
#include "launcher/verify.h"
#include "launcher/worker_path.h"

namespace {

/// The worker knows all libraries; a login node may not be able to start it.
std::string version_text() {
  using namespace trireme;
  try {
    if (auto text = output_of({worker_beside_us(), "--version"}))
      return text->substr(0, text->find_last_not_of('\n') + 1);
  } catch (const Error&) {
  }
  std::string text = std::string("trireme ") + TRIREME_VERSION;
  for (const LibraryVersion& version : common_library_versions()) text += "\n" + to_text(version);
  return text + "\ntrireme-worker does not start here: its libraries are not known";
}

}  // namespace

int main(int argc, char** argv) {
  using namespace trireme;
  fill_standard_streams();
  CLI::App app("Trireme: generative models on many GPUs, one MPI rank a GPU.", "trireme");
  app.set_version_flag("--version", version_text);
  app.require_subcommand(1);
  add_bench(app);
  add_doctor(app);
  add_merge(app);
  add_plan(app);
  add_report(app);
  add_run(app);
  add_sheet(app);
  add_slurm(app);
  add_tokenize(app);
  add_top(app);
  add_verify(app);
  try {
    app.parse(argc, argv);
    return 0;
  } catch (const CLI::RuntimeError& e) {  // a subcommand's exit code
    return e.get_exit_code();
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : static_cast<int>(ExitCode::usage);
  } catch (const Error& e) {
    std::fprintf(stderr, "trireme: %s\n", e.what());
    return static_cast<int>(e.code());
  } catch (const std::exception& e) {
    std::fprintf(stderr, "trireme: %s\n", e.what());
    return static_cast<int>(ExitCode::internal);
  }
}
