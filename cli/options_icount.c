/* -icount: the guest's time, and QEMU's spelling of recording and replaying. */
#include "cli/numbers.h"
#include "cli/options_set.h"

#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof *(table))

enum { SHIFT_MOST = 10 };

static bool set_shift(struct run_options *o, const char *name, const char *value, struct error *err)
{
    uint64_t shift;
    if (!number_parse(value, &shift) || shift > SHIFT_MOST)
        return error_set(err, ERROR_USAGE,
                         "-%s: shift=%s is not possible: 0 to 10, each step takes 2^N ns", name,
                         value);
    o->machine.shift = (unsigned)shift;
    o->shift_given = true;
    return true;
}

static bool set_sleep(struct run_options *o, const char *name, const char *value, struct error *err)
{
    (void)name, (void)err;
    o->warp = properties_same_value(value, "off");
    return true;
}

static bool set_rr(struct run_options *o, const char *name, const char *value, struct error *err)
{
    (void)name, (void)err;
    o->collected->rr = *value == 'n' ? RR_NONE : !strcmp(value, "record") ? RR_RECORD : RR_REPLAY;
    return true;
}

static bool set_rr_file(struct run_options *o, const char *name, const char *value,
                        struct error *err)
{
    o->collected->rr_file = options_keep(o, value);
    return options_check_path(name, value, err);
}

static bool set_rr_snapshot(struct run_options *o, const char *name, const char *value,
                            struct error *err)
{
    o->snapshot = options_keep(o, value);
    return options_check_id(name, value, err);
}

bool options_set_icount(struct run_options *o, const char *name, const char *value,
                        struct error *err)
{
    static const struct property table[] = {
        {"shift", NULL, set_shift},    {"sleep", "on|off", set_sleep},
        {"align", "off", NULL},        {"rr", "record|replay|none", set_rr},
        {"rrfile", NULL, set_rr_file}, {"rrsnapshot", NULL, set_rr_snapshot},
    };
    return properties_set(o, name, value, table, COUNT(table), NULL, err);
}

/* ---- together ---- */

static bool settle_record(struct run_options *o, struct error *err)
{
    if (o->output)
        return error_set(err, ERROR_USAGE,
                         "-o %.200s and -icount rr=record,rrfile=%.200s: a run has one recording: "
                         "leave one of them out",
                         o->output, o->collected->rr_file);
    o->output = o->collected->rr_file;
    o->output_replaces = true;
    return true;
}

/* What is said of a run's own history makes no sense for one that is there. */
static bool settle_replay(struct run_options *o, struct error *err)
{
    const char *what = o->output                     ? "-o"
                       : o->keep_bytes || o->keep_ns ? "--keep"
                       : o->crash.given              ? "--crash-on"
                       : o->stop_at != POSITION_NONE ? "--stop-at"
                       : o->dump_vmstate             ? "-dump-vmstate"
                                                     : NULL;
    if (what)
        return error_set(err, ERROR_USAGE,
                         "%s is for a run, and -icount rr=replay opens a recording: leave one of "
                         "them out",
                         what);
    o->replayed = o->collected->rr_file;
    return true;
}

bool options_settle_icount(struct run_options *o, struct error *err)
{
    enum rr_mode rr = o->collected->rr;
    const char *file = o->collected->rr_file;
    if (rr == RR_NONE && (file || o->snapshot))
        return error_set(err, ERROR_USAGE,
                         "-icount: %s is for recordings: add rr=record or rr=replay",
                         file ? "rrfile" : "rrsnapshot");
    if (rr != RR_NONE && !file)
        return error_set(err, ERROR_USAGE, "-icount: rr=%s needs a file: add rrfile=FILE",
                         rr == RR_RECORD ? "record" : "replay");
    return rr == RR_NONE || (rr == RR_RECORD ? settle_record(o, err) : settle_replay(o, err));
}
