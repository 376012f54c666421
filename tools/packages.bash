# Debian packages the commands of this tree need, by purpose, and their installation.
#
# Sourced:   require_packages build test      installs what is missing; at once when nothing is
# Run:       bash tools/packages.bash NAME…   installs these, as root
#
# An entry may name alternatives (a|b): one that is there is enough, the first is what gets installed.

# What `meson setup && ninja` needs.
build_packages=(
  g++ meson ninja-build 'pkgconf|pkg-config'
  'libboost-dev|libboost1.81-dev' libconcurrentqueue-dev libfmt-dev libspdlog-dev
  libcli11-dev libtomlplusplus-dev nlohmann-json3-dev
  libsqlite3-dev libxxhash-dev liburing-dev libsystemd-dev libncurses-dev
  libmicrohttpd-dev
)
# What tools/packaging/build needs beside them.
packaging_packages=(build-essential debhelper)
# What -Dtests=true and the runner need beside them.
test_packages=("${packaging_packages[@]}" catch2 relacy-dev spin python3 python3-yaml e2fsprogs xfsprogs
  systemd libpam-systemd iproute2 jq lintian cmake tmux man-db zsh fish prometheus curl mmdebstrap sqlite3)
# The second compiler, for the build without warnings.
clang_packages=(clang-19 libclang-rt-19-dev)

packages_file=${BASH_SOURCE[0]}
policy_rc_d=/usr/sbin/policy-rc.d
policy_mark='# Written by tools/packages.bash for the time of one installation.'
apt_install=(apt-get install --yes --no-install-recommends --no-upgrade --no-remove)

# missing_packages ENTRY…: prints what is not installed, one a line.
missing_packages() {
  local installed entry name
  installed=$'\n'$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' | sed -n 's/^installed //p')$'\n'
  for entry in "$@"; do
    for name in ${entry//|/ }; do
      [[ $installed == *$'\n'"$name"$'\n'* ]] && continue 2
    done
    echo "${entry%%|*}"
  done
}

# require_packages PURPOSE…: returns 0 once everything for these purposes is installed, else 1.
require_packages() {
  local purpose wanted=() missing as_root=() stopped=0 status=0
  for purpose in "$@"; do
    local -n list="${purpose}_packages"
    wanted+=("${list[@]}")
  done
  mapfile -t missing < <(missing_packages "${wanted[@]}")
  ((${#missing[@]})) || return 0

  echo "Packages missing here: ${missing[*]}"
  if ((EUID != 0)); then
    if sudo -n true 2>/dev/null; then
      as_root=(sudo -n)
    elif [[ -t 0 ]] && command -v sudo >/dev/null; then
      as_root=(sudo)
    else
      echo "Installing them takes root. Run as root:" >&2
      echo "apt-get update && ${apt_install[*]} ${missing[*]}" >&2
      return 1
    fi
  fi
  # A signal waits for dpkg to come to an end: the caller must not be gone before the policy is back.
  trap 'stopped=1' INT TERM HUP
  "${as_root[@]}" bash "$packages_file" "${missing[@]}" || status=1
  trap - INT TERM HUP
  ((stopped == 0 && status == 0))
}

# Puts back what hold_services moved away; also what a run that was killed left behind.
release_services() {
  if [[ -e $policy_rc_d.ringway || -L $policy_rc_d.ringway ]]; then
    mv -fT "$policy_rc_d.ringway" "$policy_rc_d"
  elif grep -qsF "$policy_mark" "$policy_rc_d"; then
    rm -f "$policy_rc_d"
  fi
}

# Until this shell ends no package may start a service: invoke-rc.d obeys the policy's 101.
hold_services() {
  exec {services_lock}<"$(dirname "$policy_rc_d")"
  flock "$services_lock"  # one installation at a time moves the policy
  release_services
  trap release_services EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
  if [[ -e $policy_rc_d || -L $policy_rc_d ]]; then
    mv -T "$policy_rc_d" "$policy_rc_d.ringway"
  fi
  printf '#!/bin/sh\n%s\nexit 101\n' "$policy_mark" >"$policy_rc_d"
  chmod 755 "$policy_rc_d"
}

# Sets `plan`, and `chosen` to what apt-get is to be given, so that installing NAME… upgrades nothing:
# packages of a newer security release often insist on newer versions of what is here, those of the
# plain release do not; else what is to be installed is taken in the very version of what is here.
choose_versions() {
  local upgrades codename
  codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-stable}")
  chosen=("$@") && plan_upgrades_nothing && return
  chosen=("--target-release=$codename" "$@") && plan_upgrades_nothing && return
  match_versions "$@" && plan_upgrades_nothing && return
  if [[ -n ${CI:-} ]]; then  # its machines are made for this, and may lag behind the archive
    chosen=("$@") apt_install=(apt-get install --yes --no-install-recommends --no-remove)
    return
  fi
  echo "Not installed: it would upgrade packages that are here, which is left to you:" >&2
  echo "$upgrades" >&2
  echo "Run as root: apt-get install --only-upgrade $(awk '{printf "%s ", $1}' <<<"$upgrades")" >&2
  return 1
}

# Whether `chosen` can be had as it is; sets `plan`, and `upgrades` to lines "  NAME OLD -> NEW".
plan_upgrades_nothing() {
  plan=$("${apt_install[@]}" --simulate "${chosen[@]}") || return 1
  upgrades=$(sed -nE 's/^Inst (\S+) \[(\S+)\] \((\S+) .*/  \1 \2 -> \3/p' <<<"$plan")
  [[ -z $upgrades ]]
}

# Sets `chosen` to NAME=VERSION where NAME is to be had in the version that one of `upgrades` has here.
match_versions() {
  local name version versions
  mapfile -t versions < <(awk '{print $2}' <<<"$upgrades" | sort -u)
  chosen=()
  for name in "$@"; do
    for version in "${versions[@]}"; do
      [[ -n $(apt-cache show "$name=$version" 2>/dev/null) ]] && name+="=$version" && break
    done
    chosen+=("$name")
  done
}

# install_packages NAME…: as root; upgrades, removes and starts nothing.
install_packages() {
  local plan chosen
  export DEBIAN_FRONTEND=noninteractive
  apt-get -q update || echo "apt-get update failed: trying with the lists that are here" >&2
  choose_versions "$@" || return 1
  echo "To be installed:"
  sed -nE 's/^Inst (\S+) .*/\1/p' <<<"$plan" | LC_ALL=C sort | fmt -w 96 | sed 's/^/  /'
  hold_services
  "${apt_install[@]}" -q -o DPkg::Lock::Timeout=300 "${chosen[@]}" {services_lock}<&-
}

if [[ $packages_file == "$0" ]]; then
  set -euo pipefail
  install_packages "$@"
fi
