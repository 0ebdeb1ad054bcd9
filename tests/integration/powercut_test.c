/* powercut_test.c - the file system goes away under load, as in a power cut, and comes back.
 *
 * Each cycle: a server on an ext4 of its own (a file, mounted through a loop device) under the load
 * of sigkill_load.h; at a random moment the file system is shut down by its ioctl, without flushing
 * its journal: whatever was not synced is forgotten, every further call fails. The server must end
 * with status 1 by itself. The file system is mounted again, the server recovers, and the crash
 * oracle judges. What this cannot show: blocks that a disk acknowledged and lost; the simulator
 * does.
 *
 * POWERCUT_CYCLES=n, POWERCUT_SEED=n. Skipped, with the reason, where mounting is not permitted. */
#include "damage.h"
#include "sigkill_load.h"
#include "waiting.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define EXT4_SHUTDOWN _IOR('X', 125, uint32_t)

enum {
    CYCLES_DEFAULT = 100,
    LIFE_CYCLES = 10, /* then a new file system and a new oracle */
    RUN_US_MIN = 5000,
    RUN_US_MAX = 150000,
    FLAG_NO_LOG_FLUSH = 2,
    END_MS = 20000,
    IMAGE_MIB = 256,
};

static uint64_t number_from_environment(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text != NULL && text[0] != '\0' ? strtoull(text, NULL, 10) : otherwise;
}

static void image_path(const struct server_process *server, char path[SERVER_PATH_SIZE])
{
    snprintf(path, SERVER_PATH_SIZE, "%.200s.ext4", server->directory);
}

static bool succeeds(const char *command)
{
    fflush(NULL);
    return system(command) == 0;
}

static bool mount_image(const struct server_process *server)
{
    char image[SERVER_PATH_SIZE], command[SERVER_PATH_SIZE * 3];
    image_path(server, image);
    snprintf(command, sizeof command, "mount -o loop '%s' '%s' 2>/dev/null", image,
             server->directory);
    return succeeds(command);
}

/* False: not permitted here. */
static bool make_file_system(struct server_process *server)
{
    char image[SERVER_PATH_SIZE];
    server_process_init(server);
    image_path(server, image);
    snprintf(server->log_path, sizeof server->log_path, "%.200s.log", server->directory);
    server_process_option(server, "--log-segment-size", "4mb");
    damage_shell("truncate -s %dM '%s' && mkfs.ext4 -q '%s'", IMAGE_MIB, image, image);
    return mount_image(server);
}

static void remove_file_system(struct server_process *server)
{
    char image[SERVER_PATH_SIZE];
    if (server->pid != 0) server_process_kill(server);
    umount2(server->directory, MNT_DETACH);
    image_path(server, image);
    unlink(image);
    unlink(server->log_path);
    server_process_deinit(server);
}

/* A server that has just written all it had finds out at its next write. That must not be
 * acknowledged. */
static void write_in_vain(const struct server_process *server)
{
    char answer[64] = "";
    int connection = server_process_connect(server->port);
    if (connection < 0) return; /* it has ended already */
    if (send(connection, "SET vain 1\r\n", 12, MSG_NOSIGNAL) == 12 &&
        recv(connection, answer, sizeof answer - 1, 0) > 0 && answer[0] == '+')
        fail_msg("a write was acknowledged after the file system had gone");
    close(connection);
}

static void cut_power(struct load *load)
{
    struct server_process *server = load->server;
    uint32_t flag = FLAG_NO_LOG_FLUSH;
    int status = 0;
    int directory = open(server->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(directory >= 0);
    if (ioctl(directory, EXT4_SHUTDOWN, &flag) != 0) fail_msg("shutdown: %s", strerror(errno));
    close(directory);
    write_in_vain(server);
    for (int64_t end = now_ms() + END_MS; now_ms() < end && server->pid != 0;) {
        if (waitpid(server->pid, &status, WNOHANG) == server->pid) server->pid = 0;
        else pause_briefly();
    }
    bool ended = server->pid == 0;
    if (!ended) server_process_kill(server);
    if (ended && WIFEXITED(status) && WEXITSTATUS(status) == 1) return;
    char *log = server_process_read_log(server);
    print_error("status %#x after the file system had gone; log: %s\n", (unsigned)status, log);
    free(log);
    fail();
}

static void run_life(uint64_t seed, uint64_t cycles, struct oracle_figures *sum)
{
    struct server_process server;
    struct load load;
    if (!succeeds("command -v mkfs.ext4 >/dev/null")) {
        printf("# skipped: there is no mkfs.ext4 (package e2fsprogs)\n");
        skip();
    }
    if (!make_file_system(&server)) {
        remove_file_system(&server);
        printf("# skipped: mounting a loop device is not permitted here\n");
        skip();
    }
    server_process_start(&server);
    load_init(&load, &server, seed);
    load.cut = cut_power;
    bool good = true;
    for (uint64_t cycle = 0; good && cycle < cycles; cycle++) {
        load_run_and_kill(&load, RUN_US_MIN + (int64_t)load_random(&load, RUN_US_MAX - RUN_US_MIN));
        assert_int_equal(umount(server.directory), 0);
        assert_true(mount_image(&server));
        server_process_start(&server);
        good = load_judge(&load);
        if (!good) print_error("cycle %" PRIu64 " of seed %" PRIu64 "\n", cycle, seed);
    }
    for (size_t i = 0; !good && crash_oracle_violation(load.oracle, i) != NULL; i++)
        print_error("%s\n", crash_oracle_violation(load.oracle, i)->text);
    struct oracle_figures figures;
    crash_oracle_measure(load.oracle, &figures);
    sum->acknowledged += figures.acknowledged;
    sum->unknown += figures.unknown;
    sum->violations += figures.violations;
    load_deinit(&load);
    remove_file_system(&server);
    assert_true(good);
}

static void test_acknowledged_writes_survive_power_cuts(void **state)
{
    (void)state;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t seed = number_from_environment("POWERCUT_SEED", (uint64_t)now.tv_nsec);
    uint64_t cycles = number_from_environment("POWERCUT_CYCLES", CYCLES_DEFAULT);
    struct oracle_figures sum = {0};
    printf("# POWERCUT_SEED=%" PRIu64 " POWERCUT_CYCLES=%" PRIu64 "\n", seed, cycles);
    for (uint64_t done = 0; done < cycles; done += LIFE_CYCLES)
        run_life(seed + done, cycles - done < LIFE_CYCLES ? cycles - done : LIFE_CYCLES, &sum);
    printf("# %" PRIu64 " power cuts: %" PRIu64 " operations acknowledged, %" PRIu64
           " unknown, %" PRIu64 " violations\n",
           cycles, sum.acknowledged, sum.unknown, sum.violations);
    assert_true(sum.acknowledged > cycles);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_acknowledged_writes_survive_power_cuts),
    };
    if (server_process_is_redis()) return 0;
    return cmocka_run_group_tests_name("integration power cuts", tests, NULL, NULL);
}
