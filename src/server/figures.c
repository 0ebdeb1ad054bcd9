/* What is measured over time: memory, and rates. There is no timer: a sample is taken by the first
 * turn that is late enough, so an idle server sleeps. */
#include "base/memory.h"
#include "server/server_state.h"

void figures_measure_memory(struct server *s, int64_t age_max_ms)
{
    if (s->memory_measured_ms != 0 && s->now_ms - s->memory_measured_ms < age_max_ms) return;
    memory_measure(&s->memory);
    s->memory_measured_ms = s->now_ms;
    if (s->memory.allocated_bytes > s->memory_peak) s->memory_peak = s->memory.allocated_bytes;
}

/* A flush that is under way counts as far as it has come, so that a disk that hangs is seen. */
static uint64_t flush_us(const struct server *s)
{
    struct db_figures db;
    db_measure(s->db, &db);
    int64_t under_way_us = s->flush == NULL ? 0 : s->now_us - s->flush_started_us;
    return db.log.commit_ns_total / 1000 + (uint64_t)under_way_us;
}

static struct rate_sample sample_now(const struct server *s)
{
    struct net_figures net;
    net_measure(s->net, &net);
    return (struct rate_sample){.at_ms = s->now_ms,
                                .requests = engine_requests(s->engine),
                                .input_bytes = net.received_bytes,
                                .output_bytes = net.sent_bytes,
                                .flush_us = flush_us(s)};
}

void figures_sample(struct server *s)
{
    const struct rate_sample *last =
        &s->samples[(s->samples_count + RATE_SAMPLES - 1) % RATE_SAMPLES];
    refusals_note(&s->refusals, !db_writable(s->db), s->now_ms);
    if (s->samples_count > 0 && s->now_ms - last->at_ms < RATE_SAMPLE_MS) return;
    engine_monitor(s->engine)->log_busy_percent = (int)figures_rate(s).log_busy_percent;
    s->samples[s->samples_count++ % RATE_SAMPLES] = sample_now(s);
}

static uint64_t per_second(uint64_t from, uint64_t to, int64_t span_ms)
{
    return to < from ? 0 : (to - from) * 1000 / (uint64_t)span_ms;
}

struct rate_sample figures_rate(const struct server *s)
{
    const int64_t window_ms = RATE_SAMPLES * RATE_SAMPLE_MS;
    struct rate_sample now = sample_now(s);
    size_t count = s->samples_count < RATE_SAMPLES ? s->samples_count : RATE_SAMPLES;
    for (size_t i = s->samples_count - count; i < s->samples_count; i++) {
        const struct rate_sample *from = &s->samples[i % RATE_SAMPLES];
        int64_t span_ms = now.at_ms - from->at_ms;
        if (span_ms > window_ms || span_ms < RATE_SAMPLE_MS) continue;
        uint64_t busy = per_second(from->flush_us, now.flush_us, span_ms) / 10000;
        return (struct rate_sample){
            .at_ms = span_ms,
            .requests = per_second(from->requests, now.requests, span_ms),
            .input_bytes = per_second(from->input_bytes, now.input_bytes, span_ms),
            .output_bytes = per_second(from->output_bytes, now.output_bytes, span_ms),
            .log_busy_percent = busy < 100 ? busy : 100};
    }
    return (struct rate_sample){.at_ms = window_ms};
}
