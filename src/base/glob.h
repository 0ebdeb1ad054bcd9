/* glob.h - patterns as KEYS, SCAN MATCH and CONFIG GET take them: * ? [abc] [^a-z] and backslash.
 *
 * Iterative, with a budget of steps: a pattern can never hold the event loop (CVE-2022-36021). */
#ifndef BASE_GLOB_H
#define BASE_GLOB_H

#include "base/slice.h"

/* True when the whole text matches. A match that would need more steps than the budget (linear in
 * the sizes of both, see glob.c) counts as no match. */
bool glob_match(struct slice pattern, struct slice text, bool ignoring_case);

#endif
