/* Batches, headers, names and the manifest as bytes: what is written is read, and nothing else. */
#include "wal/batch.h"

#include "wal/manifest.h"
#include "wal/segment.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { SALT = 12345 };

static void make_batch(struct buf *b, struct batch_header *h, uint32_t count)
{
    buf_reserve(b, BATCH_HEADER_BYTES);
    buf_advance(b, BATCH_HEADER_BYTES);
    for (uint32_t i = 0; i < count; i++) {
        buf_append_u32(b, i);
        for (uint32_t j = 0; j < i; j++) buf_append_byte(b, (uint8_t)(i + j));
    }
    *h = (struct batch_header){.count = count,
                               .first_lsn = 77,
                               .synced_lsn = 70,
                               .epoch = 3,
                               .offset = 8192,
                               .previous_hash = 99};
    batch_seal(b, h, SALT);
}

/* A sealed batch is whole blocks, its header reads back, its frames are those that went in. */
static void test_round_trip(void **state)
{
    (void)state;
    for (uint32_t count = 0; count < 200; count += 7) {
        struct buf b = {0};
        struct batch_header h, again;
        make_batch(&b, &h, count);
        assert_int_equal(b.size % DISK_BLOCK_BYTES, 0);
        assert_int_equal(b.size, batch_padded_size(h.size));
        assert_true(batch_read_header(buf_slice(&b), SALT, &again));
        assert_memory_equal(&h, &again, sizeof(h));
        assert_int_equal(batch_last_lsn(&again), 76 + count);
        assert_true(batch_whole(buf_slice(&b), &again, SALT));
        assert_true(batch_frames_ok(buf_slice(&b), &again));
        struct reader frames = batch_frames(buf_slice(&b), &again);
        struct slice frame;
        for (uint32_t i = 0; i < count; i++) {
            assert_true(batch_next_frame(&frames, &frame));
            assert_int_equal(frame.size, i);
            if (i > 0) assert_int_equal((uint8_t)frame.data[i - 1], (uint8_t)(2 * i - 1));
        }
        assert_false(batch_next_frame(&frames, &frame));
        buf_deinit(&b);
    }
}

/* Every bit of a batch, padding too, is under the hash; another salt fits nothing. */
static void test_every_bit(void **state)
{
    (void)state;
    struct buf b = {0};
    struct batch_header h, again;
    make_batch(&b, &h, 20);
    assert_false(batch_read_header(buf_slice(&b), SALT + 1, &again));
    for (size_t bit = 0; bit < b.size * 8; bit++) {
        b.data[bit / 8] = (char)(b.data[bit / 8] ^ (1 << bit % 8));
        bool good = batch_read_header(buf_slice(&b), SALT, &again) &&
                    batch_whole(buf_slice(&b), &again, SALT);
        if (good) fail_msg("a flip of bit %zu was not noticed", bit);
        b.data[bit / 8] = (char)(b.data[bit / 8] ^ (1 << bit % 8));
    }
    assert_true(batch_read_header(buf_slice(&b), SALT, &again));
    assert_false(batch_read_header((struct slice){b.data, BATCH_HEADER_BYTES - 1}, SALT, &again));
    buf_deinit(&b);
}

/* A count or a size that the frames do not fit is noticed even under a right hash. */
static void test_frames_that_lie(void **state)
{
    (void)state;
    struct buf b = {0};
    struct batch_header h;
    make_batch(&b, &h, 20);
    h.count = 19;
    assert_false(batch_frames_ok(buf_slice(&b), &h));
    h.count = 21;
    assert_false(batch_frames_ok(buf_slice(&b), &h));
    h.count = 20;
    h.size--;
    assert_false(batch_frames_ok(buf_slice(&b), &h));
    h.size++;
    assert_true(batch_frames_ok(buf_slice(&b), &h));
    memset(b.data + BATCH_HEADER_BYTES, 0xff, 4); /* the first frame's size */
    assert_false(batch_frames_ok(buf_slice(&b), &h));
    buf_deinit(&b);
}

/* Every bit of a segment's header counts, and a later version is told apart from damage. */
static void test_segment_header(void **state)
{
    (void)state;
    char block[SEGMENT_HEADER_BYTES];
    struct segment_header h = {.node_id = 1,
                               .number = 9,
                               .previous_number = 7,
                               .salt = 2,
                               .first_lsn = 55,
                               .epoch = 4,
                               .previous_hash = 6,
                               .recycled = true};
    struct segment_header again;
    segment_write_header(block, &h);
    assert_int_equal(segment_read_header(block, &again), SEGMENT_OK);
    assert_memory_equal(&h, &again, offsetof(struct segment_header, recycled));
    assert_true(again.recycled);
    for (size_t bit = 0; bit < sizeof(block) * 8; bit++) {
        block[bit / 8] = (char)(block[bit / 8] ^ (1 << bit % 8));
        assert_int_equal(segment_read_header(block, &again), SEGMENT_INVALID);
        block[bit / 8] = (char)(block[bit / 8] ^ (1 << bit % 8));
    }
}

static void test_manifest(void **state)
{
    (void)state;
    char block[MANIFEST_BYTES];
    struct manifest m = {.node_id = 1, .oldest = 3, .newest = 9, .epoch = 4, .synced_lsn = 1000};
    struct manifest again;
    manifest_encode(&m, block);
    struct slice bytes = {block, sizeof(block)};
    assert_int_equal(manifest_decode(bytes, &again), MANIFEST_OK);
    assert_int_equal(again.node_id, m.node_id);
    assert_int_equal(again.oldest, m.oldest);
    assert_int_equal(again.newest, m.newest);
    assert_int_equal(again.epoch, m.epoch);
    assert_int_equal(again.synced_lsn, m.synced_lsn);
    assert_int_equal(again.snapshots_count, 0);
    for (size_t bit = 0; bit < sizeof(block) * 8; bit++) {
        block[bit / 8] = (char)(block[bit / 8] ^ (1 << bit % 8));
        assert_int_equal(manifest_decode(bytes, &again), MANIFEST_INVALID);
        block[bit / 8] = (char)(block[bit / 8] ^ (1 << bit % 8));
    }
    bytes.size--;
    assert_int_equal(manifest_decode(bytes, &again), MANIFEST_INVALID);
}

/* Names come back as they were made; others, and parts of ours, are not ours. */
static void test_names(void **state)
{
    (void)state;
    static const uint64_t numbers[] = {0, 1, 42, 9999999999999999u};
    enum segment_kind kind;
    uint64_t number;
    for (int i = 0; i < SEGMENT_KINDS_COUNT; i++) {
        for (size_t j = 0; j < sizeof(numbers) / sizeof(numbers[0]); j++) {
            struct segment_name name = segment_name((enum segment_kind)i, numbers[j]);
            assert_true(segment_parse_name(slice_of(name.text), &kind, &number));
            assert_int_equal(kind, i);
            assert_int_equal(number, numbers[j]);
        }
    }
    static const char *const others[] = {
        "",
        "manifest",
        "log-",
        "log-1",
        "log-00000000000001",
        "log-000000000000000x",
        "lock",
        "log-00000000000000001",
        "Log-0000000000000001",
        "snapshot",
        "spare-0000000000000001.new",
    };
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_false(segment_parse_name(slice_of(others[i]), &kind, &number));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),      cmocka_unit_test(test_every_bit),
        cmocka_unit_test(test_frames_that_lie), cmocka_unit_test(test_segment_header),
        cmocka_unit_test(test_manifest),        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests_name("batch", tests, NULL, NULL);
}
