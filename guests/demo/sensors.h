/* The sensor hub: one reading a tick goes from the interrupt through a ring to the filters. */
#ifndef DEMO_SENSORS_H
#define DEMO_SENSORS_H

#include "guests/demo/adc.h"

typedef void alarm_handler(enum adc_channel channel, int32_t value);

void sensors_init(alarm_handler *on_alarm);
/* Takes the reading of this tick; in interrupt context. */
void sensors_sample(uint32_t tick);

/* Tasks. */
void sensors_filter(uint32_t now);
void sensors_limits(uint32_t now);

/* The filtered reading, in the channel's unit. */
int32_t sensors_value(enum adc_channel channel);
/* The highest peak since the last call, in mg. */
int32_t sensors_peak(void);
uint32_t sensors_dropped(void);

#endif
