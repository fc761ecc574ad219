/* Writing recordings: while the machine runs, and afterwards.
 *
 * A flight recorder's file is bounded by beginning anew: when it has become half as large as it
 * may, a second one is begun at a later checkpoint, from memory, while the first is still written;
 * when it has caught up it takes the first one's name. So at every moment there is a whole file
 * under that name. */
#include "timeline/recording.h"

#include "base/check.h"
#include "base/log.h"
#include "timeline/branches.h"
#include "timeline/recording_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Host ns between two flushes, at rest and while running; between two that reach the disk. */
#define REST_NS UINT64_C(20000000)
#define FLUSH_NS UINT64_C(250000000)
#define DISK_NS UINT64_C(1000000000)
enum { TURN_PIECES = 8 };

/* ---- names ---- */

static char *with_suffix(const char *path, const char *suffix)
{
    size_t size = strlen(path) + strlen(suffix) + 1;
    char *name = mem_new(size, 1);
    snprintf(name, size, "%s%s", path, suffix);
    return name;
}

static bool is_free(const char *path, struct error *err)
{
    struct stat st;
    if (lstat(path, &st) != 0)
        return true;
    return error_set(err, ERROR_BUSY, "%.300s is there already: remove it, or choose another name",
                     path);
}

static void sync_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(folder);
    if (fd < 0)
        return;
    fsync(fd);
    close(fd);
}

/* Never in place of another file. */
static bool give_name(const char *from, const char *to, struct error *err)
{
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0) {
        sync_folder(to);
        return true;
    }
    if (errno != EEXIST && is_free(to, err) && rename(from, to) == 0) {
        sync_folder(to);
        return true;
    }
    return error_set(err, ERROR_IO, "%.200s cannot be given its name: %s; it stays %.200s", to,
                     strerror(errno), from);
}

static struct recording_writer *begin_file(struct timeline *tl, const char *path,
                                           const struct recording_options *options,
                                           const struct recording_extent *extent, struct error *err)
{
    char *working = with_suffix(path, ".incomplete"), *next = with_suffix(path, ".incomplete.next");
    struct recording_writer *w = NULL;
    if (is_free(path, err) && is_free(working, err))
        w = recording_writer_new(tl, working, options, extent, err);
    if (w)
        unlink(next); /* of one that was killed */
    free(working);
    free(next);
    return w;
}

static bool end_file(struct recording_writer *w, const char *path, const struct entry *last,
                     struct error *err)
{
    char *working = strdup(recording_writer_path(w));
    bool ok = recording_writer_close(w, last, err) && give_name(working, path, err);
    free(working);
    return ok;
}

/* ---- while the machine runs ---- */

bool timeline_record(struct timeline *tl, const struct recording_options *options,
                     struct error *err)
{
    struct recorded *r = &tl->recorded;
    if (r->writer)
        return error_set(err, ERROR_BUSY, "%.300s is being written already", r->path);
    struct recording_extent extent = {.begin = tl->history.entry[0], .end = POSITION_NONE};
    if (!history_load(tl, &tl->history.entry[0], err))
        return false;
    r->writer = begin_file(tl, options->path, options, &extent, err);
    if (!r->writer)
        return false;
    r->options = *options;
    r->path = strdup(options->path);
    r->base_bytes = 0;
    r->failed = r->unbounded = r->tight = false;
    return true;
}

const char *timeline_record_path(const struct timeline *tl)
{
    return tl->recorded.writer ? tl->recorded.path : NULL;
}

uint64_t timeline_record_bytes(const struct timeline *tl)
{
    struct recording_writer *w = tl->recorded.writer;
    return w ? chunk_writer_bytes(recording_writer_chunks(w)) : 0;
}

static void set_text(char **to, const char *text)
{
    free(*to);
    *to = text ? strdup(text) : NULL;
}

