/* list.h - an intrusive doubly linked list: the node lives inside the member, nothing is allocated.
 *
 * A head that links to itself is empty; a node that links to itself is in no list. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include "base/check.h"
#include "base/container.h"

struct list {
    struct list *next;
    struct list *previous;
};

static inline void list_init(struct list *l)
{
    l->next = l;
    l->previous = l;
}

static inline bool list_empty(const struct list *l)
{
    return l->next == l;
}

/* Appends at the end of 'head'; node must be in no list. */
static inline void list_append(struct list *head, struct list *node)
{
    CHECK(list_empty(node));
    node->previous = head->previous;
    node->next = head;
    head->previous->next = node;
    head->previous = node;
}

static inline void list_remove(struct list *node)
{
    node->previous->next = node->next;
    node->next->previous = node->previous;
    list_init(node);
}

#endif
