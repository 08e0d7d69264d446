# Configuring and building a preset with what scripts/setup found.

configure() { # preset
  local folder="$root/build/$1"
  if [[ ! -e $folder/build.ninja ]] || ! cmp -s "$root/build/dependencies.cmake" "$folder/dependencies.used"; then
    (cd "$root" && cmake --preset "$1" --fresh) || return
    cp "$root/build/dependencies.cmake" "$folder/dependencies.used"
  fi
}

build() { # preset, targets… (none: all)
  local preset=$1
  shift
  configure "$preset" && (cd "$root" && cmake --build --preset "$preset" -j "$(jobs)" ${1:+--target "$@"})
}