void timeline_set_verdict(struct timeline *tl, const char *reason, const char *text)
{
    set_text(&tl->recorded.reason, reason);
    set_text(&tl->recorded.verdict, text);
    tl->recorded.verdict_at = tl->tip;
    if (tl->recorded.writer)
        recording_writer_flush(tl->recorded.writer, true);
}

static void flush_if_due(struct recording_writer *w, bool rests)
{
    uint64_t now = host_ns();
    if (now - recording_writer_flushed(w) >= (rests ? REST_NS : FLUSH_NS) &&
        recording_writer_has_news(w))
        recording_writer_flush(w, now - recording_writer_synced(w) >= DISK_NS);
}

static void advance(struct recording_writer *w)
{
    for (unsigned i = 0; i < TURN_PIECES && chunk_writer_room(recording_writer_chunks(w)) &&
                         recording_writer_advance(w);
         i++)
        ;
}

static void say_failure(struct recorded *r)
{
    const char *failure = chunk_writer_failure(recording_writer_chunks(r->writer));
    if (!failure || r->failed)
        return;
    r->failed = true;
    log_line(LOG_WARN,
             "the recording ends here: %s; the machine runs on, recorded in memory; `monitor save "
             "FILE` writes it elsewhere",
             failure);
}

/* ---- flight recorder ---- */

/* The newest automatic checkpoint that is older than the guest's time to keep; NULL: none is. */
static const struct entry *too_old(const struct timeline *tl)
{
    const struct history *h = &tl->history;
    uint64_t now = history_newest(tl)->vtime;
    const struct entry *found = NULL;
    for (size_t i = 0; i < h->entries; i++)
        if (!h->entry[i].born && h->entry[i].vtime + tl->options.keep_ns <= now)
            found = &h->entry[i];
    return found;
}

/* Is there half as much more history than the guest's time to keep? */
static bool outlasts(const struct timeline *tl)
{
    uint64_t kept = tl->options.keep_ns, now = history_newest(tl)->vtime;
    return kept && now - tl->history.entry[0].vtime > kept + kept / 2;
}

/* The newest checkpoint such that the file from there on is about a quarter of what it may be. */
static const struct entry *next_begin(const struct timeline *tl)
{
    const struct recorded *r = &tl->recorded;
    const struct history *h = &tl->history;
    uint64_t begin = recording_writer_begin(r->writer), span = tl->tip - begin;
    uint64_t target = begin + span / 2;
    if (tl->options.keep_ns) {
        const struct entry *old = too_old(tl);
        target = old ? old->checkpoint->position : begin;
    }
    const struct entry *found = NULL;
    for (size_t i = 0; i < h->entries; i++)
        if (!h->entry[i].born && h->entry[i].checkpoint->position <= target)
            found = &h->entry[i];
    return found && found->checkpoint->position > begin ? found : NULL;
}

/* It waits for the next one. */
static bool nearly_full(const struct recorded *r)
{
    uint64_t most = r->options.keep_bytes;
    return most && recording_writer_bytes(r->writer) >= most - most / 8;
}

static bool too_long(const struct timeline *tl)
{
    const struct recorded *r = &tl->recorded;
    uint64_t most = r->options.keep_bytes, base = r->base_bytes < most ? r->base_bytes : most;
    if (most && recording_writer_bytes(r->writer) > base + (most - base) / 2)
        return true;
    return outlasts(tl);
}

/* Nor would the next attempt succeed. */
static void give_up_shortening(struct recorded *r, const char *why)
{
    r->unbounded = true;
    log_line(LOG_WARN, "the recording is no longer shortened: %s", why);
    if (r->next)
        recording_writer_abandon(r->next);
    r->next = NULL;
}

static void begin_next(struct timeline *tl)
{
    struct recorded *r = &tl->recorded;
    const struct entry *begin = next_begin(tl);
    struct error err = ERROR_INIT;
    if (!begin || !history_load(tl, begin, &err))
        return;
    struct recording_extent extent = {.begin = *begin, .end = POSITION_NONE};
    char *name = with_suffix(r->path, ".incomplete.next");
    unlink(name);
    r->next = recording_writer_new(tl, name, &r->options, &extent, &err);
    if (!r->next)
        give_up_shortening(r, err.message);
    free(name);
}

