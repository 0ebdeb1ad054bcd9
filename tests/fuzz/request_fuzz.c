/* Fuzz target: the same bytes cut anywhere say the same (resp/request.h), and no byte breaks the
 * parser. The first byte of the input chooses the limits and the size of the pieces.
 * Rooms: base resp */
#include "resp/request_replay.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size == 0) return 0;
    const struct request_limits *limits =
        bytes[0] & 1 ? &request_limits_login : &request_limits_full;
    struct slice input = {(const char *)bytes + 1, size - 1};
    struct replay whole = {.limits = limits, .piece_max = SIZE_MAX};
    struct replay cut = {.limits = limits, .random = {size}, .piece_max = 1 + (bytes[0] >> 1)};
    replay(&whole, input);
    replay(&cut, input);
    CHECK(slice_equal(buf_slice(&whole.log), buf_slice(&cut.log)));
    buf_deinit(&whole.log);
    buf_deinit(&cut.log);
    return 0;
}
