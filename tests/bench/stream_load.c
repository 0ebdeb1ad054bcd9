/* stream_load.c - the load of bench-streams: what redis-benchmark cannot do with streams.
 *
 *   stream_load consume PORT CONSUMERS ENTRIES
 *       Each reads 100 entries of a group and acknowledges them, until none is left: entries/s.
 *   stream_load ranges PORT SECONDS
 *       10 connections ask for 1,000 entries: entries/s.
 *   stream_load fanout PORT READERS SECONDS
 *       Every XADD wakes all blocked XREADs: deliveries/s.
 *   stream_load wake PORT READERS SECONDS
 *       Every XADD wakes one of the blocked XREADGROUPs of one group, which blocks again: XADD/s.
 *   stream_load mixed PORT SECONDS
 *       GET at half of what 50 connections reached, while keys expire, a stream is trimmed and
 *       snapshots are made: p99.9 and maximum of a GET in ms, GET/s.
 *
 * The generator must not be what is measured. All IDs have the same width and all entries the same
 * content, so every reply of a job has the same size: bytes are counted, never parsed, and the IDs
 * to acknowledge stand at fixed places. One thread, blocking sockets, epoll. */
#include "load.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define ID_FIRST   UINT64_C(1000000000001)
#define ID_FORMAT  "%" PRIu64 "-0"
#define ENTRY_HEAD "*2\r\n$15\r\n"
#define ENTRY_TAIL "*2\r\n$5\r\nfield\r\n$16\r\n0123456789abcdef\r\n"

enum {
    LINKS_MAX = 10 * 1000 + 64,
    BATCH = 100,
    RANGE = 1000,
    RANGE_STREAM = 100 * 1000,
    RANGE_LINKS = 10,
    MIXED_LINKS = 50,
    FILL_PIPELINE = 500,
    ID_SIZE = 15,
    ENTRY_SIZE = sizeof ENTRY_HEAD - 1 + ID_SIZE + 2 + sizeof ENTRY_TAIL - 1,
    REPLY_MAX = 1 << 20,
    REQUEST_MAX = 16 * 1024,
    EVENTS_MAX = 256,
    WAIT_MS = 60 * 1000,
    SAMPLES_MAX = 1 << 23,
};

/* A connection, and the bytes of the reply that it still waits for. */
struct link {
    int descriptor;
    size_t awaited;
    uint64_t sent_ns;
};

static struct link links[LINKS_MAX];
static int links_count;
static int epoll;
static char reply[REPLY_MAX];
static char request[REQUEST_MAX];

static struct link *connect_to(int port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (links_count == LINKS_MAX) load_stop("connecting", "too many connections");
    struct link *l = &links[links_count++];
    l->descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (l->descriptor < 0 || connect(l->descriptor, (struct sockaddr *)&at, sizeof at) != 0)
        load_stop("connecting", strerror(errno));
    int on = 1;
    setsockopt(l->descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = l};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, l->descriptor, &event) != 0)
        load_stop("connecting", strerror(errno));
    return l;
}

static void send_bytes(const struct link *l, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t sent = send(l->descriptor, bytes, size, MSG_NOSIGNAL);
        if (sent <= 0) load_stop("sending", strerror(errno));
        bytes += sent;
        size -= (size_t)sent;
    }
}

/* An array of bulk strings out of words that are parted by blanks. */
static size_t encode(char *to, const char *words)
{
    char body[REQUEST_MAX / 2];
    size_t size = 0;
    int count = 0;
    for (const char *at = words; *at != '\0'; count++) {
        size_t word = strcspn(at, " ");
        size += (size_t)snprintf(body + size, sizeof body - size, "$%zu\r\n%.*s\r\n", word,
                                 (int)word, at);
        at += word;
        at += strspn(at, " ");
    }
    return (size_t)snprintf(to, REQUEST_MAX, "*%d\r\n%.*s", count, (int)size, body);
}

__attribute__((format(printf, 2, 3))) static void ask(struct link *l, const char *format, ...)
{
    char words[REQUEST_MAX / 2];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    send_bytes(l, request, encode(request, words));
}

