/*
 * Between a program and the C library: writes down what it does to the files below one folder, and lets calls fail.
 *
 * Loaded by LD_PRELOAD. What it is to do stands in a file that both sides have mapped, named by CHAOS_CONTROL
 * (tests/chaos/shim.py has the same structure). All calls on the folder go through one lock, so that the log has them in
 * the order in which they happened. What is written through mmap is not seen: of SQLite's files that is the -shm alone,
 * which no reader trusts after a crash.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { OPEN, WRITE, SYNC, RENAME, MKDIR, UNLINK, TRUNCATE, LINK, KINDS };
enum { L_CREATE = 1, L_TRUNCATE, L_WRITE, L_SYNC, L_RENAME, L_UNLINK, L_MKDIR, L_RMDIR, L_LINK, L_TOLD };

enum unsynced { NONE, ALL, FOLDERS, FINDINGS, JOURNAL };

struct control {
    int32_t epoch;        /* another one: the log is opened anew */
    int32_t no_sync;      /* fsync and fdatasync do nothing and say that they did; of what: enum unsynced */
    int32_t fault_kind;   /* -1: none */
    int32_t fault_errno;  /* 0: the program is killed instead */
    int64_t fault_from;   /* the first call of that kind that fails, from 1 */
    int64_t fault_count;  /* how many fail; 0: all, until healed */
    int32_t healed;
    int32_t short_first;  /* a failing write first writes half */
    int64_t calls[KINDS];
    int64_t hits;
    char root[512];
    char log[512];
};

struct record {
    uint32_t kind, first, second, reserved; /* lengths of what follows */
    int64_t inode, offset;
};

#define FDS 65536
static struct control *control;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned char ours[FDS];
static int log_fd = -1, log_epoch = -1;
static pid_t owner; /* not that of a vfork's child, which closes files and shares our memory */

#define REAL(name) ((__typeof__(&name))real(#name))
static void *real(const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    if (!found) abort();
    return found;
}

static void be_owner(void) { owner = getpid(); }

__attribute__((constructor)) static void begin(void) {
    be_owner();
    pthread_atfork(NULL, NULL, be_owner);
    const char *path = getenv("CHAOS_CONTROL");
    if (!path) return;
    int fd = REAL(open)(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) abort();
    control = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (control == MAP_FAILED) abort();
    close(fd);
}

static void absolute(int at, const char *path, char *out, size_t size) {
    if (path[0] == '/') {
        snprintf(out, size, "%s", path);
        return;
    }
    char base[4096] = "", link[64];
    if (at == AT_FDCWD) {
        if (!getcwd(base, sizeof base)) base[0] = 0;
    } else {
        snprintf(link, sizeof link, "/proc/self/fd/%d", at);
        ssize_t n = readlink(link, base, sizeof base - 1);
        base[n > 0 ? n : 0] = 0;
    }
    snprintf(out, size, "%.4000s/%.4000s", base, path);
}

static int inside(const char *path) {
    if (!control || !control->root[0]) return 0;
    size_t n = strlen(control->root);
    return !strncmp(path, control->root, n) && (path[n] == '/' || !path[n]);
}

static int is_ours(int fd) { return control && fd >= 0 && fd < FDS && ours[fd]; }

static int64_t inode_of(int fd) {
    struct stat st;
    return fstat(fd, &st) ? -1 : (int64_t)st.st_ino;
}

static int64_t inode_at(const char *path) {
    struct stat st;
    return stat(path, &st) ? -1 : (int64_t)st.st_ino;
}

