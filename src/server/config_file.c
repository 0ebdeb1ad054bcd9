/* Files are read with a stack of their own, not by recursion: what is in a file decides how deep
 * it goes. A frame is one file that is being read; an "include" whose pattern matches several
 * files leaves them as a list in its frame, to be pushed one after the other. */
#include "server/config_file.h"

#include "base/check.h"
#include "base/memory.h"
#include "server/config_value.h"
#include "server/words.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

enum known_reason {
#define KNOWN_REASON(id, text) KNOWN_REASON_##id,
#define KNOWN(name, id)
#include "server/known_directives.def"
#undef KNOWN_REASON
#undef KNOWN
};

static const char *const known_reasons[] = {
#define KNOWN_REASON(id, text) [KNOWN_REASON_##id] = text,
#define KNOWN(name, id)
#include "server/known_directives.def"
#undef KNOWN_REASON
#undef KNOWN
};

static const struct {
    const char *name;
    enum known_reason reason;
} known_directives[] = {
#define KNOWN_REASON(id, text)
#define KNOWN(name, id) {name, KNOWN_REASON_##id},
#include "server/known_directives.def"
#undef KNOWN_REASON
#undef KNOWN
};

const char *config_known_reason(struct slice name)
{
    for (size_t i = 0; i < sizeof known_directives / sizeof known_directives[0]; i++)
        if (slice_equal_ignoring_case(name, slice_of(known_directives[i].name)))
            return known_reasons[known_directives[i].reason];
    return NULL;
}

bool config_file_read(int file, struct buf *contents, int *error)
{
    ssize_t size = 1;
    while (size > 0 && contents->size <= CONFIG_FILE_BYTES_MAX) {
        char *space = buf_reserve(contents, 64 * KIB);
        size = read(file, space, 64 * KIB);
        if (size > 0) buf_advance(contents, (size_t)size);
    }
    *error = size < 0 ? errno : size > 0 ? EFBIG : 0;
    return *error == 0;
}

bool config_file_contents(const char *path, struct buf *contents, int *error)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        *error = errno;
        return false;
    }
    bool whole = config_file_read(file, contents, error);
    close(file);
    return whole;
}

struct frame {
    struct buf name; /* of the file, with a NUL */
    struct buf text;
    size_t position;
    size_t line;
    glob_t includes; /* of an include line that is being worked off */
    size_t includes_next;
    bool including;
};

struct reading {
    struct config *config;
    struct buf *problem;
    struct words words;
    struct frame frames[CONFIG_INCLUDE_DEPTH_MAX];
    size_t depth;
    size_t files;
};

static void pop(struct reading *r)
{
    CHECK(r->depth > 0);
    struct frame *f = &r->frames[--r->depth];
    if (f->including) globfree(&f->includes);
    buf_deinit(&f->name);
    buf_deinit(&f->text);
    *f = (struct frame){0};
}

/* "FILE:LINE: " of the line being read, or nothing before the first. */
static void append_place(const struct reading *r, struct buf *out)
{
    if (r->depth == 0) return;
    const struct frame *f = &r->frames[r->depth - 1];
    buf_append_format(out, "%s:%zu: ", f->name.data, f->line);
}

static bool refuse(struct reading *r, struct slice subject, const char *reason)
{
    append_place(r, r->problem);
    buf_append_format(r->problem, "%.*s: %s", (int)subject.size, subject.data, reason);
    return false;
}

static struct frame *push(struct reading *r, const char *name)
{
    CHECK(r->depth < CONFIG_INCLUDE_DEPTH_MAX);
    struct frame *f = &r->frames[r->depth++];
    *f = (struct frame){0};
    buf_append(&f->name, (struct slice){name, strlen(name) + 1});
    return f;
}

static bool push_file(struct reading *r, const char *path)
{
    if (r->depth == CONFIG_INCLUDE_DEPTH_MAX)
        return refuse(r, slice_of(path), "files that include files go too deep");
    if (r->files++ == CONFIG_FILES_MAX)
        return refuse(r, slice_of(path), "too many files are included");
    struct buf text = {0};
    int error;
    if (!config_file_contents(path, &text, &error)) {
        refuse(r, slice_of(path), strerror(error));
        buf_deinit(&text);
        return false;
    }
    push(r, path)->text = text;
    return true;
}

static bool begin_include(struct reading *r)
{
    struct frame *f = &r->frames[r->depth - 1];
    if (r->words.count != 2) return refuse(r, SLICE("include"), "wrong number of arguments");
    char pattern[PATH_MAX];
    struct slice word = r->words.items[1];
    if (word.size >= sizeof pattern || word.size == 0)
        return refuse(r, SLICE("include"), "not a path");
    memcpy(pattern, word.data, word.size);
    pattern[word.size] = '\0';
    int result = glob(pattern, 0, NULL, &f->includes);
    f->including = result == 0;
    f->includes_next = 0;
    if (result == 0) return true;
    globfree(&f->includes);
    bool is_pattern = strpbrk(pattern, "*?[") != NULL;
    if (result == GLOB_NOMATCH && is_pattern) return true; /* an empty conf.d/ is no mistake */
    return refuse(r, word, "there is no such file to include");
}

