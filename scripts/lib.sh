# Sourced by the other scripts: the repository's root, packages, configure and build.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '%s\n' "$*" >&2; }

# install_packages JOB…: makes sure that every Debian package of these jobs (scripts/packages) is there.
# Quick when all are installed; never adds a package source.
install_packages() {
  local jobs="$*" job package state missing=()
  while read -r job package; do
    case " $jobs " in *" $job "*) ;; *) continue ;; esac
    state=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing+=("$package")
  done < <(grep -v '^#' scripts/packages)
  if [ ${#missing[@]} -eq 0 ]; then return; fi
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
      say "These Debian packages are missing and installing them needs root or sudo: ${missing[*]}"
      exit 1
    fi
    as_root=(sudo)
  fi
  say "installing ${missing[*]}"
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
}

# build PRESET TARGET…: configures once, then builds what is out of date.
build() {
  local preset="$1"
  shift
  [ -f "build/$preset/build.ninja" ] || cmake --preset "$preset" >&2
  cmake --build "build/$preset" --parallel "$(nproc)" --target "$@" >&2
}
