# shellcheck shell=bash
# One certificate authority for everything, and a kubeconfig for each client. P-256 keys: they take
# milliseconds to make, where RSA takes seconds.

PKI=$RUN/pki

make_pki() {
  [[ -d $PKI ]] || make_certificates
  write_kubeconfig admin
  write_kubeconfig kube-controller-manager
  write_kubeconfig kube-scheduler
  write_kubeconfig kubelet
  write_kubeconfig kube-proxy
}

make_certificates() {
  local dir=$PKI.partial log=$RUN/logs/pki.log
  rm -rf "$dir"
  mkdir -p "$dir"
  (
    cd "$dir"
    umask 077
    make_authority &&
      make_key sa.key && openssl pkey -in sa.key -pubout -out sa.pub &&
      make_certificate kube-apiserver /CN=kube-apiserver "$(apiserver_names)" &&
      make_certificate kubelet "/O=system:nodes/CN=system:node:$NODE_NAME" "DNS:$NODE_NAME,IP:$NODE_IP" &&
      make_certificate admin /O=system:masters/CN=admin DNS:admin &&
      make_certificate front-proxy /CN=front-proxy DNS:front-proxy &&
      make_certificate kube-controller-manager /CN=system:kube-controller-manager DNS:client &&
      make_certificate kube-scheduler /CN=system:kube-scheduler DNS:client &&
      make_certificate kube-proxy /CN=system:kube-proxy DNS:client
  ) >"$log" 2>&1 || die_with_log pki "$log" "openssl failed"
  mv "$dir" "$PKI"
}

apiserver_names() {
  local names=DNS:localhost,IP:127.0.0.1,IP:$NODE_IP,IP:$API_SERVICE_IP name
  for name in kubernetes kubernetes.default kubernetes.default.svc kubernetes.default.svc.cluster.local; do
    names+=,DNS:$name
  done
  echo "$names"
}

make_key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1"; }

make_authority() {
  make_key ca.key &&
    openssl req -x509 -new -key ca.key -out ca.crt -days 3650 -subj /CN=kubernetes-ca
}

# make_certificate NAME SUBJECT NAMES: NAMES as in subjectAltName.
make_certificate() {
  make_key "$1.key" &&
    openssl req -new -key "$1.key" -subj "$2" -out "$1.csr" &&
    openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 3650 -out "$1.crt" \
      -extfile <(printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth,clientAuth\n' "$3")
}

write_kubeconfig() {
  local user=$1
  [[ -e $RUN/kubeconfig/$user ]] && return
  (umask 077 && write_file "$RUN/kubeconfig/$user") <<E
apiVersion: v1
kind: Config
clusters:
- name: fermata
  cluster:
    server: $API_URL
    certificate-authority-data: $(base64 -w0 "$PKI/ca.crt")
users:
- name: $user
  user:
    client-certificate-data: $(base64 -w0 "$PKI/$user.crt")
    client-key-data: $(base64 -w0 "$PKI/$user.key")
contexts:
- name: fermata
  context: {cluster: fermata, user: $user}
current-context: fermata
E
}
