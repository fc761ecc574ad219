/* The analogue inputs. This board has none, so the readings are made up: a base value, noise, a
 * slow rise of the temperature and a knock on the vibration sensor now and then. */
#ifndef DEMO_ADC_H
#define DEMO_ADC_H

#include <stdint.h>

enum adc_channel {
    ADC_TEMPERATURE, /* 0.1 degrees C */
    ADC_PRESSURE,    /* 0.1 hPa */
    ADC_VIBRATION,   /* mg */
    ADC_SUPPLY,      /* 0.01 V */
    ADC_CHANNELS,
};

int32_t adc_read(enum adc_channel channel, uint32_t tick);

#endif
