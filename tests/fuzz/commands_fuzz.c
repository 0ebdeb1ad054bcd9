/* Fuzz target: a conversation (conversation.h), executed by the simulator. Whatever was said, the
 * log gives back the state that it left: recovered twice, with a snapshot in the log when somebody
 * asked for one, the key space is the same to the last pending entry.
 *
 * The clients' answers must be well formed: one whole reply after the other. */
#include "../sim/answer.h"
#include "../sim/dump.h"
#include "conversation.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void expect_whole_replies(const struct machine *m, size_t link)
{
    struct slice rest = buf_slice(&m->links[link].incoming);
    while (rest.size > 0) {
        size_t size = answer_size(rest);
        CHECK(size > 0);
        rest = (struct slice){rest.data + size, rest.size - size};
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct sim_disk *disk = conversation_disk();
    struct machine m;
    struct wal_recovery recovery;
    enum wal_open_status status;
    struct machine_options options = conversation_options(disk, MACHINE_EPOCH_US);
    CHECK(machine_start(&m, &options, &recovery, &status));
    conversation_hold(&m, (struct slice){(const char *)bytes, size});
    for (size_t link = 0; link < CONVERSATION_LINKS; link++) expect_whole_replies(&m, link);
    uint64_t hash = dump_hash(m.db);
    options = conversation_options(disk, m.now_us);
    machine_die(&m);
    for (int start = 0; start < 2; start++) {
        sim_disk_kill(disk);
        CHECK(machine_start(&m, &options, &recovery, &status));
        CHECK(dump_hash(m.db) == hash);
        machine_die(&m);
    }
    sim_disk_destroy(disk);
    return 0;
}
