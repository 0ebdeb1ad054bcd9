/* output.h - what irmak-check prints: lines for people, or one JSON object.
 *
 * Text is collected and goes to the file in large portions; without a file (tests) it stays. In
 * JSON the bytes of names may be anything: what is not printable ASCII becomes \u00XX, so that the
 * output is valid whatever a directory holds. */
#ifndef CHECK_OUTPUT_H
#define CHECK_OUTPUT_H

#include "base/buf.h"

#include <stdio.h>

struct output {
    struct buf text;
    FILE *file; /* borrowed; NULL: nothing leaves */
    bool json;
    bool comma;  /* JSON: a member or an element stands before */
    bool failed; /* the file could not take everything */
};

/* Writes out what was collected. */
void output_flush(struct output *o);
void output_deinit(struct output *o);

/* printf; in JSON mode, too, nothing is added. */
void output_text(struct output *o, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* JSON: `"name":` before a value, begins and ends of objects and arrays; name NULL: an element. */
void output_open(struct output *o, const char *name, char bracket);
void output_close(struct output *o, char bracket);
void output_string(struct output *o, const char *name, struct slice value);
void output_number(struct output *o, const char *name, uint64_t value);
void output_null(struct output *o, const char *name);

#endif
