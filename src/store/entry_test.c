/* Entries: their sizes, and that every rewrite keeps what it must keep. */
#include "store/entry.h"

#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const char letters[] = "abcdefghijklmnopqrstuvwxyz";

static struct value bytes_value(const char *bytes, size_t size)
{
    return (struct value){.type = STORE_STRING, .form = FORM_BYTES, .bytes = {bytes, size}};
}

/* The budget of design/data.md: 16 bytes of key and of value take 48 with or without an expiry. */
static void small_keys_take_48_bytes(void **state)
{
    (void)state;
    struct slice key = {letters, 16};
    struct value value = bytes_value(letters, 16);
    struct entry *e = entry_create(key, &value, STORE_NO_EXPIRY);
    assert_int_equal(entry_allocated_size(e), 48);
    struct entry *same = entry_set_expiry(e, 1);
    assert_ptr_equal(same, e);
    assert_int_equal(entry_allocated_size(e), 48);
    entry_free(e);
}

/* What is allocated is a size class, so nothing is rounded up unseen. */
static void sizes_are_classes(void **state)
{
    (void)state;
    static char bytes[STORE_INLINE_BYTES_MAX];
    for (size_t size = 0; size <= STORE_INLINE_BYTES_MAX; size++) {
        struct value value = bytes_value(bytes, size);
        struct entry *e = entry_create(SLICE("key"), &value, STORE_NO_EXPIRY);
        size_t content = sizeof *e + 3 + size;
        assert_true(entry_allocated_size(e) >= content);
        assert_true(entry_allocated_size(e) <= content + content / 4 + 16);
        assert_int_equal(memory_rounded_size(entry_allocated_size(e)), entry_allocated_size(e));
        entry_free(e);
    }
}

static struct value form_value(unsigned form, const char *bytes, size_t size)
{
    struct value v = bytes_value(bytes, size);
    v.form = (enum value_form)form;
    v.type = form == FORM_BODY ? STORE_TYPES_MAX - 1 : STORE_STRING;
    if (form == FORM_INTEGER) v.integer = INT64_MIN + (int64_t)size;
    if (form == FORM_SHARED) v.shared = (struct shared *)(uintptr_t)(size + 1);
    if (form == FORM_BODY) v.body = (void *)(uintptr_t)(size + 1);
    return v;
}

static void assert_holds(const struct entry *e, const struct value *expected, int64_t expiry_ms)
{
    struct value v = {0};
    entry_value(e, &v);
    assert_true(slice_equal(entry_key(e), SLICE("the key")));
    assert_true(entry_expiry(e) == expiry_ms);
    assert_int_equal(entry_generation(e), 1);
    assert_int_equal(v.type, expected->type);
    assert_int_equal(v.form, expected->form);
    if (v.form == FORM_BYTES) assert_true(slice_equal(v.bytes, expected->bytes));
    else assert_true(v.integer == expected->integer);
}

/* From every form, size and deadline to every other: the key and the generation stay, the rest is
 * what was written; then the deadline alone changes and everything else stays. */
static void rewrites_keep_the_key(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 8, 9, 24};
    static const int64_t deadlines[] = {STORE_NO_EXPIRY, INT64_MIN, 0, INT64_MAX - 1};
    for (unsigned n = 0; n < 80 * 80 * 4; n++) {
        unsigned from = n % 80, to = n / 80 % 80, last = n / 6400;
        struct value before = form_value(from % 4, letters, sizes[from / 4 % 5]);
        struct value after = form_value(to % 4, letters + 1, sizes[to / 4 % 5]);
        struct entry *e = entry_create(SLICE("the key"), &before, deadlines[from / 20]);
        entry_set_generation(e, 1);
        assert_holds(e, &before, deadlines[from / 20]);
        e = entry_rewrite(e, &after, deadlines[to / 20]);
        assert_holds(e, &after, deadlines[to / 20]);
        e = entry_set_expiry(e, deadlines[last]);
        assert_holds(e, &after, deadlines[last]);
        entry_free(e);
    }
}

/* A value of about the same size is written in place, its own bytes too. */
static void rewrites_in_place(void **state)
{
    (void)state;
    struct value value = bytes_value(letters, 10);
    struct entry *e = entry_create(SLICE("0123456789abcdef"), &value, STORE_NO_EXPIRY);
    value.bytes.size = 20;
    assert_ptr_equal(entry_rewrite(e, &value, STORE_NO_EXPIRY), e);
    assert_ptr_equal(entry_rewrite(e, &(struct value){.form = FORM_INTEGER}, 5), e);
    value.bytes.size = 26;
    e = entry_rewrite(e, &value, 9);
    entry_value(e, &value);
    value.bytes = (struct slice){value.bytes.data + 3, 20};
    e = entry_rewrite(e, &value, STORE_NO_EXPIRY);
    entry_value(e, &value);
    assert_true(slice_equal(value.bytes, (struct slice){letters + 3, 20}));
    entry_free(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_keys_take_48_bytes),
        cmocka_unit_test(sizes_are_classes),
        cmocka_unit_test(rewrites_keep_the_key),
        cmocka_unit_test(rewrites_in_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