static size_t receive_some(const struct link *l, char *to, size_t size)
{
    ssize_t got = recv(l->descriptor, to, size, 0);
    if (got <= 0) load_stop("receiving", got == 0 ? "the server closed" : strerror(errno));
    return (size_t)got;
}

/* Reads into 'reply' up to the answer of a PING that the caller has sent behind its request; the
 * size of what came before it. Not for a reply that ends like that answer. */
static size_t receive_to_pong(struct link *l)
{
    static const char pong[] = "+PONG\r\n";
    size_t size = 0;
    do {
        if (size == sizeof reply) load_stop("receiving", "the reply is too long");
        size += receive_some(l, reply + size, sizeof reply - size);
    } while (size < sizeof pong - 1 ||
             memcmp(reply + size - (sizeof pong - 1), pong, sizeof pong - 1) != 0);
    if (reply[0] == '-') load_stop("the server says", reply);
    return size - (sizeof pong - 1);
}

static size_t settle(struct link *l)
{
    ask(l, "PING");
    return receive_to_pong(l);
}

static void fill_stream(struct link *l, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        ask(l, "XADD s " ID_FORMAT " field 0123456789abcdef", ID_FIRST + i);
        if (i % FILL_PIPELINE == FILL_PIPELINE - 1) settle(l);
    }
    settle(l);
}

static struct link *next_ready(void)
{
    static struct epoll_event events[EVENTS_MAX];
    static int count, next;
    if (next == count) {
        next = 0;
        count = epoll_wait(epoll, events, EVENTS_MAX, WAIT_MS);
        if (count <= 0) load_stop("waiting", "no reply");
    }
    return events[next++].data.ptr;
}

/* Takes what is there of a reply; true when it is whole. */
static bool take(struct link *l, char *to)
{
    size_t got = receive_some(l, to, l->awaited);
    l->awaited -= got;
    return l->awaited == 0;
}

/* ---- consume ---- */

struct consumer {
    char reply[BATCH * ENTRY_SIZE + 64];
    size_t size; /* of the reply that is awaited */
    bool acknowledging;
};

static const char batch_head[] = "*1\r\n*2\r\n$1\r\ns\r\n*100\r\n";

static void ask_for_batch(struct link *l, struct consumer *k)
{
    ask(l, "XREADGROUP GROUP g c%d COUNT %d STREAMS s >", (int)(l - links), BATCH);
    k->size = l->awaited = sizeof batch_head - 1 + BATCH * ENTRY_SIZE;
    k->acknowledging = false;
}

static void acknowledge(struct link *l, struct consumer *k)
{
    if (memcmp(k->reply, batch_head, sizeof batch_head - 1) != 0) load_stop("XREADGROUP", k->reply);
    size_t size =
        (size_t)sprintf(request, "*%d\r\n$4\r\nXACK\r\n$1\r\ns\r\n$1\r\ng\r\n", BATCH + 3);
    for (int i = 0; i < BATCH; i++) {
        const char *entry = k->reply + sizeof batch_head - 1 + i * ENTRY_SIZE;
        /* "$15", the ID and its line end, as they came. */
        memcpy(request + size, entry + 4, ID_SIZE + 7);
        size += ID_SIZE + 7;
    }
    send_bytes(l, request, size);
    k->size = l->awaited = sizeof ":100\r\n" - 1;
    k->acknowledging = true;
}

static void consume(int port, int consumers_count, uint64_t entries)
{
    struct consumer *consumers = calloc((size_t)consumers_count + 1, sizeof *consumers);
    if (consumers == NULL) load_stop("consumers", "no memory");
    struct link *filler = connect_to(port);
    ask(filler, "XGROUP CREATE s g 0 MKSTREAM");
    settle(filler);
    entries -= entries % BATCH;
    fill_stream(filler, entries);
    for (int i = 0; i < consumers_count; i++) connect_to(port);
    uint64_t asked = 0, finished = 0, begin = load_now_ns();
    for (int i = 1; i <= consumers_count && asked < entries; i++, asked += BATCH)
        ask_for_batch(&links[i], &consumers[i]);
    while (finished < entries) {
        struct link *l = next_ready();
        struct consumer *k = &consumers[l - links];
        if (!take(l, k->reply + k->size - l->awaited)) continue;
        if (!k->acknowledging) {
            acknowledge(l, k);
            continue;
        }
        if (memcmp(k->reply, ":100", 4) != 0) load_stop("XACK", "not all were pending");
        finished += BATCH;
        if (asked == entries) continue;
        asked += BATCH;
        ask_for_batch(l, k);
    }
    printf("%.0f\n", (double)entries / load_seconds_since(begin));
    free(consumers);
}

