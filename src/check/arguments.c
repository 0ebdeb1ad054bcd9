#include "check/arguments.h"

#include "base/number.h"

/* A switch and where its value goes. */
static bool *find_switch(struct arguments *a, const char *word)
{
    const struct {
        const char *name;
        bool *value;
    } switches[] = {
        {"--help", &a->help},
        {"-h", &a->help},
        {"--version", &a->version},
        {"-v", &a->version},
        {"--list", &a->list},
        {"--dump", &a->dump},
        {"--explain", &a->explain},
        {"--apply", &a->apply},
        {"--json", &a->json},
        {"--no-lock", &a->no_lock},
        {"--cut-torn-tail", &a->cut_torn_tail},
    };
    for (size_t i = 0; i < sizeof(switches) / sizeof(*switches); i++)
        if (strcmp(word, switches[i].name) == 0) return switches[i].value;
    return NULL;
}

static lsn_t *find_number(struct arguments *a, const char *word)
{
    if (strcmp(word, "--from") == 0) return &a->from;
    return strcmp(word, "--to") == 0 ? &a->to : NULL;
}

/* What cannot be asked for together. */
static bool consistent(const struct arguments *a, bool ranged, struct buf *problem)
{
    if (a->directory == NULL) buf_append_text(problem, "no directory was given");
    else if (ranged && !a->dump) buf_append_text(problem, "--from and --to need --dump");
    else if (a->from > a->to) buf_append_text(problem, "--from is after --to");
    else if (a->cut_torn_tail && a->no_lock)
        buf_append_text(problem, "--cut-torn-tail changes the directory and needs its lock");
    else if (a->json && a->explain) buf_append_text(problem, "--explain has no JSON form");
    return problem->size == 0;
}

bool arguments_parse(struct arguments *a, int count, const char *const *words, struct buf *problem)
{
    bool ranged = false;
    *a = (struct arguments){.to = UINT64_MAX};
    for (int i = 0; i < count; i++) {
        bool *given = find_switch(a, words[i]);
        lsn_t *number = find_number(a, words[i]);
        if (given != NULL) {
            *given = true;
        } else if (number != NULL) {
            ranged = true;
            if (i + 1 == count || !number_parse_u64(slice_of(words[i + 1]), number))
                buf_append_format(problem, "%s needs an LSN, a whole number", words[i]);
            i++;
        } else if (words[i][0] == '-') {
            buf_append_format(problem, "unknown option '%s'", words[i]);
        } else if (a->directory != NULL) {
            buf_append_format(problem, "one directory at a time: '%s' and '%s'", a->directory,
                              words[i]);
        } else {
            a->directory = words[i];
        }
        if (problem->size > 0) return false;
    }
    return a->help || a->version || consistent(a, ranged, problem);
}
