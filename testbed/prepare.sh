#!/usr/bin/env bash
# Writes into DIR what a throw-away control plane starts from: a certificate authority, a certificate of the
# server, keys for tokens of service accounts, tokens of users, a policy of the audit log. Nothing that is there
# is written again. Used by start.sh and by the tests (tests/cluster/plane.rs).
#   prepare.sh DIR
set -euo pipefail
cd "$1"; umask 077

if [ ! -f ca.crt ]; then
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 7 \
    -keyout ca.key -out ca.crt -subj /CN=testbed-ca \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign 2>/dev/null
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
    -keyout server.key -out server.csr -subj /CN=kube-apiserver 2>/dev/null
  openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 7 -out server.crt -extfile <(
    printf '%s\n' 'subjectAltName=IP:127.0.0.1,IP:10.0.0.1,DNS:localhost,DNS:kubernetes.default.svc' \
      'extendedKeyUsage=serverAuth') 2>/dev/null
  openssl genrsa -out sa.key 2048 2>/dev/null
  openssl rsa -in sa.key -pubout -out sa.pub 2>/dev/null
fi
# token, user, id, groups: who may do what is decided by RBAC, but for the group that may do everything.
cat > tokens.csv <<'CSV'
admin-token,admin,1000,"system:masters"
approver-token,approver,1001,"dba"
tenant-token,tenant,1002,"team-a"
stranger-token,stranger,1003
CSV
cat > audit.yaml <<'YAML'
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules: [{level: Metadata}]
YAML
