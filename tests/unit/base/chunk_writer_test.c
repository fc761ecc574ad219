/* The writer on disks that are full, slow or broken: this program's own pwrite, fdatasync and fsync
 * stand before the C library's. */
#include "tests/unit/base/chunk_model.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/syscall.h>

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t left; /* bytes that can still be written */
    size_t most; /* bytes a call writes at most */
    int error;   /* once there are none left */
    int sync_error;
    bool shut;          /* writes wait */
    unsigned interrupt; /* EINTR at every so many calls */
    unsigned calls, datasyncs, syncs;
} disk = {.lock = PTHREAD_MUTEX_INITIALIZER,
          .changed = PTHREAD_COND_INITIALIZER,
          .left = SIZE_MAX,
          .most = SIZE_MAX};

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t offset)
{
    pthread_mutex_lock(&disk.lock);
    while (disk.shut)
        pthread_cond_wait(&disk.changed, &disk.lock);
    size = size < disk.most ? size : disk.most;
    size = size < disk.left ? size : disk.left;
    int error = !size ? disk.error : 0;
    if (disk.interrupt && ++disk.calls % disk.interrupt == 0)
        error = EINTR;
    if (!error && disk.left != SIZE_MAX)
        disk.left -= size;
    pthread_mutex_unlock(&disk.lock);
    if (error) {
        errno = error;
        return -1;
    }
    return syscall(SYS_pwrite64, fd, bytes, size, offset);
}

static int count_sync(unsigned *count)
{
    pthread_mutex_lock(&disk.lock);
    ++*count;
    int error = disk.sync_error;
    pthread_mutex_unlock(&disk.lock);
    errno = error;
    return error ? -1 : 0;
}

int fdatasync(int fd)
{
    (void)fd;
    return count_sync(&disk.datasyncs);
}

int fsync(int fd)
{
    (void)fd;
    return count_sync(&disk.syncs);
}

static void set_shut(bool shut)
{
    pthread_mutex_lock(&disk.lock);
    disk.shut = shut;
    pthread_cond_broadcast(&disk.changed);
    pthread_mutex_unlock(&disk.lock);
}

enum { KIND = CHUNK_KIND('T', 'E', 'S', 'T') };

/* Bytes that zlib cannot make smaller. */
static void add_noise(struct chunk_writer *w, size_t size)
{
    struct buffer contents = {0};
    uint32_t v = (uint32_t)size * 2654435761u + 1;
    for (uint8_t *at = buffer_extend(&contents, size), *end = at + size; at < end; at++)
        *at = (uint8_t)((v = v * 1664525 + 1013904223) >> 24);
    chunk_writer_add(w, KIND, &contents);
}

static struct chunk_writer *make(const char *path, size_t behind)
{
    struct error err = ERROR_INIT;
    struct chunk_writer *w = chunk_writer_new(path, behind, &err);
    cr_assert(w, "%s", err.message);
    return w;
}

/* `count` whole chunks of `size` bytes and nothing behind them. */
static void check_whole(const char *path, size_t count, size_t size)
{
    struct error err = ERROR_INIT;
    struct chunk_reader *r = chunk_reader_open(path, &err);
    cr_assert(r, "%s", err.message);
    cr_assert_eq(chunk_reader_count(r), count, "%zu chunks", chunk_reader_count(r));
    cr_assert_str_eq(chunk_reader_damage(r), "the file was never closed");
    cr_assert_eq(chunk_reader_bytes(r), CHUNK_BLOCK + count * (CHUNK_BLOCK + size));
    for (size_t i = 0; i < count; i++) {
        struct buffer out = {0};
        cr_assert(chunk_reader_load(r, chunk_reader_chunk(r, i), &out, &err), "%s", err.message);
        cr_assert_eq(out.size, size);
        buffer_fini(&out);
    }
    chunk_reader_free(r);
}

static void check_close_fails(struct chunk_writer *w, const char *path, const char *part)
{
    struct error err = ERROR_INIT;
    cr_assert_not(chunk_writer_close(w, &err));
    cr_assert_eq(err.code, ERROR_IO);
    cr_assert(strstr(err.message, path) && strstr(err.message, part), "%s", err.message);
}

/* ---- the queue ---- */

