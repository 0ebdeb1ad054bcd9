/* Fuzz target: any bytes as a configuration file. It is taken, or refused with a sentence; what was
 * taken is what CONFIG REWRITE writes, and that reads back to the same. Inputs with "include" are
 * left out: the files of this machine are no part of the input. */
#include "base/check.h"
#include "server/config_file.h"
#include "server/config_rewrite.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static bool mentions_include(struct slice text)
{
    static const char word[] = "include";
    for (size_t i = 0; i + sizeof word - 1 <= text.size; i++) {
        size_t same = 0;
        while (same < sizeof word - 1 && slice_lower(text.data[i + same]) == word[same]) same++;
        if (same == sizeof word - 1) return true;
    }
    return false;
}

static bool read_text(struct config *c, struct slice text)
{
    struct buf problem = {0};
    bool good = config_read_text(c, "input", text, &problem);
    CHECK(good || problem.size > 0);
    buf_deinit(&problem);
    return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct slice text = {(const char *)bytes, size};
    if (mentions_include(text)) return 0;
    struct config *c = config_create();
    if (read_text(c, text)) {
        struct buf written = {0}, again = {0};
        struct config *copy = config_create();
        config_rewrite_text(c, SLICE(""), &written);
        CHECK(read_text(copy, buf_slice(&written)));
        config_rewrite_text(copy, SLICE(""), &again);
        CHECK(slice_equal(buf_slice(&written), buf_slice(&again)));
        config_destroy(copy);
        buf_deinit(&written);
        buf_deinit(&again);
    }
    config_destroy(c);
    return 0;
}
