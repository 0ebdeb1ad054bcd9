#include "server_process.h"

#include "waiting.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    START_ATTEMPTS = 5,
    LOG_SHOWN = 2000,
    CONNECTION_TIMEOUT_S = 10,
};

static const char *binary(void)
{
    const char *path = getenv("IRMAK_SERVER");
    return path != NULL && path[0] != '\0' ? path : "build/irmak-server";
}

bool server_process_is_redis(void)
{
    const char *name = strrchr(binary(), '/');
    name = name != NULL ? name + 1 : binary();
    return strncmp(name, "redis", 5) == 0;
}

void server_process_path(const struct server_process *server, const char *name, char *path)
{
    int size = snprintf(path, SERVER_PATH_SIZE, "%s/%s", server->directory, name);
    assert_in_range(size, 1, SERVER_PATH_SIZE - 1);
}

void server_process_option(struct server_process *server, const char *name, const char *value)
{
    assert_true(server->option_count + 2 <= SERVER_OPTIONS_MAX);
    server->options[server->option_count++] = strdup(name);
    server->options[server->option_count++] = strdup(value);
}

static void drop_options(struct server_process *server)
{
    for (size_t i = 0; i < server->option_count; i++) free(server->options[i]);
    server->option_count = 0;
}

void server_process_configure(struct server_process *server, const char *text)
{
    char path[SERVER_PATH_SIZE];
    if (server->configuration == NULL) drop_options(server);
    server_process_path(server, "server.conf", path);
    server_process_write_file(path, text);
    free(server->configuration);
    server->configuration = strdup(path);
}

void server_process_init(struct server_process *server)
{
    *server = (struct server_process){0};
    const char *parent = getenv("TMPDIR");
    snprintf(server->directory, sizeof server->directory, "%s/irmak-integration-XXXXXX",
             parent != NULL ? parent : "/tmp");
    if (mkdtemp(server->directory) == NULL) fail_msg("mkdtemp: %s", strerror(errno));
    server_process_path(server, "output.log", server->log_path);
    server_process_option(server, "--appendonly", "yes");
    server_process_option(server, "--appendfsync", "always");
    server_process_option(server, "--save", "");
}

/* Directories are two deep at most (Redis keeps one for its log), so no recursion. */
static void remove_files(const char *directory, bool inner)
{
    DIR *open_directory = opendir(directory);
    if (open_directory == NULL) return;
    for (struct dirent *file; (file = readdir(open_directory)) != NULL;) {
        char path[SERVER_PATH_SIZE * 2 + 8];
        if (strcmp(file->d_name, ".") == 0 || strcmp(file->d_name, "..") == 0) continue;
        snprintf(path, sizeof path, "%s/%s", directory, file->d_name);
        if (inner && file->d_type == DT_DIR) rmdir(path);
        if (file->d_type != DT_DIR) unlink(path);
    }
    closedir(open_directory);
}

static void remove_directory(const char *directory)
{
    DIR *open_directory = opendir(directory);
    for (struct dirent *file; open_directory && (file = readdir(open_directory)) != NULL;) {
        char path[SERVER_PATH_SIZE * 2 + 8];
        if (file->d_type != DT_DIR || file->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/%s", directory, file->d_name);
        remove_files(path, true);
    }
    if (open_directory != NULL) closedir(open_directory);
    remove_files(directory, true);
    rmdir(directory);
}

void server_process_deinit(struct server_process *server)
{
    if (server->pid != 0) server_process_kill(server);
    remove_directory(server->directory);
    drop_options(server);
    free(server->configuration);
    server->configuration = NULL;
}

int server_process_free_port(void)
{
    int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    assert_int_equal(bind(probe, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(probe, (struct sockaddr *)&address, &size), 0);
    close(probe);
    return ntohs(address.sin_port);
}

int server_process_connect(int port)
{
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    struct timeval limit = {.tv_sec = CONNECTION_TIMEOUT_S};
    int on = 1;
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(descriptor, (struct sockaddr *)&address, sizeof address) == 0) return descriptor;
    close(descriptor);
    return -1;
}

static bool answers_ping(int port, bool loading)
{
    char answer[64] = {0};
    int descriptor = server_process_connect(port);
    if (descriptor < 0) return false;
    bool answered =
        write(descriptor, "PING\r\n", 6) == 6 && read(descriptor, answer, sizeof answer - 1) > 0;
    close(descriptor);
    if (!answered || loading) return answered && strncmp(answer, "-LOADING", 8) == 0;
    return strncmp(answer, "+PONG", 5) == 0 || strncmp(answer, "-NOAUTH", 7) == 0;
}

/* In the child: the world that the test wants for its server. A sanitizer would otherwise insist on
 * being the first library. */
static void enter_world(const struct server_process *server)
{
    if (server->preload[0] != '\0') {
        char options[SERVER_PATH_SIZE];
        const char *given = getenv("ASAN_OPTIONS");
        snprintf(options, sizeof options, "%s:verify_asan_link_order=0", given ? given : "");
        setenv("ASAN_OPTIONS", options, 1);
        setenv("LD_PRELOAD", server->preload, 1);
        setenv("IRMAK_FAULT_FILE", server->fault_file, 1);
    }
    struct rlimit limit = {server->file_bytes_max, server->file_bytes_max};
    if (server->file_bytes_max != 0 && setrlimit(RLIMIT_FSIZE, &limit) != 0) _exit(126);
    if (server->user != 0 && (setgid(server->user) != 0 || setuid(server->user) != 0)) _exit(126);
}

static void run_binary(struct server_process *server)
{
    char port[16];
    const char *arguments[SERVER_OPTIONS_MAX + 8];
    size_t count = 0;
    snprintf(port, sizeof port, "%d", server->port);
    arguments[count++] = binary();
    if (server->configuration != NULL) arguments[count++] = server->configuration;
    const char *own[] = {"--port", port, "--dir", server->directory};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) arguments[count++] = own[i];
    for (size_t i = 0; i < server->option_count; i++) arguments[count++] = server->options[i];
    arguments[count] = NULL;
    int log = open(server->log_path, O_WRONLY | O_CREAT | O_APPEND, 0644);
    int nothing = open("/dev/null", O_RDONLY);
    dup2(nothing, STDIN_FILENO);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    for (int descriptor = 3; descriptor < 1024; descriptor++) close(descriptor);
    enter_world(server);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execvp(arguments[0], (char *const *)(uintptr_t)arguments);
    fprintf(stderr, "cannot start %s: %s\n", arguments[0], strerror(errno));
    _exit(127);
}

