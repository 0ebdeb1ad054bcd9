#include "sim_disk.h"

#include "base/check.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/random.h"

enum { NAMES_MAX = 128, OPEN_MAX = 64 };

struct image {
    char *bytes;
    uint64_t size;
    uint64_t capacity;
};

/* One sector as a write left it, not yet synced. */
struct dirty {
    uint64_t sector;
    char bytes[SIM_SECTOR_BYTES];
};

struct inode {
    struct image visible;
    struct image stable;
    struct image previous; /* each sector as it was before its last write */
    struct dirty *dirty;   /* in the order of writing */
    size_t dirty_count;
    size_t dirty_capacity;
};

struct named {
    char name[DISK_NAME_MAX + 1];
    struct inode *inode;
};

struct names {
    struct named entries[NAMES_MAX];
    size_t count;
};

/* A change of names that is not synced: 'to' becomes inode (NULL: vanishes), 'from' vanishes. */
struct change {
    char from[DISK_NAME_MAX + 1];
    char to[DISK_NAME_MAX + 1];
    struct inode *inode;
};

struct disk_file {
    struct sim_disk *owner;
    struct inode *inode;
    bool open;
};

struct sim_disk {
    struct disk disk;
    struct random random;
    struct sim_faults faults;
    uint64_t calls;
    bool fault_met;
    bool trusted; /* see sim_disk_trust: of each file only what is visible is kept */
    struct names visible;
    struct names stable;
    struct change changes[NAMES_MAX];
    size_t changes_count;
    bool names_lost; /* sync_names has failed, and does until the process ends */
    struct inode **inodes;
    size_t inodes_count;
    size_t inodes_capacity;
    struct disk_file files[OPEN_MAX];
};

/* ---- images ---- */

static void image_resize(struct image *m, uint64_t size)
{
    if (size > m->capacity) {
        uint64_t capacity = m->capacity * 2 > size ? m->capacity * 2 : size;
        m->bytes = memory_resize(m->bytes, m->capacity, capacity);
        m->capacity = capacity;
    }
    if (size > m->size) memset(m->bytes + m->size, 0, size - m->size);
    m->size = size;
}

static void image_copy(struct image *to, const struct image *from)
{
    image_resize(to, from->size);
    if (from->size > 0) memcpy(to->bytes, from->bytes, from->size);
}

static void image_deinit(struct image *m)
{
    memory_free(m->bytes, m->capacity);
    *m = (struct image){0};
}

static void image_write(struct image *m, uint64_t offset, struct slice bytes)
{
    if (offset + bytes.size > m->size) image_resize(m, offset + bytes.size);
    if (bytes.size > 0) memcpy(m->bytes + offset, bytes.data, bytes.size);
}

static size_t sector_size(const struct image *m, uint64_t sector)
{
    uint64_t begin = sector * SIM_SECTOR_BYTES;
    if (begin >= m->size) return 0;
    uint64_t left = m->size - begin;
    return left < SIM_SECTOR_BYTES ? (size_t)left : SIM_SECTOR_BYTES;
}

/* ---- files ---- */

static struct inode *inode_create(struct sim_disk *s)
{
    if (s->inodes_count == s->inodes_capacity) {
        size_t capacity = s->inodes_capacity == 0 ? 16 : s->inodes_capacity * 2;
        s->inodes = memory_resize(s->inodes, s->inodes_capacity * sizeof(*s->inodes),
                                  capacity * sizeof(*s->inodes));
        s->inodes_capacity = capacity;
    }
    struct inode *n = memory_allocate_zeroed(sizeof(*n));
    s->inodes[s->inodes_count++] = n;
    return n;
}

static void inode_destroy(struct inode *n)
{
    image_deinit(&n->visible);
    image_deinit(&n->stable);
    image_deinit(&n->previous);
    memory_free(n->dirty, n->dirty_capacity * sizeof(*n->dirty));
    memory_free(n, sizeof(*n));
}

static void remember_dirty(struct inode *n, uint64_t sector)
{
    if (n->dirty_count == n->dirty_capacity) {
        size_t capacity = n->dirty_capacity == 0 ? 16 : n->dirty_capacity * 2;
        n->dirty = memory_resize(n->dirty, n->dirty_capacity * sizeof(*n->dirty),
                                 capacity * sizeof(*n->dirty));
        n->dirty_capacity = capacity;
    }
    struct dirty *d = &n->dirty[n->dirty_count++];
    d->sector = sector;
    memset(d->bytes, 0, sizeof(d->bytes));
    memcpy(d->bytes, n->visible.bytes + sector * SIM_SECTOR_BYTES,
           sector_size(&n->visible, sector));
}

