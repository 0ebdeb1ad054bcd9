#include "fault_page.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

/* The library beside the server under test. */
static void find_library(struct server_process *server)
{
    const char *binary = getenv("IRMAK_SERVER");
    if (binary == NULL || binary[0] == '\0') binary = "build/irmak-server";
    char *absolute = realpath(binary, NULL);
    assert_non_null(absolute);
    *strrchr(absolute, '/') = '\0';
    int size = snprintf(server->preload, SERVER_PATH_SIZE, "%s/test/integration/fault_preload.so",
                        absolute);
    assert_in_range(size, 1, SERVER_PATH_SIZE - 1);
    assert_int_equal(access(server->preload, R_OK), 0);
    free(absolute);
}

struct fault_page *fault_page_open(struct server_process *server)
{
    find_library(server);
    snprintf(server->fault_file, SERVER_PATH_SIZE, "%.200s.fault", server->directory);
    int file = open(server->fault_file, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(file >= 0);
    assert_int_equal(ftruncate(file, sizeof(struct fault_page)), 0);
    struct fault_page *page = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    assert_true(page != MAP_FAILED);
    close(file);
    return page;
}

void fault_page_close(const struct server_process *server, struct fault_page *page)
{
    munmap(page, sizeof *page);
    unlink(server->fault_file);
}
