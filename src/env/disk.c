#include "env/disk.h"

const char *disk_status_text(enum disk_status status)
{
    switch (status) {
    case DISK_OK: return "no error";
    case DISK_ABSENT: return "no such file";
    case DISK_EXISTS: return "the file exists already";
    case DISK_FULL: return "no space left on the device";
    case DISK_DENIED: return "permission denied";
    case DISK_NAMES_LOST: return "the directory could not be synced";
    case DISK_FAILED: break;
    }
    return "input/output error";
}
