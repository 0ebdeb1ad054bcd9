#include "journal.h"

#include "base/hash.h"

#include <stdarg.h>
#include <stdio.h>

void journal_begin(struct journal *j, uint64_t seed)
{
    j->seed = seed;
    j->hash = seed;
    j->lines_count = 0;
}

void journal_note(struct journal *j, const char *format, ...)
{
    char *line = j->lines[j->lines_count++ % JOURNAL_LINES];
    va_list list;
    va_start(list, format);
    vsnprintf(line, JOURNAL_LINE_BYTES, format, list);
    va_end(list);
    journal_hash(j, slice_of(line));
}

void journal_hash(struct journal *j, struct slice bytes)
{
    j->hash = hash_bytes(bytes, j->hash);
}

void journal_hash_number(struct journal *j, uint64_t number)
{
    journal_hash(j, (struct slice){(const char *)&number, sizeof number});
}

void journal_fail(struct journal *j, const char *format, ...)
{
    if (j->failed) return;
    j->failed = true;
    va_list list;
    va_start(list, format);
    vsnprintf(j->verdict, JOURNAL_VERDICT_BYTES, format, list);
    va_end(list);
}
