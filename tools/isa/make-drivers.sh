#!/usr/bin/env bash
# tools/isa/make-drivers.sh FOLDER, as root on Debian or Ubuntu (amd64): makes what `npm run isa -- --drivers FOLDER` needs for GPUs
# of NVIDIA, Intel, Apple and Qualcomm. Mesa's drivers, the libraries under which they open without hardware and all that these need
# come from Debian sid, by the mirror that apt is set up with; of the system nothing is changed, but gcc and patchelf are
# installed. A copy of node then loads all that in the place of the system's own.
set -euo pipefail
[ $# = 1 ] || { sed -n '2,5s/^# //p' "$0"; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
folder=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

echo 'Compiler and headers …'
apt-get update -q >/dev/null
apt-get install -qy --no-install-recommends gcc libc6-dev patchelf >/dev/null
(cd "$work" && apt-get download -qq libdrm-dev 2>/dev/null && dpkg -x libdrm-dev_*.deb headers)

echo "Mesa's drivers from Debian sid …"
mkdir -p "$work"/{state/lists/partial,cache/archives/partial,parts,debs,root}
: >"$work/status"
mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 'Origin: Debian' | grep -v security | head -n 1)
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ${mirror:?no mirror of Debian is set up} sid main" >"$work/sources.list"
cat >"$work/apt.conf" <<END
Dir::State "$work/state"; Dir::State::status "$work/status"; Dir::Cache "$work/cache";
Dir::Etc::sourcelist "$work/sources.list"; Dir::Etc::sourceparts "$work/parts"; Dir::Etc::preferencesparts "$work/parts";
APT::Sandbox::User "root";
END
sid() { APT_CONFIG=$work/apt.conf apt-get "$@"; }
sid update -q >/dev/null
names=$(sid install -y --no-install-recommends --print-uris mesa-vulkan-drivers mesa-drm-shim libvulkan1 |
  sed -n "s/^'.* \([^ _]*\)_.*/\1/p" | grep -vE '^lib(llvm|z3)')
# shellcheck disable=SC2086 # the names are words
(cd "$work/debs" && sid download $names >/dev/null && for deb in *.deb; do dpkg -x "$deb" "$work/root"; done)

echo 'What they need, and a node that loads it …'
libraries=usr/lib/x86_64-linux-gnu
rm -rf "$folder/root"
mkdir -p "$folder/root/$libraries"
cd "$work/root/$libraries"
for name in libvulkan.so.1 libvulkan_{nouveau,asahi,freedreno,intel}.so lib{nouveau,asahi,freedreno}_noop_drm_shim.so \
  ld-linux-x86-64.so.2 lib{dl,pthread,rt,m,c,resolv,nss_files,nss_dns}.so.*; do
  [ -e "$name" ] || continue
  echo "$name"
  ./ld-linux-x86-64.so.2 --library-path . --list "./$name" 2>/dev/null | sed -n 's/.* => \.\/*\([^ ]*\) .*/\1/p'
done | sort -u | while read -r name; do
  [ ! -e "$name" ] || cp --update=none -L "$name" "$folder/root/$libraries/$name" 2>/dev/null || cp -nL "$name" "$folder/root/$libraries/$name"
done
loads=$folder/root/$libraries
cp "$(readlink -f "$(command -v node)")" "$folder/node"
patchelf --set-interpreter "$loads/ld-linux-x86-64.so.2" --force-rpath --set-rpath "$loads" "$folder/node"
gcc -O1 -shared -fPIC -w -I"$work/headers/usr/include/libdrm" -o "$folder/libintelshim.so" "$here/intelShim.c"
"$folder/node" --version >/dev/null
echo "$folder is ready: npm run isa -- --chip hopper --drivers $folder"
