#include "server/interpreter.h"

#include "server/stop_text.h"

bool interpreter_finish(const struct interpreter *interpreter, const struct stop *stop,
                        struct buffer *out)
{
    if (interpreter->finish)
        return interpreter->finish(interpreter->ctx, stop, out);
    stop_append_text(stop, out);
    return true;
}
