#!/bin/sh
# deps/install.sh - see that what Irmak is built and tested with is there.
#
#   deps/install.sh [--check] GROUP...     GROUP: run, test or tidy
#
# On Debian and its children, as root or with sudo, what is missing is installed with apt by the
# package names below, each with its reason. Elsewhere, without root, or with --check, the missing
# pieces are listed with what to install, and the status is 1. When nothing is missing it prints
# nothing, opens no connection and takes a few hundredths of a second.
#
# A service that comes with a package (redis-server does) is neither started nor enabled: the tests
# want the program only. npm packages are no business of this script: redis-tests/ has its own.
set -u

# group | there when | Debian package | why
#   pkg NAME: known to pkg-config   cmd NAME: a command   py NAME: a module of python3
#   rt NAME: a run-time library of clang
wanted='
run  | cmd gcc         | gcc            | compiles Irmak (C11)
run  | cmd make        | make           | builds Irmak
run  | cmd pkg-config  | pkg-config     | finds the libraries
run  | header stdio.h  | libc6-dev      | the C library to compile against
run  | pkg jemalloc    | libjemalloc-dev | the allocator of the server
run  | pkg libxxhash   | libxxhash-dev  | hashes of keys, checksums of the log
test | pkg cmocka      | libcmocka-dev  | the unit tests are cmocka programs
test | pkg hiredis     | libhiredis-dev | the client of the integration tests
test | cmd redis-cli   | redis-tools    | redis-cli and redis-benchmark must work with Irmak
test | cmd redis-server | redis-server  | the server that Irmak is compared with
test | cmd python3     | python3        | runs the client tests in Python
test | py redis        | python3-redis  | redis-py must work with Irmak
test | cmd node        | nodejs         | ioredis and node-redis must work with Irmak
test | cmd npm         | npm            | installs ioredis and node-redis for the client tests
test | cmd tclsh       | tcl            | runs the test suite of Redis, which is written in Tcl
test | cmd clang-format | clang-format  | the layout of the code is checked with the tests
test | cmd clang       | clang          | compiles the fuzz targets, and all of it in make tidy
test | rt fuzzer       | libclang-rt-dev | libFuzzer and the sanitizers of clang
tidy | cmd clang-tidy  | clang-tidy     | static analysis
tidy | cmd cppcheck    | cppcheck       | static analysis
'

check_only=
if [ "${1:-}" = --check ]; then
    check_only=yes
    shift
fi
for group in "$@"; do
    case $group in
    run | test | tidy) ;;
    *) echo "deps/install.sh: unknown group '$group'; there are run, test and tidy" >&2; exit 2 ;;
    esac
done
[ $# -gt 0 ] || { echo "deps/install.sh: name a group: run, test or tidy" >&2; exit 2; }
groups=" $* "

# Debian's own python3 is the one that python3-redis is for; another may stand before it in PATH.
python_has() {
    for python in /usr/bin/python3 python3; do
        "$python" -c "import importlib.util as u, sys
sys.exit(u.find_spec('$1') is None)" 2>/dev/null && return 0
    done
    return 1
}

is_there() {
    case $1 in
    cmd) command -v "$2" >/dev/null 2>&1 ;;
    pkg) pkg-config --exists "$2" 2>/dev/null ;;
    py) python_has "$2" ;;
    rt) ls "$(clang -print-resource-dir 2>/dev/null)"/lib/*/libclang_rt."$2"* >/dev/null 2>&1 ;;
    header) [ -e "/usr/include/$2" ] || echo "#include <$2>" | cc -E - >/dev/null 2>&1 ;;
    esac
}

missing() {
    echo "$wanted" | while IFS='|' read -r group piece package why; do
        case $groups in *" ${group%% *} "*) ;; *) continue ;; esac
        # shellcheck disable=SC2086  # "cmd gcc" is two words
        is_there $piece || echo "$package|$piece|$why"
    done
}

list=$(missing)
[ -n "$list" ] || exit 0

as_root=
if [ "$(id -u)" -ne 0 ]; then
    as_root=sudo
    sudo -n true 2>/dev/null || as_root=none
fi
if [ -n "$check_only" ] || [ "$as_root" = none ] || ! command -v apt-get >/dev/null 2>&1; then
    {
        echo "Irmak needs what is missing here (package names as in Debian):"
        echo "$list" | while IFS='|' read -r package piece why; do
            printf '  %-16s %s (looked for: %s)\n' $package "${why# }" "$(echo $piece)"
        done
        echo "On Debian or Ubuntu: apt-get install" $(echo "$list" | cut -d'|' -f1)
        echo "or run deps/install.sh$(echo " $groups" | tr -s ' ' | sed 's/ $//') as root."
    } >&2
    exit 1
fi

packages=$(echo $(echo "$list" | cut -d'|' -f1))
echo "Installing with apt what is missing:"
echo "$list" | while IFS='|' read -r package piece why; do
    printf '  %-16s %s\n' $package "${why# }"
done

# Debian starts services on installation unless /usr/sbin/policy-rc.d forbids it. One that is
# already there is the administrator's answer; ours lives only while apt runs.
policy=/usr/sbin/policy-rc.d
remove_policy=
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
    $as_root chmod 755 "$policy"
    remove_policy=yes
fi
leave() {
    [ -z "$remove_policy" ] || $as_root rm -f "$policy"
    remove_policy=
}
trap leave EXIT
trap 'exit 130' INT TERM

apt() { $as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -q "$@" </dev/null; }
apt_log=$(mktemp)
# Old package lists are tried first: a refresh is needed only when they are absent or stale.
if ! apt install -y --no-install-recommends $packages >"$apt_log" 2>&1; then
    if ! { apt update && apt install -y --no-install-recommends $packages; } >"$apt_log" 2>&1; then
        cat "$apt_log" >&2
        echo "deps/install.sh: apt could not install: $packages" >&2
        rm -f "$apt_log"
        exit 1
    fi
fi
rm -f "$apt_log"

case " $packages " in
*" redis-server "*) $as_root update-rc.d redis-server disable >/dev/null 2>&1 || true ;;
esac

list=$(missing)
if [ -n "$list" ]; then
    echo "deps/install.sh: installed, but still not found:" >&2
    echo "$list" | while IFS='|' read -r package piece why; do
        echo "  $(echo $package): $(echo $piece)" >&2
    done
    exit 1
fi
