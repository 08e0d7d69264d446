# LibTorch (from the pinned torch wheel) and the CUDA compiler: found on the machine, or fetched into the user's cache.

readonly TORCH_ENV="$cache/torch-$TORCH_VERSION"
readonly CUDA_ENV="$cache/cuda-$TORCH_CUDA"
readonly CUDA_WHEELS="nvidia-cuda-nvcc nvidia-cuda-crt nvidia-nvvm nvidia-cuda-cccl nvidia-cuda-runtime"

# Folder of the torch package that a python has, when it is the pinned version with CUDA; without importing it.
torch_of() { # python
  "$1" - "$TORCH_VERSION" "$TORCH_CUDA" 2>/dev/null <<'PYTHON'
import importlib.util, os, runpy, sys
spec = importlib.util.find_spec("torch")
folder = os.path.dirname(spec.origin)
version = runpy.run_path(os.path.join(folder, "version.py"))
same = version["__version__"].split("+")[0] == sys.argv[1] and version["cuda"] == sys.argv[2]
if not same or not os.path.exists(os.path.join(folder, "lib", "libtorch_cuda.so")):
    sys.exit(1)
print(folder)
PYTHON
}

# An installed torch of the pinned version is used as it is; else the one in the cache, if it is whole.
find_torch() {
  torch_of python3 || torch_in_cache
}

torch_in_cache() {
  local python="$TORCH_ENV/bin/python"
  [[ -x $python ]] || return 1
  if [[ ! -e $TORCH_ENV/.whole ]]; then
    "$python" -c 'import torch' 2>/dev/null && touch "$TORCH_ENV/.whole" || return 1
  fi
  torch_of "$python"
}

fetch_torch() {
  [[ -x $TORCH_ENV/bin/python ]] || python3 -m venv "$TORCH_ENV"
  mkdir -p "$cache/tmp"
  TMPDIR="$cache/tmp" "$TORCH_ENV/bin/python" -m pip install --no-input --no-cache-dir --disable-pip-version-check \
    --progress-bar off "torch==$TORCH_VERSION" </dev/null
  "$TORCH_ENV/bin/python" -W ignore -c 'import torch' || die 69 "torch $TORCH_VERSION was fetched into $TORCH_ENV but does not load; remove that folder and try again"
  touch "$TORCH_ENV/.whole"
}

nvcc_version() { "$1" --version 2>/dev/null | sed -n 's/.*release \([0-9.]*\),.*/\1/p'; }

# The CUDA compiler: CUDACXX, PATH, CUDA_HOME, the usual folder, then the cache. An older one counts as absent;
# TRIREME_HIDE_NVCC=1 hides all but the one from wheels.
find_nvcc() {
  local nvcc version candidates=()
  if [[ ${TRIREME_HIDE_NVCC:-} != 1 ]]; then
    candidates+=("${CUDACXX:-}" "$(command -v nvcc || true)" "${CUDA_HOME:-/usr/local/cuda}/bin/nvcc" /usr/local/cuda/bin/nvcc)
  fi
  [[ -e $CUDA_ENV/.whole ]] && candidates+=("$CUDA_ENV/nvidia/cu${TORCH_CUDA%.*}/bin/nvcc")
  for nvcc in "${candidates[@]}"; do
    [[ -x $nvcc ]] || continue
    version=$(nvcc_version "$nvcc")
    if [[ -n $version && ${version%.*} == "${TORCH_CUDA%.*}" ]] && at_least "$TORCH_CUDA" "$version"; then
      readlink -f "$nvcc"
      return
    fi
  done
  return 1
}

fetch_nvcc() {
  local wheels=() wheel python="$TORCH_ENV/bin/python"
  [[ -x $python ]] || python=python3
  for wheel in $CUDA_WHEELS; do wheels+=("$wheel==$TORCH_CUDA.*"); done
  mkdir -p "$cache/tmp"
  TMPDIR="$cache/tmp" "$python" -m pip install --no-input --no-cache-dir --disable-pip-version-check --no-deps --upgrade \
    --target "$CUDA_ENV" "${wheels[@]}" </dev/null
  ln -sfn lib "$CUDA_ENV/nvidia/cu${TORCH_CUDA%.*}/lib64"  # where nvcc looks; the wheels have lib only
  touch "$CUDA_ENV/.whole"
}
