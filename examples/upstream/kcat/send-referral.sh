#!/usr/bin/env bash
# Sends one request to BD CAN Plus and waits for its receipt: ./send-referral.sh [REFERENCE]
# ./send-referral.sh amend REFERENCE and ./send-referral.sh withdraw REFERENCE change what was sent under that reference.
# It ends with 0 when the request was accepted, with 1 when it was refused, with 2 when no receipt came in time.
# It needs kcat with librdkafka 2.6.1 or newer (kcat -V says which), and jq.
set -euo pipefail

verb=submit
if [[ ${1:-} == submit || ${1:-} == amend || ${1:-} == withdraw ]]; then verb=$1 && shift; fi
reference=${1:-kcat-$(date +%s)}
source=$BDCAN_SOURCE
wait_seconds=${BDCAN_WAIT_SECONDS:-60}
id=$(cat /proc/sys/kernel/random/uuid 2> /dev/null || uuidgen)

# kcat reads this file; a password on the command line could be read by every user of the machine
settings=$(mktemp)
receipts=$(mktemp)
trap 'rm -f "$settings" "$receipts"' EXIT
if [[ -n ${BDCAN_PASSWORD_FILE:-} ]]; then BDCAN_PASSWORD=$(< "$BDCAN_PASSWORD_FILE"); fi
cat > "$settings" << END
bootstrap.servers=$BDCAN_BOOTSTRAP
security.protocol=${BDCAN_PROTOCOL:-SASL_SSL}
sasl.mechanism=SCRAM-SHA-512
sasl.username=$BDCAN_USER
sasl.password=$BDCAN_PASSWORD
END
# where no public authority signed the broker's certificate
if [[ -n ${BDCAN_CA_FILE:-} ]]; then echo "ssl.ca.location=$BDCAN_CA_FILE" >> "$settings"; fi

# an amendment carries what changes, and nothing else
case $verb in
  submit) type=submitted said='{channel: "gp", person: {name: "Amina Example", phone: "07700 900417", postcode: "RM10 8XX"},
    needs: ["food-parcel", "prescription"]}' ;;
  amend) type=amended said='{person: {phone: "07700 900418"}, notes: "Ring after ten."}' ;;
  withdraw) type=withdrawn said='{reason: "no-longer-needed"}' ;;
esac
body=$(jq --compact-output --null-input --arg source "$source" --arg reference "$reference" \
  "{source: \$source, reference: \$reference} + $said")

# send the same again, under the same id, where you are not sure that it arrived
printf '%s' "$body" | kcat -q -F "$settings" -P -t "$BDCAN_INBOUND_TOPIC" -k "$source:$reference" \
  -X enable.idempotence=true -X acks=all \
  -H "content-type=application/json" -H "ce_specversion=1.0" -H "ce_id=$id" -H "ce_source=$source" \
  -H "ce_type=bdcan.intake.inbound-referral.$type.v1" -H "ce_subject=$source:$reference" \
  -H "ce_time=$(date -u +%Y-%m-%dT%H:%M:%SZ)"
echo "sent $source:$reference with the id $id"

# the group remembers what it has read, so the next run goes on from there; a receipt that comes twice says the same twice
# -u prints each receipt at once; kcat commits what it has printed every five seconds and when it ends
coproc reader { exec timeout "$wait_seconds" kcat -q -F "$settings" -u -G "$BDCAN_GROUP" \
  -X auto.offset.reset=earliest -f '%h\t%s\n' "$BDCAN_RECEIPTS_TOPIC" 2>> "$receipts"; }
# shellcheck disable=SC2154 # coproc sets the variables
while IFS=$'\t' read -r headers value <&"${reader[0]}"; do
  case $headers in
    *ce_type=bdcan.intake.inbound-referral.accepted.v1*) kind=accepted ;;
    *ce_type=bdcan.intake.inbound-referral.refused.v1*) kind=refused ;;
    *) continue ;;
  esac
  # a receipt quotes the record that it answers
  mine=$(jq --arg id "$id" '.record.id == $id' <<< "$value")
  [[ $mine == true ]] || continue
  kill "$reader_PID"
  if [[ $kind == accepted ]]; then
    jq --raw-output --arg verb "$verb" '"accepted as referral \(.referral_id) " +
      (if .duplicate then "(a duplicate)" else "(\($verb): it is \(.state))" end)' <<< "$value"
    exit 0
  fi
  echo "refused:"
  jq --raw-output '.problems[] | "  " + (if .field == "" then "the record" else .field end) + ": \(.message) (\(.code))"' \
    <<< "$value"
  exit 1
done
cat "$receipts" >&2
echo "no receipt within $wait_seconds seconds: send the same event again, under the same id"
exit 2
