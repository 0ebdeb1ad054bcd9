#include "answer.h"

#include "base/number.h"

static bool kind_of(char mark, enum answer_kind *kind)
{
    switch (mark) {
    case '+': *kind = ANSWER_STATUS; return true;
    case '-': *kind = ANSWER_ERROR; return true;
    case ':': *kind = ANSWER_INTEGER; return true;
    case '=':
    case '!':
    case '$': *kind = ANSWER_BULK; return true;
    case '~':
    case '>':
    case '*': *kind = ANSWER_ARRAY; return true;
    case '%': *kind = ANSWER_MAP; return true;
    case '_': *kind = ANSWER_NULL; return true;
    case ',':
    case '#':
    case '(': *kind = ANSWER_OTHER; return true;
    default: return false;
    }
}

/* A size or a count; -1 makes the item null. */
static bool take_number(struct answer *item)
{
    if (!number_parse_i64(item->text, &item->integer)) return false;
    if (item->kind == ANSWER_INTEGER) return true;
    if (item->integer < -1) return false;
    if (item->integer == -1) item->kind = ANSWER_NULL;
    if (item->kind == ANSWER_MAP) item->integer *= 2;
    return true;
}

bool answer_take(struct slice *in, struct answer *item)
{
    const char *end = in->size == 0 ? NULL : memchr(in->data, '\n', in->size);
    if (end == NULL || end < in->data + 2 || end[-1] != '\r') return false;
    *item = (struct answer){.mark = in->data[0]};
    if (!kind_of(item->mark, &item->kind)) return false;
    size_t size = (size_t)(end + 1 - in->data);
    item->text = (struct slice){in->data + 1, size - 3};
    bool counted = item->kind == ANSWER_INTEGER || item->kind == ANSWER_BULK ||
                   item->kind == ANSWER_ARRAY || item->kind == ANSWER_MAP;
    if (counted && !take_number(item)) return false;
    if (item->kind == ANSWER_BULK) {
        size_t bytes = (size_t)item->integer;
        if (in->size - size < bytes + 2) return false;
        if (memcmp(in->data + size + bytes, "\r\n", 2) != 0) return false;
        item->text = (struct slice){in->data + size, bytes};
        size += bytes + 2;
    }
    *in = (struct slice){in->data + size, in->size - size};
    return true;
}

size_t answer_size(struct slice in)
{
    struct slice rest = in;
    struct answer item;
    for (int64_t left = 1; left > 0; left--) {
        if (!answer_take(&rest, &item)) return 0;
        if (item.kind == ANSWER_ARRAY || item.kind == ANSWER_MAP) left += item.integer;
    }
    return in.size - rest.size;
}
