#!/usr/bin/env bash
# Starts the compose broker; at its first start formats the storage with the administrator's password.
set -euo pipefail
umask 077  # segments hold what residents say

config=/etc/bdcan/server.properties
if [[ ! -f /var/lib/kafka/data/meta.properties ]]; then
  password=$(cat /run/bdcan/kafka/admin)
  /opt/kafka/bin/kafka-storage.sh format --config "$config" \
    --cluster-id "$(/opt/kafka/bin/kafka-storage.sh random-uuid)" \
    --add-scram "SCRAM-SHA-512=[name=admin,password=$password]"
fi
exec /opt/kafka/bin/kafka-server-start.sh "$config"
