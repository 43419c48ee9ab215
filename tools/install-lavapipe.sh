#!/usr/bin/env bash
# Installs Mesa's software Vulkan driver, lavapipe, on Debian or Ubuntu; as root. Dawn wants Mesa 25 or later, which
# Debian 12 has in its backports.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive

recent() {
  dpkg --compare-versions "$(dpkg-query -W -f '${Version}' mesa-vulkan-drivers 2>/dev/null || true)" ge 25
}

if recent; then exit 0; fi

. /etc/os-release
release=()
if [ "${VERSION_CODENAME:-}" = bookworm ]; then
  release=(-t bookworm-backports)
  if ! grep -rqs bookworm-backports /etc/apt/sources.list /etc/apt/sources.list.d; then
    # The mirror that this system takes Debian from has the backports as well.
    mirror=$(find /etc/apt/sources.list.d \( -name '*.list' -o -name '*.sources' \) -exec cat /etc/apt/sources.list {} + 2>/dev/null |
      awk '/^#/ || /security/ || !/\/debian\/?( |$)/ { next }
           { for (i = 1; i <= NF; i++) if ($i ~ /^https?:/ && found == "") found = $i } END { print found }') || true
    [ -n "$mirror" ] || { echo 'No Debian mirror is named in /etc/apt.' >&2; exit 1; }
    key=/usr/share/keyrings/debian-archive-keyring.gpg
    echo "deb [signed-by=$key] $mirror bookworm-backports main" >/etc/apt/sources.list.d/bookworm-backports.list
  fi
fi
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${release[@]}" mesa-vulkan-drivers libvulkan1

recent || { echo 'This release has no Mesa 25.' >&2; exit 1; }
