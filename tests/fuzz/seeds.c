/* seeds.c - inputs for the targets that read what a server wrote, made of what one did write.
 *
 *   seeds DIRECTORY CONVERSATION...
 *
 * Each file is held as a conversation (conversation.h). The effects of its log go to
 * DIRECTORY/effect_decode, its log to DIRECTORY/log_replay, the items of a snapshot at its end to
 * DIRECTORY/snapshot_load, each as that target reads its input. The directories are there. */
#include "base/memory.h"
#include "conversation.h"
#include "wal/snapshot_format.h"

#include <stdio.h>
#include <stdlib.h>

enum { INPUT_BYTES_MAX = 4096, PATH_BYTES = 512 };

struct seeds {
    struct buf effects;
    struct buf log;
    struct buf snapshot;
};

static bool collect(void *context, lsn_t lsn, struct slice frame)
{
    struct seeds *s = context;
    buf_append(&s->effects, frame);
    if (frame.size > UINT8_MAX) return true;
    buf_append_byte(&s->log, 0); /* a batch that is as it must be, */
    buf_append_byte(&s->log, 1); /* of one frame, */
    buf_append_byte(&s->log, (uint8_t)frame.size);
    buf_append(&s->log, frame);
    return lsn > 0;
}

/* The log is whole unless the conversation has taken snapshots. */
static void collect_log(struct sim_disk *disk, struct seeds *s)
{
    struct wal_options options = {.disk = sim_disk_disk(disk),
                                  .segment_bytes = SEGMENT_BLOCKS * DISK_BLOCK_BYTES,
                                  .random_seed = 1};
    struct wal_recovery report;
    enum wal_open_status status;
    buf_append_byte(&s->log, 0); /* the manifest says nothing of what is synced */
    struct wal *w = wal_open(&options, collect, s, &report, &status);
    if (w != NULL) wal_close(w);
    sim_disk_kill(disk);
}

static void collect_snapshot(struct machine *m, struct sim_disk *disk, struct seeds *s)
{
    uint64_t size;
    struct slice items;
    lsn_t lsn = db_appended_lsn(m->db);
    machine_connect(m, CONVERSATION_LINKS);
    machine_send(m, CONVERSATION_LINKS, "SAVE");
    CHECK(machine_settle(m));
    const char *file = sim_disk_bytes(disk, snapshot_name(1, true).text, &size);
    if (file == NULL || lsn > UINT8_MAX) return;
    buf_append_byte(&s->snapshot, 0);            /* it is cut at its beginning, */
    buf_append_byte(&s->snapshot, (uint8_t)lsn); /* and as of one LSN */
    buf_append_byte(&s->snapshot, (uint8_t)lsn);
    for (uint64_t at = SNAPSHOT_HEADER_BYTES; at < size; at += SNAPSHOT_BLOCK_BYTES)
        if (snapshot_block_items(file + at, &items)) buf_append(&s->snapshot, items);
}

static void save(const char *directory, const char *target, int number, const struct buf *seed)
{
    char path[PATH_BYTES];
    if (seed->size == 0 || seed->size > INPUT_BYTES_MAX) return;
    snprintf(path, sizeof path, "%s/%s/seed-%d", directory, target, number);
    FILE *file = fopen(path, "w");
    if (file == NULL || fwrite(seed->data, 1, seed->size, file) != seed->size ||
        fclose(file) != 0) {
        perror(path);
        exit(1);
    }
}

static void make_seeds(struct slice conversation, struct seeds *s)
{
    struct sim_disk *disk = conversation_disk();
    struct machine m;
    struct wal_recovery recovery;
    enum wal_open_status status;
    struct machine_options options = conversation_options(disk, MACHINE_EPOCH_US);
    CHECK(machine_start(&m, &options, &recovery, &status));
    conversation_hold(&m, conversation);
    machine_die(&m);
    sim_disk_kill(disk);
    collect_log(disk, s);
    CHECK(machine_start(&m, &options, &recovery, &status));
    collect_snapshot(&m, disk, s);
    machine_die(&m);
    sim_disk_destroy(disk);
}

int main(int count, char **arguments)
{
    for (int i = 2; i < count; i++) {
        char text[INPUT_BYTES_MAX];
        struct seeds s = {0};
        FILE *file = fopen(arguments[i], "r");
        if (file == NULL) {
            perror(arguments[i]);
            return 1;
        }
        make_seeds((struct slice){text, fread(text, 1, sizeof text, file)}, &s);
        fclose(file);
        save(arguments[1], "effect_decode", i, &s.effects);
        save(arguments[1], "log_replay", i, &s.log);
        save(arguments[1], "snapshot_load", i, &s.snapshot);
        buf_deinit(&s.effects);
        buf_deinit(&s.log);
        buf_deinit(&s.snapshot);
    }
    return 0;
}
