/* What the guest said last, and how to go on. */
#include "cli/report_parts.h"

#include "timeline/transcript.h"

#include <inttypes.h>
#include <string.h>

/* ---- the console ---- */

static void put_lines(struct report *r, const char *text, size_t size)
{
    while (size) {
        const char *end = memchr(text, '\n', size);
        size_t length = end ? (size_t)(end - text) : size;
        report_page_line(r->page, "%.*s", (int)length, text);
        text += length + (end != NULL);
        size -= length + (end != NULL);
    }
}

void report_put_console(struct report *r)
{
    static const char *const name[] = {[CHANNEL_SERIAL0] = "the serial port",
                                       [CHANNEL_SEMIHOST] = "semihosting",
                                       [CHANNEL_CONSOLE0] = "the first console",
                                       [CHANNEL_CONSOLE1] = "the second console"};
    struct buffer text = {0};
    bool any = false;
    for (unsigned i = 0; i < sizeof name / sizeof *name; i++) {
        buffer_clear(&text);
        timeline_transcript_tail(r->timeline, i, r->tip, CONSOLE_LINES, &text);
        if (!text.size)
            continue;
        any = true;
        report_page_section(r->page, "last lines of %s", name[i]);
        put_lines(r, buffer_text(&text), text.size);
    }
    if (!any) {
        report_page_section(r->page, "last lines of the console");
        report_page_line(r->page, "the guest has printed nothing");
    }
    buffer_fini(&text);
}

/* ---- how to go on ---- */

/* As a shell takes it for one word. */
static void append_quoted(struct buffer *out, const char *text)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./+,:@%=";
    if (text[0] && strspn(text, plain) == strlen(text)) {
        buffer_append_string(out, text);
        return;
    }
    buffer_append_byte(out, '\'');
    for (; *text; text++)
        buffer_append_string(out, *text == '\'' ? "'\\''" : (char[2]){*text, 0});
    buffer_append_byte(out, '\'');
}

static void put_command(struct report *r, const char *command, const char *what)
{
    report_page_put(r->page, PAGE_PLAIN, "  ");
    report_page_put(r->page, PAGE_STRONG, "%s", command);
    if (what) {
        report_page_column(r->page, 52);
        report_page_put(r->page, PAGE_DIM, "%s", what);
    }
    report_page_end_line(r->page);
}

/* The position to look at first: just before what went wrong. */
static uint64_t first_look(const struct report *r)
{
    if (r->faulted)
        return r->fault.position;
    return r->culprit.known && r->culprit.position != POSITION_NONE ? r->culprit.position : r->tip;
}

/* The file with symbols, out of the recording when it is not there; `elf` gets its name. */
static void put_elf(struct report *r, const char *file, struct buffer *elf)
{
    const struct report_source *s = r->source;
    struct buffer text = {0};
    const char *slash = strrchr(s->elf, '/');
    if (!s->elf_image) {
        append_quoted(elf, s->elf);
        return;
    }
    buffer_printf(&text, "%s.symbols", slash ? slash + 1 : s->elf);
    append_quoted(elf, buffer_text(&text));
    buffer_clear(&text);
    buffer_printf(&text, "backstep export %s --image ", file);
    append_quoted(&text, s->elf_image);
    buffer_printf(&text, " %s", buffer_text(elf));
    put_command(r, buffer_text(&text), NULL);
    buffer_fini(&text);
}

static void put_gdb(struct report *r, const char *file)
{
    struct buffer text = {0}, elf = {0};
    report_page_line(r->page, "then, in another terminal:");
    if (r->source->elf)
        put_elf(r, file, &elf);
    buffer_printf(&text, "gdb-multiarch%s%s", elf.size ? " " : "", buffer_text(&elf));
    buffer_fini(&elf);
    put_command(r, buffer_text(&text), NULL);
    put_command(r, "(gdb) target remote :1234", NULL);
    put_command(r, "(gdb) backtrace", NULL);
    put_command(r, "(gdb) reverse-stepi", "one step back; forward again with stepi");
    if (r->watch_size) {
        static const char *const type[] = {[1] = "char", [2] = "short", [4] = "int", [8] = "long"};
        buffer_clear(&text);
        buffer_printf(&text, "(gdb) watch *(%s *)%#" PRIx64, type[r->watch_size], r->watch_address);
        put_command(r, buffer_text(&text), "what the bad value was loaded from");
        put_command(r, "(gdb) reverse-continue", "to what wrote it, or at once:");
        buffer_clear(&text);
        buffer_printf(&text, "(gdb) monitor goto %" PRIu64, r->watch_position);
        put_command(r, buffer_text(&text), NULL);
    }
    buffer_fini(&text);
}

void report_put_next(struct report *r)
{
    struct buffer file = {0}, text = {0};
    uint64_t position = first_look(r);
    append_quoted(&file, r->source->file ? r->source->file : "FILE");
    report_page_section(r->page, "how to go on");
    buffer_printf(&text, "backstep replay %s --at %" PRIu64 " -gdb tcp::1234", buffer_text(&file),
                  position);
    put_command(r, buffer_text(&text), NULL);
    put_gdb(r, buffer_text(&file));
    report_page_line(r->page, "or without the machine:");
    buffer_clear(&text);
    buffer_printf(&text, "backstep export %s --at %" PRIu64 " --core crash.core",
                  buffer_text(&file), position);
    put_command(r, buffer_text(&text), NULL);
    buffer_fini(&text);
    buffer_fini(&file);
}
