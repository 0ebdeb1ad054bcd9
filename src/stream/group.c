/* group.c - consumer groups and consumers: names, counters, and the changes of pending entries.
 *
 * A stream owns its groups, a group its consumers; both are found by name in sorted arrays. Pending
 * entries are in pending.c, which knows consumers by number. Every change ends by adding the
 * difference of the group's allocated bytes to the stream's. */
#include "stream/group.h"

#include "base/memory.h"
#include "stream/image.h"

enum {
    DELIVERY_FEW = 128,      /* IDs that need no allocation */
    BOOKMARK_GROUPS_MAX = 8, /* groups whose bookmarks a walk looks at */
};

/* ---- finding ---- */

static struct stream_group *group_of(struct name_entry *e)
{
    return (struct stream_group *)(void *)e;
}

static struct stream_consumer *consumer_of(struct name_entry *e)
{
    return (struct stream_consumer *)(void *)e;
}

static struct stream_group *find(const struct stream *s, struct slice name)
{
    return group_of(name_index_get(&s->groups, name));
}

static struct stream_group *must_find(const struct stream *s, struct slice name)
{
    struct stream_group *g = find(s, name);
    CHECK(g != NULL);
    return g;
}

/* The same for a change: an image of the stream gets what it needs of the group first. */
static struct stream_group *change(struct stream *s, struct slice name)
{
    struct stream_group *g = must_find(s, name);
    if (s->image != NULL) image_before_group(s->image, g);
    return g;
}

static size_t name_bytes(struct slice name)
{
    return name.size == 0 ? 0 : memory_rounded_size(name.size);
}

static size_t group_bytes(const struct stream_group *g)
{
    return memory_rounded_size(sizeof *g) + name_bytes(g->entry.name) + g->pending.memory_bytes +
           name_index_memory_bytes(&g->consumers) + g->consumers_bytes;
}

static size_t consumer_bytes(const struct stream_consumer *c)
{
    return memory_rounded_size(sizeof *c) + name_bytes(c->entry.name);
}

/* ---- reading ---- */

size_t stream_groups_count(const struct stream *s)
{
    return s->groups.count;
}

const struct stream_group *stream_group_find(const struct stream *s, struct slice name)
{
    return find(s, name);
}

const struct stream_group *stream_group_next(const struct stream *s,
                                             const struct stream_group *previous)
{
    return group_of(name_index_next(&s->groups, previous == NULL ? NULL : &previous->entry));
}

struct slice stream_group_name(const struct stream_group *g)
{
    return g->entry.name;
}

struct stream_id stream_group_last_delivered(const struct stream_group *g)
{
    return g->last_delivered;
}

uint64_t stream_group_entries_read(const struct stream_group *g)
{
    return g->entries_read;
}

bool stream_group_entries_read_exact(const struct stream_group *g)
{
    return g->entries_read_exact;
}

uint64_t stream_group_lag(const struct stream *s, const struct stream_group *g)
{
    return stream_count_after(s, g->last_delivered);
}

uint64_t stream_group_pending_count(const struct stream_group *g)
{
    return g->pending.count;
}

uint64_t stream_group_unowned_count(const struct stream_group *g)
{
    return g->pending.unowned;
}

size_t stream_consumers_count(const struct stream_group *g)
{
    return g->consumers.count;
}

const struct stream_consumer *stream_consumer_find(const struct stream_group *g, struct slice name)
{
    return consumer_of(name_index_get(&g->consumers, name));
}

const struct stream_consumer *stream_consumer_next(const struct stream_group *g,
                                                   const struct stream_consumer *previous)
{
    return consumer_of(name_index_next(&g->consumers, previous == NULL ? NULL : &previous->entry));
}

struct slice stream_consumer_name(const struct stream_consumer *c)
{
    return c->entry.name;
}

uint64_t stream_consumer_pending_count(const struct stream_consumer *c)
{
    return c->owner.count;
}

int64_t stream_consumer_seen_ms(const struct stream_consumer *c)
{
    return c->seen_ms;
}

int64_t stream_consumer_active_ms(const struct stream_consumer *c)
{
    return c->active_ms;
}

bool stream_is_referenced(const struct stream *s, struct stream_id id,
                          const struct stream_group *acknowledged)
{
    struct pending_item item;
    for (uint32_t i = 0; i < s->groups.count; i++) {
        const struct stream_group *g = group_of(s->groups.members[i]);
        if (stream_id_compare(id, g->last_delivered) > 0) return true;
        if (g != acknowledged && pending_get(&g->pending, id, &item)) return true;
    }
    return false;
}

