# CUTLASS's headers, for one kernel that only Hopper GPUs run (cmake/Cutlass.cmake): found, or taken from the pinned wheel
# into the user's cache. The build does without where they can't be had.

readonly CUTLASS_VERSION=4.2.0
readonly CUTLASS_ENV="$cache/cutlass-$CUTLASS_VERSION"

# Folder that has include/cutlass.
find_cutlass() {
  local prefix
  while read -r prefix; do
    if [[ -e $prefix/include/cutlass/version.h ]]; then
      say "$prefix"
      return
    fi
  done < <(prefixes; say "$CUTLASS_ENV")
  return 1
}

fetch_cutlass() {
  local new="$CUTLASS_ENV.new" python="$TORCH_ENV/bin/python"
  [[ -x $python ]] || python=python3
  rm -rf "$new"
  mkdir -p "$cache/tmp"
  TMPDIR="$cache/tmp" "$python" -m pip install --no-input --no-cache-dir --disable-pip-version-check --no-deps --quiet \
    --target "$new/wheel" "nvidia-cutlass==$CUTLASS_VERSION.*" </dev/null || return
  mv "$new/wheel/cutlass_library/source/include" "$new"/wheel/nvidia_cutlass-*.dist-info/licenses/LICENSE.txt "$new/" || return
  rm -rf "$new/wheel" "$CUTLASS_ENV"
  mv "$new" "$CUTLASS_ENV"
}
