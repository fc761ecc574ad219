#include "cli/commands_json.h"

#include "cli/commands_info.h"
#include "cli/json_values.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* All rows there are. A file that has some adds its list here. */
static const struct json_row *const lists[] = {
    json_rows_moves,   json_rows_look,     json_rows_query,  json_rows_diff,
    json_rows_picture, json_rows_branches, json_rows_points, json_rows_line,
};

enum { LISTS = sizeof lists / sizeof *lists, NAME_MOST = 64 };

static const struct json_row *row_at(size_t index)
{
    for (size_t i = 0; i < LISTS; i++)
        for (const struct json_row *row = lists[i]; row->name; row++)
            if (!index--)
                return row;
    return NULL;
}

static const struct json_row *find(const char *name)
{
    const struct json_row *row;
    for (size_t i = 0; (row = row_at(i)); i++)
        if (!strcmp(row->name, name))
            return row;
    return NULL;
}

/* ---- the interpreter's ---- */

/* Is `name` one of the words? */
static bool has_word(const char *words, const char *name)
{
    size_t size = strlen(name);
    while (*words) {
        size_t word = strcspn(words, " ");
        if (word == size && !memcmp(words, name, size))
            return true;
        words += word + (words[word] == ' ');
    }
    return false;
}

static bool arguments_known(const struct json_row *row, const json_t *arguments, struct error *err)
{
    const char *name;
    json_t *value;
    if (arguments && !json_is_object(arguments))
        return error_set(err, ERROR_USAGE, "arguments of `%s` are to be an object", row->name);
    json_object_foreach((json_t *)(uintptr_t)arguments, name, value)
    {
        if (has_word(row->arguments, name))
            continue;
        return error_set(err, ERROR_USAGE, "`%s` has no argument `%.80s`: it takes %s", row->name,
                         name, *row->arguments ? row->arguments : "none");
    }
    return true;
}

json_t *commands_json_call(void *ctx, const char *name, const json_t *arguments, struct error *err)
{
    struct command_context *c = ctx;
    const struct json_row *row = find(name);
    if (!timeline_moving(c->timeline))
        commands_forget(c);
    if (!row) {
        error_set(err, ERROR_UNSUPPORTED, "there is no command `%.80s`", name);
        return NULL;
    }
    return arguments_known(row, arguments, err) ? row->run(c, arguments, err) : NULL;
}

json_t *commands_json_finish(void *ctx, const struct stop *stop, struct error *err)
{
    struct command_context *c = ctx;
    json_t *answer = c->json_finish ? c->json_finish(c, stop, err) : json_stop(c->timeline, stop);
    if (answer || err->code)
        commands_forget(c);
    return answer;
}

const char *commands_json_name(void *ctx, size_t index)
{
    (void)ctx;
    const struct json_row *row = row_at(index);
    return row ? row->name : NULL;
}

/* ---- a line of text ---- */

static void append_answer(json_t *answer, const struct error *err, struct buffer *out)
{
    if (!answer)
        answer = json_pack("{s:o}", "error", json_text(err->message, strlen(err->message)));
    char *text = json_dumps(answer, JSON_COMPACT | JSON_ENSURE_ASCII);
    buffer_append_string(out, text ? text : "{\"error\":\"the answer cannot be written\"}");
    buffer_append_byte(out, '\n');
    free(text);
    json_decref(answer);
}

static bool finish_line(struct command_context *c, const struct stop *stop, struct buffer *out)
{
    struct error err = ERROR_INIT;
    json_t *answer = commands_json_finish(c, stop, &err);
    if (!answer && !err.code)
        return false;
    append_answer(answer, &err, out);
    return true;
}

/* The first word, which ends where the arguments begin. Returns what follows. */
static const char *split(const char *argument, char name[NAME_MOST])
{
    size_t size = strcspn(argument, " \t{");
    snprintf(name, NAME_MOST, "%.*s", (int)(size < NAME_MOST ? size : NAME_MOST - 1), argument);
    return argument + size + strspn(argument + size, " \t");
}

bool commands_json_moves(const char *argument)
{
    char name[NAME_MOST];
    split(argument, name);
    const struct json_row *row = find(name);
    return row && row->moves;
}

void commands_json(struct command_context *c, const char *argument, struct buffer *out)
{
    struct error err = ERROR_INIT;
    char name[NAME_MOST];
    json_error_t bad;
    const char *rest = split(argument, name);
    json_t *arguments = *rest ? json_loads(rest, JSON_REJECT_DUPLICATES, &bad) : NULL;
    json_t *answer = NULL;
    if (*rest && !arguments)
        error_set(&err, ERROR_USAGE, "the arguments are no JSON: %.160s", bad.text);
    else
        answer = commands_json_call(c, name, arguments, &err);
    json_decref(arguments);
    if (answer || err.code)
        append_answer(answer, &err, out);
    else
        c->finish = finish_line;
}
