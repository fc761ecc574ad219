/* Operational errors: files, options, sockets, peers. Never for guest-caused conditions. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stdbool.h>

enum error_code {
    ERROR_NONE,
    ERROR_USAGE,       /* a bad option, value or command */
    ERROR_IO,          /* the host's file, socket or clock failed */
    ERROR_FORMAT,      /* bytes that do not follow their format */
    ERROR_RANGE,       /* a number, address or size outside what is possible */
    ERROR_MEMORY,      /* the host cannot give the memory asked for */
    ERROR_BUSY,        /* somebody else owns it at the moment */
    ERROR_UNSUPPORTED, /* known, and not available here */
    ERROR_DIVERGED     /* a replay differs from what was recorded */
};

/* Caller-owned. `message` is one line that names the thing and the way out. */
struct error {
    enum error_code code;
    char message[512];
};

#define ERROR_INIT                                                                                 \
    {                                                                                              \
        ERROR_NONE, ""                                                                             \
    }

/* Fill *err and return false, so that a failing function can `return error_set(...)`. */
bool error_set(struct error *err, enum error_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Put "PREFIX: " before the message of *err; returns false. */
bool error_prefix(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
