/* Any bytes are loaded or refused with a reason; what is loaded lies in RAM and can be written. */
#include "base/check.h"
#include "base/log.h"
#include "machine/loader.h"

#include <inttypes.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RAM_SIZE = 1 << 20 };
#define RAM_BASE UINT64_C(0x80000000)

static void silent(void *ctx, enum log_level level, const char *line)
{
    (void)ctx, (void)level, (void)line;
}

static void check_images(const struct images *images, const struct ram *ram,
                         const struct image_info *info)
{
    check(images->count, "loaded nothing");
    for (size_t i = 0; i < images->count; i++) {
        const struct image_segment *s = &images->segment[i];
        check(s->size <= s->mem_size && ram_contains(ram, s->pa, s->mem_size),
              "%" PRIu64 " of %" PRIu64 " bytes at %#" PRIx64, s->size, s->mem_size, s->pa);
        check(s->pa >= info->low && s->pa + s->mem_size <= info->high, "%#" PRIx64, s->pa);
    }
    check(ram_contains(ram, info->entry, 1), "entry %#" PRIx64, info->entry);
    check(!images->tohost || ram_contains(ram, images->tohost, 8), "tohost %#" PRIx64,
          images->tohost);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ram ram;
    struct images images;
    struct image_info info;
    struct error err = ERROR_INIT;
    log_set_sink(silent, NULL);
    check(ram_init(&ram, RAM_BASE, RAM_SIZE, &err), "%s", err.message);
    images_init(&images);
    if (images_load_bytes(&images, "input", data, size, RAM_BASE, &ram, &info, &err)) {
        check_images(&images, &ram, &info);
        images_write(&images, &ram);
    } else {
        check(!images.count && err.code && !strchr(err.message, '\n'), "\"%s\"", err.message);
    }
    images_fini(&images);
    ram_fini(&ram);
    return 0;
}
