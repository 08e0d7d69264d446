from pathlib import Path

from spack_repo.builtin.build_systems.cmake import CMakePackage, generator
from spack_repo.builtin.build_systems.cuda import CudaPackage

from spack.package import *

SOURCE_TREE = Path(__file__).resolve().parents[5]  # this recipe is a part of it


class Trireme(CMakePackage, CudaPackage):
    """Generative models on many GPUs, one MPI rank a GPU. Built from the clone that this recipe lies in."""

    homepage = SOURCE_TREE.as_uri()
    git = SOURCE_TREE.as_uri()

    license("Apache-2.0")
    version("main", branch="main")

    variant(
        "build_type",
        default="RelWithDebInfo",
        values=("Debug", "Release", "RelWithDebInfo", "MinSizeRel"),
        description="RelWithDebInfo is what the tests are run with",
    )
    variant("cuda", default=True, description="Always: there is no build without CUDA")
    requires("+cuda", msg="Trireme is built with CUDA; it runs without a GPU all the same")

    depends_on("c", type="build")
    depends_on("cxx", type="build")
    depends_on("cmake@3.25:", type="build")
    depends_on("googletest+gmock", type="test")
    generator("ninja")

    depends_on("openmpi@4.1:")
    depends_on("cuda@13")
    depends_on("nccl@2.28:")
    depends_on("py-torch@2.11+cuda+cudnn")
    for arch in CudaPackage.cuda_arch_values:
        depends_on(f"py-torch cuda_arch={arch}", when=f"cuda_arch={arch}")
        depends_on(f"nccl cuda_arch={arch}", when=f"cuda_arch={arch}")
    depends_on("yaml-cpp")
    depends_on("spdlog")
    depends_on("nlohmann-json")
    depends_on("cli11")
    depends_on("pcre2")
    depends_on("utf8proc")
    depends_on("libpng")
    depends_on("zlib-api")
    depends_on("libjpeg-turbo")

    conflicts("%gcc@:11", msg="C++20 wants GCC 12 or newer")

    def cmake_args(self):
        # py-torch may be an external: a virtual environment into which pip brought the wheel.
        torch = next(Path(self.spec["py-torch"].prefix).glob("lib*/python3*/site-packages/torch"))
        cuda = self.spec["cuda"].prefix
        arguments = [
            self.define("TRIREME_TORCH", str(torch)),
            self.define("TRIREME_CUDA_LIBRARY", find(cuda, "libcudart.so.13")[0]),
            self.define("TRIREME_NCCL_LIBRARY", self.spec["nccl"].prefix.lib.join("libnccl.so.2")),
            self.define("CMAKE_CUDA_COMPILER", cuda.bin.nvcc),
            self.define("BUILD_TESTING", self.run_tests),
        ]
        if not self.spec.satisfies("cuda_arch=none"):
            arguments.append(self.define("CMAKE_CUDA_ARCHITECTURES", self.spec.variants["cuda_arch"].value))
        return arguments
