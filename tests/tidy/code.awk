# code.awk - what of a line of C is code: comments become one blank, what strings and character
# constants say becomes nothing, so a checker cannot be misled by prose.
#
# Load it before a checker (awk -f code.awk -f checker.awk FILE...) and call code($0) once for
# every line, in order: a comment may last several lines.
FNR == 1 { in_comment = 0 }

function code(line,    out, at, end, c)
{
    out = ""
    while (line != "") {
        if (in_comment) {
            end = index(line, "*/")
            if (end == 0) return out
            line = substr(line, end + 2)
            in_comment = 0
            out = out " "
            continue
        }
        at = match(line, /\/\*|\/\/|["']/)
        if (at == 0) return out line
        out = out substr(line, 1, at - 1)
        c = substr(line, at, 1)
        if (substr(line, at, 2) == "//") return out
        if (c == "/") {
            in_comment = 1
            line = substr(line, at + 2)
        } else {
            line = substr(line, at + 1)
            end = quote_end(line, c)
            line = substr(line, end + 1)
            out = out c c
        }
    }
    return out
}

# Where the quote c ends in line, which begins behind the opening one.
function quote_end(line, c,    i, n, d)
{
    n = length(line)
    for (i = 1; i <= n; i++) {
        d = substr(line, i, 1)
        if (d == "\\") i++
        else if (d == c) return i
    }
    return n
}
