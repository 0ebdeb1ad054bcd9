/* entry.h - a key and what it holds, in one allocation (design/data.md).
 *
 *      0          4            6      7       8
 *      | key size | value size | kind | clock | expiry 8? | word 8? | key ... | bytes ... |
 *
 * kind    type (4 bits), form (2), has an expiry (1), generation (1, see due.c)
 * clock   reserved for eviction by access time
 * expiry  Unix milliseconds, present only when the key expires
 * word    the integer, shared value or body; absent for FORM_BYTES, whose bytes follow the key
 *
 * So 16 bytes of key with 16 of value are 40 bytes, and 48 with an expiry: the same size class.
 * An entry is allocated in full size classes, so that a new value of about the same size is
 * written in place and the size to free is always known from the header.
 *
 * An entry never knows its hash, its table, its slot or its database, nor what a body is: it
 * moves values, and whoever owns the types destroys them. */
#ifndef STORE_ENTRY_H
#define STORE_ENTRY_H

#include "base/limits.h"
#include "store/store.h"

enum {
    ENTRY_TYPE_BITS = 4,
    ENTRY_TYPE_MASK = (1 << ENTRY_TYPE_BITS) - 1,
    ENTRY_FORM_SHIFT = ENTRY_TYPE_BITS,
    ENTRY_FORM_MASK = 3,
    ENTRY_EXPIRES = 1 << 6,
    ENTRY_GENERATION = 1 << 7,
    ENTRY_WORD_BYTES = 8,
};

static_assert(STORE_TYPES_MAX == ENTRY_TYPE_MASK + 1, "a type fits in its bits");
static_assert((int)FORM_BODY <= ENTRY_FORM_MASK, "a form fits in its bits");
static_assert(STORE_INLINE_BYTES_MAX <= UINT16_MAX, "an inline value's size fits in its field");
static_assert(KEY_BYTES_MAX <= UINT32_MAX, "a key's size fits in its field");

struct entry {
    uint32_t key_size;
    uint16_t value_size; /* of FORM_BYTES, else 0 */
    uint8_t kind;
    uint8_t clock;
    char rest[];
};

static_assert(sizeof(struct entry) == 8, "the header is what is drawn above");

/* A new entry, owned by the caller. Takes what a shared value or a body refers to; copies bytes,
 * which must not be those of another value of the same entry. */
struct entry *entry_create(struct slice key, const struct value *value, int64_t expiry_ms);

/* Frees the entry, not what its value refers to. */
void entry_free(struct entry *e);

/* Writes another value and deadline; the key and the generation stay. Takes as entry_create, and
 * forgets the old value, which the caller has destroyed. The result replaces e: it is e itself
 * when the new content fits the allocation. The bytes of value may be the old ones. */
struct entry *entry_rewrite(struct entry *e, const struct value *value, int64_t expiry_ms);

/* The bytes that the allocation of an entry takes. */
size_t entry_allocated_size(const struct entry *e);

static inline bool entry_expires(const struct entry *e)
{
    return (e->kind & ENTRY_EXPIRES) != 0;
}

static inline enum value_form entry_form(const struct entry *e)
{
    return (enum value_form)(e->kind >> ENTRY_FORM_SHIFT & ENTRY_FORM_MASK);
}

static inline size_t entry_expiry_size(const struct entry *e)
{
    return entry_expires(e) ? ENTRY_WORD_BYTES : 0;
}

static inline size_t entry_word_size(const struct entry *e)
{
    return entry_form(e) == FORM_BYTES ? 0 : ENTRY_WORD_BYTES;
}

static inline struct slice entry_key(const struct entry *e)
{
    return (struct slice){e->rest + entry_expiry_size(e) + entry_word_size(e), e->key_size};
}

static inline int64_t entry_expiry(const struct entry *e)
{
    int64_t expiry_ms = STORE_NO_EXPIRY;
    if (entry_expires(e)) memcpy(&expiry_ms, e->rest, sizeof expiry_ms);
    return expiry_ms;
}

static inline unsigned entry_generation(const struct entry *e)
{
    return (e->kind & ENTRY_GENERATION) != 0;
}

void entry_set_generation(struct entry *e, unsigned generation);

/* Writes another deadline, or none; everything else stays. The result replaces e. */
struct entry *entry_set_expiry(struct entry *e, int64_t expiry_ms);

/* The value, lent: bytes point into the entry. */
static inline void entry_value(const struct entry *e, struct value *value)
{
    const char *word = e->rest + entry_expiry_size(e);
    value->type = e->kind & ENTRY_TYPE_MASK;
    value->form = entry_form(e);
    switch (value->form) {
    case FORM_BYTES: value->bytes = (struct slice){word + e->key_size, e->value_size}; break;
    case FORM_INTEGER: memcpy(&value->integer, word, sizeof value->integer); break;
    case FORM_SHARED: memcpy(&value->shared, word, sizeof value->shared); break;
    case FORM_BODY: memcpy(&value->body, word, sizeof value->body); break;
    }
}

#endif
