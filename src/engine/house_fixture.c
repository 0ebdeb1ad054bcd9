#include "engine/house_fixture.h"

#include "base/memory.h"

static struct slice host_password(void *context)
{
    return slice_of(((struct house *)context)->password);
}

static int64_t host_clock(void *context)
{
    (void)context;
    return 0;
}

static uint64_t host_random(void *context)
{
    (void)context;
    return 5;
}

static bool host_out_of_memory(void *context)
{
    (void)context;
    return false;
}

void house_connect(struct house *h, int i)
{
    struct session_options options = {
        .address = "127.0.0.1:5", .local_address = "127.0.0.1:6", .owner = &h->sessions[i]};
    h->sessions[i] = engine_open_session(h->engine, &options, h->now_ms);
    assert_ptr_equal(session_owner(h->sessions[i]), &h->sessions[i]);
}

struct house *house_open(const struct engine_limits *limits, int sessions_count)
{
    struct house *h = memory_allocate_zeroed(sizeof *h);
    struct db_options options = {.random_seed = 3, .stream_block = {.entries_max = 10}};
    struct wal_recovery recovery;
    enum wal_open_status status;
    h->db = db_open(&options, &recovery, &status);
    assert_non_null(h->db);
    h->now_ms = HOUSE_NOW_MS;
    h->password = "";
    h->host = (struct host){.context = h,
                            .password = host_password,
                            .monotonic_ns = host_clock,
                            .random = host_random,
                            .out_of_memory = host_out_of_memory};
    h->engine =
        engine_create(&(struct engine_options){.db = h->db, .host = &h->host, .limits = *limits});
    for (int i = 0; i < sessions_count; i++) house_connect(h, i);
    return h;
}

struct house *house_open_plain(void)
{
    return house_open(&HOUSE_LIMITS, HOUSE_SESSIONS);
}

void house_close(struct house *h)
{
    buf_deinit(&h->reply);
    engine_destroy(h->engine);
    db_close(h->db);
    memory_free(h, sizeof *h);
}

void house_tick(struct house *h)
{
    engine_tick(h->engine, h->now_ms * 1000);
    engine_release(h->engine);
}

void house_send_bytes(struct house *h, int i, const char *bytes, size_t size)
{
    char *copy = memory_allocate(size);
    memcpy(copy, bytes, size);
    session_feed(h->sessions[i], (struct slice){copy, size});
    house_tick(h);
    memory_free(copy, size);
}

void house_send(struct house *h, int i, const char *text)
{
    house_send_bytes(h, i, text, strlen(text));
}

size_t house_take(struct house *h, int i, size_t size, struct buf *bytes)
{
    struct chain *output = session_output(h->sessions[i]);
    struct iovec vector;
    size_t taken = 0;
    while (taken < size && chain_vectors(output, &vector, 1) == 1) {
        if (vector.iov_len > size - taken) vector.iov_len = size - taken;
        buf_append(bytes, (struct slice){vector.iov_base, vector.iov_len});
        chain_consume(output, vector.iov_len);
        taken += vector.iov_len;
    }
    return taken;
}

const char *house_received(struct house *h, int i)
{
    h->reply.size = 0;
    house_take(h, i, SIZE_MAX, &h->reply);
    buf_append_byte(&h->reply, '\0');
    return h->reply.data;
}
