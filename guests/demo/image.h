/* A background check of the firmware's own image. */
#ifndef DEMO_IMAGE_H
#define DEMO_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

/* Task: takes the CRC-32 a slice further. */
void image_check(uint32_t now);
/* False once a pass gave another result than the first. */
bool image_intact(void);

#endif
