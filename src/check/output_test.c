/* JSON that stays valid whatever the bytes are. */
#include "check/output.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* Commas stand between members and elements and nowhere else; bytes are escaped. */
static void test_json(void **state)
{
    (void)state;
    struct output o = {.json = true};
    output_open(&o, NULL, '{');
    output_string(&o, "name", (struct slice){"a\"\\\n\xff\0z", 7});
    output_open(&o, "list", '[');
    output_number(&o, NULL, 1);
    output_number(&o, NULL, UINT64_MAX);
    output_open(&o, NULL, '{');
    output_close(&o, '}');
    output_close(&o, ']');
    output_null(&o, "nothing");
    output_close(&o, '}');
    const struct slice expected = SLICE("{\"name\":\"a\\\"\\\\\\u000a\\u00ff\\u0000z\",\n"
                                        "\"list\":[1,\n18446744073709551615,\n{}],\n"
                                        "\"nothing\":null}");
    assert_true(slice_equal(buf_slice(&o.text), expected));
    output_deinit(&o);
}

/* A file that cannot take the output is noticed. */
static void test_full_file(void **state)
{
    (void)state;
    struct output o = {.file = fopen("/dev/full", "w")};
    assert_non_null(o.file);
    output_text(&o, "%s\n", "text");
    output_flush(&o);
    assert_true(o.failed);
    fclose(o.file);
    output_deinit(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_full_file),
    };
    return cmocka_run_group_tests_name("check output", tests, NULL, NULL);
}
