/* config_file.h - configuration files and the command line, in the syntax of redis.conf.
 *
 * One directive a line: its name, then words (words.h). Blank lines and lines that begin with #
 * are nothing. "include pattern" reads other files at that place, each match of the glob in order.
 * What is read later wins. A directive that Redis has and Irmak has not is a warning; an unknown
 * one, or a value that is wrong, is an error that names file, line and directive. */
#ifndef SERVER_CONFIG_FILE_H
#define SERVER_CONFIG_FILE_H

#include "server/config.h"

enum {
    CONFIG_INCLUDE_DEPTH_MAX = 16,
    CONFIG_FILES_MAX = 1000, /* in all: two files that include each other end here at the latest */
    CONFIG_FILE_BYTES_MAX = 16 * 1024 * 1024,
};

/* Reads a file; its absolute path becomes c->path, what CONFIG REWRITE writes to. False: 'problem'
 * holds the sentence for the operator. */
bool config_read_file(struct config *c, const char *path, struct buf *problem);

/* Reads a text, for standard input and tests; 'name' is what messages call it. */
bool config_read_text(struct config *c, const char *name, struct slice text, struct buf *problem);

/* "--port 7000 --bind a b --save ''": each word that begins with "--" is a directive, what follows
 * it up to the next one are its words. */
bool config_read_arguments(struct config *c, char *const *arguments, size_t count,
                           struct buf *problem);

/* Reads a whole file of the configuration's size; false with the errno. */
bool config_file_read(int file, struct buf *contents, int *error);
bool config_file_contents(const char *path, struct buf *contents, int *error);

/* What an operator must know of a directive that only Redis has; NULL: nobody has it. */
const char *config_known_reason(struct slice name);

#endif
