#include "server/qmp_reader.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of what was read, in an error. */
enum { SHOWN = 200 };

void qmp_reader_fini(struct qmp_reader *r)
{
    buffer_fini(&r->text);
}

static void reset(struct qmp_reader *r)
{
    buffer_clear(&r->text);
    r->token = QMP_TOKEN_NONE;
    r->escaped = false;
    r->depth = 0;
}

static enum qmp_item fail(struct qmp_reader *r, struct error *err, const char *what)
{
    error_set(err, ERROR_FORMAT, "%s", what);
    reset(r);
    return QMP_ITEM_ERROR;
}

/* `what 'TOKEN'`, the token as it has been read so far and one more byte. */
static enum qmp_item fail_token(struct qmp_reader *r, struct error *err, const char *what,
                                const char *more)
{
    bool begun = r->token != QMP_TOKEN_NONE;
    size_t size = begun ? r->text.size - r->token_at : 0;
    char shown[SHOWN + 16];
    snprintf(shown, sizeof shown, "%.*s%s", (int)(size < SHOWN ? size : SHOWN),
             size ? (const char *)r->text.data + r->token_at : "", more);
    error_set(err, ERROR_FORMAT, "JSON parse error, %s '%s'", what, shown);
    reset(r);
    return QMP_ITEM_ERROR;
}

static enum qmp_item fail_stray(struct qmp_reader *r, struct error *err, const char *more)
{
    enum qmp_item item = fail_token(r, err, "stray", more);
    r->token = QMP_TOKEN_BROKEN;
    return item;
}

/* ---- brackets ---- */

static bool open_bracket(struct qmp_reader *r, bool object)
{
    if (r->depth == QMP_DEPTH_MOST)
        return false;
    uint8_t bit = (uint8_t)(1u << (r->depth % 8));
    uint8_t *byte = &r->object[r->depth / 8];
    *byte = (uint8_t)(object ? *byte | bit : *byte & ~bit);
    r->depth++;
    return true;
}

static bool close_bracket(struct qmp_reader *r, bool object)
{
    if (!r->depth)
        return false;
    r->depth--;
    return (r->object[r->depth / 8] >> (r->depth % 8) & 1) == object;
}

/* ---- a whole value ---- */

/* jansson's words, or their beginning, and QEMU's for the same. */
static const char *translate(const json_error_t *failure)
{
    static const struct {
        const char *jansson, *qemu;
    } words[] = {
        {"duplicate object key", "duplicate key"},
        {"string or '}' expected near '}'", "expecting value"},
        {"string or '}' expected near ','", "expecting value"},
        {"string or '}' expected", "key is not a string in object"},
        {"':' expected", "missing : in object pair"},
        {"'}' expected", "expected separator in dict"},
        {"']' expected", "expected separator in list"},
        {"invalid escape", "invalid escape sequence in string"},
        {"invalid Unicode", "invalid escape sequence in string"},
        {"\\u0000", "invalid escape sequence in string"},
        {"unable to decode byte", "invalid UTF-8 sequence in string"},
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (!strncmp(failure->text, words[i].jansson, strlen(words[i].jansson)))
            return words[i].qemu;
    }
    return "expecting value";
}

/* Inside of a value a bad word is found at its end: "invalid token near 'WORD'". */
static void set_error(struct error *err, const json_error_t *failure)
{
    const char *word = strstr(failure->text, "invalid token near '");
    if (word && word[20] >= 'a' && word[20] <= 'z')
        error_set(err, ERROR_FORMAT, "JSON parse error, invalid keyword %.80s", word + 19);
    else
        error_set(err, ERROR_FORMAT, "JSON parse error, %s", translate(failure));
}

static enum qmp_item parse(struct qmp_reader *r, json_t **value, struct error *err)
{
    json_error_t failure;
    *value = json_loadb((const char *)r->text.data, r->text.size, JSON_REJECT_DUPLICATES, &failure);
    reset(r);
    if (json_is_object(*value))
        return QMP_ITEM_VALUE;
    if (*value) {
        json_decref(*value);
        error_set(err, ERROR_FORMAT, "QMP input must be a JSON object");
    } else {
        set_error(err, &failure);
    }
    *value = NULL;
    return QMP_ITEM_ERROR;
}

/* ---- tokens ---- */

static void begin_token(struct qmp_reader *r, enum qmp_token token)
{
    r->token = token;
    r->token_at = r->text.size;
}

/* Integers that a signed one of 64 bits does not hold. */
static void rewrite_number(struct qmp_reader *r)
{
    char digits[32];
    size_t size = r->text.size - r->token_at;
    const char *text = (const char *)r->text.data + r->token_at;
    if (size < 19)
        return;
    for (size_t i = text[0] == '-'; i < size; i++) {
        if (!isdigit((unsigned char)text[i]))
            return;
    }
    snprintf(digits, sizeof digits, "%.*s", (int)(size < 31 ? size : 31), text);
    errno = 0;
    strtoll(digits, NULL, 10);
    if (size < 31 && !errno)
        return;
    errno = 0;
    uint64_t value = strtoull(digits, NULL, 10);
    if (size < 31 && !errno && digits[0] != '-') {
        r->text.size = r->token_at;
        buffer_printf(&r->text, "\"0x%" PRIx64 "\"", value);
    } else {
        buffer_append_string(&r->text, ".0");
    }
}

