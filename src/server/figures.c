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

static struct rate_sample sample_now(const struct server *s)
{
    struct net_figures net;
    net_measure(s->net, &net);
    return (struct rate_sample){s->now_ms, engine_requests(s->engine), net.received_bytes,
                                net.sent_bytes};
}

void figures_sample(struct server *s)
{
    const struct rate_sample *last =
        &s->samples[(s->samples_count + RATE_SAMPLES - 1) % RATE_SAMPLES];
    if (s->samples_count > 0 && s->now_ms - last->at_ms < RATE_SAMPLE_MS) return;
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
        return (struct rate_sample){span_ms, per_second(from->requests, now.requests, span_ms),
                                    per_second(from->input_bytes, now.input_bytes, span_ms),
                                    per_second(from->output_bytes, now.output_bytes, span_ms)};
    }
    return (struct rate_sample){.at_ms = window_ms};
}
