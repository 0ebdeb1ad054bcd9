#include "check/report.h"

#include "base/check.h"

#include <inttypes.h>

static struct segment_name newest_name(const struct recovery *r)
{
    return segment_name(SEGMENT_LOG, r->newest.number);
}

/* ---- JSON ---- */

static void json_manifest(const struct examination *x, struct output *out)
{
    const struct manifest *m = &x->recovery.manifest;
    if (!examine_has_manifest(x)) {
        output_null(out, "manifest");
        return;
    }
    char node_id[32];
    snprintf(node_id, sizeof(node_id), "%016" PRIx64, m->node_id);
    output_open(out, "manifest", '{');
    output_string(out, "node_id", slice_of(node_id));
    output_number(out, "oldest", m->oldest);
    output_number(out, "newest", m->newest);
    output_number(out, "epoch", m->epoch);
    output_number(out, "synced_lsn", m->synced_lsn);
    output_close(out, '}');
}

static void json_log(const struct examination *x, struct output *out)
{
    const struct wal_recovery *p = &x->report;
    output_open(out, "log", '{');
    output_number(out, "segments", p->segments);
    output_number(out, "batches", p->batches);
    output_number(out, "frames", p->frames);
    output_number(out, "bytes", p->bytes);
    output_number(out, "effects", x->effects);
    output_number(out, "first_lsn", x->recovery.first_lsn);
    output_number(out, "last_lsn", p->last_lsn);
    output_number(out, "proven_lsn", x->recovery.proven_lsn);
    output_open(out, "effects_by_kind", '{');
    for (size_t i = 0; i < effect_table_count; i++)
        if (x->effects_of[i] > 0) output_number(out, effect_table[i].name, x->effects_of[i]);
    output_close(out, '}');
    output_close(out, '}');
}

static const char *snapshot_word(const struct snapshot_finding *f)
{
    switch (f->verdict) {
    case SNAPSHOT_OK: return "whole";
    case SNAPSHOT_INVALID: return f->file_size == 0 ? "missing" : "damaged";
    case SNAPSHOT_NEWER: return "newer";
    case SNAPSHOT_UNREADABLE:
    case SNAPSHOT_CANCELLED: break;
    }
    return "unreadable";
}

static void json_snapshots(const struct examination *x, struct output *out)
{
    output_open(out, "snapshots", '[');
    for (size_t i = 0; i < x->snapshots_count; i++) {
        const struct snapshot_finding *f = &x->snapshots[i];
        output_open(out, NULL, '{');
        output_number(out, "number", f->said.number);
        output_number(out, "from_lsn", f->said.from_lsn);
        output_number(out, "last_lsn", f->said.last_lsn);
        output_number(out, "bytes", f->said.bytes);
        output_number(out, "created_ms", (uint64_t)f->said.created_ms);
        output_string(out, "verdict", slice_of(snapshot_word(f)));
        if (f->verdict == SNAPSHOT_OK) output_null(out, "problem");
        else output_string(out, "problem", slice_of(f->problem));
        output_close(out, '}');
    }
    output_close(out, ']');
    if (x->report.snapshot.number == 0) output_null(out, "snapshot_loaded");
    else output_number(out, "snapshot_loaded", x->report.snapshot.number);
}

static void json_torn(const struct examination *x, struct output *out)
{
    const struct recovery *r = &x->recovery;
    if (x->verdict != VERDICT_TORN) {
        output_null(out, "torn");
        return;
    }
    output_open(out, "torn", '{');
    output_string(out, "file", slice_of(newest_name(r).text));
    output_number(out, "offset", r->end_offset);
    output_number(out, "bytes", x->report.torn_bytes);
    output_number(out, "last_lsn_kept", r->last_lsn);
    output_close(out, '}');
}

static void show_json(const struct examination *x, struct output *out)
{
    json_manifest(x, out);
    json_snapshots(x, out);
    json_log(x, out);
    json_torn(x, out);
    if (x->applying) output_number(out, "keys", x->keys);
    if (x->problem[0] != '\0') output_string(out, "problem", slice_of(x->problem));
    else output_null(out, "problem");
    output_string(out, "verdict", slice_of(verdict_name(x->verdict)));
    output_number(out, "exit_status", x->verdict);
}

/* ---- words ---- */

static void show_log(const struct examination *x, struct output *out)
{
    const struct manifest *m = &x->recovery.manifest;
    const struct wal_recovery *p = &x->report;
    output_text(out,
                "manifest: node %016" PRIx64 ", segments %" PRIu64 " to %" PRIu64 ", epoch %" PRIu64
                ", synced up to LSN %" PRIu64 "\n",
                m->node_id, m->oldest, m->newest, m->epoch, m->synced_lsn);
    output_text(out,
                "log: %" PRIu64 " segments, %" PRIu64 " batches, %" PRIu64 " frames, %" PRIu64
                " effects in %" PRIu64 " bytes read%s\n",
                p->segments, p->batches, p->frames, x->effects, p->bytes,
                x->verdict >= VERDICT_CORRUPT ? " before the problem" : "");
    if (x->verdict < VERDICT_CORRUPT)
        output_text(
            out, "LSN: %" PRIu64 " to %" PRIu64 ", on stable storage for certain to %" PRIu64 "\n",
            x->recovery.first_lsn, p->last_lsn, x->recovery.proven_lsn);
    for (size_t i = 0; i < effect_table_count; i++)
        if (x->effects_of[i] > 0)
            output_text(out, "  %-20s %" PRIu64 "\n", effect_table[i].name, x->effects_of[i]);
    if (x->applying) output_text(out, "keys after replay: %" PRIu64 "\n", x->keys);
}

