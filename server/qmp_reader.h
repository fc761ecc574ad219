/* JSON values out of a stream of bytes, as QEMU's control socket takes them: one behind the other,
 * in any division, over any number of lines, strings also in single quotes. What is wrong is told
 * with QEMU's words, and reading goes on behind it. */
#ifndef SERVER_QMP_READER_H
#define SERVER_QMP_READER_H

#include "base/buffer.h"
#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>

enum { QMP_VALUE_MOST = 1 << 20, QMP_DEPTH_MOST = 1024 };

enum qmp_item {
    QMP_ITEM_NONE,  /* more bytes are needed */
    QMP_ITEM_VALUE, /* *value is an object, the caller's */
    QMP_ITEM_ERROR, /* *err says what is wrong */
    QMP_ITEM_LARGE  /* *err too: a value over QMP_VALUE_MOST; what follows is not to be trusted */
};

enum qmp_token {
    QMP_TOKEN_NONE,
    QMP_TOKEN_BROKEN, /* what follows a byte that cannot be: passed over */
    QMP_TOKEN_STRING,
    QMP_TOKEN_WORD,
    QMP_TOKEN_NUMBER
};

/* All zero: at the beginning. */
struct qmp_reader {
    struct buffer text; /* of the value so far, as strict JSON */
    size_t token_at;    /* where the present token begins in it */
    enum qmp_token token;
    bool escaped; /* the last byte of a string was a backslash */
    char quote;
    unsigned depth;                     /* open brackets */
    uint8_t object[QMP_DEPTH_MOST / 8]; /* a bit for each: it is an object, not an array */
};

void qmp_reader_fini(struct qmp_reader *r);
/* The next item of `*bytes`, of which it takes what it has looked at. Integers over 2^63-1 become
 * strings "0x...", those over 2^64-1 reals. */
enum qmp_item qmp_reader_next(struct qmp_reader *r, const uint8_t **bytes, size_t *left,
                              json_t **value, struct error *err);

#endif
