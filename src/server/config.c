#include "server/config.h"

#include "base/check.h"
#include "base/glob.h"
#include "base/memory.h"
#include "command/slow_log.h"
#include "server/config_value.h"

const struct config_row config_table[CONFIG_COUNT] = {
#define CONFIG(id, name, type, initial, minimum, maximum, change) \
    [CONFIG_##id] = {name,                                        \
                     CONFIG_TYPE_##type,                          \
                     NULL,                                        \
                     initial,                                     \
                     (int64_t)(minimum),                          \
                     (int64_t)(maximum),                          \
                     CONFIG_CHANGE_##change},
#define CONFIG_ENUM(id, name, choices, initial, change) \
    [CONFIG_##id] = {name, CONFIG_TYPE_ENUM, choices, initial, 0, 0, CONFIG_CHANGE_##change},
#include "server/config.def"
#undef CONFIG
#undef CONFIG_ENUM
};

static bool parse_argument(enum config_id id, struct slice argument, struct config_value *v,
                           struct buf *problem)
{
    return config_value_parse(id, &(struct config_words){&argument, 1, NULL}, v, problem);
}

struct config *config_create(void)
{
    struct config *c = memory_allocate_zeroed(sizeof *c);
    struct buf problem = {0};
    for (enum config_id id = 0; id < CONFIG_COUNT; id++) {
        bool parsed =
            parse_argument(id, slice_of(config_table[id].initial), &c->values[id], &problem);
        CHECK(parsed);
    }
    CHECK(problem.size == 0);
    return c;
}

struct config *config_copy(const struct config *c)
{
    struct config *copy = memory_allocate_zeroed(sizeof *copy);
    for (enum config_id id = 0; id < CONFIG_COUNT; id++)
        config_value_copy(&copy->values[id], &c->values[id]);
    if (c->path.size == 0) return copy;
    buf_append(&copy->path, (struct slice){c->path.data, c->path.size + 1});
    copy->path.size--;
    return copy;
}

void config_destroy(struct config *c)
{
    for (enum config_id id = 0; id < CONFIG_COUNT; id++) buf_deinit(&c->values[id].text);
    buf_deinit(&c->path);
    buf_deinit(&c->warnings);
    memory_free(c, sizeof *c);
}

enum config_id config_find(struct slice name)
{
    enum config_id id = 0;
    while (id < CONFIG_COUNT && !slice_equal_ignoring_case(name, slice_of(config_table[id].name)))
        id++;
    return id;
}

bool config_set_words(struct config *c, enum config_id id, const struct slice *words, size_t count,
                      struct buf *problem)
{
    CHECK(id < CONFIG_COUNT);
    if (count == 0) {
        buf_append_text(problem, "wrong number of arguments");
        return false;
    }
    struct config_words list = {words, count, &c->warnings};
    return config_value_parse(id, &list, &c->values[id], problem);
}

void config_get(const struct config *c, const struct slice *patterns, size_t count,
                config_visit *visit, void *context)
{
    for (enum config_id id = 0; id < CONFIG_COUNT; id++) {
        const char *name = config_table[id].name;
        size_t i = 0;
        while (i < count && !glob_match(patterns[i], slice_of(name), true)) i++;
        if (i < count) visit(context, name, config_text(c, id));
    }
}

static bool refuse_value(struct buf *error, struct slice name, struct slice reason)
{
    buf_append_format(error, "ERR CONFIG SET failed (possibly related to argument '%.*s') - %.*s",
                      (int)name.size, name.data, (int)reason.size, reason.data);
    return false;
}

/* One pair into the copies; what is refused is refused before anything changed. */
static bool try_pair(struct config_value *copies, const struct config_request *request,
                     const struct slice *pair, bool changed[CONFIG_COUNT], struct buf *error)
{
    struct slice name = pair[0];
    if (name.size > 128) name.size = 128;
    enum config_id id = config_find(pair[0]);
    if (id == CONFIG_COUNT) {
        buf_append_format(error,
                          "ERR Unknown option or number of arguments for CONFIG SET - '%.*s'",
                          (int)name.size, name.data);
        return false;
    }
    switch (config_table[id].change) {
    case CONFIG_CHANGE_RUNTIME: break;
    case CONFIG_CHANGE_FIXED: return refuse_value(error, name, SLICE("can't set immutable config"));
    case CONFIG_CHANGE_PROTECTED:
        return refuse_value(error, name, SLICE("can't set protected config"));
    }
    if (changed[id]) return refuse_value(error, name, SLICE("duplicate parameter"));
    struct buf problem = {0};
    bool accepted = parse_argument(id, pair[1], &copies[id], &problem);
    if (accepted && request->judge != NULL)
        accepted = request->judge(request->judge_context, id, copies[id].number, &problem);
    if (!accepted) refuse_value(error, name, buf_slice(&problem));
    buf_deinit(&problem);
    changed[id] = accepted;
    return accepted;
}

bool config_set(struct config *c, const struct config_request *request, bool changed[CONFIG_COUNT],
                struct buf *error)
{
    CHECK(request->count % 2 == 0);
    struct config_value copies[CONFIG_COUNT] = {0};
    memset(changed, 0, CONFIG_COUNT * sizeof *changed);
    for (enum config_id id = 0; id < CONFIG_COUNT; id++)
        config_value_copy(&copies[id], &c->values[id]);
    bool accepted = true;
    for (size_t i = 0; i < request->count && accepted; i += 2)
        accepted = try_pair(copies, request, &request->pairs[i], changed, error);
    for (enum config_id id = 0; id < CONFIG_COUNT; id++) {
        if (accepted && changed[id]) config_value_copy(&c->values[id], &copies[id]);
        buf_deinit(&copies[id].text);
    }
    if (!accepted) memset(changed, 0, CONFIG_COUNT * sizeof *changed);
    return accepted;
}