/* ---- ranges ---- */

static void ask_for_range(struct link *l, uint64_t number)
{
    uint64_t first = ID_FIRST + number * 7919 % (RANGE_STREAM - RANGE);
    ask(l, "XRANGE s " ID_FORMAT " + COUNT %d", first, RANGE);
    l->awaited = sizeof "*1000\r\n" - 1 + RANGE * ENTRY_SIZE;
}

static void ranges(int port, double seconds)
{
    uint64_t asked = 0, finished = 0;
    fill_stream(connect_to(port), RANGE_STREAM);
    for (int i = 0; i < RANGE_LINKS; i++) connect_to(port);
    uint64_t begin = load_now_ns();
    for (int i = 1; i <= RANGE_LINKS; i++) ask_for_range(&links[i], asked++);
    while (load_seconds_since(begin) < seconds) {
        struct link *l = next_ready();
        if (!take(l, reply)) continue;
        finished++;
        ask_for_range(l, asked++);
    }
    printf("%.0f\n", (double)finished * RANGE / load_seconds_since(begin));
}

/* ---- fanout, wake ---- */

static void block_reader(struct link *l, bool in_group, uint64_t after)
{
    if (in_group) ask(l, "XREADGROUP GROUP g c BLOCK 0 STREAMS s >");
    else ask(l, "XREAD BLOCK 0 STREAMS s " ID_FORMAT, after);
    l->awaited = sizeof "*1\r\n*2\r\n$1\r\ns\r\n*1\r\n" - 1 + ENTRY_SIZE;
}

/* Adds an entry and waits for the replies of all whom it wakes, who ask for the one after it. */
static void add_and_deliver(struct link *writer, bool in_group, uint64_t id, int woken)
{
    ask(writer, "XADD s " ID_FORMAT " field 0123456789abcdef", id);
    writer->awaited = sizeof "$15\r\n" - 1 + ID_SIZE + 2;
    for (int missing = woken + 1; missing > 0;) {
        struct link *l = next_ready();
        if (!take(l, reply)) continue;
        missing--;
        if (reply[0] == '-') load_stop("the server says", reply);
        if (l != writer) block_reader(l, in_group, id);
    }
}

static void deliver(int port, int readers, double seconds, bool in_group)
{
    struct link *writer = connect_to(port);
    ask(writer, "XGROUP CREATE s g 0 MKSTREAM");
    settle(writer);
    for (int i = 0; i < readers; i++) block_reader(connect_to(port), in_group, ID_FIRST);
    settle(writer);
    uint64_t id = ID_FIRST + 1, rounds = 0, begin = load_now_ns();
    int woken = in_group ? 1 : readers;
    for (; load_seconds_since(begin) < seconds; rounds++)
        add_and_deliver(writer, in_group, id++, woken);
    printf("%.0f\n", (double)rounds * woken / load_seconds_since(begin));
}

/* ---- mixed ---- */

static void ask_for_key(struct link *l, uint64_t number)
{
    ask(l, "GET key:%07" PRIu64, number * 7919 % RANGE_STREAM);
    l->awaited = sizeof "$16\r\n0123456789abcdef\r\n" - 1;
}

/* GETs/s of all connections, one request at a time each. */
static double full_load(double seconds)
{
    uint64_t asked = 0, finished = 0, begin = load_now_ns();
    for (int i = 1; i <= MIXED_LINKS; i++) ask_for_key(&links[i], asked++);
    while (load_seconds_since(begin) < seconds || finished < asked) {
        struct link *l = next_ready();
        if (!take(l, reply)) continue;
        finished++;
        if (load_seconds_since(begin) < seconds) ask_for_key(l, asked++);
    }
    return (double)finished / load_seconds_since(begin);
}

/* What happens beside the GETs, on the first connection, whose replies are thrown away: a hundred
 * keys that expire soon, a hundred entries of a stream that is kept short; sometimes a snapshot. */
