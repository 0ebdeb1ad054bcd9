#!/bin/sh
# commands_check.sh [SPECIFICATION] - fail if a row of commands.def has no scenario, or contradicts
# the facts of Redis: a table with a line for each command (group, name, since, arity, flags,
# categories, keys, syntax, by tabs). Without such a table only the scenarios are checked.
#
# The preprocessor turns the rows into lines, so that what is compared is what is compiled. A row's
# syntax may be shorter than Redis': its words must stand in the other one in the same order.
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.." || exit 2
specification=${1:-../shared/spec/commands.tsv}

rows() {
    gcc -E -P -x c -Isrc - <<'END'
#define NO_KEYS ""
#define ONE_KEY(index, words) "index " #index " range last=0 step=1 limit=0 (" words ")"
#define KEYS(from, to, by, words) "keys " #from " " #to " " #by " (" words ")"
#define TWO_KEYS(one, two) ONE_KEY(1, one) "; " ONE_KEY(2, two)
#define KEYWORD_KEYS(word, from, words) \
    "keyword " word " from " #from " range last=-1 step=1 limit=2 (" words ")"
#define COUNTED_KEYS(index, by, words) \
    "index " #index " keynum idx=0 first=1 step=" #by " (" words ")"
#define LINE(name, arity, flags, categories, keys, group, since, summary, syntax) \
    ROW name ;; #arity ;; #flags ;; categories ;; keys ;; group ;; since ;; syntax END_OF_ROW
#define COMMAND(name, function, ...) LINE(#name, __VA_ARGS__)
#define CONTAINER(name, ...) LINE(#name, __VA_ARGS__)
#define SUBCOMMAND(parent, id, name, function, ...) LINE(#parent " " name, __VA_ARGS__)
#include "command/commands.def"
END
}

# Adjacent string literals become one, fields are separated by tabs, one row is one line.
flatten() {
    tr '\n' ' ' | sed -e 's/END_OF_ROW/\n/g' | sed -e 's/^ *ROW *//' -e 's/" *"//g' \
        -e 's/ *;; */\t/g' -e 's/"//g' -e 's/\\//g' -e 's/ *$//' | grep .
}

rows | flatten | awk -F '\t' -v specification="$specification" '
function complain(name, what, ours, theirs)
{
    print "commands.def: " name ": " what " is " ours ", but " theirs
    bad = 1
}

# "keys 1 -1 2 (OW update)" as the specification words it: the last key counts from the first.
function keys_text(keys,    part, last)
{
    gsub(/ /, ",", keys)
    if (match(keys, /^keys,/)) {
        split(keys, part, ",")
        last = part[3] < 0 ? part[3] : part[3] - part[2]
        sub(/^keys,[-0-9]+,[-0-9]+,[-0-9]+,/, "", keys)
        return "index " part[2] " range last=" last " step=" part[4] " limit=0 " keys
    }
    return keys
}

function words_of(syntax, list)
{
    gsub(/[^-A-Za-z0-9.:*=~$]+/, " ", syntax)
    return split(syntax, list, " ")
}

function is_shorter(ours, theirs,    a, b, i, j, m, n)
{
    m = words_of(ours, a)
    n = words_of(theirs, b)
    j = 1
    for (i = 1; i <= m; i++) {
        while (j <= n && a[i] != b[j]) j++
        if (j++ > n) return 0
    }
    return 1
}

BEGIN {
    while ((getline line < specification) > 0) {
        n = split(line, field, "\t")
        if (n == 8) facts[field[2]] = line
        known++
    }
    if (!known)
        print "# no " specification ": only the scenarios are checked" > "/dev/stderr"
    while (("cat tests/scenario/*.txt" | getline line) > 0) {
        if (line !~ /^[a-z0-9]*> /) continue
        sub(/^[a-z0-9]*> */, "", line)
        n = split(toupper(line), word, " ")
        shown[word[1]] = 1
        if (n > 1) shown[word[1] " " word[2]] = 1
    }
}
{
    rows++
    name = toupper($1)
    is_container[name] = 0
    if (split(name, word, " ") == 2) is_container[word[1]] = 1
    seen[name] = 1
    if (!known) next
    if (!(name in facts)) { complain(name, "the command", "there", "not in " specification); next }
    split(facts[name], fact, "\t")
    flags = tolower($3)
    gsub(/ *\| */, ",", flags)
    sub(/,not_queued$/, "", flags) # ours: not shown to clients
    if (flags == "0") flags = ""
    keys = $5
    theirs = fact[7]
    gsub(/ /, ",", theirs)
    ours = keys_text(keys)
    gsub(/ /, ",", ours)
    if (fact[1] != $6) complain(name, "group", $6, fact[1])
    if (fact[3] != $7) complain(name, "since", $7, fact[3])
    if (fact[4] != $2) complain(name, "arity", $2, fact[4])
    if (fact[5] != flags) complain(name, "flags", flags, fact[5])
    if (fact[6] != $4) complain(name, "categories", $4, fact[6])
    if (theirs != ours) complain(name, "keys", ours, theirs)
    if (name != "DEBUG" && !is_shorter($8, fact[8])) complain(name, "syntax", $8, fact[8])
}
END {
    for (name in seen) {
        if (is_container[name] && name != "COMMAND") continue
        if (!(name in shown)) {
            print "tests/scenario: no request is " name
            bad = 1
        }
    }
    if (rows < 50) {
        print "commands.def: only " rows + 0 " rows were read"
        bad = 1
    }
    exit bad
}'