static bool apply_line(struct reading *r)
{
    struct slice name = r->words.items[0];
    if (slice_equal_ignoring_case(name, SLICE("include"))) return begin_include(r);
    enum config_id id = config_find(name);
    if (id == CONFIG_COUNT) {
        const char *reason = config_known_reason(name);
        if (reason == NULL) return refuse(r, name, "unknown directive");
        append_place(r, &r->config->warnings);
        buf_append_format(&r->config->warnings,
                          "%.*s is a directive of Redis that Irmak does not have; it is ignored: "
                          "%s\n",
                          (int)name.size, name.data, reason);
        return true;
    }
    struct buf *warnings = &r->config->warnings;
    size_t before = warnings->size;
    append_place(r, warnings);
    size_t placed = warnings->size;
    struct buf reason = {0};
    bool set = config_set_words(r->config, id, r->words.items + 1, r->words.count - 1, &reason);
    if (warnings->size == placed) warnings->size = before;
    buf_append_byte(&reason, 0);
    if (!set) refuse(r, name, reason.data);
    buf_deinit(&reason);
    return set;
}

static struct slice take_line(struct frame *f)
{
    const char *begin = f->text.data + f->position;
    size_t left = f->text.size - f->position;
    const char *end = memchr(begin, '\n', left);
    size_t size = end != NULL ? (size_t)(end - begin) : left;
    f->position += size + (end != NULL);
    f->line++;
    while (size > 0 && (*begin == ' ' || *begin == '\t')) {
        begin++;
        size--;
    }
    return (struct slice){begin, size};
}

static bool read_line(struct reading *r, struct slice line)
{
    if (line.size > 0 && line.data[0] == '#') return true;
    switch (words_split(&r->words, line)) {
    case WORDS_OK: break;
    case WORDS_UNBALANCED: return refuse(r, line, "unbalanced quotes");
    case WORDS_TOO_MANY: return refuse(r, SLICE("line"), "too many words");
    }
    return r->words.count == 0 || apply_line(r);
}

/* Reads on until the stack is empty. Ends, because each file is finite and their number bounded. */
static bool read_frames(struct reading *r)
{
    while (r->depth > 0) {
        struct frame *f = &r->frames[r->depth - 1];
        if (f->including && f->includes_next < f->includes.gl_pathc) {
            if (!push_file(r, f->includes.gl_pathv[f->includes_next++])) return false;
        } else if (f->including) {
            globfree(&f->includes);
            f->including = false;
        } else if (f->position < f->text.size) {
            if (!read_line(r, take_line(f))) return false;
        } else {
            pop(r);
        }
    }
    return true;
}

static void end_reading(struct reading *r)
{
    while (r->depth > 0) pop(r);
    words_deinit(&r->words);
    memory_free(r, sizeof *r);
}

static struct reading *begin_reading(struct config *c, struct buf *problem)
{
    struct reading *r = memory_allocate_zeroed(sizeof *r);
    r->config = c;
    r->problem = problem;
    return r;
}

bool config_read_file(struct config *c, const char *path, struct buf *problem)
{
    struct reading *r = begin_reading(c, problem);
    bool success = push_file(r, path) && read_frames(r);
    end_reading(r);
    char absolute[PATH_MAX];
    if (!success || realpath(path, absolute) == NULL) return success;
    c->path.size = 0;
    buf_append(&c->path, (struct slice){absolute, strlen(absolute) + 1});
    c->path.size--;
    return true;
}

bool config_read_text(struct config *c, const char *name, struct slice text, struct buf *problem)
{
    struct reading *r = begin_reading(c, problem);
    buf_append(&push(r, name)->text, text);
    bool success = read_frames(r);
    end_reading(r);
    return success;
}

bool config_read_arguments(struct config *c, char *const *arguments, size_t count,
                           struct buf *problem)
{
    struct buf text = {0};
    bool success = count == 0 || strncmp(arguments[0], "--", 2) == 0;
    if (!success) buf_append_format(problem, "%s: expected --directive value ...", arguments[0]);
    for (size_t i = 0; i < count && success; i++) {
        bool is_name = strncmp(arguments[i], "--", 2) == 0;
        if (i > 0) buf_append_byte(&text, is_name ? '\n' : ' ');
        words_append_quoted(&text, slice_of(arguments[i] + (is_name ? 2 : 0)));
    }
    success = success && config_read_text(c, "command line", buf_slice(&text), problem);
    buf_deinit(&text);
    return success;
}