/* The next file has all there is: it takes the place of the first. */
static void switch_files(struct timeline *tl)
{
    struct recorded *r = &tl->recorded;
    char *name = with_suffix(r->path, ".incomplete");
    if (rename(recording_writer_path(r->next), name) != 0) {
        give_up_shortening(r, strerror(errno));
        free(name);
        return;
    }
    recording_writer_renamed(r->next, name);
    recording_writer_abandon(r->writer);
    r->writer = r->next;
    r->next = NULL;
    r->base_bytes = timeline_record_bytes(tl);
    if (r->options.keep_bytes && r->base_bytes > r->options.keep_bytes / 8 * 7 && !r->tight) {
        r->tight = true;
        log_line(LOG_WARN,
                 "--keep: images and the present state alone take %" PRIu64
                 " MiB of the file: there is hardly room for history",
                 r->base_bytes >> 20);
    }
    free(name);
    if (!r->saving)
        timeline_forget(tl, recording_writer_begin(r->writer));
}

static void follow_next(struct timeline *tl)
{
    struct recorded *r = &tl->recorded;
    flush_if_due(r->next, false);
    advance(r->next);
    const char *failure = chunk_writer_failure(recording_writer_chunks(r->next));
    if (failure) {
        give_up_shortening(r, failure);
    } else if (recording_writer_caught_up(r->next) && recording_writer_flushed(r->next) &&
               !chunk_writer_waiting(recording_writer_chunks(r->next))) {
        switch_files(tl);
    }
}

/* ---- turns ---- */

static void forget_in_memory(struct timeline *tl)
{
    if (tl->recorded.writer || !outlasts(tl))
        return;
    const struct entry *old = too_old(tl);
    if (old)
        timeline_forget(tl, old->checkpoint->position);
}

/* A branch gets into the file when its machine rests: what it has is written anew each time. */
static void follow_branch(struct timeline *tl, bool rests)
{
    struct recording_writer *w = tl->recorded.writer;
    if (!rests || !w || host_ns() - recording_writer_synced(w) < DISK_NS)
        return;
    bool live = tl->live;
    struct branch *branch = branches_take_main(tl);
    recording_writer_flush_now(w);
    branches_put_back(tl, branch);
    tl->live = live;
}

void recording_follow(struct timeline *tl, bool rests)
{
    struct recorded *r = &tl->recorded;
    if (r->saving)
        return;
    if (!timeline_on_main(tl)) {
        follow_branch(tl, rests);
        return;
    }
    if (!tl->live)
        return;
    forget_in_memory(tl);
    if (!r->writer)
        return;
    say_failure(r);
    flush_if_due(r->writer, rests);
    if (!r->next || !nearly_full(r))
        advance(r->writer);
    if (!r->next && !r->failed && !r->unbounded && too_long(tl))
        begin_next(tl);
    if (r->next)
        follow_next(tl);
}

/* The file is nearly as large as it may be, and the next one has not caught up. */
static bool next_is_late(struct timeline *tl)
{
    struct recorded *r = &tl->recorded;
    if (!r->next || !nearly_full(r))
        return false;
    chunk_writer_wait(recording_writer_chunks(r->next), 1000000);
    follow_next(tl);
    return r->next;
}

bool recording_wait(struct timeline *tl)
{
    struct recording_writer *w = tl->recorded.writer;
    if (!w || !tl->live || !timeline_on_main(tl) || tl->interrupted)
        return false;
    return !chunk_writer_wait(recording_writer_chunks(w), 1000000) || next_is_late(tl);
}

