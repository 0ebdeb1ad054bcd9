#include "check/output.h"

#include "base/check.h"

#include <inttypes.h>
#include <stdarg.h>

enum { PORTION_BYTES = 64 * 1024, LINE_BYTES = 1024 };

void output_flush(struct output *o)
{
    if (o->file == NULL) return;
    bool whole = fwrite(o->text.data, 1, o->text.size, o->file) == o->text.size;
    if (!whole || fflush(o->file) != 0) o->failed = true;
    o->text.size = 0;
}

void output_deinit(struct output *o)
{
    buf_deinit(&o->text);
}

static void flush_large(struct output *o)
{
    if (o->text.size >= PORTION_BYTES) output_flush(o);
}

void output_text(struct output *o, const char *format, ...)
{
    char line[LINE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    CHECK(size >= 0);
    size_t shown = (size_t)size < sizeof(line) ? (size_t)size : sizeof(line) - 1;
    buf_append(&o->text, (struct slice){line, shown});
    flush_large(o);
}

static void append_quoted(struct output *o, struct slice value)
{
    buf_append_byte(&o->text, '"');
    for (size_t i = 0; i < value.size; i++) {
        unsigned char c = (unsigned char)value.data[i];
        if (c == '"' || c == '\\') buf_append_byte(&o->text, '\\');
        if (c >= 0x20 && c < 0x7f) buf_append_byte(&o->text, c);
        else buf_append_format(&o->text, "\\u%04x", c);
    }
    buf_append_byte(&o->text, '"');
}

static void begin_value(struct output *o, const char *name)
{
    CHECK(o->json);
    if (o->comma) buf_append_text(&o->text, ",\n");
    o->comma = true;
    if (name == NULL) return;
    append_quoted(o, slice_of(name));
    buf_append_byte(&o->text, ':');
}

void output_open(struct output *o, const char *name, char bracket)
{
    CHECK(bracket == '{' || bracket == '[');
    begin_value(o, name);
    buf_append_byte(&o->text, (uint8_t)bracket);
    o->comma = false;
}

void output_close(struct output *o, char bracket)
{
    CHECK(bracket == '}' || bracket == ']');
    buf_append_byte(&o->text, (uint8_t)bracket);
    o->comma = true;
    flush_large(o);
}

void output_string(struct output *o, const char *name, struct slice value)
{
    begin_value(o, name);
    append_quoted(o, value);
}

void output_number(struct output *o, const char *name, uint64_t value)
{
    begin_value(o, name);
    buf_append_format(&o->text, "%" PRIu64, value);
}

void output_null(struct output *o, const char *name)
{
    begin_value(o, name);
    buf_append_text(&o->text, "null");
}
