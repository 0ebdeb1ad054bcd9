# words.awk - calls that words.txt reserves, and macros that hide control flow.
# A call is NAME( that is no member (x->free() and x.time() are ours) and no part of a longer name.
function complain(text) { print FILENAME ":" FNR ": " text; bad = 1 }

# The shell pattern as a regular expression; only * is special.
function pattern(text)
{
    gsub(/\./, "\\.", text)
    gsub(/\*/, "[^/]*", text)
    return "^" text "$"
}

function allowed(word,    i, count, files)
{
    count = split(files_of[word], files, " ")
    for (i = 1; i <= count; i++)
        if (FILENAME ~ pattern(files[i])) return 1
    return 0
}

BEGIN {
    while ((getline row < words_file) > 0) {
        if (row ~ /^#/ || split(row, part, / : /) != 3) continue
        count = split(part[1], names, " ")
        for (i = 1; i <= count; i++) {
            files_of[names[i]] = part[2]
            why[names[i]] = part[3]
        }
    }
}
FNR == 1 { define = 0 }
{
    line = code($0)
    define = (define && continued) || line ~ /^[ \t]*#[ \t]*define/
    continued = line ~ /\\$/
    if (define && FILENAME !~ /_test\.c$/) {
        plain = line
        gsub(/while \(0\)/, "", plain)
        gsub(/[^A-Za-z0-9_]/, " ", plain)
        if (plain ~ /(^| )(return|goto|for|while|break|continue)( |$)/)
            complain("a macro that returns, loops or jumps: write a function")
    }
    if (FILENAME ~ /_test\.c$/) next
    while (match(line, /[A-Za-z_][A-Za-z0-9_]*\(/)) {
        word = substr(line, RSTART, RLENGTH - 1)
        before = RSTART > 1 ? substr(line, RSTART - 1, 1) : ""
        line = substr(line, RSTART + RLENGTH)
        if (word in files_of && before != "." && before != ">" && !allowed(word))
            complain(word "(): " why[word])
    }
}
END { exit bad }