static bool is_keyword(const struct qmp_reader *r)
{
    static const char *const keyword[] = {"true", "false", "null"};
    size_t size = r->text.size - r->token_at;
    for (size_t i = 0; i < 3; i++) {
        if (size == strlen(keyword[i]) && !memcmp(r->text.data + r->token_at, keyword[i], size))
            return true;
    }
    return false;
}

/* The end of a word, number or string. Outside of brackets it is a value that means nothing. */
static enum qmp_item end_token(struct qmp_reader *r, struct error *err)
{
    if (r->token == QMP_TOKEN_WORD && !is_keyword(r) && !r->depth)
        return fail_token(r, err, "invalid keyword", "");
    if (r->token == QMP_TOKEN_NUMBER)
        rewrite_number(r);
    r->token = QMP_TOKEN_NONE;
    return r->depth ? QMP_ITEM_NONE : fail(r, err, "QMP input must be a JSON object");
}

static bool belongs(const struct qmp_reader *r, char c)
{
    if (r->token == QMP_TOKEN_WORD)
        return c >= 'a' && c <= 'z';
    return isdigit((unsigned char)c) || (c && strchr("+-.eE", c));
}

static enum qmp_item take_in_string(struct qmp_reader *r, char c, struct error *err)
{
    char byte[2] = {c, 0};
    if ((unsigned char)c < ' ')
        return fail_stray(r, err, byte);
    if (r->escaped) {
        r->escaped = false;
        if (c != '\'')
            buffer_append_byte(&r->text, '\\');
        buffer_append_byte(&r->text, (uint8_t)c);
    } else if (c == '\\') {
        r->escaped = true;
    } else if (c == r->quote) {
        buffer_append_byte(&r->text, '"');
        return end_token(r, err);
    } else {
        if (c == '"')
            buffer_append_byte(&r->text, '\\');
        buffer_append_byte(&r->text, (uint8_t)c);
    }
    return QMP_ITEM_NONE;
}

static enum qmp_item take_bracket(struct qmp_reader *r, char c, json_t **value, struct error *err)
{
    bool object = c == '{' || c == '}';
    buffer_append_byte(&r->text, (uint8_t)c);
    if (c == '{' || c == '[')
        return open_bracket(r, object) ? QMP_ITEM_NONE
                                       : fail(r, err, "JSON nesting depth limit exceeded");
    if (!close_bracket(r, object))
        return fail(r, err, "JSON parse error, expecting value");
    return r->depth ? QMP_ITEM_NONE : parse(r, value, err);
}

/* A byte outside of strings and words. */
static enum qmp_item take_plain(struct qmp_reader *r, char c, json_t **value, struct error *err)
{
    char byte[8] = {c};
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
        return QMP_ITEM_NONE;
    switch (c) {
    case '{':
    case '}':
    case '[':
    case ']':
        return take_bracket(r, c, value, err);
    case '"':
    case '\'':
        begin_token(r, QMP_TOKEN_STRING);
        r->quote = c;
        buffer_append_byte(&r->text, '"');
        return QMP_ITEM_NONE;
    case ',':
    case ':':
        buffer_append_byte(&r->text, (uint8_t)c);
        return r->depth ? QMP_ITEM_NONE : fail(r, err, "JSON parse error, expecting value");
    default:
        break;
    }
    if (isdigit((unsigned char)c) || c == '-' || (c >= 'a' && c <= 'z')) {
        /* Two words side by side stay two. */
        if (r->text.size)
            buffer_append_byte(&r->text, ' ');
        begin_token(r, c >= 'a' ? QMP_TOKEN_WORD : QMP_TOKEN_NUMBER);
        buffer_append_byte(&r->text, (uint8_t)c);
        return QMP_ITEM_NONE;
    }
    if ((unsigned char)c >= 0x7f)
        memcpy(byte, "\xef\xbf\xbd", 4); /* U+FFFD, as it cannot be shown */
    return fail_stray(r, err, byte);
}

/* One complaint is enough: on with what may begin something new. */
static bool ends_broken(char c)
{
    return c && (strchr("[]{},:", c) || (c > 0 && c < ' ' && c != '\t'));
}

static enum qmp_item take(struct qmp_reader *r, char c, json_t **value, struct error *err)
{
    if (r->token == QMP_TOKEN_STRING)
        return take_in_string(r, c, err);
    if (r->token == QMP_TOKEN_BROKEN && !ends_broken(c))
        return QMP_ITEM_NONE;
    if (r->token <= QMP_TOKEN_BROKEN) {
        r->token = QMP_TOKEN_NONE;
        return take_plain(r, c, value, err);
    }
    buffer_append_byte(&r->text, (uint8_t)c);
    return QMP_ITEM_NONE;
}

enum qmp_item qmp_reader_next(struct qmp_reader *r, const uint8_t **bytes, size_t *left,
                              json_t **value, struct error *err)
{
    *value = NULL;
    while (*left) {
        char c = (char)**bytes;
        enum qmp_item item;
        if (r->token > QMP_TOKEN_STRING && !belongs(r, c)) {
            item = end_token(r, err); /* `c` is looked at next */
        } else {
            ++*bytes;
            --*left;
            item = take(r, c, value, err);
        }
        if (item != QMP_ITEM_NONE)
            return item;
        if (r->text.size > QMP_VALUE_MOST) {
            fail(r, err, "JSON token size limit exceeded");
            return QMP_ITEM_LARGE;
        }
    }
    return QMP_ITEM_NONE;
}
