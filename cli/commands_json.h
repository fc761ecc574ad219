/* Commands that answer in JSON: what a control socket calls x-backstep-NAME, and scripts call as
 * `monitor json NAME {ARGUMENTS}`, which prints one line of JSON. */
#ifndef CLI_COMMANDS_JSON_H
#define CLI_COMMANDS_JSON_H

#include "cli/commands.h"

#include <jansson.h>

/* `arguments`: an object that has no other names than the row's, or NULL. Returns a new reference;
 * NULL and *err: it failed. A row that moves may begin a movement: then it returns NULL without an
 * error, and c->json_finish has the answer (NULL: json_stop of where it ends). json_finish in turn
 * may begin the next one, and returns NULL without an error again. */
typedef json_t *json_row_fn(struct command_context *c, const json_t *arguments, struct error *err);

struct json_row {
    const char *name;
    json_row_fn *run;
    const char *arguments; /* their names, with blanks in between; empty: none */
    bool moves;            /* may begin a movement */
};

/* Each file's rows; the last one's name is NULL. Listed in commands_json.c. */
extern const struct json_row json_rows_moves[], json_rows_look[], json_rows_query[],
    json_rows_diff[], json_rows_picture[], json_rows_branches[], json_rows_points[],
    json_rows_line[];

/* The interpreter's; ctx: struct command_context. */
json_t *commands_json_call(void *ctx, const char *name, const json_t *arguments, struct error *err);
json_t *commands_json_finish(void *ctx, const struct stop *stop, struct error *err);
const char *commands_json_name(void *ctx, size_t index);

/* May `json ARGUMENT` move the timeline? */
bool commands_json_moves(const char *argument);

#endif
