#!/bin/sh
# text.sh [ROOT] - fail on what no text of ours may have: tabs, blanks at the end of a line, lines
# of more than 100 columns, a to-do that leads nowhere, a source without its contract, a file named
# after nothing.
cd "${1:-$(dirname "$0")/../..}" || exit 2
bad=0

# complain WHAT - every line of the input is a place where WHAT is true.
complain() {
    found=$(sed "/./s|\$|: $1|")
    [ -z "$found" ] || { printf '%s\n' "$found"; bad=1; }
}

files() {
    find . \( -name .git -o -name build -o -name node_modules \) -prune -o -type f -print |
        sed 's|^\./||' | sort
}
ours=$(files | grep -E '\.(c|h|def|sh|awk|txt|md|conf|py|js|service)$')
code=$(printf '%s\n' "$ours" | grep -E '\.(c|h|def|sh|awk|py|js)$' | grep -v '^tests/tidy/')
# Their output goes through cut, because a line may be long.
places() { xargs -r grep -nHE "$@" /dev/null | cut -d: -f1,2; }
tab=$(printf '\t')

complain "tab" <<END
$(printf '%s\n' "$ours" | places "$tab")
END
complain "blank at the end of the line" <<END
$(printf '%s\n' "$ours" | places '[ '"$tab"']$')
END
complain "longer than 100 columns" <<END
$(printf '%s\n' "$ours" | grep -vE '\.(md|txt|conf)$' | places '.{101}')
END
complain "a to-do names docs/decisions/NNNN or an issue" <<END
$(printf '%s\n' "$code" | xargs -r grep -nHE '\<(TODO|FIXME|XXX|HACK)\>' /dev/null |
    grep -vE 'docs/decisions/[0-9]|issue [0-9]' | cut -d: -f1,2)
END
complain "a file is named after what it holds, not util, common, misc or helper" <<END
$(files | grep -E '(^|[/_.-])(util|common|misc|helper)s?[^/]*$' | grep -vE '^docs/')
END
complain "a source file is named [a-z0-9_]+" <<END
$(find src tests -name '*.[ch]' -o -name '*.def' | grep -vE '/[a-z0-9_]+\.(c|h|def)$')
END
complain "begins with its contract, a comment (or x.c with its header x.h, which has it)" <<END
$(find src \( -name '*.[ch]' -o -name '*.def' \) ! -name '*_test.c' | sort |
    xargs -r awk 'FNR == 1 && !/^\/\*/ { print FILENAME }' |
    while read -r file; do
        header=${file%.c}.h
        [ "$header" != "$file" ] && [ -e "$header" ] || echo "$file"
    done)
END
exit $bad
