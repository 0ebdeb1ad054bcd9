# sizes.awk - limits of files and functions. Leans on our layout: a function's braces stand alone at
# the left edge, nothing else's do (clang-format sees to it).
#   limits: .c 800 lines, .h 200 lines; function 70 lines from signature to brace, 5 parameters;
#   no #if inside a function. In *_test.c only the length of the file.
function complain(file, line, text) { print file ":" line ": " text; bad = 1 }

function file_end(    max)
{
    if (file == "") return
    max = file ~ /\.h$/ ? 200 : 800
    if (lines > max) complain(file, lines, lines " lines, at most " max)
    if (body) complain(file, body, "a function that does not end")
}

# Parameters of the signature; sets name. Walks from the first parenthesis of the list to its match.
function parameters(text,    i, c, depth, count)
{
    gsub(/__attribute__ *\(\([^()]*(\([^()]*\))?[^()]*\)\)/, "", text)
    match(text, /[A-Za-z_][A-Za-z_0-9]* *\(/)
    name = substr(text, RSTART, RLENGTH - 1)
    text = substr(text, RSTART + RLENGTH)
    if (text ~ /^ *(void)? *\)/) return 0
    count = 1
    depth = 1
    for (i = 1; i <= length(text) && depth > 0; i++) {
        c = substr(text, i, 1)
        if (c == "(") depth++
        else if (c == ")") depth--
        else if (c == "," && depth == 1) count++
    }
    return count
}

function signature_check()
{
    count = parameters(signature)
    if (count > 5) complain(file, start, name ": " count " parameters, at most 5")
}

FNR == 1 {
    file_end()
    file = FILENAME
    is_test = file ~ /_test\.c$/
    body = 0
    directive = 0
    signature = ""
}
{
    lines = FNR
    line = code($0)
    if (is_test) next
    if (body) {
        if (line ~ /^[ \t]*#[ \t]*(if|el|endif)/)
            complain(file, FNR, name ": #if inside a function")
        if (line ~ /^}[ \t]*$/) {
            if (FNR - start + 1 > 70)
                complain(file, start, name ": " FNR - start + 1 " lines, at most 70")
            body = 0
            signature = ""
        }
        next
    }
    if (line ~ /^{[ \t]*$/) {
        body = FNR
        signature_check()
        next
    }
    if (line ~ /^[A-Za-z_].*\) *\{ *\}$/ || (signature != "" && line ~ /\) *\{ *\}$/)) {
        if (signature == "") start = FNR
        signature = signature " " line
        signature_check()
        signature = ""
        next
    }
    ends = directive || line ~ /^[ \t]*#/ || line ~ /^[ \t]*$/ || line ~ /;[ \t]*$/
    directive = (directive || line ~ /^[ \t]*#/) && line ~ /\\$/
    if (ends) {
        signature = ""
    } else {
        if (signature == "") start = FNR
        signature = signature " " line
    }
}
END {
    file_end()
    exit bad
}
