/* config_rewrite.h - CONFIG REWRITE: the present values into the file that they came from.
 *
 * Comments, order, includes and lines that already say the present value stay as they are. A line
 * that says another value is replaced in its place; a directive that has no line and is not at its
 * default is appended. The file is replaced at once (temporary file, fsync, rename, fsync of the
 * directory): a crash leaves the old one or the new one. */
#ifndef SERVER_CONFIG_REWRITE_H
#define SERVER_CONFIG_REWRITE_H

#include "server/config.h"

/* The new text of a file whose present text is 'old'. */
void config_rewrite_text(const struct config *c, struct slice old, struct buf *text);

/* Rewrites the file at c->path, which there must be. False: 'error' holds the whole text of the
 * reply. On any thread to which c belongs. */
bool config_rewrite(const struct config *c, struct buf *error);

#endif