bool stream_referenced_bounds(const struct stream *s, struct stream_id *first,
                              struct stream_id *last)
{
    *first = STREAM_ID_MAX;
    *last = STREAM_ID_MAX;
    for (uint32_t i = 0; i < s->groups.count; i++) {
        const struct stream_group *g = group_of(s->groups.members[i]);
        struct stream_id pending, newest, unread = g->last_delivered;
        if (stream_id_compare(unread, *last) < 0) *last = unread;
        if (stream_id_increment(&unread) && stream_id_compare(unread, *first) < 0) *first = unread;
        if (stream_pending_bounds(g, &pending, &newest) && stream_id_compare(pending, *first) < 0)
            *first = pending;
    }
    return s->groups.count > 0;
}

/* ---- groups ---- */

/* The stream takes the group, which has consumers and pending entries perhaps. */
static void add_group(struct stream *s, struct stream_group *g)
{
    stream_grouped_create(s);
    size_t before = name_index_memory_bytes(&s->groups);
    name_index_insert(&s->groups, &g->entry);
    s->grouped->bytes += name_index_memory_bytes(&s->groups) - before + group_bytes(g);
}

/* The owner of the group gets it. */
static void remove_group(struct stream *s, struct stream_group *g)
{
    size_t before = name_index_memory_bytes(&s->groups);
    s->grouped->bytes -= group_bytes(g);
    name_index_remove(&s->groups, &g->entry);
    s->grouped->bytes += name_index_memory_bytes(&s->groups) - before;
}

static void set_entries_read(const struct stream *s, struct stream_group *g, int64_t entries_read)
{
    g->entries_read_exact = entries_read == STREAM_ENTRIES_READ_EXACT;
    CHECK(g->entries_read_exact || entries_read >= 0);
    if (g->entries_read_exact) g->entries_read = stream_ordinal(s, g->last_delivered);
    else g->entries_read = (uint64_t)entries_read;
}

void stream_group_create(struct stream *s, struct slice name, struct stream_id last_delivered,
                         int64_t entries_read)
{
    struct stream_group *g = memory_allocate_zeroed(sizeof *g);
    name_entry_init(&g->entry, name);
    g->last_delivered = last_delivered;
    set_entries_read(s, g, entries_read);
    if (s->image != NULL) g->image = s->image->number;
    add_group(s, g);
}

void stream_group_set_id(struct stream *s, struct slice name, struct stream_id last_delivered,
                         int64_t entries_read)
{
    struct stream_group *g = change(s, name);
    g->last_delivered = last_delivered;
    set_entries_read(s, g, entries_read);
}

void stream_group_restore_entries_read(struct stream *s, struct slice name, uint64_t entries_read,
                                       bool exact)
{
    struct stream_group *g = change(s, name);
    g->entries_read = entries_read;
    g->entries_read_exact = exact;
}

static void consumer_free(struct stream_consumer *c)
{
    name_entry_deinit(&c->entry);
    memory_free(c, sizeof *c);
}

bool group_dismantle(struct stream_group *g, size_t *steps)
{
    struct name_index *consumers = &g->consumers;
    if (!pending_dismantle(&g->pending, steps)) return false; /* it knows the consumers */
    for (; consumers->count > 0 && *steps > 0; consumers->count--, (*steps)--)
        consumer_free(consumer_of(consumers->members[consumers->count - 1]));
    if (consumers->count > 0) return false;
    name_index_deinit(consumers);
    name_entry_deinit(&g->entry);
    memory_free(g, sizeof *g);
    return true;
}

struct stream *stream_cut_group(struct stream *s, struct slice name)
{
    struct stream_group *g = change(s, name);
    stream_referenced_forget(s);
    remove_group(s, g);
    if (g->pending.watch != NULL) {
        image_take_group(g);
        return NULL;
    }
    struct stream *cut = stream_create();
    add_group(cut, g);
    return cut;
}

bool stream_groups_dismantle(struct stream *s, size_t *steps)
{
    struct name_index *groups = &s->groups;
    for (; groups->count > 0; groups->count--)
        if (!group_dismantle(group_of(groups->members[groups->count - 1]), steps)) return false;
    name_index_deinit(groups);
    return true;
}

/* ---- consumers ---- */

/* One that owns nothing and has no number yet. */
static struct stream_consumer *add_consumer(struct stream_group *g, struct slice name,
                                            int64_t seen_ms, int64_t active_ms)
{
    struct stream_consumer *c = memory_allocate_zeroed(sizeof *c);
    name_entry_init(&c->entry, name);
    c->seen_ms = seen_ms;
    c->active_ms = active_ms;
    name_index_insert(&g->consumers, &c->entry);
    g->consumers_bytes += consumer_bytes(c);
    return c;
}

