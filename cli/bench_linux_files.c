/* The Linux guest's files: found, and looked at before anything is measured. */
#include "cli/bench_linux.h"

#include "machine/loader.h"

#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAGIC_AT = 56 };
#define INITRD_MOST (UINT64_C(256) << 20)

static const char how[] = "tests/linux/initramfs.py $(tests/guests/get-linux) makes them";

/* An initramfs is not compressed, so what its modes print can be seen in it. */
static bool check_initrd(const char *path, struct error *err)
{
    static const char wanted[] = "backstep-linux: devices done";
    uint8_t *bytes = NULL;
    size_t size;
    bool good = file_read(path, INITRD_MOST, &bytes, &size, err) && size &&
                memmem(bytes, size, wanted, strlen(wanted));
    free(bytes);
    return good || error_set(err, ERROR_USAGE, "%s is no initramfs for the bench: %s", path, how);
}

/* A RISC-V Image says so in its header; anything else would only hang. */
static bool check_kernel(const char *path, struct error *err)
{
    uint8_t header[MAGIC_AT + 4] = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool good = fd >= 0 && read(fd, header, sizeof header) == (ssize_t)sizeof header &&
                !memcmp(header + MAGIC_AT, "RSC\005", 4);
    if (fd >= 0)
        close(fd);
    return good || error_set(err, ERROR_USAGE, "%s is no RISC-V Linux: %s", path, how);
}

static bool set(char to[PATH_MAX], const char *path, struct error *err)
{
    if (strlen(path) >= PATH_MAX)
        return error_set(err, ERROR_USAGE, "%.40s...: the path is too long", path);
    strcpy(to, path);
    return true;
}

/* The newest file of that pattern that is good. */
static bool newest(const char *pattern, bool (*good)(const char *path, struct error *err),
                   char path[PATH_MAX])
{
    glob_t found = {0};
    struct stat s;
    struct timespec best = {0};
    bool any = false;
    if (glob(pattern, 0, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc; i++) {
            struct error ignored = ERROR_INIT;
            const char *each = found.gl_pathv[i];
            if (strlen(each) >= PATH_MAX || stat(each, &s) < 0 || !S_ISREG(s.st_mode))
                continue;
            bool newer = !any || s.st_mtim.tv_sec > best.tv_sec ||
                         (s.st_mtim.tv_sec == best.tv_sec && s.st_mtim.tv_nsec > best.tv_nsec);
            if (newer && good(each, &ignored)) {
                any = true;
                best = s.st_mtim;
                strcpy(path, each);
            }
        }
    }
    globfree(&found);
    return any;
}

bool bench_linux_find(struct bench_linux_files *files, const char *kernel, const char *initrd,
                      struct error *err)
{
    if (kernel)
        return set(files->kernel, kernel, err) && set(files->initrd, initrd, err) &&
               check_kernel(files->kernel, err) && check_initrd(files->initrd, err);
    const char *folder = getenv("BACKSTEP_LINUX");
    if (!folder || !*folder)
        folder = "build/deps/linux";
    char kernels[PATH_MAX + 64], initrds[PATH_MAX + 64];
    if (strlen(folder) >= PATH_MAX)
        return error_set(err, ERROR_USAGE, "$BACKSTEP_LINUX is too long a path");
    snprintf(kernels, sizeof kernels, "%s/*/boot/vmlinu[xz]-*", folder);
    snprintf(initrds, sizeof initrds, "%s/initramfs-*.cpio", folder);
    if (newest(kernels, check_kernel, files->kernel) &&
        newest(initrds, check_initrd, files->initrd))
        return true;
    return error_set(err, ERROR_USAGE,
                     "no Linux guest in %s: %s, or name them: --linux KERNEL INITRD", folder, how);
}
