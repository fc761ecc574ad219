/* Disk images of a recorded run, where they were: used only while each is the file it was. */
#ifndef CLI_RECORDED_IMAGES_H
#define CLI_RECORDED_IMAGES_H

#include "cli/recording_config.h"

struct recorded_images;

/* Opens what is there and unchanged (size and time); says of the others, in a line each, why not,
 * unless `quiet`. */
struct recorded_images *recorded_images_new(const struct recording_config *config, bool quiet);
void recorded_images_free(struct recorded_images *images);
/* False from `read` where an image is not there. */
struct disk_host recorded_images_host(struct recorded_images *images);
/* NULL: not all are there. */
const struct disk_images *recorded_images_all(const struct recorded_images *images);

#endif
