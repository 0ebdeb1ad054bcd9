/* How long the turns of the loop are: every client waits for the one that is under way.
 *
 * Wall time counts what the machine does to us, too: other processes, a busy hypervisor. CPU time
 * is what we do ourselves. Reading it costs a system call (some 500 ns in a virtual machine), so
 * it is read after turns that were long, and else now and then: the CPU time of a turn is then
 * what was used since the last reading, but not more than its wall time. So it is never too low,
 * and too high by less than CPU_READ_NS. */
#include "env/clock.h"
#include "server/server_state.h"

enum {
    LONG_TURN_NS = 100 * 1000,
    CPU_READ_NS = 250 * 1000,
};

/* The CPU time that the turn may have taken. */
static uint64_t cpu_of_turn(struct turns *t, uint64_t wall_ns, int64_t now_ns)
{
    if (wall_ns < LONG_TURN_NS && now_ns - t->cpu_read_ns < CPU_READ_NS) return wall_ns;
    int64_t cpu_ns = clock_thread_cpu_ns();
    uint64_t used_ns = (uint64_t)(cpu_ns - t->cpu_ns);
    t->cpu_ns = cpu_ns;
    t->cpu_read_ns = now_ns;
    return used_ns < wall_ns ? used_ns : wall_ns;
}

static void keep_longest(struct turn_longest *longest, uint64_t wall_ns, uint64_t cpu_ns)
{
    if (wall_ns > longest->wall_ns) longest->wall_ns = wall_ns;
    if (cpu_ns > longest->cpu_ns) longest->cpu_ns = cpu_ns;
}

uint64_t turns_end(struct server *s)
{
    struct turns *t = &s->turns;
    int64_t now_ns = clock_monotonic_ns();
    uint64_t wall_ns = (uint64_t)(now_ns - s->clock.monotonic_ns); /* since net_turn woke up */
    uint64_t cpu_ns = cpu_of_turn(t, wall_ns, now_ns);
    bool saving = db_snapshot_running(s->db);
    keep_longest(&t->all, wall_ns, cpu_ns);
    if (saving && !t->saving) t->snapshot = (struct turn_longest){0};
    if (saving || t->saving) keep_longest(&t->snapshot, wall_ns, cpu_ns);
    t->saving = saving;
    return wall_ns;
}

void turns_reset(struct server *s)
{
    s->turns.all = (struct turn_longest){0};
    s->turns.snapshot = (struct turn_longest){0};
}
