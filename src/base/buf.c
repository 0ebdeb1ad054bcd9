#include "base/buf.h"

#include "base/check.h"
#include "base/memory.h"

#include <stdarg.h>
#include <stdio.h>

enum { BUF_FIRST_BYTES = 64 };

void buf_deinit(struct buf *b)
{
    memory_free(b->data, b->capacity);
    *b = (struct buf){0};
}

static void grow(struct buf *b, size_t needed)
{
    size_t capacity = b->capacity < BUF_FIRST_BYTES ? BUF_FIRST_BYTES : b->capacity;
    /* Doubling overflows only beyond any size that a limit admits; the CHECK proves it. */
    while (capacity < needed) {
        CHECK(capacity <= SIZE_MAX / 2);
        capacity *= 2;
    }
    b->data = memory_resize(b->data, b->capacity, capacity);
    b->capacity = capacity;
}

char *buf_reserve(struct buf *b, size_t size)
{
    CHECK(b->size <= b->capacity);
    CHECK(size <= SIZE_MAX / 2 - b->size);
    if (b->capacity - b->size < size || b->data == NULL) grow(b, b->size + size);
    return b->data + b->size;
}

void buf_advance(struct buf *b, size_t size)
{
    CHECK(size <= b->capacity - b->size);
    b->size += size;
}

void buf_append(struct buf *b, struct slice bytes)
{
    if (bytes.size == 0) return;
    memcpy(buf_reserve(b, bytes.size), bytes.data, bytes.size);
    b->size += bytes.size;
}

void buf_append_byte(struct buf *b, uint8_t value)
{
    *buf_reserve(b, 1) = (char)value;
    b->size++;
}

static void append_little_endian(struct buf *b, uint64_t value, size_t size)
{
    char *out = buf_reserve(b, size);
    for (size_t i = 0; i < size; i++) out[i] = (char)(uint8_t)(value >> (8 * i));
    b->size += size;
}

void buf_append_u32(struct buf *b, uint32_t value)
{
    append_little_endian(b, value, 4);
}

void buf_append_u64(struct buf *b, uint64_t value)
{
    append_little_endian(b, value, 8);
}

void buf_append_varint(struct buf *b, uint64_t value)
{
    char *out = buf_reserve(b, VARINT_BYTES_MAX);
    size_t size = 0;
    while (value >= 0x80) {
        out[size++] = (char)(uint8_t)(value | 0x80);
        value >>= 7;
    }
    out[size++] = (char)(uint8_t)value;
    b->size += size;
}

void buf_append_zigzag(struct buf *b, int64_t value)
{
    buf_append_varint(b, ((uint64_t)value << 1) ^ (value < 0 ? UINT64_MAX : 0));
}

void buf_append_bytes(struct buf *b, struct slice bytes)
{
    buf_append_varint(b, bytes.size);
    buf_append(b, bytes);
}

void buf_append_text(struct buf *b, const char *text)
{
    buf_append(b, slice_of(text));
}

void buf_append_format(struct buf *b, const char *format, ...)
{
    va_list list, again;
    va_start(list, format);
    va_copy(again, list);
    size_t room = b->capacity - b->size;
    int size = vsnprintf(room > 0 ? b->data + b->size : NULL, room, format, list);
    CHECK(size >= 0);
    if ((size_t)size >= room)
        vsnprintf(buf_reserve(b, (size_t)size + 1), (size_t)size + 1, format, again);
    b->size += (size_t)size;
    va_end(again);
    va_end(list);
}

void buf_consume(struct buf *b, size_t size)
{
    CHECK(size <= b->size);
    if (size == 0) return;
    memmove(b->data, b->data + size, b->size - size);
    b->size -= size;
}

static void skip(struct reader *r, size_t size)
{
    r->rest.data += size;
    r->rest.size -= size;
}

bool read_byte(struct reader *r, uint8_t *value)
{
    if (r->rest.size < 1) return false;
    *value = (uint8_t)r->rest.data[0];
    skip(r, 1);
    return true;
}

static bool read_little_endian(struct reader *r, uint64_t *value, size_t size)
{
    if (r->rest.size < size) return false;
    *value = 0;
    for (size_t i = 0; i < size; i++) *value |= (uint64_t)(uint8_t)r->rest.data[i] << (8 * i);
    skip(r, size);
    return true;
}

bool read_u32(struct reader *r, uint32_t *value)
{
    uint64_t wide;
    if (!read_little_endian(r, &wide, 4)) return false;
    *value = (uint32_t)wide;
    return true;
}

bool read_u64(struct reader *r, uint64_t *value)
{
    return read_little_endian(r, value, 8);
}

uint32_t take_u32(struct reader *r)
{
    uint32_t value;
    bool there = read_u32(r, &value);
    CHECK(there);
    return value;
}

uint64_t take_u64(struct reader *r)
{
    uint64_t value;
    bool there = read_u64(r, &value);
    CHECK(there);
    return value;
}

bool read_varint(struct reader *r, uint64_t *value)
{
    uint64_t result = 0;
    for (size_t i = 0; i < VARINT_BYTES_MAX && i < r->rest.size; i++) {
        uint64_t byte = (uint8_t)r->rest.data[i];
        if (i == VARINT_BYTES_MAX - 1 && byte > 1) return false;
        result |= (byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            *value = result;
            skip(r, i + 1);
            return true;
        }
    }
    return false;
}

bool read_zigzag(struct reader *r, int64_t *value)
{
    uint64_t coded;
    if (!read_varint(r, &coded)) return false;
    *value = (int64_t)((coded >> 1) ^ (coded & 1 ? UINT64_MAX : 0));
    return true;
}

bool read_bytes(struct reader *r, struct slice *bytes)
{
    struct reader ahead = *r;
    uint64_t size;
    if (!read_varint(&ahead, &size) || size > ahead.rest.size) return false;
    *bytes = (struct slice){ahead.rest.data, (size_t)size};
    skip(&ahead, (size_t)size);
    *r = ahead;
    return true;
}
