#!/usr/bin/env bash
# One camera on the line, in shell: line.sh SERIAL [BATCH]
# Needs: bash, curl 7.86 or later, openssl, jq. From the environment: FIRSTLIGHT_API (the API's URL), AWS_REGION, AWS_ACCESS_KEY_ID,
# AWS_SECRET_ACCESS_KEY and, with temporary keys, AWS_SESSION_TOKEN. The keys need the stack's managed policy for factories.
# Leaves SERIAL/private.key, SERIAL/certificate.pem and SERIAL/connection.json. Run again, it gives the same again.
set -euo pipefail

serial=$1
batch=${2:-}
mkdir -p "$serial"

# api PATH: posts the standard input, signed. curl asks again after 429 and 503, when Retry-After says so.
api() {
  local answer status
  answer=$(curl --silent --show-error --retry 8 --retry-connrefused \
    --aws-sigv4 "aws:amz:$AWS_REGION:execute-api" --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" \
    ${AWS_SESSION_TOKEN:+--header "x-amz-security-token: $AWS_SESSION_TOKEN"} \
    --header 'content-type: application/json' --data-binary @- --write-out '\n%{http_code}' "$FIRSTLIGHT_API$1")
  status=${answer##*$'\n'}
  answer=${answer%$'\n'*}
  if ((status >= 300)); then
    echo "line.sh: POST $1: $status $(jq -r '.detail // .message // .' <<<"$answer")" >&2
    return 1
  fi
  printf '%s' "$answer"
}

# The camera's own key. It never leaves this folder: Firstlight sees its public half, and pins it.
if [[ ! -s $serial/private.key ]]; then
  (umask 077 && openssl ecparam -name prime256v1 -genkey -noout -out "$serial/private.key")
fi
pin=$(openssl pkey -in "$serial/private.key" -pubout -outform DER | openssl dgst -sha256 -r | cut -d' ' -f1)

# Announce it. A verdict a row: created, updated, unchanged or rejected.
jq -n --arg serial "$serial" --arg pin "$pin" --arg batch "$batch" \
  '{devices: [{serialNumber: $serial, publicKeySha256: $pin} + if $batch == "" then {} else {batch: $batch} end]}' |
  api /devices | jq -er '.results[0] | if .outcome == "rejected" then error(.problem.detail) else .outcome end' >&2

# Make it: certificate, thing, stream.
openssl req -new -key "$serial/private.key" -subj "/CN=$serial" 2>/dev/null |
  jq -Rs '{certificateSigningRequest: .}' |
  api "/devices/$serial/provision" >"$serial/connection.json"
jq -r .certificatePem "$serial/connection.json" >"$serial/certificate.pem"
jq -r '"\(.serialNumber) streams to \(.connection.streamName)"' "$serial/connection.json"
