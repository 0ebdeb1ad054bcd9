#include "wal/spares.h"

#include "base/check.h"

void spares_add(struct spares *s, uint64_t number)
{
    CHECK(s->count < SPARES_MAX);
    CHECK(number > 0 && number < s->next);
    s->numbers[s->count++] = number;
}

void spares_take(struct spares *s, uint64_t number)
{
    size_t i = 0;
    CHECK(s->count > 0);
    while (s->numbers[i] != number) {
        i++;
        CHECK(i < s->count);
    }
    s->numbers[i] = s->numbers[--s->count];
}

void spares_expect(struct spares *s, uint64_t segments)
{
    bool few = segments < SPARES_MAX - SPARES_AHEAD;
    s->wanted = few ? SPARES_AHEAD + (size_t)segments : SPARES_MAX;
    CHECK(s->wanted >= SPARES_AHEAD);
}

void wal_spare_run(struct wal_spare *s)
{
    const struct disk_operations *o = s->disk->operations;
    CHECK(IMPLIES(s->work != SPARE_REMOVE, s->number > 0));
    switch (s->work) {
    case SPARE_MAKE: s->status = segment_make_spare(s->disk, s->number, s->size); break;
    case SPARE_RECYCLE:
        s->status = segment_recycle(s->disk, s->leftover.name.text, s->number);
        break;
    case SPARE_REMOVE: s->status = o->remove(s->disk->context, s->leftover.name.text); break;
    }
}