/* True if the process answers; false if it ended, with its status. */
static bool launch(struct server_process *server, bool loading, int *status)
{
    int64_t deadline = now_ms() + SERVER_START_MS;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) run_binary(server);
    server->pid = pid;
    while (now_ms() < deadline) {
        if (waitpid(pid, status, WNOHANG) == pid) {
            server->pid = 0;
            return false;
        }
        if (answers_ping(server->port, loading) && waitpid(pid, status, WNOHANG) == 0) return true;
        pause_briefly();
    }
    server_process_kill(server);
    fail_msg("the server did not answer PING within %d ms", SERVER_START_MS);
    return false;
}

static void start(struct server_process *server, bool loading)
{
    int status = 0;
    bool port_is_fixed = server->port != 0;
    assert_int_equal(server->pid, 0);
    for (int attempt = 0; attempt < (port_is_fixed ? 1 : START_ATTEMPTS); attempt++) {
        if (!port_is_fixed) server->port = server_process_free_port();
        if (launch(server, loading, &status)) return;
    }
    char *log = server_process_read_log(server);
    size_t size = strlen(log);
    print_error("%s\n", size > LOG_SHOWN ? log + size - LOG_SHOWN : log);
    free(log);
    fail_msg("%s does not start, status %#x", binary(), (unsigned)status);
}

void server_process_start(struct server_process *server)
{
    start(server, false);
}

void server_process_start_loading(struct server_process *server)
{
    start(server, true);
}

bool server_process_fails_to_start(struct server_process *server, int *status)
{
    assert_int_equal(server->pid, 0);
    if (server->port == 0) server->port = server_process_free_port();
    return !launch(server, false, status);
}

void server_process_crash_while_starting(struct server_process *server, unsigned delay_us)
{
    assert_int_equal(server->pid, 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) run_binary(server);
    server->pid = pid;
    nanosleep(&(struct timespec){.tv_nsec = (long)delay_us * 1000}, NULL);
    server_process_kill(server);
}

void server_process_kill(struct server_process *server)
{
    int status;
    assert_true(server->pid > 0);
    kill(server->pid, SIGKILL);
    waitpid(server->pid, &status, 0);
    server->pid = 0;
}

int server_process_end(struct server_process *server, int signal)
{
    int status = 0;
    assert_true(server->pid > 0);
    kill(server->pid, signal);
    for (int64_t deadline = now_ms() + SERVER_STOP_MS; now_ms() < deadline; pause_briefly()) {
        if (waitpid(server->pid, &status, WNOHANG) != server->pid) continue;
        server->pid = 0;
        return status;
    }
    server_process_kill(server);
    fail_msg("the server did not end within %d ms of signal %d", SERVER_STOP_MS, signal);
    return status;
}

void server_process_stop(struct server_process *server)
{
    int status = server_process_end(server, SIGTERM);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        char *log = server_process_read_log(server);
        print_error("%s\n", log);
        free(log);
        fail_msg("SIGTERM ended the server with status %#x", (unsigned)status);
    }
}

bool server_process_is_running(struct server_process *server)
{
    int status;
    if (server->pid == 0) return false;
    if (waitpid(server->pid, &status, WNOHANG) == 0) return true;
    server->pid = 0;
    return false;
}

char *server_process_read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) return strdup("");
    size_t size = 0, capacity = 4096;
    char *text = malloc(capacity);
    assert_non_null(text);
    for (size_t got; (got = fread(text + size, 1, capacity - size - 1, file)) > 0;) {
        size += got;
        if (capacity - size > 1) continue;
        capacity *= 2;
        text = realloc(text, capacity);
        assert_non_null(text);
    }
    fclose(file);
    text[size] = '\0';
    return text;
}

char *server_process_read_log(const struct server_process *server)
{
    return server_process_read_file(server->log_path);
}

void server_process_write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}