bool timeline_record_close(struct timeline *tl, struct error *err)
{
    struct recorded *r = &tl->recorded;
    if (!r->writer)
        return true;
    check(!timeline_moving(tl), "the machine moves");
    if (tl->live)
        history_take(tl);
    bool live = tl->live;
    struct branch *branch = branches_take_main(tl);
    r->saving = true; /* nor is the branch forgotten that we come back to */
    /* What is still to come would not fit into the first one. */
    while (r->next && !r->failed && nearly_full(r)) {
        chunk_writer_wait(recording_writer_chunks(r->next), 1000000);
        follow_next(tl);
    }
    if (r->next)
        recording_writer_abandon(r->next);
    struct recording_writer *w = r->writer;
    r->writer = r->next = NULL;
    bool ok = end_file(w, r->path, NULL, err);
    branches_put_back(tl, branch);
    r->saving = false;
    tl->live = live;
    free(r->path);
    r->path = NULL;
    return ok;
}

void recording_fini(struct timeline *tl)
{
    if (tl->opened.checkpoints)
        checkpoint_source_free(tl->opened.checkpoints);
    free(tl->recorded.reason);
    free(tl->recorded.verdict);
}

/* ---- afterwards ---- */

/* A checkpoint of the timeline as it stands, for the caller to free. */
static struct entry take_here(struct timeline *tl)
{
    uint64_t log_index = tl->live ? log_count(tl->log) : tl->player.next;
    return (struct entry){.checkpoint = snapshots_take(&tl->snapshots),
                          .log_index = log_index,
                          .vtime = clock_vtime(&tl->m->clock),
                          .stored = CHUNK_NONE,
                          .stored_summary = CHUNK_NONE};
}

static bool go_to(struct timeline *tl, uint64_t position, struct error *err)
{
    struct stop stop;
    if (timeline_position(tl) == position && (tl->live || position != tl->tip) &&
        !tl->diverged.code)
        return true;
    timeline_seek(tl, position);
    timeline_finish(tl, &stop);
    return stop.position == position && stop.reason != STOP_DIVERGED
               ? true
               : error_set(err, ERROR_DIVERGED, "position %" PRIu64 " cannot be reached: %s",
                           position, stop.text);
}

static bool save(struct timeline *tl, const char *path, const struct recording_options *options,
                 uint64_t from, uint64_t to, struct error *err)
{
    if (!go_to(tl, from, err))
        return false;
    struct entry begin = take_here(tl), end;
    bool ok = go_to(tl, to, err);
    if (ok) {
        end = take_here(tl);
        struct recording_extent extent = {begin, to, end.log_index, end.vtime};
        struct recording_writer *w = begin_file(tl, path, options, &extent, err);
        ok = w && end_file(w, path, &end, err);
        checkpoint_free(&tl->snapshots, end.checkpoint);
    }
    checkpoint_free(&tl->snapshots, begin.checkpoint);
    return ok;
}

bool timeline_save(struct timeline *tl, const char *path, const struct recording_content *content,
                   uint64_t from, uint64_t to, struct error *err)
{
    check(!timeline_moving(tl), "the machine moves");
    const struct recording_options options = {.path = path, .content = content};
    if (!is_free(path, err))
        return false;
    tl->recorded.saving = true;
    struct branch *branch = branches_visit_main(tl);
    uint64_t here = timeline_position(tl);
    bool was_live = tl->live;
    struct reported reported = tl->reported;
    if (tl->live)
        history_take(tl);
    from = from < timeline_begin(tl) ? timeline_begin(tl) : from > tl->tip ? tl->tip : from;
    to = to > tl->tip ? tl->tip : to < from ? from : to;
    bool ok = save(tl, path, &options, from, to, err);
    struct error back = ERROR_INIT;
    if (!go_to(tl, was_live ? tl->tip : here, &back))
        log_line(LOG_WARN, "%s", back.message);
    branches_return(tl, branch);
    tl->recorded.saving = false;
    tl->reported = reported;
    return ok;
}

void timeline_forget(struct timeline *tl, uint64_t position)
{
    check(timeline_on_main(tl), "main's history is forgotten on another branch");
    history_forget(tl, position);
    branches_forget(tl, position);
    log_forget(tl->log, tl->history.entry[0].log_index);
    bookmarks_forget(tl);
}
