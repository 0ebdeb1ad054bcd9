#include "wal/scan.h"

#include "base/check.h"

enum scan_open_result scan_open(struct scan *s, struct disk *disk, uint64_t number,
                                uint64_t file_size, enum disk_status *status)
{
    struct segment_name name = segment_name(SEGMENT_LOG, number);
    *s = (struct scan){0};
    *status = segment_reader_open(&s->reader, disk, name.text, file_size);
    if (*status != DISK_OK) return SCAN_OPEN_DISK;
    enum segment_verdict verdict;
    *status = segment_reader_header(&s->reader, &s->header, &verdict);
    if (*status != DISK_OK) {
        segment_reader_close(&s->reader);
        return SCAN_OPEN_DISK;
    }
    if (verdict == SEGMENT_NEWER) return SCAN_OPEN_NEWER;
    if (verdict == SEGMENT_INVALID || s->header.number != number) return SCAN_OPEN_INVALID;
    s->offset = SEGMENT_HEADER_BYTES;
    s->chain_hash = s->header.hash;
    s->expected_lsn = s->header.first_lsn;
    s->synced_lsn = s->header.first_lsn - 1;
    return SCAN_OPEN_OK;
}

void scan_close(struct scan *s)
{
    segment_reader_close(&s->reader);
}

/* Whether the header is the one that must stand at the scan's place. */
static bool header_expected(const struct scan *s, const struct batch_header *h)
{
    uint64_t left = s->reader.size - s->offset;
    return h->offset == s->offset && h->epoch == s->header.epoch &&
           h->first_lsn == s->expected_lsn && h->synced_lsn < h->first_lsn &&
           h->previous_hash == s->chain_hash && h->size >= BATCH_HEADER_BYTES && h->size <= left &&
           h->count <= (h->size - BATCH_HEADER_BYTES) / BATCH_FRAME_HEADER_BYTES &&
           h->count <= UINT64_MAX - h->first_lsn;
}

enum scan_result scan_next(struct scan *s, struct batch_header *h, struct slice *batch,
                           enum disk_status *status)
{
    CHECK(s->reader.file != NULL);
    CHECK(s->offset % DISK_BLOCK_BYTES == 0);
    struct slice block;
    *status = segment_reader_at(&s->reader, s->offset, DISK_BLOCK_BYTES, &block);
    if (*status != DISK_OK) return SCAN_DISK;
    if (block.size < DISK_BLOCK_BYTES) return SCAN_END;
    if (!batch_read_header(block, s->header.salt, h)) return SCAN_END;
    if (!header_expected(s, h)) return SCAN_END;

    uint64_t padded = batch_padded_size(h->size);
    *status = segment_reader_at(&s->reader, s->offset, padded, batch);
    if (*status != DISK_OK) return SCAN_DISK;
    if (batch->size < padded) return SCAN_END;
    if (!batch_whole(*batch, h, s->header.salt)) return SCAN_END;
    if (!batch_frames_ok(*batch, h)) return SCAN_END;

    s->offset += padded;
    s->chain_hash = h->hash;
    s->expected_lsn = batch_last_lsn(h) + 1;
    if (h->synced_lsn > s->synced_lsn) s->synced_lsn = h->synced_lsn;
    return SCAN_BATCH;
}

static bool all_zero(struct slice bytes)
{
    return bytes.data[0] == 0 && memcmp(bytes.data, bytes.data + 1, bytes.size - 1) == 0;
}

/* Whether the block begins with a header that this segment wrote there. Fills *h in any case. */
static bool header_ours(const struct scan *s, uint64_t offset, struct slice block,
                        struct batch_header *h)
{
    bool whole = batch_read_header(block, s->header.salt, h);
    return whole && h->offset == offset && h->epoch == s->header.epoch;
}

/* Where what this segment wrote from the block on ends; 0: nothing says that it wrote there. */
static uint64_t written_end(const struct scan *s, uint64_t offset, const struct batch_header *h,
                            bool ours)
{
    if (!ours && s->header.recycled) {
        /* Damaged: what an earlier life left here has neither this hash nor this LSN. */
        bool next = h->previous_hash == s->chain_hash ||
                    (h->first_lsn == s->expected_lsn && h->epoch == s->header.epoch);
        if (offset != s->offset || !next) return 0;
    }
    uint64_t left = s->reader.size - offset;
    if (!ours || !s->header.recycled || h->size > left) return offset + DISK_BLOCK_BYTES;
    return offset + batch_padded_size(h->size);
}

enum disk_status scan_prove(struct scan *s, lsn_t lsn, struct scan_proof *proof)
{
    *proof = (struct scan_proof){0};
    CHECK(lsn > 0);
    for (uint64_t offset = s->offset; offset < s->reader.size; offset += DISK_BLOCK_BYTES) {
        struct slice block;
        struct batch_header h;
        enum disk_status status = segment_reader_at(&s->reader, offset, DISK_BLOCK_BYTES, &block);
        if (status != DISK_OK) return status;
        if (block.size < DISK_BLOCK_BYTES) break;
        if (all_zero(block)) continue;
        bool ours = header_ours(s, offset, block, &h);
        uint64_t end = written_end(s, offset, &h, ours);
        if (end > proof->torn_end) proof->torn_end = end;
        if (!ours || h.synced_lsn < lsn) continue;
        proof->found = true;
        proof->offset = offset;
        proof->synced_lsn = h.synced_lsn;
        return DISK_OK;
    }
    return DISK_OK;
}