static void inode_write(struct inode *n, uint64_t offset, struct slice bytes)
{
    if (bytes.size == 0) return;
    uint64_t end = offset + bytes.size;
    uint64_t first = offset / SIM_SECTOR_BYTES;
    uint64_t last = (end - 1) / SIM_SECTOR_BYTES;
    if (end > n->visible.size) image_resize(&n->visible, end);
    if (n->visible.size > n->previous.size) image_resize(&n->previous, n->visible.size);
    for (uint64_t i = first; i <= last; i++)
        memcpy(n->previous.bytes + i * SIM_SECTOR_BYTES, n->visible.bytes + i * SIM_SECTOR_BYTES,
               sector_size(&n->visible, i));
    memcpy(n->visible.bytes + offset, bytes.data, bytes.size);
    for (uint64_t i = first; i <= last; i++) remember_dirty(n, i);
}

static void stabilize(struct inode *n, const struct dirty *d)
{
    uint64_t end = (d->sector + 1) * SIM_SECTOR_BYTES;
    if (end > n->visible.size) end = n->visible.size;
    if (end > n->stable.size) image_resize(&n->stable, end);
    memcpy(n->stable.bytes + d->sector * SIM_SECTOR_BYTES, d->bytes,
           sector_size(&n->stable, d->sector));
}

/* How much of what was not synced survives: nothing, all, or each part with this chance of 256. */
static uint64_t survival(struct random *r)
{
    static const uint64_t chances[] = {0, 256, 128, 30, 226};
    return chances[random_below(r, sizeof(chances) / sizeof(chances[0]))];
}

static void inode_lose(struct inode *n, struct random *r)
{
    uint64_t chance = survival(r);
    for (size_t i = 0; i < n->dirty_count; i++)
        if (random_below(r, 256) < chance) stabilize(n, &n->dirty[i]);
    if (n->visible.size > n->stable.size && random_below(r, 2) == 0)
        image_resize(&n->stable, n->visible.size);
    n->dirty_count = 0;
}

static void inode_sync(struct inode *n)
{
    for (size_t i = 0; i < n->dirty_count; i++) stabilize(n, &n->dirty[i]);
    /* What an earlier failed sync forgot is not there, but the file has its size. */
    if (n->visible.size > n->stable.size) image_resize(&n->stable, n->visible.size);
    n->dirty_count = 0;
}

/* ---- names ---- */

/* count when there is none. */
static size_t names_index(const struct names *t, const char *name)
{
    size_t i = 0;
    while (i < t->count && strcmp(t->entries[i].name, name) != 0) i++;
    return i;
}

static const struct named *names_find(const struct names *t, const char *name)
{
    size_t i = names_index(t, name);
    return i == t->count ? NULL : &t->entries[i];
}

static void names_unset(struct names *t, const char *name)
{
    size_t i = names_index(t, name);
    if (i < t->count) t->entries[i] = t->entries[--t->count];
}

static void copy_name(char to[DISK_NAME_MAX + 1], const char *from)
{
    size_t size = strlen(from);
    CHECK(size <= DISK_NAME_MAX);
    memcpy(to, from, size + 1);
}

static void names_set(struct names *t, const char *name, struct inode *inode)
{
    size_t i = names_index(t, name);
    if (i == t->count) {
        CHECK(t->count < NAMES_MAX);
        copy_name(t->entries[t->count++].name, name);
    }
    t->entries[i].inode = inode;
}

static void names_change(struct names *t, const struct change *c)
{
    const struct named *from = names_find(t, c->from);
    /* The name may mean another file by now, when changes before this one were lost. */
    if (from != NULL && (c->inode == NULL || from->inode == c->inode)) names_unset(t, c->from);
    if (c->inode != NULL) names_set(t, c->to, c->inode);
}

static void change_names(struct sim_disk *s, const char *from, const char *to, struct inode *inode)
{
    CHECK(s->changes_count < NAMES_MAX);
    struct change *c = &s->changes[s->changes_count++];
    copy_name(c->from, from);
    copy_name(c->to, to);
    c->inode = inode;
    names_change(&s->visible, c);
}

/* ---- faults ---- */

/* Counts the call. Not DISK_OK: it fails so; *dead: and has no effect at all. */
static enum disk_status meet_faults(struct sim_disk *s, bool *dead)
{
    const struct sim_faults *f = &s->faults;
    s->calls++;
    *dead = f->power_off_at != 0 && s->calls >= f->power_off_at;
    bool fails =
        f->fail_at != 0 && (f->fail_for_ever ? s->calls >= f->fail_at : s->calls == f->fail_at);
    if (*dead || fails) s->fault_met = true;
    if (*dead) return DISK_FAILED;
    return fails ? f->fail_status : DISK_OK;
}

