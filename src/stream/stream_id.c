/* stream_id.c - arithmetic and text of stream IDs.
 *
 * The text is "milliseconds-sequence", both unsigned decimal numbers of 64 bits. */
#include "stream/stream_id.h"

#include "base/check.h"
#include "base/number.h"

bool stream_id_increment(struct stream_id *id)
{
    if (id->seq == UINT64_MAX && id->ms == UINT64_MAX) return false;
    id->seq++;
    if (id->seq == 0) id->ms++;
    return true;
}

bool stream_id_decrement(struct stream_id *id)
{
    if (id->seq == 0 && id->ms == 0) return false;
    if (id->seq == 0) id->ms--;
    id->seq--;
    return true;
}

bool stream_id_next(struct stream_id last, uint64_t now_ms, struct stream_id *next)
{
    if (now_ms > last.ms) {
        *next = (struct stream_id){now_ms, 0};
        return true;
    }
    if (!stream_id_increment(&last)) return false;
    *next = last;
    return true;
}

bool stream_id_next_in(struct stream_id last, uint64_t ms, struct stream_id *next)
{
    if (ms < last.ms) return false;
    if (ms == last.ms && last.seq == UINT64_MAX) return false;
    *next = (struct stream_id){ms, ms == last.ms ? last.seq + 1 : 0};
    return true;
}

bool stream_id_parse(struct slice text, uint64_t missing_seq, struct stream_id *id)
{
    const char *dash = text.size > 0 ? memchr(text.data, '-', text.size) : NULL;
    struct stream_id parsed = {0, missing_seq};

    if (dash == NULL) {
        if (!number_parse_u64(text, &parsed.ms)) return false;
    } else {
        size_t ms_size = (size_t)(dash - text.data);
        struct slice ms = {text.data, ms_size};
        struct slice seq = {dash + 1, text.size - ms_size - 1};
        if (!number_parse_u64(ms, &parsed.ms)) return false;
        if (!number_parse_u64(seq, &parsed.seq)) return false;
    }
    *id = parsed;
    return true;
}

size_t stream_id_format(struct stream_id id, char text[STREAM_ID_TEXT_MAX])
{
    char number[NUMBER_INTEGER_TEXT_MAX];
    size_t size = number_format_u64(id.ms, number);
    memcpy(text, number, size);
    text[size++] = '-';
    size_t seq_size = number_format_u64(id.seq, number);
    memcpy(text + size, number, seq_size);
    size += seq_size;
    CHECK(size <= STREAM_ID_TEXT_MAX);
    return size;
}
