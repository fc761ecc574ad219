/* The configuration inside a recording: any text is refused with a line, or taken for what is
 * written and taken again as the same. */
#include "base/check.h"
#include "cli/recording_config.h"
#include "devices/riscv_virt.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_message(const struct error *err)
{
    check(err->code != ERROR_NONE && *err->message, "refused without a reason");
    for (const char *c = err->message; *c; c++)
        check((unsigned char)*c >= ' ' && *c != 127, "%s", err->message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct recording_config config, again;
    struct buffer first = {0}, second = {0};
    struct error err = ERROR_INIT;
    if (recording_config_parse(&config, data, size, &err)) {
        check(riscv_virt_options_valid(&config.options.machine, &err), "%s", err.message);
        recording_config_append(&config, &first);
        check(recording_config_parse(&again, first.data, first.size, &err), "%s", err.message);
        recording_config_append(&again, &second);
        check(first.size == second.size && !memcmp(first.data, second.data, first.size), "%s",
              buffer_text(&second));
        recording_config_fini(&again);
    } else {
        check_message(&err);
    }
    recording_config_fini(&config);
    buffer_fini(&first);
    buffer_fini(&second);
    return 0;
}