static uint64_t bytes_of_all(const struct sim_disk *s)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < s->visible.count; i++) sum += s->visible.entries[i].inode->visible.size;
    return sum;
}

/* ---- the operations ---- */

static enum disk_status sim_open(void *context, const char *name, enum disk_open how,
                                 struct disk_file **file)
{
    struct sim_disk *s = context;
    bool dead;
    enum disk_status status = meet_faults(s, &dead);
    if (status != DISK_OK) return status;
    const struct named *e = names_find(&s->visible, name);
    struct inode *inode = e == NULL ? NULL : e->inode;
    if (how == DISK_OPEN_CREATE) {
        if (inode != NULL) return DISK_EXISTS;
        inode = inode_create(s);
        change_names(s, "", name, inode);
    }
    if (inode == NULL) return DISK_ABSENT;
    for (size_t i = 0; i < OPEN_MAX; i++) {
        if (s->files[i].open) continue;
        s->files[i] = (struct disk_file){.owner = s, .inode = inode, .open = true};
        *file = &s->files[i];
        return DISK_OK;
    }
    CHECK(false);
    return DISK_FAILED;
}

static void sim_close(void *context, struct disk_file *file)
{
    CHECK(file->owner == context);
    CHECK(file->open);
    file->open = false;
}

static enum disk_status sim_read(struct disk_file *file, uint64_t offset, char *bytes, size_t size,
                                 size_t *read_size)
{
    CHECK(file->open);
    bool dead;
    *read_size = 0;
    enum disk_status status = meet_faults(file->owner, &dead);
    if (status != DISK_OK) return status;
    const struct image *m = &file->inode->visible;
    if (offset >= m->size) return DISK_OK;
    *read_size = m->size - offset < size ? (size_t)(m->size - offset) : size;
    memcpy(bytes, m->bytes + offset, *read_size);
    return DISK_OK;
}

static enum disk_status sim_write(struct disk_file *file, uint64_t offset, struct slice bytes)
{
    CHECK(file->open);
    struct sim_disk *s = file->owner;
    struct inode *n = file->inode;
    bool dead;
    enum disk_status status = meet_faults(s, &dead);
    if (dead) return status;
    uint64_t end = offset + bytes.size;
    uint64_t grown = end > n->visible.size ? end - n->visible.size : 0;
    uint64_t used = bytes_of_all(s);
    if (status == DISK_OK && s->faults.capacity != 0 && grown > 0 &&
        used + grown > s->faults.capacity)
        status = DISK_FULL;
    if (status != DISK_OK) {
        uint64_t sectors = bytes.size / SIM_SECTOR_BYTES;
        bytes.size = (size_t)random_below(&s->random, sectors + 1) * SIM_SECTOR_BYTES;
    }
    if (s->trusted) image_write(&n->visible, offset, bytes);
    else inode_write(n, offset, bytes);
    return status;
}

static enum disk_status sim_sync(struct disk_file *file)
{
    CHECK(file->open);
    bool dead;
    enum disk_status status = meet_faults(file->owner, &dead);
    if (dead || file->owner->trusted) return status;
    if (status == DISK_OK) inode_sync(file->inode);
    else inode_lose(file->inode, &file->owner->random);
    return status;
}

static enum disk_status sim_rename(void *context, const char *from, const char *to)
{
    struct sim_disk *s = context;
    bool dead;
    enum disk_status status = meet_faults(s, &dead);
    if (status != DISK_OK) return status;
    const struct named *e = names_find(&s->visible, from);
    if (e == NULL) return DISK_ABSENT;
    change_names(s, from, to, e->inode);
    return DISK_OK;
}

static enum disk_status sim_remove(void *context, const char *name)
{
    struct sim_disk *s = context;
    bool dead;
    enum disk_status status = meet_faults(s, &dead);
    if (status != DISK_OK) return status;
    if (names_find(&s->visible, name) == NULL) return DISK_ABSENT;
    change_names(s, name, "", NULL);
    return DISK_OK;
}

static enum disk_status sim_sync_names(void *context)
{
    struct sim_disk *s = context;
    bool dead;
    enum disk_status status = meet_faults(s, &dead);
    if (dead) return status;
    if (s->names_lost) return DISK_NAMES_LOST;
    s->names_lost = status != DISK_OK;
    uint64_t chance = s->names_lost ? survival(&s->random) : 256;
    for (size_t i = 0; i < s->changes_count; i++)
        if (random_below(&s->random, 256) < chance) names_change(&s->stable, &s->changes[i]);
    s->changes_count = 0;
    return s->names_lost ? DISK_NAMES_LOST : DISK_OK;
}

