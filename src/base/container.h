/* container.h - from a node that lives inside a struct to that struct: how
 * who walks a list.h or a hash_table.h gets at its members. */
#ifndef BASE_CONTAINER_H
#define BASE_CONTAINER_H

#include <stddef.h>

/* The struct of 'type' whose field 'member' is the node. */
#define CONTAINER_OF(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

#endif
