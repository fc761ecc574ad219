#include "cli/demo_files.h"

#include "cli/embedded.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void demo_files_path(const struct demo_files *files, const char *name, char path[DEMO_PATH])
{
    snprintf(path, DEMO_PATH, "%s/%s", files->folder, name);
}

static bool write_all(int fd, const char *bytes, size_t size)
{
    while (size) {
        ssize_t count = write(fd, bytes, size);
        if (count < 0 && errno != EINTR)
            return false;
        bytes += count > 0 ? count : 0;
        size -= count > 0 ? (size_t)count : 0;
    }
    return true;
}

bool demo_files_write(const struct demo_files *files, const char *name, const void *bytes,
                      size_t size, struct error *err)
{
    char path[DEMO_PATH];
    demo_files_path(files, name, path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool good = fd >= 0 && write_all(fd, bytes, size);
    int reason = errno;
    if (fd >= 0)
        close(fd);
    return good || error_set(err, ERROR_IO, "%s: cannot write: %s", path, strerror(reason));
}

/* The folders on the way to a file of the demo's. */
static bool make_folders(const struct demo_files *files, const char *name, struct error *err)
{
    char path[DEMO_PATH];
    for (const char *slash = strchr(name, '/'); slash; slash = strchr(slash + 1, '/')) {
        snprintf(path, sizeof path, "%s/%.*s", files->folder, (int)(slash - name), name);
        if (mkdir(path, 0700) && errno != EEXIST)
            return error_set(err, ERROR_IO, "%s: cannot make the folder: %s", path,
                             strerror(errno));
    }
    return true;
}

static bool belongs(const char *name)
{
    return !strcmp(name, "demo.elf") || !strncmp(name, "guests/demo/", 12);
}

static bool unpack(const struct demo_files *files, struct error *err)
{
    for (size_t i = 0; i < embedded_count; i++) {
        const struct embedded_file *f = &embedded_files[i];
        if (belongs(f->name) && (!make_folders(files, f->name, err) ||
                                 !demo_files_write(files, f->name, f->data, f->size, err)))
            return false;
    }
    return true;
}

/* Names of Unix sockets are short, so a long TMPDIR is passed over. */
bool demo_files_init(struct demo_files *files, struct error *err)
{
    static const char name[] = "backstep-demo-XXXXXX";
    const char *base = getenv("TMPDIR");
    if (!base || *base != '/' || strlen(base) + sizeof name + 1 > sizeof files->folder ||
        strpbrk(base, " \t\"'\\"))
        base = "/tmp";
    snprintf(files->folder, sizeof files->folder, "%s/%s", base, name);
    if (!mkdtemp(files->folder)) {
        files->folder[0] = '\0';
        return error_set(err, ERROR_IO, "%s: cannot make a folder there: %s; set TMPDIR to another",
                         base, strerror(errno));
    }
    if (unpack(files, err))
        return true;
    demo_files_fini(files);
    return false;
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *ftw)
{
    (void)status, (void)kind, (void)ftw;
    remove(path);
    return 0;
}

void demo_files_fini(struct demo_files *files)
{
    enum { OPEN_FOLDERS = 8 };
    if (files->folder[0])
        nftw(files->folder, remove_entry, OPEN_FOLDERS, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
    files->folder[0] = '\0';
}
