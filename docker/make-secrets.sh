#!/bin/sh
# Draws every secret of a new installation into docker/secrets/; leaves those that are there.
set -eu
cd "$(dirname "$0")"
mkdir -p secrets
# The containers read the files as an account of their own, so each must be readable; the directory
# is what keeps others of this host out.
chmod 700 secrets
umask 022

key() { head -c 32 /dev/urandom | base64 | tr '+/' '-_' | tr -d '\n'; }
make() { [ -e "secrets/$1" ] || { printf '%s' "$2" >"secrets/$1"; echo "made secrets/$1"; }; }

make secret_key "$(key)$(key)"
make hoopweb_keys "k1:$(key)"
make token_peppers "p1:$(key)"
make checkpoint_key "$(key)"
make metrics_token "$(key)"
make postgres_password "$(key | tr -d '=')"
make database_url "postgresql://hoopweb:$(cat secrets/postgres_password)@postgres:5432/hoopweb"
make oidc_client_secret ""
make saml_idp_metadata ""
make saml_sp_certificate ""
make saml_sp_key ""
echo "Put the provider's client secret into secrets/oidc_client_secret, or what SAML needs into the"
echo "secrets/saml_ files, and copies of all of these into your secret store: without hoopweb_keys no"
echo "recording can be opened again."
