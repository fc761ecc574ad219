/* The log sink: the one thing in the program that is global. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

enum log_level {
    LOG_INFO,
    LOG_WARN,
    LOG_GUEST /* the guest did something a driver author would want to know about */
};

typedef void log_sink(void *ctx, enum log_level level, const char *line);

/* The default sink drops LOG_GUEST and writes the others to stderr. NULL restores it. */
void log_set_sink(log_sink *sink, void *ctx);

/* One line, without a newline at its end. What is in it may be anybody's text: see
 * plain_text_clean. Never called in a hot path. */
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
