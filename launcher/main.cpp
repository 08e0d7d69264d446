// trireme: what a person types. One file a subcommand; links neither MPI nor LibTorch, so it works on a login node.

#include <CLI/CLI.hpp>
#include <cstdio>

#include "common/errors.h"
#include "common/files.h"
#include "launcher/merge.h"
#include "launcher/run.h"
#include "launcher/sheet.h"
#include "launcher/slurm.h"
#include "launcher/tokenize.h"
#include "launcher/verify.h"

int main(int argc, char** argv) {
  using namespace trireme;
  fill_standard_streams();
  CLI::App app("Trireme: generative models on many GPUs, one MPI rank a GPU.", "trireme");
  app.set_version_flag("--version", TRIREME_VERSION);
  app.require_subcommand(1);
  add_merge(app);
  add_run(app);
  add_sheet(app);
  add_slurm(app);
  add_tokenize(app);
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
