/* irmak-check: looks at a data directory while no server uses it. */
#include "check/arguments.h"
#include "check/listing.h"
#include "check/report.h"
#include "env/disk_os.h"

#include <stdlib.h>

static const char usage[] =
    "Usage: irmak-check DIRECTORY [options]\n"
    "\n"
    "Verifies every hash of the data directory of irmak-server and says what a start would do:\n"
    "nothing, cut a torn tail (file, offset, LSN), or refuse, and why. Nothing is changed, except\n"
    "by --cut-torn-tail. The directory must not be in use by a server; check a copy of one that "
    "is\n"
    "(docs/operations.md, Backup).\n"
    "\n"
    "  --list            every file; of every segment each batch: offset, bytes, LSNs, synced LSN\n"
    "  --dump            every effect in readable form, after its LSN\n"
    "  --from LSN        ... beginning with this one\n"
    "  --to LSN          ... ending with this one\n"
    "  --explain         the steps of a recovery with the figures of this directory\n"
    "  --apply           also rebuild the data in memory, as a start does: takes the time and the\n"
    "                    memory of a start, and finds effects that do not fit their keys\n"
    "  --cut-torn-tail   write zeros over a torn tail, as the only change this program can make;\n"
    "                    a start would cut it by itself\n"
    "  --no-lock         do not take the directory's lock: for a copy on a read-only medium. On a\n"
    "                    directory in use the answer is worth nothing\n"
    "  --json            one JSON object; bytes of names that are not printable ASCII are \\u00XX\n"
    "  -h, --help        this text\n"
    "  -v, --version     the versions of the formats that it reads\n"
    "\n"
    "Exit status:\n"
    "  0  clean: a start would read everything and cut nothing\n"
    "  1  torn: the log ends with a torn tail, in which nothing acknowledged stands\n"
    "  2  corrupt: a start would refuse\n"
    "  3  it could not be read: wrong usage, in use, no log there, newer version, failing disk\n";

static int complain(const struct arguments *a, const char *problem)
{
    if (!a->json) {
        fprintf(stderr, "irmak-check: %s\n", problem);
        return VERDICT_UNREADABLE;
    }
    struct output out = {.file = stdout, .json = true};
    output_open(&out, NULL, '{');
    output_string(&out, "problem", slice_of(problem));
    output_string(&out, "verdict", slice_of(verdict_name(VERDICT_UNREADABLE)));
    output_number(&out, "exit_status", VERDICT_UNREADABLE);
    output_close(&out, '}');
    output_text(&out, "\n");
    output_flush(&out);
    output_deinit(&out);
    return VERDICT_UNREADABLE;
}

/* Examines, shows, and returns the verdict. */
static enum verdict look(const struct arguments *a, struct disk *disk, struct output *out)
{
    struct examination x;
    struct examine_options options = {.disk = disk, .applying = a->apply};
    if (a->dump) options.dump = (struct dump){a->from, a->to, out};
    if (out->json && a->dump) output_open(out, "dump", '[');
    examine(&x, &options);
    if (out->json && a->dump) output_close(out, ']');
    if (a->list && listing_show(&x, out) != DISK_OK) x.verdict = VERDICT_UNREADABLE;
    report_show(&x, out);
    if (a->explain) report_explain(&x, out);
    enum verdict verdict = x.verdict;
    examine_deinit(&x);
    return verdict;
}

/* Under the lock of a server. Examines again: what was seen before may be old. */
static enum verdict cut(const struct arguments *a, struct output *out, char *problem, size_t size)
{
    struct disk *disk = disk_os_open(a->directory, problem, size);
    if (disk == NULL) return VERDICT_UNREADABLE;
    struct examination x;
    examine(&x, &(struct examine_options){.disk = disk});
    enum verdict verdict = x.verdict;
    enum disk_status status = verdict == VERDICT_TORN ? examine_cut(&x) : DISK_OK;
    uint64_t bytes = x.report.torn_bytes;
    examine_deinit(&x);
    if (status != DISK_OK) {
        snprintf(problem, size, "cutting the torn tail: %s", disk_status_text(status));
        verdict = VERDICT_UNREADABLE;
    } else {
        if (verdict == VERDICT_TORN && out->json) output_number(out, "cut_bytes", bytes);
        if (verdict == VERDICT_TORN && !out->json)
            output_text(out, "%llu bytes of torn tail were cut\n", (unsigned long long)bytes);
        verdict = look(a, disk, out);
    }
    disk_os_close(disk);
    return verdict;
}

static int run(const struct arguments *a)
{
    char problem[512] = "";
    struct disk *disk = disk_os_open_existing(a->directory, !a->no_lock, problem, sizeof(problem));
    if (disk == NULL) return complain(a, problem);
    struct output out = {.file = stdout, .json = a->json};
    if (a->json) {
        output_open(&out, NULL, '{');
        output_string(&out, "directory", slice_of(a->directory));
    } else {
        output_text(&out, "directory: %s\n", a->directory);
    }
    enum verdict verdict;
    if (a->cut_torn_tail) {
        disk_os_close(disk);
        verdict = cut(a, &out, problem, sizeof(problem));
    } else {
        verdict = look(a, disk, &out);
        disk_os_close(disk);
    }
    if (problem[0] != '\0') {
        output_deinit(&out);
        return complain(a, problem);
    }
    if (a->json) {
        output_close(&out, '}');
        output_text(&out, "\n");
    }
    output_flush(&out);
    output_deinit(&out);
    return out.failed ? VERDICT_UNREADABLE : (int)verdict;
}

int main(int count, char **words)
{
    struct arguments a;
    struct buf problem = {0};
    bool good = arguments_parse(&a, count - 1, (const char *const *)words + 1, &problem);
    if (!good)
        fprintf(stderr, "irmak-check: %.*s; irmak-check --help says more\n", (int)problem.size,
                problem.data);
    buf_deinit(&problem);
    if (!good) return VERDICT_UNREADABLE;
    if (a.help) fputs(usage, stdout);
    else if (a.version)
        printf("irmak-check: manifest version %d, segment version %d\n", MANIFEST_VERSION,
               SEGMENT_VERSION);
    if (a.help || a.version) return VERDICT_CLEAN;
    return run(&a);
}
