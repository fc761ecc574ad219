#include "base/outfile.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64], path[128], part[140];
static struct outfile file;
static struct error err;

static void init(void)
{
    snprintf(folder, sizeof folder, "/tmp/outfile_XXXXXX");
    cr_assert(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/name", folder);
    snprintf(part, sizeof part, "%s.part0", path);
    err = (struct error)ERROR_INIT;
}

static void fini(void)
{
    unlink(path);
    unlink(part);
    cr_assert_eq(rmdir(folder), 0, "something was left behind");
}

TestSuite(outfile, .init = init, .fini = fini);

static size_t contents(const char *name, char bytes[100])
{
    FILE *f = fopen(name, "r");
    cr_assert(f, "%s", name);
    size_t size = fread(bytes, 1, 100, f);
    fclose(f);
    return size;
}

static void write_file(const char *name, const char *text)
{
    FILE *f = fopen(name, "w");
    cr_assert(f);
    fputs(text, f);
    fclose(f);
}

Test(outfile, has_its_name_when_complete)
{
    char bytes[100];
    write_file(path, "old");
    cr_assert(outfile_open(&file, path, &err), "%s", err.message);
    cr_assert(outfile_write(&file, 6, "world", 5, &err));
    cr_assert(outfile_write(&file, 0, "hello", 5, &err));
    cr_assert_eq(contents(path, bytes), 3);
    cr_assert(outfile_commit(&file, 13, &err), "%s", err.message);
    cr_assert_eq(contents(path, bytes), 13);
    cr_assert_arr_eq(bytes, "hello\0world\0\0", 13);
    cr_assert_eq(access(part, F_OK), -1);
    outfile_abandon(&file); /* nothing is open */
    cr_assert_eq(access(path, F_OK), 0);
}

Test(outfile, is_not_there_when_abandoned)
{
    char bytes[100];
    write_file(path, "old");
    cr_assert(outfile_open(&file, path, &err));
    cr_assert(outfile_write(&file, 0, "new", 3, &err));
    cr_assert_eq(access(part, F_OK), 0);
    outfile_abandon(&file);
    outfile_abandon(&file);
    cr_assert_eq(access(part, F_OK), -1);
    cr_assert_eq(contents(path, bytes), 3);
    cr_assert_arr_eq(bytes, "old", 3);
}

Test(outfile, passes_over_names_in_use)
{
    char bytes[100];
    write_file(part, "left");
    cr_assert(outfile_open(&file, path, &err));
    cr_assert(outfile_commit(&file, 0, &err));
    cr_assert_eq(contents(path, bytes), 0);
    cr_assert_eq(contents(part, bytes), 4);
}

Test(outfile, leaves_holes)
{
    enum { PAGES = 64, PAGE = 4096 };
    static uint8_t bytes[PAGES * PAGE + 5], back[sizeof bytes];
    struct stat st;
    bytes[10 * PAGE + 17] = 1;
    bytes[11 * PAGE + 4095] = 2;
    bytes[PAGES * PAGE + 4] = 3;
    cr_assert(outfile_open(&file, path, &err));
    cr_assert(outfile_write_sparse(&file, 2 * PAGE, bytes, sizeof bytes, &err));
    cr_assert(outfile_commit(&file, 100 * PAGE, &err));
    cr_assert_eq(stat(path, &st), 0);
    cr_assert_eq(st.st_size, 100 * PAGE);
    cr_assert_leq(st.st_blocks * 512, 8 * PAGE, "%ld bytes", (long)st.st_blocks * 512);
    FILE *f = fopen(path, "r");
    fseek(f, 2 * PAGE, SEEK_SET);
    cr_assert_eq(fread(back, 1, sizeof back, f), sizeof back);
    fclose(f);
    cr_assert_arr_eq(back, bytes, sizeof bytes);
}

Test(outfile, refuses)
{
    char name[200];
    snprintf(name, sizeof name, "%s/none/name", folder);
    cr_assert_not(outfile_open(&file, name, &err));
    cr_assert(strstr(err.message, "none/name") && strstr(err.message, "No such file"), "%s",
              err.message);
    cr_assert_not(outfile_open(&file, folder, &err));
    cr_assert(strstr(err.message, "is there and is no regular file"), "%s", err.message);
    cr_assert_not(outfile_open(&file, "/dev/null", &err));
    cr_assert_not(outfile_open(&file, "", &err));
    outfile_abandon(&file);
}

Test(outfile, errors_of_the_medium_leave_nothing)
{
    cr_assert(outfile_open(&file, path, &err));
    cr_assert_not(outfile_write(&file, INT64_MAX, "far", 3, &err));
    cr_assert_eq(err.code, ERROR_IO);
    cr_assert(strstr(err.message, path), "%s", err.message);
    cr_assert_not(outfile_commit(&file, INT64_MAX, &err));
    cr_assert_eq(access(part, F_OK), -1);
    cr_assert_eq(access(path, F_OK), -1);
}
