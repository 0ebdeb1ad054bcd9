/* A chain is a list of blocks. Each knows the position of its first byte, so that it ends where
 * the next one begins, and the last one where the chain ends: appending touches the chain only.
 *
 *      block 0          block 1 (reference)    block 2
 *      +-----------+    +---------------+      +-------------------+
 *      |$16384\r\n |    | -> shared     |      |\r\n+OK\r\n ...room|
 *      +-----------+    +---------------+      +-------------------+
 *      begin = 0        begin = 8              begin = 16392       end
 *
 * A block of bytes is twice as large as the one before it, from CHAIN_BLOCK_BYTES_MIN to
 * CHAIN_BLOCK_BYTES_MAX: a chain that is busy has few blocks, one that is quiet has a small one. */
#include "base/chain.h"

#include "base/memory.h"

struct chain_block {
    struct chain_block *next;
    uint64_t begin;        /* position of data[0] */
    const char *data;      /* 'bytes', or inside of 'shared' */
    struct shared *shared; /* one reference, or NULL */
    size_t memory_bytes;   /* what the chain counts for this block */
    size_t capacity;       /* of 'bytes'; 0 when shared */
    char bytes[];
};

/* Adds a last block with room for 'capacity' bytes; the caller says where its bytes are. */
static struct chain_block *add_block(struct chain *c, size_t capacity)
{
    struct chain_block *block = memory_allocate(sizeof *block + capacity);
    *block = (struct chain_block){.begin = c->appended, .capacity = capacity};
    block->data = block->bytes;
    block->memory_bytes = sizeof *block + capacity;
    if (c->last != NULL) c->last->next = block;
    else c->first = block;
    c->last = block;
    c->memory_bytes += block->memory_bytes;
    return block;
}

static void destroy_block(struct chain *c, struct chain_block *block)
{
    CHECK(c->memory_bytes >= block->memory_bytes);
    c->memory_bytes -= block->memory_bytes;
    if (block->shared != NULL) shared_release(block->shared);
    memory_free(block, sizeof *block + block->capacity);
}

/* Destroys 'block' and all after it. */
static void destroy_from(struct chain *c, struct chain_block *block)
{
    while (block != NULL) {
        struct chain_block *next = block->next;
        destroy_block(c, block);
        block = next;
    }
}

static void empty(struct chain *c)
{
    destroy_from(c, c->first);
    CHECK(c->memory_bytes == 0);
    c->first = c->last = NULL;
    c->end = NULL;
    c->room = 0;
}

void chain_deinit(struct chain *c)
{
    empty(c);
    *c = (struct chain){0};
}

static bool is_over_limit(const struct chain *c)
{
    return c->unsent_max > 0 && c->appended - c->sent > c->unsent_max;
}

/* Room for bytes that will not be sent: one block, written over and over. */
static char *extend_spoilt(struct chain *c)
{
    struct chain_block *block = c->spoilt ? c->last : add_block(c, CHAIN_BLOCK_BYTES_MAX);
    CHECK(block->capacity == CHAIN_BLOCK_BYTES_MAX);
    c->spoilt = true;
    c->end = block->bytes;
    c->room = block->capacity;
    return c->end;
}

char *chain_extend(struct chain *c, size_t size)
{
    CHECK(size <= CHAIN_BLOCK_BYTES_MAX);
    if (is_over_limit(c)) return extend_spoilt(c);
    /* The whole block, not its capacity, is a power of two: that is what the allocator has. */
    size_t total = CHAIN_BLOCK_BYTES_MIN;
    if (c->last != NULL && c->last->shared == NULL) total = c->last->memory_bytes * 2;
    if (total > CHAIN_BLOCK_BYTES_MAX) total = CHAIN_BLOCK_BYTES_MAX;
    if (total < sizeof *c->last + size) total = memory_rounded_size(sizeof *c->last + size);
    struct chain_block *block = add_block(c, total - sizeof *block);
    c->end = block->bytes;
    c->room = block->capacity;
    CHECK(c->room >= size);
    return c->end;
}

void chain_append(struct chain *c, struct slice bytes)
{
    while (bytes.size > 0) {
        if (c->room == 0) {
            size_t wanted = bytes.size < CHAIN_BLOCK_BYTES_MAX ? bytes.size : CHAIN_BLOCK_BYTES_MAX;
            chain_extend(c, wanted);
        }
        size_t size = bytes.size < c->room ? bytes.size : c->room;
        memcpy(c->end, bytes.data, size);
        chain_advance(c, size);
        bytes.data += size;
        bytes.size -= size;
    }
}

void chain_append_shared(struct chain *c, struct shared *s, struct slice bytes)
{
    if (bytes.size < CHAIN_SHARED_BYTES_MIN) {
        chain_append(c, bytes);
        return;
    }
    CHECK(bytes.data >= s->data);
    CHECK(bytes.size <= s->size - (size_t)(bytes.data - s->data));
    if (c->spoilt) {
        c->appended += bytes.size;
        return;
    }
    struct chain_block *block = add_block(c, 0);
    block->shared = shared_acquire(s);
    block->data = bytes.data;
    block->memory_bytes += bytes.size;
    c->memory_bytes += bytes.size;
    c->end = NULL;
    c->room = 0;
    c->appended += bytes.size;
}

void chain_release(struct chain *c, uint64_t position)
{
    CHECK(position >= c->released);
    CHECK(position <= c->appended);
    c->released = position;
}

void chain_truncate(struct chain *c, uint64_t position)
{
    CHECK(position >= c->released);
    CHECK(position <= c->appended);
    if (position == c->appended) return;
    c->appended = position;
    c->spoilt = false;
    if (position == c->sent) {
        empty(c);
        return;
    }
    /* Bytes stay, so the block that holds the last of them stays too. */
    struct chain_block *block = c->first;
    while (block->next != NULL && block->next->begin < position) block = block->next;
    destroy_from(c, block->next);
    block->next = NULL;
    c->last = block;
    CHECK(block->begin < position);
    c->end = block->shared == NULL ? block->bytes + (position - block->begin) : NULL;
    c->room = block->shared == NULL ? block->capacity - (size_t)(position - block->begin) : 0;
}

size_t chain_vectors(const struct chain *c, struct iovec *vectors, size_t count)
{
    CHECK(c->sent <= c->released);
    CHECK(c->released <= c->appended);
    CHECK(!c->spoilt);
    size_t filled = 0;
    uint64_t position = c->sent;
    const struct chain_block *block = c->first;
    while (position < c->released && filled < count) {
        CHECK(block != NULL);
        uint64_t end = block->next != NULL ? block->next->begin : c->appended;
        if (end > c->released) end = c->released;
        if (end > position) {
            /* writev does not write through the pointer; its type cannot say so. */
            vectors[filled].iov_base = (char *)(uintptr_t)block->data + (position - block->begin);
            vectors[filled].iov_len = (size_t)(end - position);
            filled++;
            position = end;
        }
        block = block->next;
    }
    return filled;
}

void chain_consume(struct chain *c, size_t size)
{
    CHECK(size <= c->released - c->sent);
    c->sent += size;
    if (c->sent == c->appended) {
        empty(c);
        return;
    }
    while (c->first->next != NULL && c->first->next->begin <= c->sent) {
        struct chain_block *block = c->first;
        c->first = block->next;
        destroy_block(c, block);
    }
    CHECK(c->first->begin <= c->sent);
}
