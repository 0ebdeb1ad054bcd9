/* version.h - what the program says of itself. Libraries branch on the Redis version that it is
 * compatible with (spec/clients.md); people read Irmak's own. */
#ifndef SERVER_VERSION_H
#define SERVER_VERSION_H

#define IRMAK_VERSION "0.1.0"
#define REDIS_VERSION "7.2.4"

#endif
