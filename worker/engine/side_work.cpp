#include "worker/engine/side_work.h"

#include <utility>

namespace trireme {

std::shared_ptr<SideWork::Task> SideWork::add(std::function<void(Slices&)> plan,
                                              std::function<bool(const ItemError&)> again) {
  auto task = std::make_shared<Task>(device_);
  task->plan = std::move(plan);
  task->again = std::move(again);
  tasks_.push_back({task, {}});
  tasks_.back().after.record(device_);
  return task;
}

bool SideWork::progress(std::size_t in_flight, std::chrono::steady_clock::time_point until) {
  bool active = in_flight_.collect();
  const device::StreamGuard guard(stream_);
  while (!tasks_.empty() && in_flight_.size() < in_flight) {
    active = true;
    run_one();
    if (device_.is_cpu() || std::chrono::steady_clock::now() >= until) break;
  }
  return active;
}

void SideWork::run_slice(Task& task, const device::Event& after) {
  try {
    if (!task.planned) {
      after.block_current_stream();
      task.planned = true;
      task.plan(task.slices);
    }
    if (task.next == task.slices.size()) return;
    Slice& slice = task.slices[task.next++];
    task.clock.enter(slice.phase);
    slice.run();
    in_flight_.add();
  } catch (const ItemError& e) {
    if (!task.again || !task.again(e)) throw;
    task.slices.clear();
    task.next = 0;
    task.planned = false;
  }
}

void SideWork::run_one() {
  const std::shared_ptr<Task> task = tasks_.front().task;
  if (const auto failed = failure_of([&] { run_slice(*task, tasks_.front().after); })) {
    task->error = *failed;
    task->next = task->slices.size();
  }
  if (!task->planned || task->next < task->slices.size()) return;
  task->slices.clear();
  task->plan = nullptr;
  task->again = nullptr;
  task->enqueued = true;
  task->clock.end();
  tasks_.pop_front();
}

}  // namespace trireme
