#include "db/touch.h"

#include "base/check.h"

enum touch effect_wakes(enum effect_kind kind)
{
    switch (kind) {
    case EFFECT_KEY_COPY: /* its second key is touched, as that of every effect that has one */
    case EFFECT_STREAM_TRIM:
    case EFFECT_STREAM_DELETE:
    case EFFECT_STREAM_IDMP_RECORD:
    case EFFECT_STREAM_IDMP_CONFIGURE:
    case EFFECT_CONSUMER_CREATE:
    case EFFECT_CONSUMER_DESTROY:
    case EFFECT_GROUP_ACKNOWLEDGE: return TOUCH_NONE;
    case EFFECT_GROUP_DELIVER:
    case EFFECT_GROUP_CLAIM: return TOUCH_PENDING;
    case EFFECT_KEY_DELETE:
    case EFFECT_KEY_EXPIRE:
    case EFFECT_KEY_RENAME:
    case EFFECT_KEY_MOVE:
    case EFFECT_DATABASE_FLUSH:
    case EFFECT_DATABASE_SWAP:
    case EFFECT_STRING_SET:
    case EFFECT_STRING_SET_INTEGER:
    case EFFECT_STRING_APPEND:
    case EFFECT_STRING_SET_RANGE:
    case EFFECT_STREAM_CREATE:
    case EFFECT_STREAM_APPEND:
    case EFFECT_STREAM_APPEND_ONCE:
    case EFFECT_STREAM_SET_ID:
    case EFFECT_GROUP_CREATE:
    case EFFECT_GROUP_SET_ID:
    case EFFECT_GROUP_DESTROY: return TOUCH_KEY;
    }
    CHECK(false);
    return TOUCH_KEY;
}

bool effect_breaks_watches(enum effect_kind kind)
{
    switch (kind) {
    case EFFECT_KEY_COPY:
    case EFFECT_STREAM_SET_ID:
    case EFFECT_STREAM_IDMP_RECORD:
    case EFFECT_STREAM_IDMP_CONFIGURE:
    case EFFECT_GROUP_CREATE:
    case EFFECT_GROUP_SET_ID:
    case EFFECT_GROUP_DESTROY:
    case EFFECT_CONSUMER_CREATE:
    case EFFECT_CONSUMER_DESTROY:
    case EFFECT_GROUP_DELIVER:
    case EFFECT_GROUP_ACKNOWLEDGE:
    case EFFECT_GROUP_CLAIM: return false;
    case EFFECT_KEY_DELETE:
    case EFFECT_KEY_EXPIRE:
    case EFFECT_KEY_RENAME:
    case EFFECT_KEY_MOVE:
    case EFFECT_DATABASE_FLUSH:
    case EFFECT_DATABASE_SWAP:
    case EFFECT_STRING_SET:
    case EFFECT_STRING_SET_INTEGER:
    case EFFECT_STRING_APPEND:
    case EFFECT_STRING_SET_RANGE:
    case EFFECT_STREAM_CREATE:
    case EFFECT_STREAM_APPEND:
    case EFFECT_STREAM_APPEND_ONCE:
    case EFFECT_STREAM_TRIM:
    case EFFECT_STREAM_DELETE: return true;
    }
    CHECK(false);
    return true;
}
