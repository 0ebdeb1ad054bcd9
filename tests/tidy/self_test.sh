#!/bin/sh
# self_test.sh fast|all - plant violations in a temporary tree and see every checker find each one:
# in the file where it is, with the words that name it. Before that, a clean tree must pass.
set -u
unset BUILD
here=$(cd "$(dirname "$0")" && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
bad=0

# The clean tree: two rooms that do what is allowed, with traps for a checker that is too eager.
clean() {
    rm -rf "$tree/src" "$tree/tests" "$tree/build"
    mkdir -p "$tree/src/base" "$tree/src/wal" "$tree/src/server" "$tree/tests/tidy"
    cp "$here/layers.txt" "$tree/tests/tidy/"
    cp "$here/../../.clang-format" "$here/../../.clang-tidy" "$tree/"
    cat >"$tree/src/base/good.h" <<'END'
/* good.h - free() in prose is prose, and so is a todo in small letters. */
#ifndef BASE_GOOD_H
#define BASE_GOOD_H

#include <stddef.h>

struct good {
    void (*free)(void *memory);
    const char *text;
};

/* Five parameters, one of them a function of six. */
size_t good_sum(size_t a, size_t b, size_t c, size_t d,
                int (*e)(int, int, int, int, int, int));

#endif
END
    cat >"$tree/src/base/good.c" <<'END'
#include "base/good.h"

/* A comment that opens a brace { and never closes it; malloc(1); */
#define GOOD_PAIR(a, b) \
    do {                \
        (void)(a);      \
        (void)(b);      \
    } while (0)

static const char *const names[] = {"a { b", "malloc(", "// no comment", "\" {"};

size_t good_sum(size_t a, size_t b, size_t c, size_t d,
                int (*e)(int, int, int, int, int, int))
{
    struct good g = {.free = NULL, .text = names[a % 4]};
    if (g.free != NULL) g.free(NULL);
    GOOD_PAIR(a, g);
    return a + b + c + d + (e == NULL ? 0 : (size_t)e(1, 2, 3, 4, 5, 6));
}
END
    cat >"$tree/src/wal/good.c" <<'END'
/* good.c - knows what wal may know. */
#include "base/good.h"

#include <stdlib.h>

size_t wal_good(void);

size_t wal_good(void)
{
    return good_sum(1, 2, 3, 4, NULL);
}
END
    cat >"$tree/src/wal/good_test.c" <<'END'
#include "base/good.h"

#include <stdlib.h>

int main(void)
{
    void *memory = malloc(1);
    free(memory);
    return 0;
}
END
    clang-format -i "$tree"/src/*/*.[ch]
}

# lines N TEXT - the text, N times.
lines() { awk -v n="$1" -v text="$2" 'BEGIN { while (n-- > 0) print text }'; }

# passes CHECKER [ARGUMENT...] - nothing is wrong with the tree.
passes() {
    checker=$1
    shift
    found=$("$here/$checker" "$tree" "$@" 2>&1) || {
        echo "$checker: complains about a clean tree:"
        printf '%s\n' "$found"
        bad=1
    }
}

# finds WHAT CHECKER [ARGUMENT...] - the checker fails and says WHAT (a regular expression).
# The planted file is removed by the clean() that follows.
finds() {
    what=$1 checker=$2
    shift 2
    if found=$("$here/$checker" "$tree" "$@" 2>&1); then
        echo "$checker: did not notice: $what"
        bad=1
    elif ! printf '%s\n' "$found" | grep -qE "$what"; then
        echo "$checker: failed without saying: $what"
        printf '%s\n' "$found"
        bad=1
    fi
    clean
}

# plant FILE - the input becomes a file of the tree.
plant() { mkdir -p "$tree/$(dirname "$1")" && cat >"$tree/$1"; }

clean
for checker in layers sizes words text headers format; do passes $checker.sh; done

echo '#include "wal/wal.h"' | plant src/base/up.c
finds '^src/base/up\.c:1: base/ may not know wal/wal\.h' layers.sh
echo '  #  include "net/net.h"' | plant src/wal/side_test.c
finds '^src/wal/side_test\.c:1: wal/ may not know net' layers.sh
echo '#include "wal/wal.h"' | plant src/base/rows.def
finds '^src/base/rows\.def:1: base/ may not know' layers.sh
echo '#include "../wal/wal.h"' | plant src/base/up.c
finds 'write #include' layers.sh
echo '#include "wal.h"' | plant src/wal/near.c
finds 'write #include' layers.sh
echo '/* */' | plant src/attic/a.c
finds 'room "attic" is not in' layers.sh
echo '/* */' | plant src/wal/deep/a.c
finds 'belongs in src/ROOM/' layers.sh
echo '#include "server/main.h"' | plant src/wal/a.c
finds 'wal/ may not know server' layers.sh

lines 801 '/* */' | plant src/base/long_test.c
finds '^src/base/long_test\.c:801: 801 lines, at most 800' sizes.sh
lines 201 '/* */' | plant src/base/long.h
finds '^src/base/long\.h:201: 201 lines, at most 200' sizes.sh
{ echo 'static int f(void)'; echo '{'; lines 68 '    g();'; echo '}'; } | plant src/base/long.c
finds '^src/base/long\.c:1: f: 71 lines, at most 70' sizes.sh
{ echo 'static int f(void)'; echo '{'; lines 67 '    g();'; echo '}'; } | plant src/base/long.c
passes sizes.sh
printf 'struct slice f(int a, int b,\n        int c, int d, int (*e)(int),\n  int f)\n{\n}\n' |
    plant src/base/wide.c
finds '^src/base/wide\.c:1: f: 6 parameters, at most 5' sizes.sh
printf 'static void f(int a, int b, int c, int d, int e, ...) {}\n' | plant src/base/wide.c
finds 'f: 6 parameters' sizes.sh
printf 'static void f(void)\n{\n#ifdef X\n#endif\n}\n' | plant src/base/if.c
finds '^src/base/if\.c:3: f: #if inside' sizes.sh

for call in 'p = malloc(1);' 'if (x) free(p);' 'n = atoi(s);' 't = time(NULL);' 'r = rand();' \
    'fd = open("a", 0);' 'assert(x);' 'strcpy(a, b);' 'q = strdup(s);' 'recv(1, p, 2, 0);'; do
    printf '/* */\nvoid f(void)\n{\n    %s\n}\n' "$call" | plant src/wal/call.c
    finds '^src/wal/call\.c:4: [a-z]*\(\): ' words.sh
done
printf '/* */\nvoid f(void)\n{\n    x->free(p); y.time(1); my_malloc(2); /* malloc(3) */\n}\n' |
    plant src/wal/call.c
passes words.sh
for macro in 'GET(x) return x' 'EACH(x) for (;;) x' 'LOOP(x) while (x)' 'OUT goto out'; do
    printf '/* */\n#define %s\n' "$macro" | plant src/wal/macro.h
    finds '^src/wal/macro\.h:2: a macro that' words.sh
done
printf '/* */\n#define TWO(x) \\\n    do {          \\\n        return x; \\\n    } while (0)\n' |
    plant src/wal/macro.h
finds '^src/wal/macro\.h:4: a macro that' words.sh

printf '/* */\nint\ta;\n' | plant src/base/a.c
finds '^src/base/a\.c:2: tab' text.sh
printf '/* */\nint a; \n' | plant src/base/a.c
finds '^src/base/a\.c:2: blank at the end' text.sh
printf '/* %0100d */\n' 7 | plant src/base/a.c
finds '^src/base/a\.c:1: longer than 100 columns' text.sh
printf '/* TO%s: later */\n' DO | plant src/base/a.c
finds '^src/base/a\.c:1: a to-do' text.sh
printf '/* FIX%s: see docs/decisions/0003-x.md */\n' ME | plant src/base/a.c
passes text.sh
for name in util.c string_utils.h common.h net_helper.c misc.c; do
    clean
    echo '/* */' | plant "src/base/$name"
    finds "^src/base/$name: a file is named after" text.sh
done
echo '/* */' | plant src/base/Big-File.c
finds 'a source file is named' text.sh
echo 'int a;' | plant src/base/a.h
finds '^src/base/a\.h: begins with its contract' text.sh

compilers=gcc
[ "$1" = fast ] || compilers='gcc clang'
for compiler in $compilers; do
    printf '/* */\nsize_t leans_on_stddef(void);\n' | plant src/base/a.h
    finds "src/base/a\.h: does not compile alone with $compiler" headers.sh "$compiler"
    printf '/* */\nstruct guardless {\n    int a;\n};\n' | plant src/base/a.h
    finds "src/base/a\.h: does not compile alone with $compiler" headers.sh "$compiler"
done

printf 'int f(int a) {\n  return a;\n}\n' | plant src/base/a.c
finds '^src/base/a\.c:.* not laid out' format.sh

if [ "$1" != fast ]; then
    printf '/* */\nint f(void);\nint f(void)\n{\n    int a[2] = {0, 0};\n    return a[2];\n}\n' |
        plant src/base/a.c
    finds '^src/base/a\.c:6: ' cppcheck.sh

    mkdir -p "$tree/build/test/obj/src/base"
    printf 'static const char *const words[] = {"a"};\nint counter;\nstatic int hidden;\n%s\n' \
        'int f(int i); int f(int i) { static int inner; hidden += i; inner += i;
         return counter + inner + hidden + words[i][0]; }' | plant src/base/a.c
    gcc -O2 -c "$tree/src/base/a.c" -o "$tree/build/test/obj/src/base/a.o"
    for name in counter hidden inner; do
        "$here/globals.sh" "$tree" | grep -q "^src/base/a.c: $name is a variable" || {
            echo "globals.sh: did not notice $name"
            bad=1
        }
    done
    if "$here/globals.sh" "$tree" | grep -q words; then
        echo "globals.sh: complains about a constant table"
        bad=1
    fi
    clean

    printf '#include <stdlib.h>\nint f(int n)\n{\n    int *p = NULL;\n    %s\n}\n' \
        'return n ? *p : f(n);' | plant src/base/a.c
    answer=$(cd "$tree" && "$here/analyse.sh" src/base/a.c -Wmissing-prototypes)
    for check in clang-analyzer-core.NullDereference misc-no-recursion \
        clang-diagnostic-missing-prototypes; do
        case $answer in
        *"$check"*) ;;
        *) echo "analyse.sh: did not notice: $check"; bad=1 ;;
        esac
    done
    echo 'int f(int n) { return 0; }' | plant src/base/a_test.c
    (cd "$tree" && "$here/analyse.sh" src/base/a_test.c -Wmissing-prototypes) |
        grep -q 'src/base/a_test.c:1:.*no previous prototype' || {
        echo "analyse.sh: did not notice a warning about a test"
        bad=1
    }
fi
exit $bad
