/* version.h - what the server says about itself to clients. */
#ifndef COMMAND_VERSION_H
#define COMMAND_VERSION_H

/* Libraries branch on the version of Redis: this is the one whose behaviour is offered. HELLO and
 * INFO (redis_version) say the same. */
#define VERSION_REDIS "7.4.0"

#endif
