#include "common/slurm.h"

#include <gtest/gtest.h>

#include "common/errors.h"

namespace trireme::slurm {

TEST(Slurm, OutsideAJobThereIsNoAllocationAndNoTimeLimit) {
  EXPECT_FALSE(allocation({}).has_value());
  EXPECT_FALSE(seconds_left({}, 0).has_value());
}

TEST(Slurm, AnAllocationSaysNodesTasksAndGpus) {
  const auto found = allocation({{"SLURM_JOB_ID", "7"},
                                 {"SLURM_JOB_NUM_NODES", "2"},
                                 {"SLURM_NTASKS", "8"},
                                 {"SLURM_GPUS_PER_NODE", "h200:4"},
                                 {"SLURM_CPUS_PER_TASK", "6"}});
  ASSERT_TRUE(found);
  EXPECT_EQ(found->job, "7");
  EXPECT_EQ(found->nodes, 2);
  EXPECT_EQ(found->tasks, 8);
  EXPECT_EQ(found->gpus_per_node, 4);
  EXPECT_EQ(found->cpus_per_task, 6);
  EXPECT_FALSE(found->in_step);
}

TEST(Slurm, WhatNobodyAskedForIsZero) {
  const auto found = allocation({{"SLURM_JOB_ID", "7"}, {"SLURM_JOB_NUM_NODES", "2"}});
  EXPECT_EQ(found->tasks, 0);
  EXPECT_EQ(found->gpus_per_node, 0);
  EXPECT_EQ(found->cpus_per_task, 0);
}

TEST(Slurm, ABatchScriptIsNoStepButATaskOfSrunIs) {
  EXPECT_FALSE(allocation({{"SLURM_JOB_ID", "7"}, {"SLURM_STEP_ID", "4294967291"}})->in_step);
  const auto task = allocation({{"SLURM_JOB_ID", "7"}, {"SLURM_STEP_ID", "0"}, {"SLURM_STEP_NUM_TASKS", "4"}});
  EXPECT_TRUE(task->in_step);
  EXPECT_EQ(task->step_tasks, 4);
}

TEST(Slurm, AnArrayTaskKnowsItsPlaceWhateverTheIds) {
  const auto task = [](const char* id, const char* count, const char* min, const char* max, const char* step) {
    return array_task({{"SLURM_ARRAY_TASK_ID", id},
                       {"SLURM_ARRAY_TASK_COUNT", count},
                       {"SLURM_ARRAY_TASK_MIN", min},
                       {"SLURM_ARRAY_TASK_MAX", max},
                       {"SLURM_ARRAY_TASK_STEP", step}});
  };
  EXPECT_EQ(task("2", "4", "0", "3", "1")->index, 2);
  EXPECT_EQ(task("2", "4", "0", "3", "1")->count, 4);
  EXPECT_EQ(task("5", "4", "3", "6", "1")->index, 2);
  EXPECT_EQ(task("20", "3", "10", "30", "10")->index, 1);
  EXPECT_FALSE(task("2", "1", "2", "2", "1").has_value());
  EXPECT_FALSE(array_task({}).has_value());
  EXPECT_THROW(task("3", "3", "1", "7", "1"), ConfigError);
}

TEST(Slurm, TheTimeLeftIsReadAsSqueueWritesIt) {
  EXPECT_EQ(parse_time_left("9:58\n"), 598);
  EXPECT_EQ(parse_time_left("1:00:00\n"), 3600);
  EXPECT_EQ(parse_time_left("2-01:00:01"), 2 * 86'400 + 3601);
  for (const char* none : {"UNLIMITED\n", "NOT_SET", "INVALID", "", "\n", "12", "1:x"}) {
    EXPECT_EQ(parse_time_left(none), std::nullopt) << none;
  }
}

TEST(Slurm, TheEndInTheEnvironmentNeedsNoQuestion) {
  EXPECT_EQ(seconds_left({{"SLURM_JOB_ID", "7"}, {"SLURM_JOB_END_TIME", "1000"}}, 940), 60);
}

}  // namespace trireme::slurm
