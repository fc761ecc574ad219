#include "guests/demo/adc.h"

static uint32_t noise_state = 1999;

/* Marsaglia's xorshift with the triple 13, 17, 5. */
static uint32_t noise(uint32_t limit)
{
    noise_state ^= noise_state << 13;
    noise_state ^= noise_state >> 17;
    noise_state ^= noise_state << 5;
    return (noise_state >> 8) % limit;
}

static int32_t vibration(void)
{
    int32_t value = 10 + (int32_t)noise(6);
    if (noise(6) == 0)
        value += 180 + (int32_t)noise(60);
    return value;
}

int32_t adc_read(enum adc_channel channel, uint32_t tick)
{
    switch (channel) {
    case ADC_TEMPERATURE:
        return 412 + (int32_t)(tick * tick / 4000) + (int32_t)noise(5);
    case ADC_PRESSURE:
        return 10132 + (int32_t)noise(9);
    case ADC_VIBRATION:
        return vibration();
    default:
        return 329 + (int32_t)noise(3);
    }
}
