#!/usr/bin/env bash
# Starts one throw-away control plane and waits until /readyz; Ctrl-C or TERM stops it.
# The Rust harness does the same with the same flags; this is the version for a person.
#   start.sh DIR [--kcm] [--compaction] [extra kube-apiserver flags ...]
# DIR/kubeconfig (admin), DIR/tokens.csv (user tokens), DIR/audit.log (every call counted).
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
DIR=$(mkdir -p "$1" && cd "$1" && pwd); shift
KCM=no; COMPACTION=no
while [ $# -gt 0 ]; do
  case $1 in --kcm) KCM=yes; shift ;; --compaction) COMPACTION=yes; shift ;; *) break ;; esac
done
asset() { # name -> path: TEST_ASSET_X, then KUBEBUILDER_ASSETS, then envtest's default place
  local variable; variable=TEST_ASSET_$(echo "$1" | tr 'a-z-' 'A-Z_')
  echo "${!variable:-${KUBEBUILDER_ASSETS:-/usr/local/kubebuilder/bin}/$1}"
}
ports() { python3 - <<'PY'
import socket
held = [socket.socket() for _ in range(3)]
for s in held: s.bind(("127.0.0.1", 0))
print(*[s.getsockname()[1] for s in held])
PY
}
read -r ETCD_CLIENT ETCD_PEER API <<<"$(ports)"
cd "$DIR"; umask 077
"$HERE/prepare.sh" "$DIR"

children=()
stop() { # in reverse order, TERM first
  for ((i = ${#children[@]} - 1; i >= 0; i--)); do
    kill -TERM "${children[$i]}" 2>/dev/null || true
    wait "${children[$i]}" 2>/dev/null || true
  done
}
trap stop EXIT; trap 'exit 0' INT TERM

"$(asset etcd)" --data-dir "$DIR/etcd" --unsafe-no-fsync --log-level=warn \
  --listen-client-urls "http://127.0.0.1:$ETCD_CLIENT" --advertise-client-urls "http://127.0.0.1:$ETCD_CLIENT" \
  --listen-peer-urls "http://127.0.0.1:$ETCD_PEER" --initial-advertise-peer-urls "http://127.0.0.1:$ETCD_PEER" \
  --initial-cluster "default=http://127.0.0.1:$ETCD_PEER" > etcd.log 2>&1 &
children+=($!)

# For 410 Gone on demand: no watch cache (a watch goes to etcd itself) and compaction by hand:
#   curl -s http://127.0.0.1:ETCD_CLIENT/v3/kv/compaction -d '{"revision":"N"}'
faults=(); [ "$COMPACTION" = yes ] && faults=(--watch-cache=false --etcd-compaction-interval=0)

"$(asset kube-apiserver)" \
  --etcd-servers="http://127.0.0.1:$ETCD_CLIENT" \
  --bind-address=127.0.0.1 --secure-port="$API" --advertise-address=127.0.0.1 --endpoint-reconciler-type=none \
  --cert-dir="$DIR" --tls-cert-file=server.crt --tls-private-key-file=server.key \
  --client-ca-file=ca.crt --token-auth-file=tokens.csv \
  --authorization-mode=RBAC --allow-privileged=true \
  --service-cluster-ip-range=10.0.0.0/24 --disable-admission-plugins=ServiceAccount \
  --service-account-issuer="https://127.0.0.1:$API" \
  --service-account-key-file=sa.pub --service-account-signing-key-file=sa.key \
  --audit-policy-file=audit.yaml --audit-log-path=audit.log \
  "${faults[@]}" "$@" > apiserver.log 2>&1 &
children+=($!)

cat > kubeconfig <<YAML
apiVersion: v1
kind: Config
current-context: testbed
contexts: [{name: testbed, context: {cluster: testbed, user: admin}}]
clusters: [{name: testbed, cluster: {server: "https://127.0.0.1:$API", certificate-authority: $DIR/ca.crt}}]
users: [{name: admin, user: {token: admin-token}}]
YAML

deadline=$((SECONDS + ${KUBEBUILDER_CONTROLPLANE_START_TIMEOUT:-60}))
until curl -sf --cacert ca.crt -H "Authorization: Bearer admin-token" "https://127.0.0.1:$API/readyz" >/dev/null; do
  for child in "${children[@]}"; do
    kill -0 "$child" 2>/dev/null || { tail -20 etcd.log apiserver.log >&2; exit 1; }
  done
  [ $SECONDS -lt $deadline ] || { echo "start.sh: not ready in time" >&2; tail -20 apiserver.log >&2; exit 1; }
  sleep 0.1
done

if [ "$KCM" = yes ]; then # only for namespace deletion and owner garbage collection
  "$(asset kube-controller-manager)" --kubeconfig=kubeconfig --leader-elect=false --secure-port=0 \
    --controllers=namespace-controller,garbage-collector-controller > kcm.log 2>&1 &
  children+=($!)
fi
echo "ready: export KUBECONFIG=$DIR/kubeconfig   etcd http://127.0.0.1:$ETCD_CLIENT   pids ${children[*]}"
wait -n "${children[@]}"
