/* -rtc and -fw_cfg. */
#include "cli/options_set.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define COUNT(table) (sizeof(table) / sizeof *(table))
#define NS_PER_S UINT64_C(1000000000)

/* 64 bits of nanoseconds go on until 2554. */
enum { YEAR_FIRST = 1970, YEAR_LAST = 2500, FW_CFG_NAME_MOST = 55 };

/* ---- -rtc ---- */

static bool set_base(struct run_options *o, const char *name, const char *value, struct error *err)
{
    (void)name, (void)err;
    o->collected->rtc_base = options_keep(o, value);
    return true;
}

static bool set_clock(struct run_options *o, const char *name, const char *value, struct error *err)
{
    (void)name, (void)err;
    o->collected->rtc_clock = options_keep(o, value);
    return true;
}

bool options_set_rtc(struct run_options *o, const char *name, const char *value, struct error *err)
{
    static const struct property table[] = {
        {"base", NULL, set_base}, {"clock", "host|vm", set_clock}, {"driftfix", "none", NULL}};
    return properties_set_keys(o, name, value, table, COUNT(table), err);
}

/* YYYY-MM-DD or YYYY-MM-DDTHH:MM:SS, all digits, a day that exists. */
static bool parse_date(const char *text, uint64_t *ns)
{
    static const char shape[] = "0000-00-00T00:00:00";
    size_t size = strlen(text);
    if (size != 10 && size != 19)
        return false;
    for (size_t i = 0; i < size; i++)
        if (shape[i] == '0' ? text[i] < '0' || text[i] > '9' : text[i] != shape[i])
            return false;
    struct tm date = {0};
    sscanf(text, "%d-%d-%dT%d:%d:%d", &date.tm_year, &date.tm_mon, &date.tm_mday, &date.tm_hour,
           &date.tm_min, &date.tm_sec);
    if (date.tm_year < YEAR_FIRST || date.tm_year > YEAR_LAST)
        return false;
    date.tm_year -= 1900;
    date.tm_mon--;
    /* A field out of its range would be carried into the others. */
    struct tm carried = date;
    time_t seconds = timegm(&carried);
    *ns = (uint64_t)seconds * NS_PER_S;
    return carried.tm_year == date.tm_year && carried.tm_mon == date.tm_mon &&
           carried.tm_mday == date.tm_mday && carried.tm_hour == date.tm_hour &&
           carried.tm_min == date.tm_min && carried.tm_sec == date.tm_sec;
}

/* With base=utc the guest reads the host's clock each time, recorded; after a date its clock goes
 * by its own time. */
bool options_settle_rtc(struct run_options *o, struct error *err)
{
    const char *base = o->collected->rtc_base, *clock = o->collected->rtc_clock;
    if (!base || !strcmp(base, "utc")) {
        if (clock && strcmp(clock, "host") != 0)
            return error_set(err, ERROR_UNSUPPORTED,
                             "-rtc clock=%s needs a date to start from: add base=YYYY-MM-DD",
                             clock);
        return true;
    }
    if (!strcmp(base, "localtime"))
        return error_set(err, ERROR_UNSUPPORTED,
                         "-rtc base=localtime: the clock is in UTC, and the guest sets its zone: "
                         "write base=utc or a date");
    if (!parse_date(base, &o->machine.rtc_base))
        return error_set(err, ERROR_USAGE,
                         "-rtc: base=%.40s is not possible: write utc, YYYY-MM-DD or "
                         "YYYY-MM-DDTHH:MM:SS, years %d to %d",
                         base, YEAR_FIRST, YEAR_LAST);
    if (clock && strcmp(clock, "vm") != 0)
        return error_set(err, ERROR_UNSUPPORTED,
                         "-rtc base=%s goes by the guest's time: write clock=vm", base);
    o->machine.rtc_fixed = true;
    return true;
}

/* ---- -fw_cfg ---- */

static struct run_fw_cfg *current(struct run_options *o)
{
    return &o->fw_cfg[o->fw_cfgs - 1];
}

static bool set_name(struct run_options *o, const char *name, const char *value, struct error *err)
{
    if (strncmp(value, "opt/", 4) != 0 || !value[4])
        return error_set(err, ERROR_USAGE,
                         "-%s: `%.60s` is no name for a user's item: it begins with opt/", name,
                         value);
    if (strlen(value) > FW_CFG_NAME_MOST)
        return error_set(err, ERROR_USAGE, "-%s: name=%.60s... is too long: %d bytes at most", name,
                         value, FW_CFG_NAME_MOST);
    for (unsigned i = 0; i + 1 < o->fw_cfgs; i++)
        if (!strcmp(o->fw_cfg[i].name, value))
            return error_set(err, ERROR_USAGE, "-%s: name=%s is given twice", name, value);
    current(o)->name = options_keep(o, value);
    return true;
}

static bool set_string(struct run_options *o, const char *name, const char *value,
                       struct error *err)
{
    (void)name, (void)err;
    current(o)->text = options_keep(o, value);
    return true;
}

static bool set_file(struct run_options *o, const char *name, const char *value, struct error *err)
{
    current(o)->file = options_keep(o, value);
    return options_check_path(name, value, err);
}

bool options_set_fw_cfg(struct run_options *o, const char *name, const char *value,
                        struct error *err)
{
    static const struct property table[] = {
        {"name", NULL, set_name}, {"string", NULL, set_string}, {"file", NULL, set_file}};
    static const char usage[] = "write name=opt/NAME,string=TEXT or name=opt/NAME,file=FILE";
    if (o->fw_cfgs == OPTIONS_FW_CFGS)
        return error_set(err, ERROR_RANGE, "-%s: too many items: at most %d", name,
                         OPTIONS_FW_CFGS);
    o->fw_cfg[o->fw_cfgs++] = (struct run_fw_cfg){.name = ""};
    if (!properties_set(o, name, value, table, COUNT(table), NULL, err))
        return false;
    if (!*current(o)->name)
        return error_set(err, ERROR_USAGE, "-%s: the name is missing: %s", name, usage);
    if (!current(o)->text == !current(o)->file)
        return error_set(err, ERROR_USAGE, "-%s %s: one of string and file is needed: %s", name,
                         current(o)->name, usage);
    return true;
}
