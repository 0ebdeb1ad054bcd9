#include "env/entropy.h"

#include "base/check.h"

#include <errno.h>
#include <sys/random.h>

void entropy_fill(void *bytes, size_t size)
{
    char *out = bytes;
    size_t filled = 0;
    while (filled < size) {
        ssize_t got = getrandom(out + filled, size - filled, 0);
        /* A signal may cut a long request short; any other failure means that salts and passwords
         * would repeat, and there is no safe way to go on. */
        if (got < 0 && errno == EINTR) continue;
        CHECK(got > 0);
        filled += (size_t)got;
    }
}

uint64_t entropy_u64(void)
{
    uint64_t value;
    entropy_fill(&value, sizeof(value));
    return value;
}
