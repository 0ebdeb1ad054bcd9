/* server_process.h - a real server process for one test: start, kill, stop, and its directory.
 *
 * The binary is $IRMAK_SERVER, else build/irmak-server. Each server gets a free port of the
 * loopback and a directory of its own under $TMPDIR; options are given on the command line as to
 * redis-server. Only processes that were started here are ever signalled; a server whose test
 * dies dies with it.
 *
 * Failures of the environment (no binary, no port) end the test with cmocka's fail(). */
#ifndef INTEGRATION_SERVER_PROCESS_H
#define INTEGRATION_SERVER_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum {
    SERVER_PATH_SIZE = 256,
    SERVER_OPTIONS_MAX = 32,
    SERVER_START_MS = 60000, /* recovery of a large log included */
    SERVER_STOP_MS = 30000,
};

struct server_process {
    pid_t pid; /* 0: not running */
    int port;  /* 0: none yet; kept over a restart */
    char directory[SERVER_PATH_SIZE];
    char log_path[SERVER_PATH_SIZE]; /* its standard output and error */
    char *configuration;             /* path of its configuration file, or NULL */
    char *options[SERVER_OPTIONS_MAX];
    size_t option_count;
    char preload[SERVER_PATH_SIZE];    /* LD_PRELOAD of the server, or empty */
    char fault_file[SERVER_PATH_SIZE]; /* IRMAK_FAULT_FILE of that library (fault.h) */
    unsigned long file_bytes_max;      /* RLIMIT_FSIZE of the server; 0: none */
    unsigned user;                     /* the server's user number; 0: that of the test */
};

/* An empty temporary directory, no process. Removed by server_process_deinit, which kills. */
void server_process_init(struct server_process *server);
void server_process_deinit(struct server_process *server);

/* Adds `name value` to the command line, `--timeout` and `5`. Durable defaults are there already:
 * --appendonly yes, --appendfsync always, --save "". Later values win. */
void server_process_option(struct server_process *server, const char *name, const char *value);

/* Writes DIRECTORY/server.conf, which becomes the first argument; no defaults are given then. */
void server_process_configure(struct server_process *server, const char *text);

/* Starts and waits until PING is answered (an error -NOAUTH is an answer). */
void server_process_start(struct server_process *server);

/* Starts and waits until PING is answered with LOADING. */
void server_process_start_loading(struct server_process *server);

/* Starts where no start is expected: true if the process ended by itself, with its status from
 * waitpid in '*status'; false if it answers PING. */
bool server_process_fails_to_start(struct server_process *server, int *status);

/* Starts, and sends SIGKILL 'delay_us' microseconds later, most likely while it recovers. */
void server_process_crash_while_starting(struct server_process *server, unsigned delay_us);

/* SIGKILL, and wait until it is gone. */
void server_process_kill(struct server_process *server);

/* Sends 'signal' and waits for the end; the status from waitpid. */
int server_process_end(struct server_process *server, int signal);

/* SIGTERM; the test fails unless the exit status is 0. */
void server_process_stop(struct server_process *server);

/* True as long as it has not ended. */
bool server_process_is_running(struct server_process *server);

/* The text of the log so far, in heap memory that the caller frees. Never NULL. */
char *server_process_read_log(const struct server_process *server);
char *server_process_read_file(const char *path);
void server_process_write_file(const char *path, const char *text);

/* Writes the path DIRECTORY/name into 'path' (SERVER_PATH_SIZE). */
void server_process_path(const struct server_process *server, const char *name, char *path);

/* A free port of the loopback; another process may take it before you do. */
int server_process_free_port(void);

/* Whether the binary is redis-server, which differs from Irmak where the test says so. */
bool server_process_is_redis(void);

/* A connected TCP socket (127.0.0.1) that gives up waiting after 10 s, or -1. */
int server_process_connect(int port);

#endif
