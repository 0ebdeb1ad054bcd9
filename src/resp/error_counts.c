#include "resp/error_counts.h"

#include "base/check.h"

static struct slice kind_of(struct slice message)
{
    size_t searched = message.size;
    if (searched > ERROR_KIND_BYTES_MAX + 1) searched = ERROR_KIND_BYTES_MAX + 1;
    const char *blank = searched == 0 ? NULL : memchr(message.data, ' ', searched);
    if (blank == NULL || blank == message.data) return SLICE("ERR");
    return (struct slice){message.data, (size_t)(blank - message.data)};
}

/* Where the kind is, or where it belongs: there are few. */
static size_t place_of(const struct error_counts *e, struct slice kind, bool *found)
{
    size_t i = 0;
    *found = false;
    for (; i < e->kinds_count; i++) {
        int order = slice_compare(slice_of(e->kinds[i].name), kind);
        *found = order == 0;
        if (order >= 0) break;
    }
    return i;
}

void error_counts_add(struct error_counts *e, struct slice message)
{
    bool found;
    struct slice kind = kind_of(message);
    size_t place = place_of(e, kind, &found);
    CHECK(kind.size <= ERROR_KIND_BYTES_MAX);
    CHECK(e->kinds_count <= ERROR_KINDS_MAX);
    e->total++;
    if (!found) {
        if (e->kinds_count == ERROR_KINDS_MAX) return;
        struct error_kind *at = &e->kinds[place];
        memmove(at + 1, at, (e->kinds_count - place) * sizeof *at);
        e->kinds_count++;
        *at = (struct error_kind){.count = 0};
        memcpy(at->name, kind.data, kind.size);
    }
    e->kinds[place].count++;
}
