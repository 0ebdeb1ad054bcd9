/* Fuzz target: a log made of the input, with every hash right, recovered over a disk in memory.
 *
 * Each batch of the input: a byte that says which field of its header is wrong (or none), a byte
 * for the count of frames, a byte for how many bytes follow as its content. So the checks behind
 * the hashes, the frames and the effects in them are reached. What a recovery accepts, the next one
 * accepts too, with the same last LSN.
 * Rooms: base env store string stream wal db */
#include "db/replay.h"
#include "memory_disk.h"
#include "wal/recovery.h"

enum { FILE_BYTES = 32 * 1024, SALT = 77, NODE = 5, OFFSET_MAX = 64 * 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* One field of the header changed, by the low bits of 'how'; most batches are as they must be. */
static void spoil(struct batch_header *h, uint8_t how)
{
    switch (how) {
    case 1: h->first_lsn += 1; break;
    case 2: h->synced_lsn = h->first_lsn - 1; break;
    case 3: h->epoch += 1; break;
    case 4: h->offset += DISK_BLOCK_BYTES; break;
    case 5: h->previous_hash ^= 1; break;
    case 6: h->count = UINT32_MAX; break;
    case 7: h->first_lsn = UINT64_MAX - 1; break;
    default: break;
    }
}

static bool take(struct reader *in, size_t wanted, struct slice *bytes)
{
    size_t size = wanted < in->rest.size ? wanted : in->rest.size;
    *bytes = (struct slice){in->rest.data, size};
    in->rest.data += size;
    in->rest.size -= size;
    return size > 0;
}

/* With the top bit of 'how' the content is the frames as they stand; else it is one frame. */
static void append_batch(struct buf *file, struct batch_header *h, uint8_t how,
                         struct slice content)
{
    struct buf batch = {0};
    memset(buf_reserve(&batch, BATCH_HEADER_BYTES), 0, BATCH_HEADER_BYTES);
    buf_advance(&batch, BATCH_HEADER_BYTES);
    if ((how & 0x80) == 0 && content.size > 0) {
        h->count = 1;
        buf_append_u32(&batch, (uint32_t)content.size);
    }
    buf_append(&batch, content);
    h->offset = file->size;
    spoil(h, how & 0xf);
    batch_seal(&batch, h, SALT);
    buf_append(file, buf_slice(&batch));
    buf_deinit(&batch);
}

static void make_segment(struct memory_disk *d, struct reader *in)
{
    char block[SEGMENT_HEADER_BYTES];
    struct segment_header header = {
        .node_id = NODE, .number = 1, .salt = SALT, .first_lsn = 1, .epoch = 1};
    segment_write_header(block, &header);
    struct buf *file = &memory_create(d, segment_name(SEGMENT_LOG, 1).text)->bytes;
    buf_append(file, (struct slice){block, sizeof block});
    struct batch_header h = {.first_lsn = 1, .epoch = 1, .previous_hash = header.hash};
    uint8_t how, count, content_size;
    struct slice content;
    while (file->size < FILE_BYTES - 2 * DISK_BLOCK_BYTES && read_byte(in, &how) &&
           read_byte(in, &count) && read_byte(in, &content_size)) {
        take(in, content_size, &content);
        h.count = count;
        lsn_t first = h.first_lsn;
        append_batch(file, &h, how, content);
        h = (struct batch_header){.first_lsn = first + (h.count < 256 ? h.count : 1),
                                  .synced_lsn = first - 1,
                                  .epoch = 1,
                                  .previous_hash = h.hash};
    }
    size_t rest = file->size < FILE_BYTES ? FILE_BYTES - file->size : 0;
    memset(buf_reserve(file, rest + 1), 0, rest);
    buf_advance(file, rest);
}

/* As replay_frame, but refuses a SETRANGE that asks for megabytes of zeros: they take seconds. */
static bool replay_modest(void *context, lsn_t lsn, struct slice frame)
{
    const struct replay *r = context;
    struct effect_scratch scratch = {0};
    struct reader in = {frame};
    struct effect e;
    bool modest = true;
    while (modest && in.rest.size > 0 && effect_decode(&e, &in, r->target.store, &scratch))
        modest = e.kind != EFFECT_STRING_SET_RANGE || e.string_set_range.offset <= OFFSET_MAX;
    buf_deinit(&scratch.bytes);
    return modest && replay_frame(context, lsn, frame);
}

static enum wal_open_status open_and_close(struct memory_disk *d, lsn_t *last_lsn)
{
    struct store *store = store_create(value_types, TYPES_COUNT, 1);
    struct effect_target target = {.store = store, .stream_block = {128, 4}};
    struct replay replay;
    replay_init(&replay, &target);
    struct wal_loader loader = replay_loader(&replay);
    struct wal_options options = {
        .disk = &d->disk, .segment_bytes = FILE_BYTES, .random_seed = 9, .loader = &loader};
    struct wal_recovery report;
    enum wal_open_status status;
    struct wal *w = wal_open(&options, replay_modest, &replay, &report, &status);
    CHECK((w != NULL) == (status == WAL_OPEN_OK));
    CHECK((w != NULL) == (report.problem[0] == '\0'));
    if (w != NULL) *last_lsn = wal_appended_lsn(w);
    if (w != NULL) wal_close(w);
    replay_deinit(&replay);
    store_destroy(store);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct memory_disk d;
    struct reader in = {{(const char *)bytes, size}};
    uint8_t synced;
    if (!read_byte(&in, &synced)) return 0;
    memory_disk_init(&d);
    struct manifest m = {
        .node_id = NODE, .oldest = 1, .newest = 1, .epoch = 1, .synced_lsn = synced % 4};
    char block[MANIFEST_BYTES];
    manifest_encode(&m, block);
    buf_append(&memory_create(&d, MANIFEST_NAME)->bytes, (struct slice){block, sizeof block});
    make_segment(&d, &in);
    lsn_t first = 0, second = 0;
    if (open_and_close(&d, &first) == WAL_OPEN_OK) {
        CHECK(open_and_close(&d, &second) == WAL_OPEN_OK);
        CHECK(first == second);
    }
    memory_disk_deinit(&d);
    return 0;
}