static void put(uint32_t kind, int64_t inode, int64_t offset, const void *a, size_t an, const void *b, size_t bn) {
    if (!control->log[0]) return;
    int error = errno;
    if (log_epoch != control->epoch) {
        if (log_fd >= 0) close(log_fd);
        log_fd = REAL(open)(control->log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
        log_epoch = control->epoch;
    }
    struct record head = {kind, (uint32_t)an, (uint32_t)bn, 0, inode, offset};
    struct iovec parts[] = {{&head, sizeof head}, {(void *)a, an}, {(void *)b, bn}};
    if (REAL(writev)(log_fd, parts, 3) != (ssize_t)(sizeof head + an + bn)) abort();
    errno = error;
}

static void put_path(uint32_t kind, int64_t inode, const char *path) {
    put(kind, inode, 0, path, strlen(path), NULL, 0);
}

/* Counts a call, and says whether it is to fail. */
static int fails(int kind) {
    int64_t number = __atomic_add_fetch(&control->calls[kind], 1, __ATOMIC_SEQ_CST);
    if (control->fault_kind != kind || control->healed || number < control->fault_from) return 0;
    if (control->fault_count && control->hits >= control->fault_count) return 0;
    __atomic_add_fetch(&control->hits, 1, __ATOMIC_SEQ_CST);
    if (!control->fault_errno) kill(getpid(), SIGKILL);
    errno = control->fault_errno;
    return 1;
}

#define GUARDED(type, body)                                                                                            \
    pthread_mutex_lock(&lock);                                                                                         \
    type result = -1;                                                                                                  \
    body pthread_mutex_unlock(&lock);                                                                                  \
    return result;

static int do_open(int at, const char *path, int flags, mode_t mode) {
    char full[8192];
    absolute(at, path, full, sizeof full);
    if (!inside(full)) {
        int fd = REAL(openat)(at, path, flags, mode);
        if (fd >= 0 && fd < FDS) ours[fd] = 0;
        return fd;
    }
    GUARDED(int, {
        if (!fails(OPEN)) {
            int unnamed = (flags & O_TMPFILE) == O_TMPFILE;
            int64_t before = unnamed ? -1 : inode_at(full);
            result = REAL(openat)(at, path, flags, mode);
            if (result >= 0 && result < FDS) {
                ours[result] = 1;
                int64_t now = inode_of(result);
                if (unnamed)
                    put_path(L_CREATE, now, "");
                else if (before < 0)
                    put_path(L_CREATE, now, full);
                else if ((flags & O_TRUNC) && (flags & (O_WRONLY | O_RDWR)))
                    put(L_TRUNCATE, now, 0, NULL, 0, NULL, 0);
            }
        }
    })
}

#define MODE_OF(flags, mode)                                                                                           \
    mode_t mode = 0;                                                                                                   \
    if ((flags) & (O_CREAT | O_TMPFILE)) {                                                                             \
        va_list list;                                                                                                  \
        va_start(list, flags);                                                                                         \
        mode = va_arg(list, mode_t);                                                                                   \
        va_end(list);                                                                                                  \
    }
int open(const char *path, int flags, ...) { MODE_OF(flags, mode) return do_open(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE_OF(flags, mode) return do_open(AT_FDCWD, path, flags, mode); }
int openat(int at, const char *path, int flags, ...) { MODE_OF(flags, mode) return do_open(at, path, flags, mode); }
int openat64(int at, const char *path, int flags, ...) { MODE_OF(flags, mode) return do_open(at, path, flags, mode); }
int __open_2(const char *path, int flags) { return do_open(AT_FDCWD, path, flags, 0); }
int __open64_2(const char *path, int flags) { return do_open(AT_FDCWD, path, flags, 0); }
int creat(const char *path, mode_t mode) { return do_open(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }

int close(int fd) {
    if (fd >= 0 && fd < FDS && ours[fd] && getpid() == owner) ours[fd] = 0;
    return REAL(close)(fd);
}

static ssize_t do_write(int fd, const void *data, size_t n, off_t offset, int positioned) {
    GUARDED(ssize_t, {
        size_t most = n;
        int failing = fails(WRITE);
        if (failing && control->short_first && control->hits == 1 && n > 1) {
            failing = 0;
            most = n / 2;
        }
        if (!failing) {
            struct stat st;
            int appends = fcntl(fd, F_GETFL) & O_APPEND;
            if (!positioned) offset = appends && !fstat(fd, &st) ? st.st_size : lseek(fd, 0, SEEK_CUR);
            result = positioned ? REAL(pwrite)(fd, data, most, offset) : REAL(write)(fd, data, most);
            if (result > 0) put(L_WRITE, inode_of(fd), offset, data, (size_t)result, NULL, 0);
        }
    })
}

ssize_t write(int fd, const void *data, size_t n) {
    if (is_ours(fd)) return do_write(fd, data, n, 0, 0);
    ssize_t result = REAL(write)(fd, data, n);
    struct stat st;
    /* What the watcher prints goes to a file; a child of it may talk to it through a pipe. */
    if (control && control->root[0] && fd == 1 && result > 0 && !fstat(fd, &st) && S_ISREG(st.st_mode)) {
        pthread_mutex_lock(&lock);
        put(L_TOLD, 0, 0, data, (size_t)result, NULL, 0);
        pthread_mutex_unlock(&lock);
    }
    return result;
}

ssize_t pwrite(int fd, const void *data, size_t n, off_t offset) {
    return is_ours(fd) ? do_write(fd, data, n, offset, 1) : REAL(pwrite)(fd, data, n, offset);
}
ssize_t pwrite64(int fd, const void *data, size_t n, off_t offset) { return pwrite(fd, data, n, offset); }

/* Only the first part: who calls must go on with the rest. */
ssize_t writev(int fd, const struct iovec *parts, int count) {
    if (!is_ours(fd) || count < 1) return REAL(writev)(fd, parts, count);
    return do_write(fd, parts[0].iov_base, parts[0].iov_len, 0, 0);
}

static int skips(int fd) {
    struct stat st;
    char link[64], path[4096] = "";
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    if (readlink(link, path, sizeof path - 1) < 0 || fstat(fd, &st)) return 0;
    int folder = S_ISDIR(st.st_mode), journal = strstr(path, "journal.sqlite") != NULL;
    switch (control->no_sync) {
    case ALL: return 1;
    case FOLDERS: return folder;
    case FINDINGS: return !folder && !journal;
    case JOURNAL: return journal;
    default: return 0;
    }
}

static int do_sync(int fd, int data_only) {
    GUARDED(int, {
        if (!fails(SYNC)) {
            if (skips(fd))
                result = 0;
            else if (!(result = data_only ? REAL(fdatasync)(fd) : REAL(fsync)(fd)))
                put(L_SYNC, inode_of(fd), 0, NULL, 0, NULL, 0);
        }
    })
}
int fsync(int fd) { return is_ours(fd) ? do_sync(fd, 0) : REAL(fsync)(fd); }
int fdatasync(int fd) { return is_ours(fd) ? do_sync(fd, 1) : REAL(fdatasync)(fd); }

int ftruncate(int fd, off_t size) {
    if (!is_ours(fd)) return REAL(ftruncate)(fd, size);
    GUARDED(int, {
        if (!fails(TRUNCATE) && !(result = REAL(ftruncate)(fd, size)))
            put(L_TRUNCATE, inode_of(fd), size, NULL, 0, NULL, 0);
    })
}
int ftruncate64(int fd, off_t size) { return ftruncate(fd, size); }

int renameat2(int from_at, const char *from, int to_at, const char *to, unsigned flags) {
    char old[8192], new[8192];
    absolute(from_at, from, old, sizeof old);
    absolute(to_at, to, new, sizeof new);
    if (!inside(old) && !inside(new)) return REAL(renameat2)(from_at, from, to_at, to, flags);
    GUARDED(int, {
        if (!fails(RENAME)) {
            int64_t inode = inode_at(old);
            if (!(result = REAL(renameat2)(from_at, from, to_at, to, flags)))
                put(L_RENAME, inode, 0, old, strlen(old), new, strlen(new));
        }
    })
}
int renameat(int a, const char *from, int b, const char *to) { return renameat2(a, from, b, to, 0); }
int rename(const char *from, const char *to) { return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0); }

int unlinkat(int at, const char *path, int flags) {
    char full[8192];
    absolute(at, path, full, sizeof full);
    if (!inside(full)) return REAL(unlinkat)(at, path, flags);
    GUARDED(int, {
        if (!fails(UNLINK) && !(result = REAL(unlinkat)(at, path, flags)))
            put_path(flags & AT_REMOVEDIR ? L_RMDIR : L_UNLINK, 0, full);
    })
}
int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }

int mkdirat(int at, const char *path, mode_t mode) {
    char full[8192];
    absolute(at, path, full, sizeof full);
    if (!inside(full)) return REAL(mkdirat)(at, path, mode);
    GUARDED(int, {
        if (!fails(MKDIR) && !(result = REAL(mkdirat)(at, path, mode))) put_path(L_MKDIR, inode_at(full), full);
    })
}
int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }

int linkat(int from_at, const char *from, int to_at, const char *to, int flags) {
    char old[8192], new[8192];
    absolute(from_at, from, old, sizeof old);
    absolute(to_at, to, new, sizeof new);
    if (!inside(new)) return REAL(linkat)(from_at, from, to_at, to, flags);
    GUARDED(int, {
        if (!fails(LINK) && !(result = REAL(linkat)(from_at, from, to_at, to, flags)))
            put_path(L_LINK, inode_at(new), new);
    })
}
int link(const char *from, const char *to) { return linkat(AT_FDCWD, from, AT_FDCWD, to, 0); }
