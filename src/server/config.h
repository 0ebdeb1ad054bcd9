/* config.h - the directives: their table, their values, and how values are read and changed.
 *
 * A value is kept as its canonical text (what CONFIG GET answers) and, where it has one, as a
 * number. Values come from defaults, then files, then the command line (config_file.h), then
 * CONFIG SET; CONFIG REWRITE writes them back (config_rewrite.h). What a value does is not known
 * here: server/settings.c reads them. */
#ifndef SERVER_CONFIG_H
#define SERVER_CONFIG_H

#include "base/buf.h"
#include "base/limits.h"
#include "base/slice.h"

enum config_id {
#define CONFIG(id, ...)      CONFIG_##id,
#define CONFIG_ENUM(id, ...) CONFIG_##id,
#include "server/config.def"
#undef CONFIG
#undef CONFIG_ENUM
    CONFIG_COUNT
};

enum config_type {
    CONFIG_TYPE_BOOL,
    CONFIG_TYPE_INTEGER,
    CONFIG_TYPE_SIZE,
    CONFIG_TYPE_OCTAL,
    CONFIG_TYPE_ENUM,
    CONFIG_TYPE_TEXT,
    CONFIG_TYPE_PATH,
    CONFIG_TYPE_WORDS,
    CONFIG_TYPE_LIMITS,
    CONFIG_TYPE_SAVE,
    CONFIG_TYPE_PERCENTILES, /* words, each from 0 to 100, with decimals */
};

enum config_change { CONFIG_CHANGE_RUNTIME, CONFIG_CHANGE_FIXED, CONFIG_CHANGE_PROTECTED };

struct config_row {
    const char *name;
    enum config_type type;
    const char *choices; /* of an ENUM, separated by blanks; the number is the index */
    const char *initial;
    int64_t minimum; /* of the number, or of the size of a text, or of the count of words */
    int64_t maximum;
    enum config_change change;
};

extern const struct config_row config_table[CONFIG_COUNT];

struct config_value {
    struct buf text; /* followed by a NUL that does not count */
    int64_t number;
};

struct config {
    struct config_value values[CONFIG_COUNT];
    struct buf path;     /* absolute, with a NUL that does not count; empty: no file */
    struct buf warnings; /* of reading, lines with "\n", until somebody shows them */
};

struct config *config_create(void);                 /* all defaults */
struct config *config_copy(const struct config *c); /* without its warnings */
void config_destroy(struct config *c);

/* The row of a directive, without regard to case; CONFIG_COUNT: there is none. */
enum config_id config_find(struct slice name);

static inline int64_t config_number(const struct config *c, enum config_id id)
{
    return c->values[id].number;
}

static inline struct slice config_text(const struct config *c, enum config_id id)
{
    return buf_slice(&c->values[id].text);
}

/* The text as a C string: for paths, which have no NUL inside. */
static inline const char *config_path(const struct config *c, enum config_id id)
{
    return c->values[id].text.data;
}

/* client-output-buffer-limit normal: bytes, bytes, seconds; 0 is no limit. */
struct config_output_limit {
    uint64_t hard_bytes;
    uint64_t soft_bytes;
    uint64_t soft_seconds;
};
struct config_output_limit config_output_limit_normal(const struct config *c);

/* Sets one directive from the words behind its name, as a line of a file does. False with the
 * reason in 'problem': nothing was changed. */
bool config_set_words(struct config *c, enum config_id id, const struct slice *words, size_t count,
                      struct buf *problem);

/* CONFIG GET: visits each row that matches one of the globs, once, in table order. */
typedef void config_visit(void *context, const char *name, struct slice value);
void config_get(const struct config *c, const struct slice *patterns, size_t count,
                config_visit *visit, void *context);

/* What the world says to a value that is well formed ("the operating system is not able to ...");
 * false with the reason in 'problem'. */
typedef bool config_judge(void *context, enum config_id id, int64_t number, struct buf *problem);

/* CONFIG SET: all pairs (name, value, name, value ...) or none. False: 'error' holds the whole
 * text of the reply. changed[id] becomes true for each directive that was set. */
struct config_request {
    const struct slice *pairs;
    size_t count; /* of slices: even */
    config_judge *judge;
    void *judge_context;
};
bool config_set(struct config *c, const struct config_request *request, bool changed[CONFIG_COUNT],
                struct buf *error);

#endif