static enum disk_status sim_list(void *context, disk_visit *visit, void *visit_context)
{
    struct sim_disk *s = context;
    bool dead;
    enum disk_status status = meet_faults(s, &dead);
    if (status != DISK_OK) return status;
    for (size_t i = 0; i < s->visible.count; i++) {
        const struct named *e = &s->visible.entries[i];
        visit(visit_context, slice_of(e->name), e->inode->visible.size);
    }
    return DISK_OK;
}

static uint64_t sim_now_ns(void *context)
{
    (void)context;
    return 0;
}

static const struct disk_operations operations = {
    .open = sim_open,
    .close = sim_close,
    .read = sim_read,
    .write = sim_write,
    .sync = sim_sync,
    .rename = sim_rename,
    .remove = sim_remove,
    .sync_names = sim_sync_names,
    .list = sim_list,
    .now_ns = sim_now_ns,
};

/* ---- life ---- */

struct sim_disk *sim_disk_create(uint64_t seed)
{
    struct sim_disk *s = memory_allocate_zeroed(sizeof(*s));
    s->random.state = seed;
    s->disk = (struct disk){.operations = &operations, .context = s};
    return s;
}

void sim_disk_destroy(struct sim_disk *s)
{
    for (size_t i = 0; i < s->inodes_count; i++) inode_destroy(s->inodes[i]);
    memory_free(s->inodes, s->inodes_capacity * sizeof(*s->inodes));
    memory_free(s, sizeof(*s));
}

static struct inode *counterpart(const struct sim_disk *from, const struct sim_disk *to,
                                 const struct inode *inode)
{
    for (size_t i = 0; i < from->inodes_count; i++)
        if (from->inodes[i] == inode) return to->inodes[i];
    CHECK(inode == NULL);
    return NULL;
}

struct sim_disk *sim_disk_clone(const struct sim_disk *s, uint64_t seed)
{
    struct sim_disk *c = sim_disk_create(seed);
    for (size_t i = 0; i < s->inodes_count; i++) {
        const struct inode *from = s->inodes[i];
        struct inode *to = inode_create(c);
        image_copy(&to->visible, &from->visible);
        image_copy(&to->stable, &from->stable);
        image_copy(&to->previous, &from->previous);
        if (from->dirty_count == 0) continue;
        to->dirty_capacity = from->dirty_count;
        to->dirty_count = from->dirty_count;
        to->dirty = memory_allocate(from->dirty_count * sizeof(*from->dirty));
        memcpy(to->dirty, from->dirty, from->dirty_count * sizeof(*from->dirty));
    }
    c->visible = s->visible;
    c->stable = s->stable;
    for (size_t i = 0; i < c->visible.count; i++)
        c->visible.entries[i].inode = counterpart(s, c, s->visible.entries[i].inode);
    for (size_t i = 0; i < c->stable.count; i++)
        c->stable.entries[i].inode = counterpart(s, c, s->stable.entries[i].inode);
    for (size_t i = 0; i < s->changes_count; i++) {
        c->changes[i] = s->changes[i];
        c->changes[i].inode = counterpart(s, c, s->changes[i].inode);
    }
    c->changes_count = s->changes_count;
    return c;
}

struct disk *sim_disk_disk(struct sim_disk *s)
{
    return &s->disk;
}

void sim_disk_trust(struct sim_disk *s)
{
    CHECK(s->inodes_count == 0);
    s->trusted = true;
}

void sim_disk_set_faults(struct sim_disk *s, const struct sim_faults *faults)
{
    s->faults = *faults;
    s->calls = 0;
    s->fault_met = false;
}

uint64_t sim_disk_calls(const struct sim_disk *s)
{
    return s->calls;
}

bool sim_disk_fault_met(const struct sim_disk *s)
{
    return s->fault_met;
}

static bool named_somewhere(const struct sim_disk *s, const struct inode *inode)
{
    for (size_t i = 0; i < s->visible.count; i++)
        if (s->visible.entries[i].inode == inode) return true;
    for (size_t i = 0; i < s->stable.count; i++)
        if (s->stable.entries[i].inode == inode) return true;
    for (size_t i = 0; i < s->changes_count; i++)
        if (s->changes[i].inode == inode) return true;
    return false;
}

