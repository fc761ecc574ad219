/* What trees of pages are made of, for the files of the page store. */
#ifndef CHECKPOINTS_PAGETREE_H
#define CHECKPOINTS_PAGETREE_H

#include "checkpoints/pagestore.h"
#include "checkpoints/pool.h"

enum { FAN_BITS = 4, FAN = 1 << FAN_BITS };

struct frame {
    uint8_t *bytes;
    uint64_t hash;
    uint64_t refs : 63;
    uint64_t spilled : 1; /* bytes are the file's */
};

/* Children are frames at level 0, nodes above; NULL where there is nothing. */
struct node {
    void *child[FAN];
    uint64_t digest;  /* sum of the contributions of the pages below */
    uint64_t capture; /* the capture that made it: until that is done it may change */
    uint32_t refs;
};

struct pageroot {
    struct pagestore *store;
    struct node *top;
    uint64_t pages;
    uint64_t frames; /* pages that are there, without those of zeroes */
    unsigned top_level;
    uint32_t refs;
};

struct pagestore {
    uint64_t captures;
    uint64_t looks; /* at frames in the file */
    size_t roots;
    struct frame *zeroes; /* the only frame of zeroes; NULL: there is none at the moment */
    struct pool bytes;    /* of frames */
    struct pool spilled;  /* of frames that did not fit in memory */
    size_t memory;        /* bytes of frames in memory from which on new ones go to the file */
    struct pool frames;   /* struct frame */
    struct pool nodes;
};

/* NULL: the page is not there. */
const struct frame *pageroot_find(const struct pageroot *root, uint64_t page);
/* NULL is equal to NULL only. */
bool frame_equal(const struct frame *a, const struct frame *b);
/* NULL holds zeroes. */
bool frame_holds(const struct frame *f, const uint8_t *page);
/* The bytes of a frame of the tree's store, wherever they are. */
const uint8_t *pageroot_look(const struct pageroot *root, const struct frame *f);

static inline const uint8_t *ram_bytes(const struct ram *ram, uint64_t page)
{
    return ram->host + (page << RAM_PAGE_BITS);
}

#endif
