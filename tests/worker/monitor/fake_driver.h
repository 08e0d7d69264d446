#pragma once
// The library of fake_nvml.h, opened beside the worker's own handle so that a test can say how its GPUs are.

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "tests/worker/monitor/fake_nvml.h"

namespace trireme::test {

class FakeDriver : public testing::Test {
 protected:
  FakeDriver() : handle_(dlopen(TRIREME_FAKE_NVML, RTLD_NOW)) {
    if (handle_ == nullptr) throw std::runtime_error(dlerror());
    fake_ = reinterpret_cast<FakeNvml* (*)()>(dlsym(handle_, "fake_nvml"))();
    *fake_ = {};
  }
  ~FakeDriver() override { dlclose(handle_); }

  FakeGpu& add_gpu() { return fake_->gpu[fake_->gpus++] = kHealthyGpu; }

  FakeNvml* fake_ = nullptr;

 private:
  void* handle_;
};

}  // namespace trireme::test
