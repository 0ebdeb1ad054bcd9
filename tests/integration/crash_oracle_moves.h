/* crash_oracle_moves.h - part of crash_oracle.h: what clients send that trims, reads by a group,
 * moves pending entries, raises a last ID, or may be sent again. All bytes are copied. */
#ifndef INTEGRATION_CRASH_ORACLE_MOVES_H
#define INTEGRATION_CRASH_ORACLE_MOVES_H

#include "crash_oracle.h"

/* XACKDEL, and XDELEX DELREF of entries that are there: pending entry and entry go, or neither. */
void crash_oracle_invoke_acknowledge_remove(struct crash_oracle *oracle, uint32_t client,
                                            const struct oracle_stream_ids *which);
/* XCLAIM, XAUTOCLAIM: the consumer is the client; one more delivery. What leaves the pending
 * entries because it is gone from the stream is not claimed. */
void crash_oracle_invoke_claim(struct crash_oracle *oracle, uint32_t client,
                               const struct oracle_stream_ids *which);
/* XNACK FAIL: nobody is the owner, and the delivery counts. */
void crash_oracle_invoke_release(struct crash_oracle *oracle, uint32_t client,
                                 const struct oracle_stream_ids *which);
/* XSETID: the stream's last ID becomes 'last_id'. */
void crash_oracle_invoke_raise(struct crash_oracle *oracle, uint32_t client, uint32_t stream,
                               struct oracle_id last_id);
/* XADD IDMP: as an add, but it may be sent again, by crash_oracle_invoke_message_again, which is
 * answered by the first entry's ID if that was acknowledged or is there. */
void crash_oracle_invoke_message(struct crash_oracle *oracle, uint32_t client, uint32_t stream,
                                 struct slice payload);
bool crash_oracle_message_under_way(const struct crash_oracle *oracle, uint32_t client);
/* The client's last message, if it may be sent again; borrowed until the next call. */
bool crash_oracle_message(const struct crash_oracle *oracle, uint32_t client, uint32_t *stream,
                          struct slice *payload);
void crash_oracle_invoke_message_again(struct crash_oracle *oracle, uint32_t client);

/* XTRIM MINID = 'first_kept'. */
void crash_oracle_invoke_trim(struct crash_oracle *oracle, uint32_t client, uint32_t stream,
                              struct oracle_id first_kept);
/* XREADGROUP with `>`: the consumer is the client; at most 'count' entries. */
void crash_oracle_invoke_read(struct crash_oracle *oracle, uint32_t client, uint32_t stream,
                              size_t count);

#endif
