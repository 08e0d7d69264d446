#include "launcher/slurm.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "common/command_output.h"
#include "common/errors.h"
#include "common/files.h"
#include "common/job.h"
#include "common/slurm.h"
#include "launcher/launch_line.h"
#include "launcher/worker_path.h"

namespace trireme {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kCommentColumn = 40;

/// "#SBATCH --key=value      # why"
std::string option(const std::string& text, const std::string& why = "") {
  std::string line = "#SBATCH --" + text;
  if (!why.empty()) {
    line.resize(std::max(line.size() + 1, kCommentColumn), ' ');
    line += "# " + why;
  }
  return line + "\n";
}

std::string heading(const JobScript& script) {
  const std::string gpus = std::to_string(script.gpus_per_node);
  std::string text = "#!/bin/bash\n# Trireme on ";
  text += script.nodes == 1 ? "one node" : std::to_string(script.nodes) + " nodes";
  text += " with " + gpus + (script.gpus_per_node == 1 ? " GPU" : " GPUs") + (script.nodes == 1 ? "" : " each") +
          ", one rank a GPU";
  if (script.array > 0) text += "; " + std::to_string(script.array) + " such jobs share the input";
  text += ". Written by:\n#   " + script.command + "\n";
  text += "# Submit: sbatch [OPTIONS] THIS_FILE ";
  text += script.job.empty() ? "JOB.yaml [--set a.b=c]\n" : "[--set a.b=c]\n";
  text +=
      "# The same again goes on where an earlier job stopped. A job that is told to stop (by USR1, which Slurm sends\n"
      "# shortly before the time limit) finishes what it has begun and queues itself again; scancel ends it for "
      "good.\n";
  if (script.array > 0) {
    const std::string run = script.directory.empty() ? "OUTPUT_DIRECTORY" : shell_word(script.directory);
    text += "# When all tasks are done: trireme merge " + run + "\n";
  }
  return text;
}

std::string options(const JobScript& script) {
  std::string text = option("job-name=" + script.name);
  if (!script.partition.empty()) text += option("partition=" + script.partition);
  if (!script.account.empty()) text += option("account=" + script.account);
  if (!script.folder.empty()) text += option("chdir=" + script.folder, "the job file's paths begin here");
  text += option("nodes=" + std::to_string(script.nodes));
  text += option("ntasks-per-node=" + std::to_string(script.gpus_per_node),
                 "one rank a GPU; --ntasks alone may fill one node and starve another");
  text += option("gpus-per-node=" + std::to_string(script.gpus_per_node),
                 "not --gpus-per-task: NCCL needs ranks to see each other's GPUs");
  text += option("cpus-per-task=" + std::to_string(script.cpus_per_task), "the loop, the writers, NCCL's threads");
  text += option("time=" + script.time);
  if (script.array > 0) {
    text += option("array=0-" + std::to_string(script.array - 1), "a share of the input each, and a folder each");
  }
  text += option("signal=B:USR1@120", "two to three minutes before the limit");
  text += option("requeue", "also after the failure of a node");
  text += option("open-mode=append", "a second life goes on in the same log");
  text += option(script.array > 0 ? "output=%x-%A_%a.log" : "output=%x-%j.log");
  return text;
}

/// The launcher's words over several lines, with the worker and its arguments at the end.
std::string start(const JobScript& script) {
  const int ranks = script.nodes * script.gpus_per_node;
  std::string text;
  std::vector<std::string> words;
  if (script.srun) {
    text += "export SRUN_CPUS_PER_TASK=$SLURM_CPUS_PER_TASK  # srun does not inherit it since Slurm 22.05\n";
    text += std::string("export SLURM_PMIX_FENCE=${SLURM_PMIX_FENCE:-") + kSrunFence +
            "}  # Slurm's tree lets ranks leave MPI_Init before others are ready\n";
    words = {"srun", "--mpi=pmix", "--kill-on-bad-exit=1", "--wait=30"};
  } else {
    text += "# Open MPI notices a lost node within half a minute instead of hanging.\n";
    for (const auto& [key, value] : keep_alive()) text += "export " + key + "=" + value + "\n";
    words = mpirun_words(script.mpirun, ranks, script.gpus_per_node);
  }
  text += "\ntrap 'kill -USR1 \"$job\"' USR1  # Slurm tells this script only\n";
  for (const std::string& word : words) text += (word == words.front() ? "" : " ") + shell_word(word);
  text += " \\\n  " + shell_word(script.worker) + (script.job.empty() ? "" : " " + shell_word(script.job));
  if (script.array > 0) text += " --shard \"$SLURM_ARRAY_TASK_ID/" + std::to_string(script.array) + "\"";
  return text + " \"$@\" &\n";
}

constexpr const char* kEnd = R"(job=$!
code=138
while ((code == 138)); do  # 128 + USR1: the trap has interrupted the waiting
  wait "$job"
  code=$?
done

# 75: stopped early. The second life waits in the queue for two minutes, then goes on where this one stopped.
if ((code == 75 && ${SLURM_RESTART_COUNT:-0} < 100)); then
  scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
)";

