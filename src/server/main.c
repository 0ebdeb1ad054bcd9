/* irmak-server: arguments, configuration, and one server from start to end. */
#include "base/memory.h"
#include "command/version.h"
#include "server/config.h"
#include "server/config_file.h"
#include "server/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char usage[] =
    "Usage: irmak-server [/path/to/irmak.conf | -] [--directive value ...]\n"
    "       irmak-server --test-config [/path/to/irmak.conf | -] [--directive value ...]\n"
    "       irmak-server -v | --version\n"
    "       irmak-server -h | --help\n"
    "\n"
    "A server that speaks the Redis protocol and keeps streams and keys. Without a file it starts\n"
    "with the defaults; - reads the configuration from standard input. Each directive of the file\n"
    "can stand on the command line, where it wins. conf/irmak.conf explains all of them.\n"
    "\n"
    "Examples:\n"
    "       irmak-server\n"
    "       irmak-server /etc/irmak/irmak.conf\n"
    "       irmak-server --port 7000 --dir /var/lib/irmak --bind 127.0.0.1 ::1\n"
    "       echo 'maxmemory 128mb' | irmak-server - --appendfsync everysec\n";

static bool read_standard_input(struct config *config, struct buf *problem)
{
    struct buf text = {0};
    int error;
    bool whole = config_file_read(STDIN_FILENO, &text, &error);
    if (!whole) buf_append_format(problem, "standard input: %s", strerror(error));
    bool accepted = whole && config_read_text(config, "standard input", buf_slice(&text), problem);
    buf_deinit(&text);
    return accepted;
}

/* The file, if there is one, comes first; then the rest of the command line. */
static bool read_configuration(struct config *config, int count, char **arguments,
                               struct buf *problem)
{
    if (count > 0 && strcmp(arguments[0], "-") == 0) {
        if (!read_standard_input(config, problem)) return false;
        arguments++;
        count--;
    } else if (count > 0 && strncmp(arguments[0], "--", 2) != 0) {
        if (!config_read_file(config, arguments[0], problem)) return false;
        arguments++;
        count--;
    }
    return config_read_arguments(config, arguments, (size_t)count, problem);
}

static int report(const struct buf *problem)
{
    fprintf(stderr, "irmak-server: %.*s\n", (int)problem->size, problem->data);
    return EXIT_FAILURE;
}

static int test_configuration(const struct config *config)
{
    printf("%.*sThe configuration is correct.\n", (int)config->warnings.size,
           config->warnings.size > 0 ? config->warnings.data : "");
    return EXIT_SUCCESS;
}

static int serve(struct config *config, struct buf *problem)
{
    struct server *server = server_create(config, problem);
    if (server == NULL) return report(problem);
    int status = server_run(server, problem);
    server_destroy(server);
    return problem->size > 0 ? report(problem) : status;
}

static bool is(const char *argument, const char *brief, const char *full)
{
    return strcmp(argument, brief) == 0 || strcmp(argument, full) == 0;
}

int main(int count, char **arguments)
{
    if (count == 2 && is(arguments[1], "-v", "--version")) {
        printf("Irmak server v=%s redis=%s malloc=%s bits=64\n", VERSION_IRMAK, VERSION_REDIS,
               memory_allocator_name());
        return EXIT_SUCCESS;
    }
    if (count == 2 && is(arguments[1], "-h", "--help")) {
        fputs(usage, stdout);
        return EXIT_SUCCESS;
    }
    bool testing = count > 1 && strcmp(arguments[1], "--test-config") == 0;
    int skipped = testing ? 2 : 1;
    struct config *config = config_create();
    struct buf problem = {0};
    int status;
    if (!read_configuration(config, count - skipped, arguments + skipped, &problem))
        status = report(&problem);
    else if (testing) status = test_configuration(config);
    else status = serve(config, &problem);
    buf_deinit(&problem);
    config_destroy(config);
    return status;
}
