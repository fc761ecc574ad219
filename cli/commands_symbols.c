#include "cli/commands_symbols.h"

#include "base/plain_text.h"
#include "cli/kept_files.h"
#include "cli/numbers.h"
#include "cli/recorded_run.h"

#include <elf.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* What is no ELF file, or damaged, is as if it were not there. */
static void read_recorded(struct symbols *symbols, struct recorded_run *run)
{
    const char *name;
    const uint8_t *bytes;
    size_t size;
    struct error ignored = ERROR_INIT;
    for (size_t i = 0; recorded_run_elf(run, i, &name, &bytes, &size); i++)
        symbols_add(symbols, name, bytes, size, &ignored);
}

static void read_kept(struct symbols *symbols, const struct kept_files *kept)
{
    struct recording_blob blob;
    struct error ignored = ERROR_INIT;
    for (size_t i = 0; (blob = kept_files_get(kept, i)).name; i++)
        if (blob.size > SELFMAG && !memcmp(blob.bytes, ELFMAG, SELFMAG))
            symbols_add(symbols, blob.name, blob.bytes, blob.size, &ignored);
}

struct symbols *commands_symbols(struct command_context *c)
{
    if (!c->recorded && !c->kept)
        return NULL;
    if (!c->symbols) {
        c->symbols = symbols_new();
        if (c->recorded)
            read_recorded(c->symbols, c->recorded);
        else
            read_kept(c->symbols, c->kept);
    }
    return symbols_count(c->symbols) ? c->symbols : NULL;
}

/* NAME or NAME+N */
static bool find_symbol(struct symbols *symbols, const char *text, uint64_t *address)
{
    char name[256];
    uint64_t offset = 0;
    const char *plus = strchr(text, '+');
    size_t size = plus ? (size_t)(plus - text) : strlen(text);
    if (!symbols || size >= sizeof name || (plus && !number_parse(plus + 1, &offset)))
        return false;
    snprintf(name, sizeof name, "%.*s", (int)size, text);
    if (!symbols_find(symbols, name, address))
        return false;
    *address += offset;
    return true;
}

bool commands_address(struct command_context *c, const char *text, uint64_t *address,
                      struct error *err)
{
    const struct machine *m = timeline_machine(c->timeline);
    if (*text == '$') {
        const struct cpu *cpu = m->cpu[m->state.running];
        const struct cpu_register *reg = cpu_register_named(cpu, text + 1);
        if (!reg)
            return error_set(err, ERROR_USAGE, "there is no register `%.80s`", text + 1);
        *address = cpu->ops->get_register(cpu, reg->number);
        return true;
    }
    if (number_parse(text, address))
        return true;
    struct symbols *symbols = commands_symbols(c);
    if (find_symbol(symbols, text, address))
        return true;
    const char *meant = symbols ? symbols_nearest(symbols, text) : NULL;
    if (meant)
        return error_set(err, ERROR_USAGE, "`%.80s` is no address: did you mean %.120s?", text,
                         meant);
    return error_set(err, ERROR_USAGE, "`%.80s` is no address: a number%s or $REGISTER is one",
                     text, symbols ? ", a symbol" : "");
}

void commands_append_address(struct command_context *c, uint64_t address, struct buffer *out)
{
    struct symbols *symbols = commands_symbols(c);
    struct buffer name = {0};
    buffer_printf(out, "%#" PRIx64, address);
    if (symbols && symbols_append(symbols, address, &name)) {
        plain_text_clean(name.data, name.size, false);
        buffer_printf(out, " <%s>", buffer_text(&name));
    }
    buffer_fini(&name);
}
