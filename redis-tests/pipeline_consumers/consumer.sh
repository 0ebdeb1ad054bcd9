#!/bin/bash
# A consumer with redis-cli, a process for each command; what it does is told in consumer.py.
# The fields `number` and `package` come before the paragraph, so --json is not needed: an ID
# line is followed by `number` and its value. Two fields are enough, so XRANGE is not asked.
set -u
count=16
idle_ms=1000
block_ms=200

note() { printf '%s\n' "$CONSUMER $*" >>"$JOURNAL"; }
cli() { redis-cli -e -p "$IRMAK_PORT" "$@" 2>&1; }

# Reads a reply of entries on standard input; fills `ids`, notes each delivery. Quoted output
# (--no-raw would number it) is not needed: a paragraph never has a line that is only an ID.
take_entries() {
    local line id=""
    ids=()
    while IFS= read -r line; do
        if [[ $line =~ ^[0-9]+-[0-9]+$ ]]; then
            id=$line
        elif [[ $id && $line == number ]]; then
            IFS= read -r line
            ids+=("$id")
            note "deliver $id $line"
            id=""
        else
            id=""
        fi
    done
}

acknowledge() {
    local id answer
    for id in "${ids[@]}"; do
        note "acking $id"
        answer=$(cli XACK "$STREAM" "$GROUP" "$id") || return 1
        [[ $answer =~ ^[01]$ ]] || return 1
        note "acked $id $answer"
    done
}

ask() {
    local reply
    note ask
    reply=$(cli "$@") || { echo "again after: ${reply:0:200}"; return 1; }
    take_entries <<<"$reply"
    acknowledge
}

# Pending entries of its own come first, until there are none: so after each start or lost answer.
consume() {
    while :; do
        ask XREADGROUP GROUP "$GROUP" "$CONSUMER" COUNT $count STREAMS "$STREAM" 0 || return 1
        [ ${#ids[@]} -eq 0 ] && break
    done
    while [ ! -e "$STOP_FILE" ]; do
        ask XREADGROUP GROUP "$GROUP" "$CONSUMER" COUNT $count BLOCK $block_ms \
            STREAMS "$STREAM" '>' || return 1
        ask XAUTOCLAIM "$STREAM" "$GROUP" "$CONSUMER" $idle_ms 0-0 COUNT $count || return 1
    done
}

while [ ! -e "$STOP_FILE" ]; do
    consume || sleep 0.05
done
