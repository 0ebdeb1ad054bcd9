/* version.h - what the server says of itself. Libraries branch on the version of Redis: it is the
 * one whose behaviour is offered, and HELLO and INFO (redis_version) say the same. People read
 * Irmak's own. */
#ifndef COMMAND_VERSION_H
#define COMMAND_VERSION_H

#define VERSION_REDIS "7.4.0"
#define VERSION_IRMAK "0.1.0"

#endif
