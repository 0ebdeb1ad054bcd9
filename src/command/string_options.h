/* string_options.h - the options that SET, GETEX, MSETEX and DELEX share: a condition on what is
 * there now, and a deadline.
 *
 *     NX | XX | IFEQ value | IFNE value | IFDEQ digest | IFDNE digest      at most one
 *     EX s | PX ms | EXAT s | PXAT ms | KEEPTTL | PERSIST                  at most one
 *     GET
 *
 * Source: Redis, t_string.c (parseExtendedStringArgumentsOrReply); the IF forms are Redis 8.4's. */
#ifndef COMMAND_STRING_OPTIONS_H
#define COMMAND_STRING_OPTIONS_H

#include "command/command.h"

enum string_condition {
    CONDITION_NONE,
    CONDITION_ABSENT,     /* NX */
    CONDITION_PRESENT,    /* XX */
    CONDITION_EQUAL,      /* IFEQ: present, and equal to the operand */
    CONDITION_NOT_EQUAL,  /* IFNE: absent, or not equal */
    CONDITION_DIGEST,     /* IFDEQ: present, and DIGEST answers the operand */
    CONDITION_NOT_DIGEST, /* IFDNE: absent, or DIGEST answers something else */
};

enum expiry_option {
    EXPIRY_NONE,
    EXPIRY_SECONDS,           /* EX */
    EXPIRY_MILLISECONDS,      /* PX */
    EXPIRY_UNIX_SECONDS,      /* EXAT */
    EXPIRY_UNIX_MILLISECONDS, /* PXAT */
    EXPIRY_KEEP,              /* KEEPTTL */
    EXPIRY_REMOVE,            /* PERSIST */
};

struct string_options {
    enum string_condition condition;
    struct slice operand; /* of the condition; borrowed */
    enum expiry_option expiry;
    struct slice expiry_text; /* what follows EX, PX, EXAT, PXAT; borrowed, not yet read */
    bool get;
};

/* Which options a command takes. */
enum {
    OPTIONS_PRESENCE = 1 << 0, /* NX XX */
    OPTIONS_VALUE = 1 << 1,    /* IFEQ IFNE IFDEQ IFDNE */
    OPTIONS_GET = 1 << 2,
    OPTIONS_EXPIRY = 1 << 3, /* EX PX EXAT PXAT */
    OPTIONS_KEEP = 1 << 4,
    OPTIONS_REMOVE = 1 << 5,
};

/* Reads the arguments from index 'first' to the last. False: refused ("syntax error"). */
bool string_options_read(struct command_context *c, size_t first, unsigned accepted,
                         struct string_options *options);

/* The deadline that options->expiry asks for, as an effect takes it. False: refused ("invalid
 * expire time", or not an integer). */
bool string_options_deadline(struct command_context *c, const struct string_options *options,
                             int64_t *expiry_ms);

/* The same for the argument of SETEX and its kind. */
bool string_deadline(struct command_context *c, enum expiry_option option, struct slice text,
                     int64_t *expiry_ms);

/* Refuses a digest that is not sixteen hexadecimal digits: before anything is looked up. */
bool string_condition_valid(struct command_context *c, const struct string_options *options);

/* Does the condition hold for what the key has now? value: NULL when it is absent. */
bool string_condition_holds(const struct string_options *options, const struct string_view *value);

enum { STRING_DIGEST_TEXT_BYTES = 16 };

/* The answer of DIGEST: XXH3-64 of the bytes, in lower-case hexadecimal digits. */
void string_digest(const struct string_view *value, char text[STRING_DIGEST_TEXT_BYTES]);

#endif