struct SlurmOptions {
  std::string job, launcher = "auto", output;
  JobScript script;
};

std::string command_of(const SlurmOptions& options) {
  const JobScript& script = options.script;
  std::string text = "trireme slurm " + shell_word(options.job) + " --nodes " + std::to_string(script.nodes) +
                     " --gpus-per-node " + std::to_string(script.gpus_per_node);
  if (script.array > 0) text += " --array " + std::to_string(script.array);
  return text;
}

int write_script(SlurmOptions options) {
  JobScript& script = options.script;
  const Job job = load_job(options.job, {});
  script.command = command_of(options);
  script.worker = worker_beside_us();
  script.job = fs::absolute(options.job).lexically_normal().string();
  script.folder = fs::current_path().string();
  script.directory = job.output.directory.string();
  script.name = fs::path(options.job).stem().string();
  // A login node without srun says nothing of the compute nodes.
  script.srun =
      options.launcher == "srun" || (options.launcher == "auto" && (!on_path("srun") || slurm::srun_has_pmix()));
  if (const Machine machine = look_at_machine(); !machine.mpirun.empty()) script.mpirun = machine.mpirun;
  if (options.output.empty()) {
    std::printf("%s", to_text(script).c_str());
  } else {
    write_file(options.output, to_text(script));
    std::fprintf(stderr, "trireme: submit it: sbatch %s\n", options.output.c_str());
  }
  return 0;
}

}  // namespace

std::string to_text(const JobScript& script) { return heading(script) + options(script) + "\n" + start(script) + kEnd; }

void add_slurm(CLI::App& app) {
  auto* command = app.add_subcommand("slurm", "write a Slurm job script for a job file");
  auto options = std::make_shared<SlurmOptions>();
  JobScript& script = options->script;
  command->add_option("job", options->job, "job file")->required();
  command->add_option("--nodes,-N", script.nodes, "nodes")->check(CLI::Range(1, 100'000));
  command->add_option("--gpus-per-node,-G", script.gpus_per_node, "GPUs, and ranks, a node")
      ->check(CLI::Range(1, 1000));
  command->add_option("--cpus-per-task,-c", script.cpus_per_task, "CPU cores a rank")->check(CLI::Range(1, 1000));
  command->add_option("--time,-t", script.time, "time limit, as Slurm takes it: 04:00:00, 1-12:00:00");
  command->add_option("--array,-a", script.array, "jobs that share the input")->check(CLI::Range(1, 10'000));
  command->add_option("--partition,-p", script.partition, "partition");
  command->add_option("--account,-A", script.account, "account");
  command->add_option("--launcher", options->launcher, "srun (with PMIx), mpirun, or auto: what this site has")
      ->check(CLI::IsMember({"auto", "srun", "mpirun"}));
  command->add_option("--output,-o", options->output, "file to write (default: standard output)");
  command->callback([options] {
    const int code = write_script(*options);
    if (code != 0) throw CLI::RuntimeError(code);
  });
}

}  // namespace trireme
