/* Preloaded before the C library (LD_PRELOAD): kills the process at the N-th call that changes a file whose
   path contains $STORM_PATH, or makes that call fail.

   STORM_KILL=N    SIGKILL at call N; with STORM_TORN, after half of a write has been done
   STORM_ERROR=N   call N fails with errno $STORM_ERRNO; with STORM_ALWAYS, so do all later ones that need space
   STORM_COUNT=F   writes the number of calls to F at the end */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static long calls, kill_at = -1, error_at = -1;
static int error_number = ENOSPC, torn, always;
static const char *path_part, *count_file;

static long number(const char *name) {
    const char *text = getenv(name);
    return text ? atol(text) : -1;
}

__attribute__((constructor)) static void begin(void) {
    kill_at = number("STORM_KILL");
    error_at = number("STORM_ERROR");
    if (number("STORM_ERRNO") > 0) error_number = (int)number("STORM_ERRNO");
    torn = getenv("STORM_TORN") != NULL;
    always = getenv("STORM_ALWAYS") != NULL;
    path_part = getenv("STORM_PATH");
    count_file = getenv("STORM_COUNT");
}

__attribute__((destructor)) static void end(void) {
    char text[32];
    if (!count_file) return;
    int length = snprintf(text, sizeof text, "%ld\n", __atomic_load_n(&calls, __ATOMIC_SEQ_CST));
    long file = syscall(SYS_openat, AT_FDCWD, count_file, O_CREAT | O_WRONLY | O_TRUNC, 0644);
    syscall(SYS_write, file, text, length);
    syscall(SYS_close, file);
}

/* Returns whether this call fails. `bytes` is what a write would write to `file`; `space` says whether a full
   disk would reject it. */
static int fails(const char *path, int space, int file, const void *bytes, size_t length) {
    if (!path_part || !path || !strstr(path, path_part)) return 0;
    long call = __atomic_add_fetch(&calls, 1, __ATOMIC_SEQ_CST);
    if (call == kill_at) {
        if (torn && bytes && length > 1) syscall(SYS_write, file, bytes, length / 2);
        for (;;) syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
    }
    return call == error_at || (always && error_at > 0 && call > error_at && space);
}

static int fails_for(int file, int space, const void *bytes, size_t length) {
    char link[64], path[4096];
    if (file <= 2) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    long end = syscall(SYS_readlink, link, path, sizeof path - 1);
    if (end <= 0 || path[0] != '/') return 0;
    path[end] = 0;
    return fails(path, space, file, bytes, length);
}

#define REFUSE do { errno = error_number; return -1; } while (0)

ssize_t write(int file, const void *bytes, size_t length) {
    if (fails_for(file, 1, bytes, length)) REFUSE;
    return syscall(SYS_write, file, bytes, length);
}
ssize_t writev(int file, const struct iovec *parts, int count) {
    if (fails_for(file, 1, NULL, 0)) REFUSE;
    return syscall(SYS_writev, file, parts, count);
}
ssize_t pwrite64(int file, const void *bytes, size_t length, off64_t at) {
    if (fails_for(file, 1, NULL, 0)) REFUSE;
    return syscall(SYS_pwrite64, file, bytes, length, at);
}
ssize_t copy_file_range(int from, off64_t *start, int to, off64_t *at, size_t length, unsigned flags) {
    if (fails_for(to, 1, NULL, 0)) REFUSE;
    return syscall(SYS_copy_file_range, from, start, to, at, length, flags);
}
int fsync(int file) {
    if (fails_for(file, 0, NULL, 0)) REFUSE;
    return (int)syscall(SYS_fsync, file);
}
int fdatasync(int file) {
    if (fails_for(file, 0, NULL, 0)) REFUSE;
    return (int)syscall(SYS_fdatasync, file);
}
int ftruncate64(int file, off64_t length) {
    if (fails_for(file, 0, NULL, 0)) REFUSE;
    return (int)syscall(SYS_ftruncate, file, length);
}
int rename(const char *from, const char *to) {
    if (fails(to, 1, -1, NULL, 0)) REFUSE;
    return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}
int unlink(const char *path) {
    if (fails(path, 0, -1, NULL, 0)) REFUSE;
    return (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}
int rmdir(const char *path) {
    if (fails(path, 0, -1, NULL, 0)) REFUSE;
    return (int)syscall(SYS_unlinkat, AT_FDCWD, path, AT_REMOVEDIR);
}
int mkdir(const char *path, mode_t mode) {
    if (fails(path, 1, -1, NULL, 0)) REFUSE;
    return (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
}
int open64(const char *path, int flags, ...) {
    mode_t mode = 0;
    if (flags & O_CREAT) {
        va_list rest;
        va_start(rest, flags);
        mode = va_arg(rest, mode_t);
        va_end(rest);
    }
    if ((flags & (O_CREAT | O_WRONLY | O_RDWR)) && fails(path, 1, -1, NULL, 0)) REFUSE;
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}
