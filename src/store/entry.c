/* entry.c - see entry.h for the format. */
#include "store/entry.h"

#include "base/check.h"
#include "base/memory.h"

static_assert(sizeof(int64_t) == ENTRY_WORD_BYTES, "a deadline and an integer are a word");
static_assert(sizeof(void *) == ENTRY_WORD_BYTES, "a pointer is a word");

enum { CLASS_BYTES_MIN = 16 }; /* also the spacing of the small classes */

/* The size class of jemalloc (four in every doubling, 16 bytes apart at least), computed here
 * because a store of a small value asks for two of them. With another allocator it only costs
 * what is rounded up. */
static size_t class_size(size_t size)
{
    CHECK(size >= sizeof(struct entry));
    unsigned log = 63 - (unsigned)__builtin_clzll(size - 1);
    size_t spacing = log > 6 ? (size_t)1 << (log - 2) : CLASS_BYTES_MIN;
    return (size + spacing - 1) & ~(spacing - 1);
}

static size_t content_size(size_t key_size, const struct value *value, int64_t expiry_ms)
{
    size_t expiry_size = expiry_ms == STORE_NO_EXPIRY ? 0 : ENTRY_WORD_BYTES;
    size_t value_size = value->form == FORM_BYTES ? value->bytes.size : ENTRY_WORD_BYTES;
    return sizeof(struct entry) + expiry_size + key_size + value_size;
}

size_t entry_allocated_size(const struct entry *e)
{
    return class_size(sizeof *e + entry_expiry_size(e) + entry_word_size(e) + e->key_size +
                      e->value_size);
}

static uint8_t kind_of(const struct value *value, int64_t expiry_ms)
{
    unsigned kind = value->type | (unsigned)value->form << ENTRY_FORM_SHIFT;
    return (uint8_t)(kind | (expiry_ms == STORE_NO_EXPIRY ? 0 : ENTRY_EXPIRES));
}

static char *key_place(struct entry *e)
{
    return e->rest + entry_expiry_size(e) + entry_word_size(e);
}

/* Everything but the sizes, the clock and the key. */
static void write_value(struct entry *e, const struct value *value, int64_t expiry_ms)
{
    char *at = e->rest;
    if (expiry_ms != STORE_NO_EXPIRY) {
        memcpy(at, &expiry_ms, sizeof expiry_ms);
        at += sizeof expiry_ms;
    }
    switch (value->form) {
    case FORM_BYTES:
        if (value->bytes.size > 0) memcpy(at + e->key_size, value->bytes.data, value->bytes.size);
        break;
    case FORM_INTEGER: memcpy(at, &value->integer, sizeof value->integer); break;
    case FORM_SHARED: memcpy(at, &value->shared, sizeof value->shared); break;
    case FORM_BODY: memcpy(at, &value->body, sizeof value->body); break;
    }
}

struct entry *entry_create(struct slice key, const struct value *value, int64_t expiry_ms)
{
    CHECK(key.size <= KEY_BYTES_MAX);
    CHECK(value->type < STORE_TYPES_MAX);
    CHECK(IMPLIES(value->form == FORM_BYTES, value->bytes.size <= STORE_INLINE_BYTES_MAX));
    struct entry *e = memory_allocate(class_size(content_size(key.size, value, expiry_ms)));
    e->key_size = (uint32_t)key.size;
    e->value_size = value->form == FORM_BYTES ? (uint16_t)value->bytes.size : 0;
    e->kind = kind_of(value, expiry_ms);
    e->clock = 0;
    if (key.size > 0) memcpy(key_place(e), key.data, key.size);
    write_value(e, value, expiry_ms);
    return e;
}

void entry_free(struct entry *e)
{
    CHECK(e != NULL);
    memory_free(e, entry_allocated_size(e));
}

/* Do the bytes that are to be written stand in the entry itself? */
static bool is_own_bytes(const struct entry *e, const struct value *value)
{
    uintptr_t begin = (uintptr_t)e, at = (uintptr_t)value->bytes.data;
    return value->form == FORM_BYTES && at >= begin && at < begin + entry_allocated_size(e);
}

struct entry *entry_rewrite(struct entry *e, const struct value *value, int64_t expiry_ms)
{
    CHECK(value->type < STORE_TYPES_MAX);
    CHECK(IMPLIES(value->form == FORM_BYTES, value->bytes.size <= STORE_INLINE_BYTES_MAX));
    size_t size = class_size(content_size(e->key_size, value, expiry_ms));
    unsigned generation = entry_generation(e);
    if (size != entry_allocated_size(e) || is_own_bytes(e, value)) {
        struct entry *old = e;
        e = entry_create(entry_key(old), value, expiry_ms);
        e->clock = old->clock;
        entry_free(old);
    } else {
        uint8_t kind = kind_of(value, expiry_ms);
        const char *key = key_place(e);
        e->kind = kind;
        e->value_size = value->form == FORM_BYTES ? (uint16_t)value->bytes.size : 0;
        if (key_place(e) != key) memmove(key_place(e), key, e->key_size);
        write_value(e, value, expiry_ms);
    }
    entry_set_generation(e, generation);
    return e;
}

void entry_set_generation(struct entry *e, unsigned generation)
{
    CHECK(generation <= 1);
    e->kind = (uint8_t)(generation ? e->kind | ENTRY_GENERATION : e->kind & ~ENTRY_GENERATION);
}

struct entry *entry_set_expiry(struct entry *e, int64_t expiry_ms)
{
    size_t tail_size = entry_word_size(e) + e->key_size + e->value_size;
    size_t before = entry_expiry_size(e);
    size_t after = expiry_ms == STORE_NO_EXPIRY ? 0 : ENTRY_WORD_BYTES;
    size_t size = class_size(sizeof *e + after + tail_size);
    CHECK(tail_size <= size - sizeof *e - after);
    if (size == entry_allocated_size(e)) {
        if (after != before) memmove(e->rest + after, e->rest + before, tail_size);
    } else {
        struct entry *old = e;
        e = memory_allocate(size);
        *e = *old;
        memcpy(e->rest + after, old->rest + before, tail_size);
        entry_free(old);
    }
    e->kind = (uint8_t)(after == 0 ? e->kind & ~ENTRY_EXPIRES : e->kind | ENTRY_EXPIRES);
    if (after != 0) memcpy(e->rest, &expiry_ms, sizeof expiry_ms);
    CHECK(entry_expiry(e) == expiry_ms);
    return e;
}
