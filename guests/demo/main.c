/* Firmware of a small sensor board: samples four sensors at 2 kHz, filters them, watches the
 * temperature, reports ten times a second and checks its own image in between. */
#include "guests/demo/board.h"
#include "guests/demo/image.h"
#include "guests/demo/sched.h"
#include "guests/demo/sensors.h"
#include "guests/demo/timer.h"
#include "guests/demo/uart.h"

enum { RUN_TICKS = 1500 };

int main(void);

static void report(uint32_t now)
{
    if (now == 0)
        return;
    uart_text("[");
    uart_number(now * 1000 / TICK_HZ, 4);
    uart_text(" ms] temperature ");
    uart_fixed(sensors_value(ADC_TEMPERATURE), 1);
    uart_text(" C, pressure ");
    uart_fixed(sensors_value(ADC_PRESSURE), 1);
    uart_text(" hPa, supply ");
    uart_fixed(sensors_value(ADC_SUPPLY), 2);
    uart_text(" V, knocks up to ");
    uart_number((uint32_t)sensors_peak(), 1);
    uart_text(" mg, dropped ");
    uart_number(sensors_dropped(), 1);
    uart_text(image_intact() ? ", image ok\n" : ", image damaged\n");
}

static void fan_full_speed(enum adc_channel channel, int32_t value)
{
    (void)channel;
    uart_text("alarm: ");
    uart_fixed(value, 1);
    uart_text(" C, fan at full speed\n");
}

static struct task tasks[] = {
    {.name = "filter", .run = sensors_filter, .period = 4},
    {.name = "limits", .run = sensors_limits, .period = 8},
    {.name = "report", .run = report, .period = 200},
    {.name = "image check", .run = image_check},
};

int main(void)
{
    uart_init();
    uart_text("sensor board: 4 channels, 2000 samples a second\n");
    sensors_init(fan_full_speed);
    timer_start(sensors_sample);
    sched_run(tasks, sizeof(tasks) / sizeof(tasks[0]), RUN_TICKS);
    uart_text("run complete\n");
    board_power_off(0);
}