struct stream_consumer *group_restore_consumer(struct stream *s, struct stream_group *g,
                                               struct slice name, int64_t seen_ms,
                                               int64_t active_ms)
{
    CHECK(name_index_get(&g->consumers, name) == NULL);
    size_t before = group_bytes(g);
    struct stream_consumer *c = add_consumer(g, name, seen_ms, active_ms);
    pending_owner_add(&g->pending, &c->owner);
    s->grouped->bytes += group_bytes(g) - before;
    return c;
}

void group_copy(const struct stream_group *g, struct stream *to)
{
    struct stream_group *copy = memory_allocate_zeroed(sizeof *copy);
    name_entry_init(&copy->entry, g->entry.name);
    copy->last_delivered = g->last_delivered;
    copy->entries_read = g->entries_read;
    copy->entries_read_exact = g->entries_read_exact;
    pending_copy(&g->pending, &copy->pending);
    for (uint32_t i = 0; i < g->consumers.count; i++) {
        const struct stream_consumer *from = consumer_of(g->consumers.members[i]);
        struct stream_consumer *c =
            add_consumer(copy, from->entry.name, from->seen_ms, from->active_ms);
        pending_owner_copy(&from->owner, &copy->pending, &c->owner);
    }
    add_group(to, copy);
}

void stream_consumer_create(struct stream *s, struct slice group, struct slice name, int64_t now_ms)
{
    (void)group_restore_consumer(s, change(s, group), name, now_ms, -1);
}

static struct stream_consumer *must_find_consumer(const struct stream_group *g, struct slice name)
{
    struct stream_consumer *c = consumer_of(name_index_get(&g->consumers, name));
    CHECK(c != NULL);
    return c;
}

uint64_t stream_consumer_destroy(struct stream *s, struct slice group, struct slice name)
{
    struct stream_group *g = change(s, group);
    struct stream_consumer *c = must_find_consumer(g, name);
    size_t before = group_bytes(g);
    stream_referenced_forget(s);
    uint64_t removed = pending_remove_owned(&g->pending, &c->owner);
    pending_owner_remove(&g->pending, &c->owner);
    name_index_remove(&g->consumers, &c->entry);
    g->consumers_bytes -= consumer_bytes(c);
    consumer_free(c);
    s->grouped->bytes += group_bytes(g) - before;
    return removed;
}

void stream_consumer_seen(struct stream *s, struct slice group, struct slice name, int64_t now_ms)
{
    must_find_consumer(change(s, group), name)->seen_ms = now_ms;
}

/* ---- pending entries ---- */

static void put_delivered(struct stream_group *g, const struct stream_id *ids,
                          const struct stream_delivery *d, uint32_t owner)
{
    struct pending_item item = {.delivery_ms = d->now_ms, .deliveries = 1, .owner = owner};
    for (uint64_t i = 0; i < d->count; i++) {
        item.id = ids[i];
        pending_put(&g->pending, &item);
    }
}

const struct stream_bookmark *stream_groups_bookmark(const struct stream *s, struct stream_id first)
{
    uint32_t looked_at =
        s->groups.count < BOOKMARK_GROUPS_MAX ? s->groups.count : BOOKMARK_GROUPS_MAX;
    if (!stream_id_decrement(&first)) return NULL;
    for (uint32_t i = 0; i < looked_at; i++) {
        const struct stream_group *g = group_of(s->groups.members[i]);
        if (stream_id_compare(g->bookmark.after, first) == 0) return &g->bookmark;
    }
    return NULL;
}

/* Reads the IDs of a delivery. False if they are not what it says; the group is not changed. */
static bool read_delivery(const struct stream *s, const struct stream_group *g,
                          const struct stream_delivery *d, struct stream_id *ids,
                          struct stream_walk *w)
{
    struct stream_range range = {g->last_delivered, d->last_id};
    if (!stream_id_increment(&range.first)) return false;
    stream_walk_begin(w, s, range, false);
    for (uint64_t i = 0; i < d->count; i++) {
        if (!stream_walk_next(w)) return false;
        ids[i] = w->id;
    }
    return stream_id_compare(w->id, d->last_id) == 0;
}

