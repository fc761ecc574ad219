#include "cli/positions.h"

#include "cli/numbers.h"
#include "timeline/bookmarks.h"

#include <stdio.h>
#include <string.h>

/* N%, with up to six digits behind the point: an exact position, not a rounded double. */
static bool parse_percent(const struct timeline *tl, const char *text, uint64_t *position)
{
    size_t size = strlen(text);
    char digits[32];
    uint64_t millionths;
    if (size < 2 || size > 20 || text[size - 1] != '%')
        return false;
    snprintf(digits, sizeof digits, "%.*se6", (int)size - 1, text);
    if (strpbrk(text, "eExX") || !number_parse(digits, &millionths) || millionths > 100000000)
        return false;
    uint64_t begin = timeline_begin(tl);
    *position =
        begin + (uint64_t)((unsigned __int128)(timeline_tip(tl) - begin) * millionths / 100000000);
    return true;
}

/* +N and -N. */
static bool parse_distance(const struct timeline *tl, const char *text, uint64_t *position)
{
    uint64_t here = timeline_position(tl), distance;
    if (!number_parse(text + 1, &distance))
        return false;
    bool lost = *text == '+' ? __builtin_add_overflow(here, distance, position)
                             : __builtin_sub_overflow(here, distance, position);
    if (lost)
        *position = POSITION_NONE;
    return true;
}

bool position_parse(const struct timeline *tl, const char *text, uint64_t *position)
{
    const struct bookmark *bookmark = timeline_bookmark_find(tl, text);
    if (!strcmp(text, "start") || !strcmp(text, "begin"))
        *position = timeline_begin(tl);
    else if (!strcmp(text, "end") || !strcmp(text, "tip"))
        *position = timeline_tip(tl);
    else if (*text == '+' || *text == '-')
        return parse_distance(tl, text, position);
    else if (bookmark)
        *position = bookmark->position;
    else
        return parse_percent(tl, text, position) || number_parse(text, position);
    return true;
}

bool position_find(const struct timeline *tl, const char *text, uint64_t *position,
                   struct error *err)
{
    if (!position_parse(tl, text, position))
        return error_set(err, ERROR_USAGE,
                         "`%.80s` is no position: N, start, end, +N, -N, N%% or a bookmark", text);
    if (*position >= timeline_begin(tl) && *position <= timeline_tip(tl))
        return true;
    char begin[NUMBER_TEXT], tip[NUMBER_TEXT];
    number_format(timeline_begin(tl), begin);
    number_format(timeline_tip(tl), tip);
    return error_set(err, ERROR_RANGE, "%.80s is outside of history, which goes from %s to %s",
                     text, begin, tip);
}

bool position_find_part(const struct timeline *tl, const char *from_text, const char *to_text,
                        uint64_t *from, uint64_t *to, struct error *err)
{
    if (!position_find(tl, from_text ? from_text : "start", from, err))
        return error_prefix(err, "--from");
    if (!position_find(tl, to_text ? to_text : "end", to, err))
        return error_prefix(err, "--to");
    return *from <= *to ||
           error_set(err, ERROR_RANGE, "--from %.80s lies behind --to %.80s", from_text, to_text);
}