static void disturb(struct link *l, uint64_t number)
{
    static char bytes[REQUEST_MAX * 2];
    char words[128], one[REQUEST_MAX];
    size_t size = 0;
    for (uint64_t i = 0; i < 50; i++) {
        snprintf(words, sizeof words, "SET soon:%" PRIu64 " x PX %" PRIu64, number * 50 + i,
                 10 + i);
        size_t part = encode(one, words);
        memcpy(bytes + size, one, part);
        size += part;
        part = encode(one, "XADD trimmed MAXLEN ~ 1000 * field 0123456789abcdef");
        memcpy(bytes + size, one, part);
        size += part;
    }
    if (number % 200 == 100) size += encode(bytes + size, "BGSAVE");
    send_bytes(l, bytes, size);
}

/* Each GET is due at its time, and late replies count from then (no coordinated omission). */
static void half_load(double rate, double seconds, struct samples *samples)
{
    uint64_t gap_ns = (uint64_t)(2e9 / rate), begin = load_now_ns(), due = begin, asked = 0,
             disturbed = 0;
    struct link *idle[MIXED_LINKS];
    int idle_count = 0;
    for (int i = 1; i <= MIXED_LINKS; i++) idle[idle_count++] = &links[i];
    while (load_seconds_since(begin) < seconds && samples->count < SAMPLES_MAX) {
        struct epoll_event events[EVENTS_MAX];
        for (; idle_count > 0 && load_now_ns() >= due; due += gap_ns) {
            struct link *l = idle[--idle_count];
            l->sent_ns = due;
            ask_for_key(l, asked++);
        }
        if (load_now_ns() - begin > disturbed * 10000000) disturb(&links[0], disturbed++);
        int count = epoll_wait(epoll, events, EVENTS_MAX, 0);
        for (int i = 0; i < count; i++) {
            struct link *l = events[i].data.ptr;
            if (l == &links[0]) receive_some(l, reply, sizeof reply);
            else if (take(l, reply)) {
                samples_add(samples, load_now_ns() - l->sent_ns);
                idle[idle_count++] = l;
            }
        }
    }
}

static void mixed(int port, double seconds)
{
    struct link *l = connect_to(port);
    for (uint64_t i = 0; i < RANGE_STREAM; i++) {
        ask(l, "SET key:%07" PRIu64 " 0123456789abcdef", i);
        if (i % FILL_PIPELINE == FILL_PIPELINE - 1) settle(l);
    }
    settle(l);
    for (int i = 0; i < MIXED_LINKS; i++) connect_to(port);
    struct samples samples;
    samples_init(&samples, SAMPLES_MAX);
    half_load(full_load(1), seconds, &samples);
    samples_sort(&samples);
    printf("%.3f %.3f %.0f\n", samples_us(&samples, 0.999) / 1e3, samples_us(&samples, 1) / 1e3,
           (double)samples.count / seconds);
    samples_deinit(&samples);
}

int main(int count, char **words)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
    epoll = epoll_create1(EPOLL_CLOEXEC);
    const char *job = count > 1 ? words[1] : "";
    int port = count > 2 ? (int)load_number(words[2], 1, 65535) : 0;
    if (strcmp(job, "consume") == 0 && count == 5)
        consume(port, (int)load_number(words[3], 1, 64),
                (uint64_t)load_number(words[4], 1, 100000000));
    else if (strcmp(job, "ranges") == 0 && count == 4)
        ranges(port, (double)load_number(words[3], 1, 3600));
    else if (strcmp(job, "fanout") == 0 && count == 5)
        deliver(port, (int)load_number(words[3], 1, 10000), (double)load_number(words[4], 1, 3600),
                false);
    else if (strcmp(job, "wake") == 0 && count == 5)
        deliver(port, (int)load_number(words[3], 1, 10000), (double)load_number(words[4], 1, 3600),
                true);
    else if (strcmp(job, "mixed") == 0 && count == 4)
        mixed(port, (double)load_number(words[3], 1, 3600));
    else
        load_stop("usage",
                  "consume|ranges|fanout|wake|mixed PORT ..., see the top of stream_load.c");
    return 0;
}