static void show_snapshots(const struct examination *x, struct output *out)
{
    for (size_t i = 0; i < x->snapshots_count; i++) {
        const struct snapshot_finding *f = &x->snapshots[i];
        output_text(out,
                    "snapshot %" PRIu64 ": %" PRIu64 " bytes, exact as of LSN %" PRIu64
                    " to %" PRIu64 ", needs the log from LSN %" PRIu64 ": %s\n",
                    f->said.number, f->said.bytes, f->said.from_lsn - 1, f->said.last_lsn,
                    f->said.from_lsn, f->verdict == SNAPSHOT_OK ? "every hash holds" : f->problem);
    }
}

static void show_verdict(const struct examination *x, struct output *out)
{
    const struct recovery *r = &x->recovery;
    switch (x->verdict) {
    case VERDICT_CLEAN:
        output_text(out, "clean: a start would read all of it and cut nothing\n");
        break;
    case VERDICT_TORN:
        output_text(out,
                    "torn: a start would cut %" PRIu64 " bytes at %s, offset %" PRIu64
                    ", after LSN %" PRIu64 "; nothing acknowledged is in them\n",
                    x->report.torn_bytes, newest_name(r).text, r->end_offset, r->last_lsn);
        break;
    case VERDICT_CORRUPT:
        output_text(out, "corrupt: a start would refuse: %s\n", x->problem);
        break;
    case VERDICT_UNREADABLE: output_text(out, "unreadable: %s\n", x->problem); break;
    }
}

void report_show(const struct examination *x, struct output *out)
{
    if (out->json) {
        show_json(x, out);
        return;
    }
    if (examine_has_manifest(x)) show_log(x, out);
    show_snapshots(x, out);
    show_verdict(x, out);
}

/* ---- why ---- */

static void explain_snapshots(const struct examination *x, struct output *out)
{
    const struct wal_snapshot *s = &x->report.snapshot;
    if (x->snapshots_count == 0)
        output_text(out, "   It names no snapshot: all of the log is read.\n");
    for (size_t i = 0; i < x->snapshots_count; i++) {
        const struct snapshot_finding *f = &x->snapshots[i];
        const char *what = f->said.number == s->number ? "it is loaded"
                           : f->verdict != SNAPSHOT_OK ? "it cannot be used"
                                                       : "it is not needed";
        output_text(out, "   It names snapshot %" PRIu64 " (%s): %s.\n", f->said.number,
                    snapshot_word(f), what);
    }
    if (s->number != 0)
        output_text(out, "   The log is needed from LSN %" PRIu64 " on beside it.\n", s->from_lsn);
}

static void explain_end(const struct examination *x, struct output *out)
{
    const struct recovery *r = &x->recovery;
    output_text(out,
                "3. The end. In %s the batches hold together up to offset %" PRIu64 ", LSN %" PRIu64
                ". The next\n   batch would begin with LSN %" PRIu64
                ". The manifest proves frames up to %" PRIu64
                ", and no block behind proves more\n   than %" PRIu64 ": ",
                newest_name(r).text, r->end_offset, r->last_lsn, r->last_lsn + 1,
                r->manifest.synced_lsn, r->last_lsn);
    if (x->verdict == VERDICT_TORN)
        output_text(
            out,
            "what stands there (%" PRIu64 " bytes) was never on stable storage as a whole,\n"
            "   so 'appendfsync always' never acknowledged it. It is a torn tail, and is cut.\n",
            x->report.torn_bytes);
    else if (r->newest.recycled)
        output_text(out, "there are zeros, or batches of an\n   earlier life of the file. Nothing "
                         "is cut.\n");
    else output_text(out, "there are only zeros. Nothing is cut.\n");
}

/* As recovery_restart decides, for the default segment size. */
static void explain_start(const struct examination *x, struct output *out)
{
    const struct recovery *r = &x->recovery;
    bool superseded = r->end_offset <= x->options.segment_bytes / 2;
    output_text(out, "5. A new segment with epoch %" PRIu64 " would be made, ",
                r->manifest.epoch + 1);
    if (superseded)
        output_text(out, "%s (at most half used) copied into it and then removed.\n",
                    newest_name(r).text);
    else
        output_text(out, "beginning with the frames after LSN %" PRIu64 ", which are copied.\n",
                    r->proven_lsn);
    output_text(out, "   Then the manifest would be switched, and the server would listen.\n");
}

void report_explain(const struct examination *x, struct output *out)
{
    const struct recovery *r = &x->recovery;
    CHECK(!out->json);
    output_text(out, "What a start of the server does here (docs/format/wal.md):\n");
    if (!examine_has_manifest(x)) {
        output_text(out, "1. The manifest cannot be used. A start %s.\n",
                    r->new_directory ? "would make a new log" : "ends here");
        return;
    }
    output_text(out,
                "1. The manifest is valid: the log is segment %" PRIu64 " to segment %" PRIu64
                ", and everything up to\n   LSN %" PRIu64
                " was on stable storage when it was written.\n",
                r->manifest.oldest, r->manifest.newest, r->manifest.synced_lsn);
    explain_snapshots(x, out);
    output_text(out, "2. Forwards: %" PRIu64 " segments were read to their end.\n",
                x->report.segments);
    if (x->verdict >= VERDICT_CORRUPT) {
        output_text(out, "   Then: %s.\n   A start ends here with this message.\n", x->problem);
        return;
    }
    if (r->newest.number == 0) {
        output_text(out, "   The log has no segment yet; a start makes the first one.\n");
        return;
    }
    explain_end(x, out);
    output_text(out, "4. Beyond %s no segment holds anything that was acknowledged.\n",
                newest_name(r).text);
    explain_start(x, out);
}
