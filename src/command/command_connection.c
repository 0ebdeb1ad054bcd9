/* command_connection.c - the connection itself: greeting, login, protocol, database, leaving.
 *
 * There is one user, "default", whose password is requirepass. Passwords are compared in constant
 * time: all bytes that the client sent are looked at, whatever the first difference, so the time
 * tells nothing about the password except what its length does to nobody (it is walked in a
 * circle). Digests would hide even that; they come with the library that makes them. */
#include "base/check.h"
#include "command/arguments.h"
#include "command/client_text.h"
#include "command/commands.h"
#include "command/version.h"

/* ---- small ones ---- */

enum outcome command_ping(struct command_context *c)
{
    if (c->arguments_count > 2) return refuse_arity(c);
    if (c->arguments_count == 2) reply_bulk(c->reply, c->arguments[1]);
    else reply_status(c->reply, "PONG");
    return OUTCOME_REPLIED;
}

enum outcome command_echo(struct command_context *c)
{
    reply_bulk(c->reply, c->arguments[1]);
    return OUTCOME_REPLIED;
}

enum outcome command_quit(struct command_context *c)
{
    c->client->close_after_reply = true;
    reply_ok(c->reply);
    return OUTCOME_REPLIED;
}

enum outcome command_select(struct command_context *c)
{
    unsigned database;
    if (!argument_database(c, 1, &database)) return OUTCOME_REPLIED;
    c->client->database = database;
    reply_ok(c->reply);
    return OUTCOME_REPLIED;
}

/* ---- login ---- */

static bool passwords_equal(struct slice password, struct slice given)
{
    CHECK(password.size > 0);
    unsigned difference = password.size != given.size;
    size_t place = 0;
    for (size_t i = 0; i < given.size; i++) {
        difference |= (unsigned)(uint8_t)given.data[i] ^ (unsigned)(uint8_t)password.data[place];
        place++;
        if (place == password.size) place = 0;
    }
    return difference == 0;
}

static bool login_holds(struct command_context *c, struct slice user, struct slice given)
{
    struct slice password = c->host->password(c->host->context);
    if (!slice_equal(user, SLICE("default"))) return false;
    return password.size == 0 || passwords_equal(password, given);
}

enum outcome command_auth(struct command_context *c)
{
    bool names_user = c->arguments_count == 3;
    if (c->arguments_count > 3) return refuse(c, REPLY_ERROR_SYNTAX);
    if (!names_user && c->host->password(c->host->context).size == 0)
        return refuse(c, REPLY_ERROR_AUTH_NO_PASSWORD);
    struct slice user = names_user ? c->arguments[1] : SLICE("default");
    if (!login_holds(c, user, c->arguments[c->arguments_count - 1]))
        return refuse(c, REPLY_ERROR_WRONG_PASSWORD);
    c->client->authenticated = true;
    reply_ok(c->reply);
    return OUTCOME_REPLIED;
}

/* ---- HELLO ---- */

struct hello {
    int64_t protocol; /* 0: stays as it is */
    bool logs_in;
    bool login_fails; /* one of several that it asks for is enough */
    bool sets_name;
    struct slice name;
};

/* False: refused. */
static bool hello_read(struct command_context *c, struct hello *hello)
{
    *hello = (struct hello){0};
    if (c->arguments_count == 1) return true;
    if (!number_parse_i64(c->arguments[1], &hello->protocol))
        return deny(c, REPLY_ERROR_PROTO_NOT_INTEGER);
    if (hello->protocol != RESP2 && hello->protocol != RESP3) return deny(c, REPLY_ERROR_NO_PROTO);
    for (size_t i = 2; i < c->arguments_count; i++) {
        size_t left = c->arguments_count - i - 1;
        if (left >= 2 && argument_is(c, i, "AUTH")) {
            hello->logs_in = true;
            if (!login_holds(c, c->arguments[i + 1], c->arguments[i + 2]))
                hello->login_fails = true;
            i += 2;
        } else if (left >= 1 && argument_is(c, i, "SETNAME")) {
            hello->sets_name = true;
            hello->name = c->arguments[++i];
        } else {
            refuse_quoting(c, REPLY_ERROR_HELLO_OPTION, i);
            return false;
        }
    }
    return true;
}

static void hello_answer(struct command_context *c)
{
    reply_map(c->reply, 7);
    reply_bulk_text(c->reply, "server");
    reply_bulk_text(c->reply, "redis");
    reply_bulk_text(c->reply, "version");
    reply_bulk_text(c->reply, VERSION_REDIS);
    reply_bulk_text(c->reply, "proto");
    reply_integer(c->reply, c->client->resp);
    reply_bulk_text(c->reply, "id");
    reply_integer(c->reply, (int64_t)c->client->id);
    reply_bulk_text(c->reply, "mode");
    reply_bulk_text(c->reply, "standalone");
    reply_bulk_text(c->reply, "role");
    reply_bulk_text(c->reply, "master");
    reply_bulk_text(c->reply, "modules");
    reply_array(c->reply, 0);
}

/* Everything is checked before anything is changed: a HELLO that fails leaves the connection as it
 * was, also where its login alone would have succeeded. */
enum outcome command_hello(struct command_context *c)
{
    struct hello hello;
    if (!hello_read(c, &hello)) return OUTCOME_REPLIED;
    if (hello.login_fails) return refuse(c, REPLY_ERROR_WRONG_PASSWORD);
    if (!hello.logs_in && !c->client->authenticated) return refuse(c, REPLY_ERROR_HELLO_NO_AUTH);
    if (hello.sets_name && !client_name_valid(c, hello.name)) return OUTCOME_REPLIED;

    c->client->authenticated = true;
    if (hello.sets_name) client_text_set(&c->client->name, hello.name);
    if (hello.protocol != 0) c->client->resp = (enum resp_version)hello.protocol;
    c->reply->version = c->client->resp;
    hello_answer(c);
    return OUTCOME_REPLIED;
}

/* The library's name stays: it is a fact about the program, not a state of the connection. */
enum outcome command_reset(struct command_context *c)
{
    struct client *client = c->client;
    transaction_discard(&client->transaction, c->db);
    client->database = 0;
    client->resp = RESP2;
    client->authenticated = c->host->password(c->host->context).size == 0;
    client->no_evict = false;
    client->no_touch = false;
    client->reply_mode = CLIENT_REPLY_ON;
    client_text_set(&client->name, (struct slice){NULL, 0});
    c->reply->version = RESP2;
    reply_status(c->reply, "RESET");
    return OUTCOME_REPLIED;
}
