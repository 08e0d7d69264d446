"""Trireme for Spack: copy this folder to REPOSITORY/packages/trireme of a Spack repository."""

from spack.package import *


class Trireme(CMakePackage, CudaPackage):
    """Generative models on many GPUs, one MPI rank a GPU."""

    license("Apache-2.0")
    version("main", branch="main")

    depends_on("cxx", type="build")
    depends_on("cmake@3.25:", type="build")
    depends_on("ninja", type="build")
    depends_on("googletest+gmock", type="build")
    depends_on("openmpi@4.1:")
    depends_on("cuda@13:")
    depends_on("nccl@2.28:")
    depends_on("py-torch@2.11+cuda+nccl")
    depends_on("yaml-cpp")
    depends_on("spdlog")
    depends_on("nlohmann-json")
    depends_on("cli11")
    depends_on("pcre2")
    depends_on("utf8proc")
    depends_on("libpng")
    depends_on("libjpeg-turbo")

    generator("ninja")

    def cmake_args(self):
        torch = self.spec["py-torch"].prefix
        site_packages = join_path(torch, self.spec["python"].package.platlib)
        return [
            self.define("TRIREME_TORCH", join_path(site_packages, "torch")),
            self.define("CMAKE_CUDA_COMPILER", join_path(self.spec["cuda"].prefix.bin, "nvcc")),
            self.define("CMAKE_BUILD_TYPE", "RelWithDebInfo"),
        ]
