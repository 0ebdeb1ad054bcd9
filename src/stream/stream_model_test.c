/* stream_model_test.c - the whole room against naive arrays: random operations on a stream and on
 * its model, everything that can be read compared, every invariant checked. IRMAK_SEED and
 * IRMAK_OPERATIONS choose another run. */
#include "base/memory.h"
#include "stream/model_fixture.h"

#include <stdlib.h>

/* Operations before a stream is dropped and a new one begun. */
enum { LIFE = 4000 };

/* Whatever is done to a stream and its groups, they answer as the naive arrays do, frozen views
 * keep their content, and every invariant holds. */
static void test_stream_answers_as_the_model(void **state)
{
    (void)state;
    const char *seed_text = getenv("IRMAK_SEED");
    const char *operations_text = getenv("IRMAK_OPERATIONS");
    uint64_t seed = seed_text != NULL ? strtoull(seed_text, NULL, 10) : 1;
    uint64_t operations = operations_text != NULL ? strtoull(operations_text, NULL, 10) : 200000;
    struct model *m = memory_allocate(sizeof *m);
    for (uint64_t done = 0; done < operations; seed++) {
        fprintf(stderr, "\rseed %llu ", (unsigned long long)seed);
        model_begin(m, seed);
        for (size_t i = 0; i < LIFE; i++, done++) {
            model_use(m);
            if (i % 37 == 0) stream_check(m->stream);
        }
        model_end(m);
    }
    fprintf(stderr, "\n%llu operations\n", (unsigned long long)operations);
    memory_free(m, sizeof *m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_stream_answers_as_the_model)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
