#!/usr/bin/env bash
# Debian packages that tests alone use. Installed once, if this is root on a Debian; else those tests are skipped and
# say so. Never a reason to fail, and no service is started.
set -euo pipefail
packages=("$@")

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if ! command -v apt-get >/dev/null || [ "$(id -u)" -ne 0 ]; then
  echo "set-up: tests that need them are skipped, as root: apt-get install --no-install-recommends ${missing[*]}"
  exit 0
fi

# invoke-rc.d asks this program before it starts a service; 101 means no.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod +x "$policy"
  trap 'rm -f "$policy"' EXIT
fi

install() {
  DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "${missing[@]}" >/dev/null 2>&1
}
echo "set-up: ${missing[*]} for the tests"
install || { apt-get update >/dev/null 2>&1 && install; } ||
  echo "set-up: ${missing[*]} cannot be installed here; tests that need them are skipped"
