/* crash_oracle_ask.h - part of crash_oracle.h: what a caller may do next within the limits of the
 * model. Nothing is changed by asking. */
#ifndef INTEGRATION_CRASH_ORACLE_ASK_H
#define INTEGRATION_CRASH_ORACLE_ASK_H

#include "crash_oracle.h"

size_t crash_oracle_unanswered(const struct crash_oracle *oracle, uint32_t client);

/* Up to 'count_max' pending entries of the stream, one after the other, that no unanswered
 * operation concerns, the first of them the first such at or above 'from': they may be
 * acknowledged, claimed, given back, dereferenced. While nobody reads the group
 * (crash_oracle_may_skip) no other pending entry is between them. */
size_t crash_oracle_pending_run(const struct crash_oracle *oracle, uint32_t stream,
                                struct oracle_id from, struct oracle_id *ids, size_t count_max);

/* The group was given this ID, or has skipped it, and has done with it: XDELEX ACKED removes it. */
bool crash_oracle_is_done(const struct crash_oracle *oracle, uint32_t stream, struct oracle_id id);

/* No XGROUP SETID of the stream is unanswered. */
bool crash_oracle_may_read(const struct crash_oracle *oracle, uint32_t stream);
/* Nor is a group read. */
bool crash_oracle_may_skip(const struct crash_oracle *oracle, uint32_t stream);
/* The newest known position of the group. */
struct oracle_id crash_oracle_position(const struct crash_oracle *oracle, uint32_t stream);

bool crash_oracle_message_under_way(const struct crash_oracle *oracle, uint32_t client);
/* The client's last message, if it may be sent again; borrowed until the next call. */
bool crash_oracle_message(const struct crash_oracle *oracle, uint32_t client, uint32_t *stream,
                          struct slice *payload);

#endif