bool stream_group_deliver(struct stream *s, const struct stream_delivery *d)
{
    struct stream_group *g = change(s, d->group);
    struct stream_consumer *c = must_find_consumer(g, d->consumer);
    if (d->count == 0 || d->count > s->length) return false;

    struct stream_id few[DELIVERY_FEW];
    size_t size = d->count * sizeof few[0];
    struct stream_id *ids = d->count <= DELIVERY_FEW ? few : memory_allocate(size);
    struct stream_walk w;
    bool fits = read_delivery(s, g, d, ids, &w);
    if (fits) {
        size_t before = group_bytes(g);
        stream_walk_bookmark(&w, &g->bookmark);
        if (!d->no_ack) put_delivered(g, ids, d, c->owner.number);
        g->last_delivered = d->last_id;
        if (!g->entries_read_exact) g->entries_read += d->count;
        else g->entries_read = stream_shown_ordinal(s, w.ordinal, d->last_id);
        c->seen_ms = d->now_ms;
        c->active_ms = d->now_ms;
        s->grouped->bytes += group_bytes(g) - before;
    }
    if (ids != few) memory_free(ids, size);
    return fits;
}

uint64_t stream_group_acknowledge(struct stream *s, struct slice group, const struct stream_id *ids,
                                  size_t count)
{
    struct stream_group *g = change(s, group);
    size_t before = group_bytes(g);
    uint64_t removed = pending_remove(&g->pending, ids, count);
    stream_referenced_suspect(s, ids, count);
    CHECK(removed <= count);
    s->grouped->bytes += group_bytes(g) - before;
    return removed;
}

void group_restore_pending(struct stream *s, struct stream_group *g,
                           const struct pending_item *items, size_t count)
{
    size_t before = group_bytes(g);
    for (size_t i = 0; i < count; i++) {
        CHECK(items[i].owner == PENDING_UNOWNED || items[i].owner < g->pending.owners_capacity);
        pending_put(&g->pending, &items[i]);
    }
    s->grouped->bytes += group_bytes(g) - before;
}

static uint64_t next_deliveries(const struct stream_claim *claim, uint64_t deliveries)
{
    switch (claim->deliveries) {
    case STREAM_DELIVERIES_KEEP: return deliveries;
    case STREAM_DELIVERIES_INCREMENT: return deliveries < INT64_MAX ? deliveries + 1 : deliveries;
    case STREAM_DELIVERIES_SET: return claim->deliveries_count;
    case STREAM_DELIVERIES_DECREMENT: return deliveries > 0 ? deliveries - 1 : 0;
    }
    CHECK(false);
    return 0;
}

void stream_group_claim(struct stream *s, const struct stream_claim *claim)
{
    struct stream_group *g = change(s, claim->group);
    size_t before = group_bytes(g);
    uint32_t owner = PENDING_UNOWNED;
    if (!claim->unowned) { /* an empty name is a name */
        struct stream_consumer *c = must_find_consumer(g, claim->consumer);
        owner = c->owner.number;
        if (claim->active_ms >= 0) c->active_ms = claim->active_ms;
    }
    for (size_t i = 0; i < claim->count; i++) {
        struct pending_item item;
        /* Redis' XCLAIM FORCE makes the entry as if delivered once, and then counts the claim. */
        if (!pending_get(&g->pending, claim->ids[i], &item)) item.deliveries = 1;
        item.id = claim->ids[i];
        item.delivery_ms = claim->delivery_ms;
        item.deliveries = next_deliveries(claim, item.deliveries);
        item.owner = owner;
        pending_put(&g->pending, &item);
    }
    s->grouped->bytes += group_bytes(g) - before;
}

/* ---- checking ---- */

static void check_group(const struct stream_group *g)
{
    size_t bytes = 0;
    name_index_check(&g->consumers);
    for (uint32_t i = 0; i < g->consumers.count; i++) {
        const struct stream_consumer *c = consumer_of(g->consumers.members[i]);
        CHECK(c->owner.number < g->pending.owners_capacity);
        CHECK(g->pending.owners[c->owner.number] == &c->owner);
        bytes += consumer_bytes(c);
    }
    uint32_t owners = 0;
    for (uint32_t i = 0; i < g->pending.owners_capacity; i++)
        owners += g->pending.owners[i] != NULL;
    CHECK(owners == g->consumers.count);
    CHECK(bytes == g->consumers_bytes);
    pending_check(&g->pending);
}

void stream_groups_check(const struct stream *s)
{
    size_t bytes = name_index_memory_bytes(&s->groups);
    name_index_check(&s->groups);
    for (uint32_t i = 0; i < s->groups.count; i++) {
        const struct stream_group *g = group_of(s->groups.members[i]);
        check_group(g);
        bytes += group_bytes(g);
    }
    CHECK(bytes == (s->grouped == NULL ? 0 : s->grouped->bytes));
}
