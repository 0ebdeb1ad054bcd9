#include "base/check.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

enum { SENTENCE_BYTES = 1024 };

static struct {
    check_last_words *keep;
    void *context;
} last_words;

static _Thread_local bool ending; /* a check that fails while words are kept is not kept */

void check_keep_last_words(check_last_words *keep, void *context)
{
    last_words.keep = keep;
    last_words.context = context;
}

/* abort rather than exit: the core shows the state that the check did not expect, and no exit
 * function gets a chance to write anything. */
void check_abort(const char *sentence)
{
    fprintf(stderr, "%s\n", sentence);
    if (last_words.keep != NULL && !ending) {
        ending = true;
        last_words.keep(last_words.context, sentence);
    }
    abort();
}

void check_failed(const char *expression, const char *file, int line)
{
    char sentence[SENTENCE_BYTES];
    (void)snprintf(sentence, sizeof sentence, "%s:%d: check failed: %s", file, line, expression);
    check_abort(sentence);
}