static void forget_nameless(struct sim_disk *s)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->inodes_count; i++) {
        if (named_somewhere(s, s->inodes[i])) s->inodes[kept++] = s->inodes[i];
        else inode_destroy(s->inodes[i]);
    }
    s->inodes_count = kept;
}

void sim_disk_kill(struct sim_disk *s)
{
    memset(s->files, 0, sizeof(s->files));
    s->faults = (struct sim_faults){0};
    s->names_lost = false;
    forget_nameless(s);
}

void sim_disk_power_cut(struct sim_disk *s)
{
    CHECK(!s->trusted);
    uint64_t chance = survival(&s->random);
    for (size_t i = 0; i < s->changes_count; i++)
        if (random_below(&s->random, 256) < chance) names_change(&s->stable, &s->changes[i]);
    s->changes_count = 0;
    s->visible = s->stable;
    for (size_t i = 0; i < s->inodes_count; i++) {
        struct inode *n = s->inodes[i];
        inode_lose(n, &s->random);
        image_copy(&n->visible, &n->stable);
    }
    sim_disk_kill(s);
}

/* ---- damage ---- */

static struct inode *inode_named(const struct sim_disk *s, const char *name)
{
    const struct named *e = names_find(&s->visible, name);
    return e == NULL ? NULL : e->inode;
}

static void choose_damage(struct sim_disk *s, const struct inode *n, uint64_t sector,
                          enum sim_damage kind, char bytes[SIM_SECTOR_BYTES])
{
    size_t size = sector_size(&n->visible, sector);
    switch (kind) {
    case SIM_FLIP:
        bytes[random_below(&s->random, size)] ^= (char)(1 << random_below(&s->random, 8));
        break;
    case SIM_ZERO: memset(bytes, 0, SIM_SECTOR_BYTES); break;
    case SIM_STALE:
        if (sector_size(&n->previous, sector) >= size)
            memcpy(bytes, n->previous.bytes + sector * SIM_SECTOR_BYTES, size);
        break;
    case SIM_MISDIRECT: {
        const struct named *e = &s->visible.entries[random_below(&s->random, s->visible.count)];
        uint64_t sectors = e->inode->visible.size / SIM_SECTOR_BYTES;
        if (sectors == 0) break;
        uint64_t from = random_below(&s->random, sectors);
        memcpy(bytes, e->inode->visible.bytes + from * SIM_SECTOR_BYTES, SIM_SECTOR_BYTES);
        break;
    }
    case SIM_DAMAGES_COUNT: CHECK(false);
    }
}

bool sim_disk_damage(struct sim_disk *s, const char *name, uint64_t sector, enum sim_damage kind)
{
    struct inode *n = inode_named(s, name);
    if (n == NULL) return false;
    size_t size = sector_size(&n->visible, sector);
    if (size == 0) return false;
    char *place = n->visible.bytes + sector * SIM_SECTOR_BYTES;
    char bytes[SIM_SECTOR_BYTES] = {0};
    memcpy(bytes, place, size);
    choose_damage(s, n, sector, kind, bytes);
    if (memcmp(bytes, place, size) == 0) return false;
    sim_disk_patch(s, name, sector * SIM_SECTOR_BYTES, (struct slice){bytes, size});
    return true;
}

const char *sim_disk_bytes(const struct sim_disk *s, const char *name, uint64_t *size)
{
    const struct inode *n = inode_named(s, name);
    *size = n == NULL ? 0 : n->visible.size;
    return n == NULL ? NULL : n->visible.bytes;
}

void sim_disk_patch(struct sim_disk *s, const char *name, uint64_t offset, struct slice bytes)
{
    struct inode *n = inode_named(s, name);
    CHECK(n != NULL && !s->trusted);
    CHECK(offset + bytes.size <= n->visible.size);
    memcpy(n->visible.bytes + offset, bytes.data, bytes.size);
    if (n->stable.size < n->visible.size) image_resize(&n->stable, n->visible.size);
    memcpy(n->stable.bytes + offset, bytes.data, bytes.size);
}

uint64_t sim_disk_hash(const struct sim_disk *s)
{
    uint64_t hash = s->changes_count;
    for (size_t i = 0; i < s->visible.count; i++) {
        const struct named *e = &s->visible.entries[i];
        hash = hash_bytes(slice_of(e->name), hash);
        hash = hash_bytes((struct slice){e->inode->visible.bytes, e->inode->visible.size}, hash);
        hash = hash_bytes((struct slice){e->inode->stable.bytes, e->inode->stable.size}, hash);
    }
    for (size_t i = 0; i < s->stable.count; i++)
        hash = hash_bytes(slice_of(s->stable.entries[i].name), hash);
    return hash;
}