Test(chunk_writer, a_slow_disk_is_told_by_room_and_nothing_else)
{
    char path[4096];
    make_path(path, sizeof path);
    struct chunk_writer *w = make(path, 10000);
    cr_assert(chunk_writer_room(w));
    set_shut(true);
    for (int i = 0; i < 4; i++)
        add_noise(w, 2000);
    cr_assert(chunk_writer_room(w));
    add_noise(w, 3000);
    cr_assert_not(chunk_writer_room(w));
    cr_assert_not(chunk_writer_wait(w, 0));
    cr_assert_not(chunk_writer_wait(w, 2000000));
    cr_assert_eq(chunk_writer_bytes(w), CHUNK_BLOCK);
    /* It takes what it is given all the same. */
    add_noise(w, 20000);
    set_shut(false);
    cr_assert(chunk_writer_wait(w, UINT64_MAX));
    cr_assert(chunk_writer_room(w));
    struct error err = ERROR_INIT;
    cr_assert(chunk_writer_close(w, &err), "%s", err.message);
    struct chunk_reader *r = chunk_reader_open(path, &err);
    cr_assert_eq(chunk_reader_count(r), 6);
    cr_assert_null(chunk_reader_damage(r));
    chunk_reader_free(r);
    remove_path(path);
}

/* Room means that less than `behind` waits, and what does not wait is in the file. */
Test(chunk_writer, room_bounds_what_waits)
{
    enum { BEHIND = 100000, SIZE = 30000 };
    char path[4096];
    make_path(path, sizeof path);
    struct chunk_writer *w = make(path, BEHIND);
    for (size_t added = 0; added < 100 * SIZE; added += SIZE) {
        add_noise(w, SIZE);
        cr_assert(chunk_writer_wait(w, UINT64_MAX));
        cr_assert_gt(chunk_writer_bytes(w) + BEHIND, added + SIZE);
    }
    struct error err = ERROR_INIT;
    cr_assert(chunk_writer_close(w, &err), "%s", err.message);
    remove_path(path);
}

Test(chunk_writer, flush_and_close_reach_the_disk)
{
    char path[4096];
    make_path(path, sizeof path);
    struct chunk_writer *w = make(path, 1);
    disk.most = 7;
    disk.interrupt = 3;
    add_noise(w, 100);
    chunk_writer_flush(w);
    add_noise(w, 200);
    chunk_writer_flush(w);
    struct error err = ERROR_INIT;
    cr_assert(chunk_writer_close(w, &err), "%s", err.message);
    cr_assert_eq(disk.datasyncs, 2);
    cr_assert_eq(disk.syncs, 1);
    struct chunk_reader *r = chunk_reader_open(path, &err);
    cr_assert_eq(chunk_reader_count(r), 2);
    cr_assert_null(chunk_reader_damage(r));
    chunk_reader_free(r);
    remove_path(path);
}

Test(chunk_writer, abandon_removes_its_file_and_no_other)
{
    char path[4096];
    make_path(path, sizeof path);
    struct chunk_writer *w = make(path, 1);
    add_noise(w, 100000);
    add_noise(w, 100000);
    chunk_writer_abandon(w);
    cr_assert_eq(access(path, F_OK), -1);
    w = make(path, 1);
    unlink(path);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    chunk_writer_abandon(w);
    cr_assert_eq(access(path, F_OK), 0);
    remove_path(path);
}

/* ---- making the file ---- */

Test(chunk_writer, a_file_that_exists_stays)
{
    char path[4096];
    make_path(path, sizeof path);
    struct error err = ERROR_INIT;
    close(open(path, O_CREAT | O_WRONLY, 0600));
    cr_assert_null(chunk_writer_new(path, 1, &err));
    cr_assert_eq(err.code, ERROR_BUSY);
    cr_assert(strstr(err.message, path), "%s", err.message);
    cr_assert_eq(access(path, F_OK), 0);
    remove_path(path);
    cr_assert_null(chunk_writer_new("/nonexistent/folder/file", 1, &err));
    cr_assert_eq(err.code, ERROR_IO);
}

Test(chunk_writer, a_header_that_cannot_be_written_leaves_no_file)
{
    char path[4096];
    make_path(path, sizeof path);
    struct error err = ERROR_INIT;
    disk.left = 5;
    disk.error = ENOSPC;
    cr_assert_null(chunk_writer_new(path, 1, &err));
    cr_assert(err.code == ERROR_IO && strstr(err.message, "No space left"), "%s", err.message);
    cr_assert_eq(access(path, F_OK), -1);
    remove_path(path);
}

