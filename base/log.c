#include "base/log.h"

#include "base/plain_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void write_to_stderr(void *ctx, enum log_level level, const char *line)
{
    (void)ctx;
    if (level != LOG_GUEST)
        fprintf(stderr, "backstep: %s\n", line);
}

static struct {
    log_sink *sink;
    void *ctx;
} current = {write_to_stderr, 0};

void log_set_sink(log_sink *sink, void *ctx)
{
    current.sink = sink ? sink : write_to_stderr;
    current.ctx = ctx;
}

void log_line(enum log_level level, const char *format, ...)
{
    char line[512];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    plain_text_clean(line, strlen(line), true);
    current.sink(current.ctx, level, line);
}
