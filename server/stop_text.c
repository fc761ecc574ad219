#include "server/stop_text.h"

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
        buffer_printf(out, "position %" PRIu64 ", hart %u at a breakpoint, pc %#" PRIx64 "\n",
                      stop->position, stop->hart, stop->address);
        break;
    case STOP_WATCH:
        buffer_printf(out, "position %" PRIu64 ", hart %u at an access of %#" PRIx64 "\n",
                      stop->position, stop->hart, stop->address);
        break;
    case STOP_DONE:
        buffer_printf(out, "position %" PRIu64 "\n", stop->position);
        break;
    }
}
