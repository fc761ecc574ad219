#include "server/stop_text.h"

#include "timeline/points.h"

#include <inttypes.h>

bool stop_needs_text(const struct stop *stop)
{
    return stop->reason == STOP_HALT || stop->reason == STOP_STUCK ||
           stop->reason == STOP_DIVERGED || stop->reason == STOP_FULL ||
           stop->reason == STOP_TRIGGER;
}

void stop_append_halt(const struct stop *stop, struct buffer *out)
{
    if (stop->halt == HALT_EXIT)
        buffer_printf(out, "the guest ended the run with code %" PRIu64, stop->halt_code);
    else if (stop->halt == HALT_RESET)
        buffer_append_string(out, "the guest asked for a reset, with -no-reboot,");
    else
        buffer_append_string(out, "the machine was switched off");
    buffer_printf(out, " at position %" PRIu64, stop->position);
}

/* For whom it has stopped, where that is not gdb. */
static const char *whose(const struct stop *stop)
{
    if (stop->owners & 1u << OWNER_GDB)
        return "";
    if (stop->owners & 1u << OWNER_COMMANDS)
        return " by command";
    return stop->owners & 1u << OWNER_CONTROL ? " by the control socket" : "";
}

/* Who has written, or is about to; before a store of a hart the machine has not made it yet. */
static void append_physical(const struct stop *stop, struct buffer *out)
{
    buffer_printf(out,
                  "position %" PRIu64 ": %" PRIu64 " byte%s at physical %#" PRIx64 " written by ",
                  stop->position, stop->size, stop->size == 1 ? "" : "s", stop->address);
    switch (stop->writer) {
    case WRITTEN_BY_HART:
        buffer_printf(out, "hart %u\n", stop->hart);
        break;
    case WRITTEN_BY_TABLES:
        buffer_printf(out, "hart %u's page walk (accessed and dirty bits)\n", stop->hart);
        break;
    case WRITTEN_BY_DEVICE:
        buffer_printf(out, "%s\n", stop->device ? stop->device : "a device");
        break;
    case WRITTEN_BY_DEBUGGER:
        buffer_append_string(out, "a debugger\n");
        break;
    case WRITTEN_BY_RESET:
        buffer_append_string(out, "a reset\n");
        break;
    }
}

void stop_append_text(const struct stop *stop, struct buffer *out)
{
    switch (stop->reason) {
    case STOP_HALT:
        stop_append_halt(stop, out);
        buffer_append_string(out, "; reverse execution goes on from here\n");
        break;
    case STOP_STUCK:
        buffer_printf(out, "position %" PRIu64 ": all harts wait and nothing can wake them\n",
                      stop->position);
        break;
    case STOP_DIVERGED:
    case STOP_TRIGGER:
        buffer_printf(out, "%s\n", stop->text);
        break;
    case STOP_FULL:
        buffer_printf(out,
                      "position %" PRIu64
                      ": the recording has no room: %s; make room and continue, "
                      "or start with a larger --memory-budget\n",
                      stop->position, stop->text);
        break;
    case STOP_BEGIN:
        buffer_printf(out, "position %" PRIu64 ", the beginning of history\n", stop->position);
        break;
    case STOP_END:
        buffer_printf(out, "position %" PRIu64 ", the tip; forward from here is live\n",
                      stop->position);
        break;
    case STOP_INTERRUPT:
        buffer_printf(out, "interrupted, position %" PRIu64 "\n", stop->position);
        break;
    case STOP_BREAK:
        buffer_printf(out, "position %" PRIu64 ", hart %u at a breakpoint%s, pc %#" PRIx64 "\n",
                      stop->position, stop->hart, whose(stop), stop->address);
        break;
    case STOP_WATCH:
        if (stop->kinds & HIT_PHYSICAL)
            append_physical(stop, out);
        else
            buffer_printf(out,
                          "position %" PRIu64 ", hart %u at an access of %#" PRIx64 ", watched%s\n",
                          stop->position, stop->hart, stop->address, whose(stop));
        break;
    case STOP_DONE:
        buffer_printf(out, "position %" PRIu64 "\n", stop->position);
        break;
    }
}
