#include "damage.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xxhash.h>

#include <cmocka.h>

enum { BLOCK_BYTES = 4096, HASHED_FROM = 8, VERSION_AT = 16, COMMAND_MAX = 1024 };

/* The shell must not have our descriptors' buffers, nor leave a server behind: it starts none. */
static int run_shell(const char *command)
{
    fflush(NULL);
    int status = system(command);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

void damage_shell(const char *format, ...)
{
    char command[COMMAND_MAX];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(command, sizeof command, format, arguments);
    va_end(arguments);
    assert_in_range(size, 1, COMMAND_MAX - 1);
    int status = run_shell(command);
    if (status != 0) fail_msg("status %d: %s", status, command);
}

void damage_copy(const struct server_process *server, const char *from)
{
    damage_shell("rm -rf '%s' && cp -r --sparse=always '%s' '%s'", server->directory, from,
                 server->directory);
}

static int open_file(const struct server_process *server, const char *name)
{
    char path[SERVER_PATH_SIZE];
    server_process_path(server, name, path);
    int file = open(path, O_RDWR | O_CLOEXEC);
    if (file < 0) fail_msg("%s: %s", path, strerror(errno));
    return file;
}

void damage_flip(const struct server_process *server, const char *name, uint64_t offset)
{
    char byte;
    int file = open_file(server, name);
    assert_int_equal(pread(file, &byte, 1, (off_t)offset), 1);
    byte = (char)(byte ^ (1 << (offset % 8)));
    assert_int_equal(pwrite(file, &byte, 1, (off_t)offset), 1);
    assert_int_equal(close(file), 0);
}

void damage_forge_version(const struct server_process *server, const char *name, uint32_t version)
{
    char block[BLOCK_BYTES];
    int file = open_file(server, name);
    assert_int_equal(pread(file, block, sizeof block, 0), sizeof block);
    memcpy(block + VERSION_AT, &version, sizeof version);
    uint64_t hash = XXH3_64bits_withSeed(block + HASHED_FROM, sizeof block - HASHED_FROM, 0);
    memcpy(block, &hash, sizeof hash);
    assert_int_equal(pwrite(file, block, sizeof block, 0), sizeof block);
    assert_int_equal(close(file), 0);
}

static char *read_command(const char *command, int *status)
{
    size_t size = 0, capacity = 4096;
    char *text = malloc(capacity);
    fflush(NULL);
    FILE *pipe = popen(command, "r");
    assert_true(text != NULL && pipe != NULL);
    for (size_t got; (got = fread(text + size, 1, capacity - size - 1, pipe)) > 0;) {
        size += got;
        if (capacity - size > 1) continue;
        capacity *= 2;
        text = realloc(text, capacity);
        assert_non_null(text);
    }
    text[size] = '\0';
    int result = pclose(pipe);
    if (!WIFEXITED(result)) fail_msg("%s: status %#x: %s", command, (unsigned)result, text);
    *status = WEXITSTATUS(result);
    return text;
}

int damage_check(const struct server_process *server, const char *options, char **text)
{
    const char *binary = getenv("IRMAK_SERVER");
    char command[COMMAND_MAX];
    int status;
    if (binary == NULL || binary[0] == '\0') binary = "build/irmak-server";
    const char *end = strrchr(binary, '/');
    assert_non_null(end);
    snprintf(command, sizeof command, "'%.*s/irmak-check' '%s' %s 2>&1", (int)(end - binary),
             binary, server->directory, options);
    *text = read_command(command, &status);
    return status;
}

void damage_newest_segment(const struct server_process *server, char name[64])
{
    char command[COMMAND_MAX];
    int status;
    snprintf(command, sizeof command, "cd '%s' && ls log-* | tail -n 1", server->directory);
    char *text = read_command(command, &status);
    assert_int_equal(status, 0);
    text[strcspn(text, "\n")] = '\0';
    snprintf(name, 64, "%s", text);
    free(text);
}

/* As irmak-check lists it: the last line of that file with "LSN" in it. */
uint64_t damage_last_batch(const struct server_process *server, const char *name)
{
    char *text;
    uint64_t offset = 0;
    damage_check(server, "--no-lock --list", &text);
    char *place = strstr(text, name);
    assert_non_null(place);
    place = strchr(place, '\n') + 1;
    while (strncmp(place, "  offset ", 9) == 0) {
        char *end = strchr(place, '\n');
        *end = '\0';
        if (strstr(place, " LSN ") != NULL) offset = strtoull(place + 9, NULL, 10);
        place = end + 1;
    }
    free(text);
    assert_true(offset > 0);
    return offset;
}