Test(chunk_writer, the_file_has_the_umasks_mode)
{
    char path[4096];
    make_path(path, sizeof path);
    struct error err = ERROR_INIT;
    struct stat st;
    umask(027);
    cr_assert(chunk_writer_close(make(path, 1), &err));
    cr_assert_eq(stat(path, &st), 0);
    cr_assert_eq(st.st_mode & 0777, 0640);
    remove_path(path);
}

/* ---- failures ---- */

/* Wait until the failure is known; from then on there is room and everything is dropped. */
static void check_failing(struct chunk_writer *w, const char *part)
{
    while (!chunk_writer_failure(w))
        chunk_writer_wait(w, 1000000);
    cr_assert(strstr(chunk_writer_failure(w), part), "%s", chunk_writer_failure(w));
    for (int i = 0; i < 10; i++) {
        add_noise(w, 5000);
        chunk_writer_flush(w);
        cr_assert(chunk_writer_room(w));
        cr_assert(chunk_writer_wait(w, UINT64_MAX));
    }
}

Test(chunk_writer, what_did_not_fit_is_cut_off_at_any_byte)
{
    enum { SIZE = 50 };
    const int errors[] = {ENOSPC, EIO, EFBIG, EDQUOT};
    char path[4096];
    make_path(path, sizeof path);
    for (size_t left = 0; left < 3 * (CHUNK_BLOCK + SIZE); left++) {
        struct chunk_writer *w = make(path, 100);
        disk.error = errors[left % 4];
        disk.left = left;
        for (int i = 0; i < 3; i++)
            add_noise(w, SIZE);
        check_failing(w, strerror(disk.error));
        check_close_fails(w, path, strerror(disk.error));
        disk.left = SIZE_MAX;
        check_whole(path, left / (CHUNK_BLOCK + SIZE), SIZE);
        unlink(path);
    }
    remove_path(path);
}

Test(chunk_writer, close_tells_of_an_index_that_did_not_fit)
{
    enum { SIZE = 50 };
    char path[4096];
    make_path(path, sizeof path);
    struct chunk_writer *w = make(path, 100);
    disk.error = ENOSPC;
    disk.left = CHUNK_BLOCK + SIZE + CHUNK_BLOCK - 1;
    add_noise(w, SIZE);
    check_close_fails(w, path, "No space left");
    check_whole(path, 1, SIZE);
    remove_path(path);
}

Test(chunk_writer, a_sync_that_fails_is_a_failure)
{
    char path[4096];
    make_path(path, sizeof path);
    struct chunk_writer *w = make(path, 100);
    disk.sync_error = EIO;
    chunk_writer_flush(w);
    check_failing(w, strerror(EIO));
    check_close_fails(w, path, "syncing");
    remove_path(path);
}

/* SIGXFSZ, whose default is the end of the program, must not come through. */
Test(chunk_writer, a_limit_of_the_files_size_is_a_full_disk)
{
    enum { SIZE = 1000 };
    char path[4096];
    make_path(path, sizeof path);
    struct rlimit before, limit;
    getrlimit(RLIMIT_FSIZE, &before);
    limit = before;
    limit.rlim_cur = CHUNK_BLOCK + 3 * (CHUNK_BLOCK + SIZE) + 500;
    struct chunk_writer *w = make(path, 100);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    for (int i = 0; i < 10; i++)
        add_noise(w, SIZE);
    check_failing(w, strerror(EFBIG));
    check_close_fails(w, path, "writing");
    check_whole(path, 3, SIZE);
    unlink(path);

    limit.rlim_cur = CHUNK_BLOCK - 1;
    struct error err = ERROR_INIT;
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    cr_assert_null(chunk_writer_new(path, 100, &err));
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    cr_assert(strstr(err.message, strerror(EFBIG)), "%s", err.message);
    remove_path(path);
}

Test(chunk_writer, a_file_system_that_is_full)
{
    enum { SIZE = 100000 };
    char path[4096];
    make_path(path, sizeof path);
    char *slash = strrchr(path, '/');
    *slash = 0;
    bool own = unshare(CLONE_NEWNS) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0;
    if (!own || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("tmpfs", path, "tmpfs", 0, "size=1m") < 0) {
        rmdir(path);
        cr_skip_test("no tmpfs can be mounted here: %s", strerror(errno));
    }
    *slash = '/';
    struct chunk_writer *w = make(path, 1 << 20);
    for (int i = 0; i < 30; i++)
        add_noise(w, SIZE);
    check_failing(w, "No space left");
    check_close_fails(w, path, "No space left");
    check_whole(path, 10, SIZE);
    unlink(path);
    *slash = 0;
    umount(path);
    rmdir(path);
}
