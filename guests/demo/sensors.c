#include "guests/demo/sensors.h"

#include "guests/demo/ring.h"

#include <stddef.h>

enum { FILTER_SHIFT = 3, FRACTION = 8 };
enum { KNOCK_LIMIT = 100, TEMPERATURE_LIMIT = 800 };

/* A record's first word: tick, kind, channel, reading. A knock has a second word: the tick
 * and the height of the peak. */
enum { RECORD_READING, RECORD_KNOCK };

struct channel {
    int32_t filtered; /* with FRACTION bits behind the point */
    uint32_t readings;
};

static struct sensor_hub {
    struct channel channel[ADC_CHANNELS];
    struct ring ring;
    alarm_handler *on_alarm;
    int32_t peak;
    uint32_t baseline; /* vibration without knocks, mg */
    uint32_t alarms;
} sensors;

void sensors_init(alarm_handler *on_alarm)
{
    sensors.baseline = 12;
    sensors.on_alarm = on_alarm;
}

void sensors_sample(uint32_t tick)
{
    enum adc_channel channel = tick % ADC_CHANNELS;
    int32_t value = adc_read(channel, tick);
    uint64_t kind = RECORD_READING;
    uint64_t words[2];
    unsigned count = 1;
    if (channel == ADC_VIBRATION && value > KNOCK_LIMIT) {
        kind = RECORD_KNOCK;
        words[1] = (uint64_t)tick << 32 | ((uint32_t)value - sensors.baseline);
        count = 2;
        value = (int32_t)sensors.baseline;
    }
    words[0] = (uint64_t)tick << 32 | kind << 24 | (uint64_t)channel << 16 | (uint16_t)value;
    ring_put(&sensors.ring, words, count);
}

static void filter(struct channel *channel, int32_t value)
{
    int32_t scaled = value << FRACTION;
    if (channel->readings++ == 0)
        channel->filtered = scaled;
    else
        channel->filtered += (scaled - channel->filtered) >> FILTER_SHIFT;
}

void sensors_filter(uint32_t now)
{
    (void)now;
    uint64_t word, detail;
    while (ring_get(&sensors.ring, &word)) {
        filter(&sensors.channel[word >> 16 & 3], (int16_t)word);
        if ((word >> 24 & 1) == RECORD_KNOCK && ring_get(&sensors.ring, &detail)) {
            int32_t height = (int32_t)(detail & 0xffff);
            if (height > sensors.peak)
                sensors.peak = height;
        }
    }
}

void sensors_limits(uint32_t now)
{
    (void)now;
    int32_t temperature = sensors_value(ADC_TEMPERATURE);
    if (temperature > TEMPERATURE_LIMIT && sensors.alarms == 0) {
        sensors.alarms++;
        if (sensors.on_alarm)
            sensors.on_alarm(ADC_TEMPERATURE, temperature);
    }
}

int32_t sensors_value(enum adc_channel channel)
{
    return sensors.channel[channel].filtered >> FRACTION;
}

int32_t sensors_peak(void)
{
    int32_t peak = sensors.peak;
    sensors.peak = 0;
    return peak;
}

uint32_t sensors_dropped(void)
{
    return sensors.ring.dropped;
}
