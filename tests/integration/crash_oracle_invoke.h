/* crash_oracle_invoke.h - part of crash_oracle.h: what clients send. All bytes are copied. */
#ifndef INTEGRATION_CRASH_ORACLE_INVOKE_H
#define INTEGRATION_CRASH_ORACLE_INVOKE_H

#include "crash_oracle.h"

enum oracle_write_kind {
    ORACLE_SET,
    ORACLE_DELETE,
    ORACLE_INCREMENT, /* of a value that is a decimal number, or of a missing one */
    ORACLE_APPEND,
};

struct oracle_write {
    enum oracle_write_kind kind;
    uint32_t key;
    struct slice value; /* SET, APPEND; copied */
    int64_t delta;      /* INCREMENT */
};

/* One command that writes 'count' >= 1 keys at once: SET, DEL, INCRBY, APPEND, MSET. */
void crash_oracle_invoke_writes(struct crash_oracle *oracle, uint32_t client,
                                const struct oracle_write *writes, size_t count);
void crash_oracle_invoke_add(struct crash_oracle *oracle, uint32_t client, uint32_t stream,
                             struct slice payload);

struct oracle_stream_ids {
    uint32_t stream;
    const struct oracle_id *ids;
    size_t count;
};
void crash_oracle_invoke_remove(struct crash_oracle *oracle, uint32_t client,
                                const struct oracle_stream_ids *which); /* XDEL */
void crash_oracle_invoke_acknowledge(struct crash_oracle *oracle, uint32_t client,
                                     const struct oracle_stream_ids *which); /* XACK */

/* XACKDEL: pending entry and entry go, or neither. */
void crash_oracle_invoke_acknowledge_remove(struct crash_oracle *oracle, uint32_t client,
                                            const struct oracle_stream_ids *which);
/* XDELEX DELREF of one pending entry: both go, if the entry is there; answered by an integer. */
void crash_oracle_invoke_dereference(struct crash_oracle *oracle, uint32_t client, uint32_t stream,
                                     struct oracle_id id);
/* XCLAIM; XAUTOCLAIM from the first ID, COUNT so many, of a run (crash_oracle_pending_run): the
 * consumer is the client; one more delivery. What leaves the pending entries because it is gone
 * from the stream is not claimed. */
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
void crash_oracle_invoke_message_again(struct crash_oracle *oracle, uint32_t client);

/* XTRIM MINID = 'first_kept'. */
void crash_oracle_invoke_trim(struct crash_oracle *oracle, uint32_t client, uint32_t stream,
                              struct oracle_id first_kept);
/* XREADGROUP with `>`: the consumer is the client; at most 'count' entries. */
void crash_oracle_invoke_read(struct crash_oracle *oracle, uint32_t client, uint32_t stream,
                              size_t count);
/* XGROUP SETID to an ID beyond the group's position. */
void crash_oracle_invoke_skip(struct crash_oracle *oracle, uint32_t client, uint32_t stream,
                              struct oracle_id position);

/* EXEC: the client's newest operation and these writes are one. */
void crash_oracle_join_writes(struct crash_oracle *oracle, uint32_t client,
                              const struct oracle_write *writes, size_t count);

#endif
